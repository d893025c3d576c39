//! A subnet, and the numbers of the hosts in it.
//!
//! There is no dependency on the crate `ipnet`, which every user would compile. A mask and an
//! overlap are short. The numbering of hosts is in no crate: the digits of an IPv6 address are
//! those of the IPv4 address beside it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::family::Family;
use crate::error::{Error, ErrorCode};

#[cfg(test)]
mod tests;

/// A subnet in CIDR notation (RFC 4632, RFC 4291 §2.3): `10.0.2.0/24`, `fd00:2::/64`.
///
/// ```
/// use nstest::Subnet;
///
/// let home: Subnet = "192.168.1.0/24".parse()?;
/// assert!(home.contains("192.168.1.7".parse().unwrap()));
/// assert!("192.168.1.7/24".parse::<Subnet>().is_err()); // the address of a host
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    network: IpAddr,
    len: u8,
}

/// Why an address of a subnet cannot be a host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    Outside,
    /// The lowest address: the network itself, or for IPv6 the anycast address
    /// of its routers (RFC 4291 §2.6.1).
    Network,
    Broadcast,
}

impl Subnet {
    /// The subnet of `len` leading bits that starts at `network`.
    ///
    /// # Errors
    /// `len` is more than the address has, or `network` has bits beyond `len`.
    pub fn new(network: IpAddr, len: u8) -> Result<Self, Error> {
        let width = Family::of(network).bits();
        if len > width {
            return Err(Error::new(
                ErrorCode::Subnet,
                format!("read the subnet `{network}/{len}`"),
            )
            .source(format!("an {} prefix has at most {width} bits", Family::of(network))));
        }
        let subnet = Self::of(network, len);
        if subnet.network != network {
            return Err(Error::new(
                ErrorCode::Subnet,
                format!("read the subnet `{network}/{len}`"),
            )
            .source("it has bits set beyond the prefix, as the address of a host has")
            .help(format!("write `{subnet}`")));
        }
        Ok(subnet)
    }

    /// The subnet of this size that `addr` is in.
    pub(crate) fn of(addr: IpAddr, len: u8) -> Self {
        let family = Family::of(addr);
        let len = len.min(family.bits());
        Self { network: from_bits(family, to_bits(addr) & !host_mask(family, len)), len }
    }

