//! Names of hosts that a pcapng capture brings along.

use crate::limits::{HOST_NAME, HOST_NAMES};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A name for each address, the first one where several are given: whoever wrote the capture put the best first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HostNames(BTreeMap<IpAddr, String>);

impl HostNames {
    /// The name of an address, as it stands in the capture: hostile text until it is escaped.
    pub fn of(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address).map(String::as_str)
    }

    /// Gives an address a name, unless it has one or there is no room.
    pub fn name(&mut self, address: IpAddr, name: &str) {
        if self.0.len() < HOST_NAMES {
            self.0.entry(address).or_insert_with(|| name.to_owned());
        }
    }

    /// All of them, by address.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &str)> {
        self.0.iter().map(|(address, name)| (*address, name.as_str()))
    }

    /// Takes one record of a name resolution block (draft-ietf-opsawg-pcapng §4.5): the address, then names, each with
    /// a zero byte at its end.
    pub(super) fn record<const N: usize>(&mut self, value: &[u8])
    where
        IpAddr: From<[u8; N]>,
    {
        let Some((address, names)) = value.split_first_chunk::<N>() else { return };
        let first = names.split(|&byte| byte == 0).next().unwrap_or_default();
        if !first.is_empty() && first.len() <= HOST_NAME {
            self.name(IpAddr::from(*address), &String::from_utf8_lossy(first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_an_address_counts() {
        let mut names = HostNames::default();
        names.record::<4>(b"\x0a\x00\x00\x01edge\0edge.example\0\0\0");
        names.record::<4>(b"\x0a\x00\x00\x01other\0");
        names.record::<16>(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07six\0");
        assert_eq!(names.of("10.0.0.1".parse().unwrap()), Some("edge"));
        assert_eq!(names.of("2001:db8::7".parse().unwrap()), Some("six"));
        assert_eq!(names.of("10.0.0.2".parse().unwrap()), None);
    }

    #[test]
    fn a_record_without_a_believable_name_names_nobody() {
        let mut names = HostNames::default();
        let endless = [b"\x0a\x00\x00\x01".to_vec(), vec![b'x'; HOST_NAME + 1]].concat();
        for value in [&b"\x0a\x00"[..], b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x01\0\0", &endless] {
            names.record::<4>(value);
        }
        assert_eq!(names, HostNames::default());
    }

    #[test]
    fn no_more_names_are_kept_than_the_limit() {
        let mut names = HostNames::default();
        for address in 0..=HOST_NAMES as u32 {
            names.record::<4>(&[&address.to_be_bytes()[..], b"host\0"].concat());
        }
        assert_eq!(names.0.len(), HOST_NAMES);
    }
}
