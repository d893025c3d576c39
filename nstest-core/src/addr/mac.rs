//! Ethernet addresses.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::error::{Error, ErrorCode};

/// An Ethernet (IEEE 802 MAC) address: `02:6e:73:00:01:00`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    /// The address of these six octets, in the order in which they are sent.
    #[must_use]
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// Its octets, in the order in which they are sent.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The address of interface `slot` of node number `node`: `02:6e:73`, the node's
    /// number in two octets, the interface's number.
    ///
    /// 02 means unicast and locally administered (IEEE 802 §8.4), 6e:73 is "ns".
    pub(crate) const fn of_interface(node: u16, slot: u8) -> Self {
        let [high, low] = node.to_be_bytes();
        Self([0x02, b'n', b's', high, low, slot])
    }

    /// Whether it is that of an interface of this node.
    pub(crate) fn is_of_node(self, node: u16) -> bool {
        self == Self::of_interface(node, self.0[5])
    }

    /// The address of a bridge by its number.
    pub(crate) const fn of_bridge(number: u32) -> Self {
        let [_, high, middle, low] = number.to_be_bytes();
        Self([0x02, b'n', b'b', high, middle, low])
    }

    /// An address that no interface has: every node discards frames to it.
    pub(crate) const UNASSIGNED: Self = Self([0x02, b'n', b's', 0xff, 0xff, 0xff]);

    /// Whether an interface can have it: not a group address, and not all zeroes.
    pub(crate) fn is_unicast(self) -> bool {
        !self.is_multicast() && self.0 != [0; 6]
    }

    /// Whether it is a group address (IEEE 802 §8.2), broadcast included.
    pub(crate) fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// The IPv6 address that the kernel gives to an interface with this address by
    /// default (EUI-64, RFC 4291 appendix A).
    pub(crate) fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let word = |high, low| u16::from_be_bytes([high, low]);
        Ipv6Addr::new(0xfe80, 0, 0, 0, word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f))
    }
}

impl FromStr for MacAddr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        let complete = octets.iter_mut().all(|octet| {
            parts
                .next()
                .filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .map(|value| *octet = value)
                .is_some()
        });
        if complete && parts.next().is_none() {
            Ok(Self(octets))
        } else {
            Err(Error::new(ErrorCode::Address, format!("read the MAC address `{text}`"))
                .source("it is not six octets in hexadecimal, joined by `:`")
                .help("write it like `02:00:00:00:00:01`"))
        }
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_it_is_written() {
        for text in ["02:6e:73:00:01:00", "ff:ff:ff:ff:ff:ff"] {
            assert_eq!(text.parse::<MacAddr>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "02:6e:73:00:01",
            "02:6e:73:00:01:00:00",
            "2:6e:73:00:01:00",
            "02-6e-73-00-01-00",
            "+2:6e:73:00:01:00",
        ] {
            let error = text.parse::<MacAddr>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn generated_addresses_are_unicast_local_and_distinct() {
        let mut seen = std::collections::HashSet::from([MacAddr::UNASSIGNED]);
        for node in [1, 2, 255, 256, 40_000] {
            for slot in [0, 1, 254] {
                let mac = MacAddr::of_interface(node, slot);
                assert!(mac.is_unicast() && mac.octets()[0] & 2 == 2, "{mac}");
                assert!(seen.insert(mac), "{mac}");
            }
        }
        assert!(!MacAddr::new([1, 0, 0x5e, 0, 0, 1]).is_unicast());
        assert!(!MacAddr::new([0; 6]).is_unicast());
    }

    #[test]
    fn the_link_local_address_is_the_kernels() {
        let mac = MacAddr::of_interface(1, 0);
        assert_eq!(mac.link_local().to_string(), "fe80::6e:73ff:fe00:100");
    }
}