    /// Its lowest address.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// The number of leading bits that its addresses share.
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.len
    }

    /// Whether it is a subnet of IPv4 addresses.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.network.is_ipv4()
    }

    pub(crate) fn family(&self) -> Family {
        Family::of(self.network)
    }

    /// Whether `addr` is one of its addresses.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        Family::of(addr) == self.family() && Self::of(addr, self.len).network == self.network
    }

    /// Whether some address is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Subnet) -> bool {
        let (wide, narrow) = if self.len <= other.len { (self, other) } else { (other, self) };
        wide.contains(narrow.network)
    }

    /// The address that reaches all hosts: its highest one. IPv6 has none, and
    /// neither has a point-to-point /31 (RFC 3021).
    #[must_use]
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.network {
            IpAddr::V4(network) if self.len < 31 => {
                Some(Ipv4Addr::from_bits(network.to_bits() | (u32::MAX >> self.len)))
            }
            _ => None,
        }
    }

    /// The number of the last host that it has room for.
    pub(crate) fn capacity(&self) -> u32 {
        match (self.family(), self.len) {
            (Family::V4, 31) => 2,
            (_, 32) if self.is_ipv4() => 1,
            (Family::V4, len) => u32::try_from(host_mask(Family::V4, len)).map_or(0, |m| m - 1),
            (Family::V6, 128) => 1,
            (Family::V6, len) => {
                let spare = host_mask(Family::V6, len);
                // The highest number whose digits, read as hexadecimal, still fit.
                let digits = format!("{spare:x}");
                if digits.len() > 8 { 99_999_999 } else { all_decimal_below(&digits) }
            }
        }
    }

    /// The address of its `n`th host, counted from 1.
    ///
    /// For IPv6 the digits of `n` are the digits of the address: host 10 of
    /// `fd00:2::/64` is `fd00:2::10`, beside `10.0.2.10`.
    pub(crate) fn host(&self, n: u32) -> Option<IpAddr> {
        if n == 0 || n > self.capacity() {
            return None;
        }
        let offset = match (self.family(), self.len) {
            (Family::V4, 31 | 32) | (Family::V6, 128) => u128::from(n - 1),
            (Family::V4, _) => u128::from(n),
            (Family::V6, _) => u128::from_str_radix(&n.to_string(), 16).ok()?,
        };
        Some(from_bits(self.family(), to_bits(self.network) + offset))
    }

    /// The number of the host that has this address, if it is an address of a host.
    pub(crate) fn number(&self, addr: IpAddr) -> Option<u32> {
        if !self.contains(addr) {
            return None;
        }
        let offset = to_bits(addr) - to_bits(self.network);
        let number = match (self.family(), self.len) {
            (Family::V4, 31 | 32) | (Family::V6, 128) => u32::try_from(offset).ok()?.checked_add(1),
            (Family::V4, _) => u32::try_from(offset).ok(),
            (Family::V6, _) => format!("{offset:x}").parse().ok(),
        }?;
        (self.host(number) == Some(addr)).then_some(number)
    }

    /// Whether a host can have this address.
    pub(crate) fn check_host(&self, addr: IpAddr) -> Result<(), Unusable> {
        if !self.contains(addr) {
            return Err(Unusable::Outside);
        }
        let point_to_point = self.len + 1 >= self.family().bits();
        if !point_to_point && addr == self.network {
            return Err(Unusable::Network);
        }
        if self.broadcast().map(IpAddr::V4) == Some(addr) {
            return Err(Unusable::Broadcast);
        }
        Ok(())
    }

    /// Why no interface can have addresses of this range; `None` if one can.
    pub(crate) fn special_use(&self) -> Option<&'static str> {
        // Ranges that no interface may have: RFC 6890 and its IANA registries.
        const fn v4(first: u8, len: u8) -> Subnet {
            let network = IpAddr::V4(Ipv4Addr::new(first, 0, 0, 0));
            Subnet { network, len }
        }
        const fn v6(bits: u128, len: u8) -> Subnet {
            let network = IpAddr::V6(Ipv6Addr::from_bits(bits));
            Subnet { network, len }
        }
        const SPECIAL: [(Subnet, &str); 8] = [
            (v4(0, 8), "\"this network\" (RFC 1122)"),
            (v4(127, 8), "for the loopback interface"),
            (v4(224, 4), "for multicast"),
            (v4(240, 4), "reserved"),
            (v6(0, 127), "for the loopback interface"),
            (v6(0xffff_0000_0000, 96), "for IPv4-mapped addresses"),
            (v6(0xfe80 << 112, 10), "link-local: every interface has one anyway"),
            (v6(0xff00 << 112, 8), "for multicast"),
        ];
        SPECIAL.iter().find(|(range, _)| self.overlaps(range)).map(|(_, why)| *why)
    }
}

/// The highest number of decimal digits only that is not above `limit` when read as hexadecimal.
fn all_decimal_below(limit: &str) -> u32 {
    let mut digits: Vec<u8> = limit.bytes().collect();
    if let Some(first) = digits.iter().position(u8::is_ascii_alphabetic) {
        digits[first..].fill(b'9');
    }
    std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn host_mask(family: Family, len: u8) -> u128 {
    let spare = u32::from(family.bits().saturating_sub(len));
    u128::MAX.checked_shr(128 - spare).unwrap_or(0)
}

fn to_bits(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => u128::from(addr.to_bits()),
        IpAddr::V6(addr) => addr.to_bits(),
    }
}

/// Only ever called with the bits of an address of this family.
fn from_bits(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('/').and_then(|(addr, len)| {
            // `u8::from_str` takes "+24", which no other tool writes.
            let len = len.bytes().all(|b| b.is_ascii_digit()).then_some(len)?;
            Some((addr.parse().ok()?, len.parse().ok()?))
        });
        match parsed {
            Some((addr, len)) => Subnet::new(addr, len),
            None => Err(Error::new(ErrorCode::Subnet, format!("read the subnet `{text}`"))
                .source("it is not an address, a `/` and a number of bits")
                .help("write it like `10.0.2.0/24` or `fd00:2::/64`")),
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

impl fmt::Debug for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
