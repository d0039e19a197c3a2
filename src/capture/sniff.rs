//! Which container the first bytes begin, and what they are where they begin none.

use super::pcap::Layout;
use super::pcapng::Section;
use super::window::Window;
use crate::limits::RECORD;
use pcap_parser::pcapng::SHB_MAGIC;

/// The container of a capture, with what its reading needs.
pub(super) enum Container {
    Pcap(Layout),
    Pcapng(Section),
}

/// Enough to know a container, and to tell a text from other data.
const ENOUGH: usize = 512;

/// Characters of a text that are quoted.
const QUOTED: usize = 40;

/// Reads the header of a classic capture, or looks at the first block of a pcapng one. Otherwise says what was found.
pub(super) fn recognise(window: &mut Window) -> Result<Container, String> {
    window.fill(4);
    let Some(&magic) = window.bytes().first_chunk() else { return Err(describe(window)) };
    if Layout::known(magic) {
        let len = Layout::FILE_HEADER;
        if !window.fill(len) {
            return Err(format!(
                "a pcap file cut inside its header: {} of {len} bytes",
                window.bytes().len()
            ));
        }
        let layout = Layout::read(window.bytes()).ok_or("a pcap file with a header that cannot be read")?;
        window.consume(len);
        return Ok(Container::Pcap(layout));
    }
    if u32::from_le_bytes(magic) == SHB_MAGIC {
        if !window.fill(Section::HEADER) {
            let have = window.bytes().len();
            return Err(format!(
                "a pcapng file cut inside its section header: {have} of {} bytes",
                Section::HEADER
            ));
        }
        let Some(order) = Section::order(window.bytes()) else {
            return Err("a pcapng section header without its byte-order magic".to_owned());
        };
        let len = order.u32(window.bytes(), 4).and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        if (Section::HEADER..RECORD).contains(&len) && !window.fill(len) {
            let have = window.bytes().len();
            return Err(format!("a pcapng file cut inside its section header: {have} of {len} bytes"));
        }
        return Ok(Container::Pcapng(Section::new(order)));
    }
    Err(describe(window))
}

/// One phrase for something that is no capture.
fn describe(window: &mut Window) -> String {
    window.fill(ENOUGH);
    let bytes = window.bytes();
    let bytes = bytes.get(..ENOUGH).unwrap_or(bytes);
    if bytes.is_empty() {
        return "an empty file".to_owned();
    }
    if let Some((_, name)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return (*name).to_owned();
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return "a tar archive".to_owned();
    }
    match text(bytes) {
        Some(text) => {
            let kind = match text.trim_start().as_bytes() {
                [b'{' | b'[', ..] => "JSON",
                [b'<', ..] => "HTML or XML",
                [b'#', b'!', ..] => "a script",
                _ if ["CLIENT_", "SERVER_", "# SSL/TLS"].iter().any(|s| text.starts_with(s)) => {
                    "a TLS key log"
                }
                _ => "a text",
            };
            let mut start: String = text.chars().take(QUOTED).flat_map(char::escape_debug).collect();
            if text.chars().nth(QUOTED).is_some() {
                start.push('…');
            }
            format!("{kind} that begins \"{start}\"")
        }
        None => {
            let start: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
            format!("data that begin with the bytes {}", start.join(" "))
        }
    }
}

/// `bytes` as a text, without a character that the end cuts.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n' | '\x0c' | '\x1b');
    (!text.is_empty() && !text.contains(odd)).then_some(text)
}

/// Files that people hand to an analyzer of captures by mistake.
const KNOWN: &[(&[u8], &str)] = &[
    (b"\x7fELF", "an ELF program"),
    (b"MZ", "a Windows program"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xfd7zXZ\0", "xz data (decompress it first)"),
    (b"BZh", "bzip2 data (decompress it first)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1f\x9d", "compress data (decompress it first)"),
    (b"\x1f\x8b", "gzip data (compressed twice)"),
    (&super::frames::ZSTD_MAGIC, "Zstandard data (compressed twice)"),
    (&super::frames::LZ4_MAGIC, "LZ4 data (compressed twice)"),
    (b"\x02\x21\x4c\x18", "LZ4 data in the legacy format (decompress it first)"),
    (b"snoop\0\0\0", "a snoop capture (convert it with editcap)"),
    (b"GMBU", "a Network Monitor capture (convert it with editcap)"),
    (b"RTSS", "a Network Monitor capture (convert it with editcap)"),
    (b"TRSNIFF data", "a Sniffer capture (convert it with editcap)"),
    (b"XCP\0", "a NetXRay capture (convert it with editcap)"),
    (b"\x00\x0dV\x00", "an EtherPeek capture (convert it with editcap)"),
    (b"\x1c\x00\x01\xac", "an IxVeriWave capture (convert it with editcap)"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
];
