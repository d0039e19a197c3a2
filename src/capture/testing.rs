//! Captures, built byte by byte.

pub(super) const SECONDS: u32 = 1_700_000_000;

/// How numbers are written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Endian {
    Little,
    Big,
}

impl Endian {
    pub(super) fn n16(self, n: u16) -> Vec<u8> {
        if self == Endian::Little { n.to_le_bytes().to_vec() } else { n.to_be_bytes().to_vec() }
    }
    pub(super) fn n32(self, n: u32) -> Vec<u8> {
        if self == Endian::Little { n.to_le_bytes().to_vec() } else { n.to_be_bytes().to_vec() }
    }
    pub(super) fn n64(self, n: u64) -> Vec<u8> {
        if self == Endian::Little { n.to_le_bytes().to_vec() } else { n.to_be_bytes().to_vec() }
    }
    pub(super) fn all32(self, numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|&n| self.n32(n)).collect()
    }
    pub(super) fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let len = u32::try_from(body.len() + 12).unwrap();
        [self.n32(kind), self.n32(len), body, self.n32(len)].concat()
    }
    pub(super) fn section(self) -> Vec<u8> {
        let body = [self.n32(0x1a2b_3c4d), self.n16(1), self.n16(0), self.n64(u64::MAX)].concat();
        self.block(0x0a0d_0d0a, &body)
    }
    pub(super) fn interface(self, link: u16, snap_len: u32, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let body = [self.n16(link), self.n16(0), self.n32(snap_len), self.options(options)].concat();
        self.block(1, &body)
    }
    pub(super) fn options(self, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (code, value) in options {
            out.extend(
                [self.n16(*code), self.n16(u16::try_from(value.len()).unwrap()), value.clone()].concat(),
            );
            out.resize(out.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            out.extend(self.n32(0));
        }
        out
    }
    pub(super) fn enhanced(self, interface: u32, ticks: u64, original: u32, data: &[u8]) -> Vec<u8> {
        let (high, low) = ((ticks >> 32) as u32, ticks as u32);
        let mut body = self.all32(&[interface, high, low, u32::try_from(data.len()).unwrap(), original]);
        body.extend(data);
        self.block(6, &body)
    }
    pub(super) fn secrets(self, kind: u32, text: &[u8]) -> Vec<u8> {
        let body = [self.n32(kind), self.n32(u32::try_from(text.len()).unwrap()), text.to_vec()].concat();
        self.block(10, &body)
    }
}

/// The data of packet `n`: lengths that need padding, and no zero bytes.
pub(super) fn data(n: u32) -> Vec<u8> {
    (0..60 + n % 7).map(|k| (n * 31 + k) as u8 | 1).collect()
}

pub(super) fn pcap_header(endian: Endian, magic: u32, network: u32) -> Vec<u8> {
    [endian.n32(magic), endian.n16(2), endian.n16(4), endian.all32(&[0, 0, 262_144, network])].concat()
}

pub(super) fn pcap_record(endian: Endian, seconds: u32, fraction: u32, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    [endian.all32(&[seconds, fraction, len, len]), data.to_vec()].concat()
}

/// `count` packets, a second apart.
pub(super) fn pcap(count: u32) -> Vec<u8> {
    let mut file = pcap_header(Endian::Little, 0xa1b2_c3d4, 1);
    (0..count).for_each(|n| file.extend(pcap_record(Endian::Little, SECONDS + n, 5, &data(n))));
    file
}

/// The same packets.
pub(super) fn pcapng(endian: Endian, count: u32) -> Vec<u8> {
    let mut file = [endian.section(), endian.interface(1, 0, &[])].concat();
    for n in 0..count {
        let data = data(n);
        file.extend(endian.enhanced(0, u64::from(SECONDS + n) * 1_000_000 + 5, data.len() as u32, &data));
    }
    file
}
