//! NAT and firewalls of routers, in the terms of RFC 4787.
//!
//! The names of RFC 3489 (full cone, restricted cone, symmetric) mix two things that RFC 4787
//! separates: how a NAT chooses the external endpoint (*mapping*, §4.1), and which packets
//! from outside it admits (*filtering*, §5). All nine combinations exist here. The names of
//! RFC 3489 are presets.

use std::fmt;
use std::time::Duration;

use crate::addr::Subnet;
use crate::error::Result;

/// For which packets an internal endpoint keeps its external one (RFC 4787 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatMapping {
    /// One external endpoint for all destinations.
    EndpointIndependent,
    /// One for each destination address.
    AddressDependent,
    /// One for each destination address and port: "symmetric".
    AddressAndPortDependent,
}

/// From which addresses a NAT admits packets to a mapping (RFC 4787 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatFiltering {
    /// From all.
    EndpointIndependent,
    /// From addresses that the internal endpoint has sent to.
    AddressDependent,
    /// From addresses and ports that the internal endpoint has sent to.
    AddressAndPortDependent,
}

impl NatMapping {
    const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        }
    }
}

impl NatFiltering {
    const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        }
    }
}

/// A network address and port translator for UDP and TCP, as RFC 4787 and
/// RFC 5382 describe one.
///
/// ```
/// use nstest::{Nat, NatFiltering, NatMapping};
/// use std::time::Duration;
///
/// const OFFICE: Nat = Nat::new(NatMapping::EndpointIndependent, NatFiltering::AddressDependent)
///     .ports(20_000, 29_999)
///     .udp_timeout(Duration::from_secs(30));
/// assert_eq!(
///     OFFICE.to_string(),
///     "NAT (mapping endpoint-independent, filtering address-dependent, ports 20000-29999)"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nat {
    pub(crate) mapping: NatMapping,
    pub(crate) filtering: NatFiltering,
    pub(crate) first_port: u16,
    pub(crate) last_port: u16,
    pub(crate) preserves_ports: bool,
    pub(crate) hairpins: bool,
    pub(crate) udp_timeout: Duration,
    pub(crate) tcp_timeout: Duration,
}

impl Nat {
    /// RFC 3489 "full cone": endpoint-independent mapping and filtering.
    /// While a mapping exists, every host can reach the node through it.
    pub const FULL_CONE: Self =
        Self::new(NatMapping::EndpointIndependent, NatFiltering::EndpointIndependent);

    /// RFC 3489 "restricted cone": endpoint-independent mapping,
    /// address-dependent filtering.
    pub const RESTRICTED_CONE: Self =
        Self::new(NatMapping::EndpointIndependent, NatFiltering::AddressDependent);

    /// RFC 3489 "port restricted cone": endpoint-independent mapping,
    /// address-and-port-dependent filtering. What most home routers do, and
    /// Linux's masquerade for a network with one node in it.
    pub const PORT_RESTRICTED: Self =
        Self::new(NatMapping::EndpointIndependent, NatFiltering::AddressAndPortDependent);

    /// RFC 3489 "symmetric": address-and-port-dependent mapping and filtering,
    /// each flow from a port of its own chosen at random. Hole punching fails.
    pub const SYMMETRIC: Self =
        Self::new(NatMapping::AddressAndPortDependent, NatFiltering::AddressAndPortDependent)
            .port_preservation(false);

    /// A carrier's NAT as RFC 6888 requires it: endpoint-independent mapping and
    /// filtering (REQ-7), hairpinning, ports from 1024 up without preservation.
    /// Give its LAN the shared address space 100.64.0.0/10 (RFC 6598).
    pub const CARRIER_GRADE: Self = Self::FULL_CONE.port_preservation(false).hairpinning(true);

    /// A NAT with this mapping and filtering. The methods document the other defaults.
    #[must_use]
    pub const fn new(mapping: NatMapping, filtering: NatFiltering) -> Self {
        Self {
            mapping,
            filtering,
            first_port: 1024,
            last_port: 65535,
            preserves_ports: true,
            hairpins: false,
            // RFC 4787 REQ-5 recommends five minutes, RFC 5382 REQ-5 at least 2 h 4 min.
            udp_timeout: Duration::from_secs(300),
            tcp_timeout: Duration::from_secs(7440),
        }
    }

    /// The range of its external ports, both ends included. By default 1024 to 65535.
    ///
    /// # Panics
    /// There are fewer than two, or port 0 is among them.
    #[must_use]
    pub const fn ports(mut self, first: u16, last: u16) -> Self {
        assert!(
            first > 0 && first < last,
            "a NAT needs at least two ports to hand out, and 0 is no port"
        );
        self.first_port = first;
        self.last_port = last;
        self
    }

    /// Whether the external port is the node's own port, if that is free and in the range
    /// (RFC 4787 §4.2.1). By default it is, except in `SYMMETRIC` and `CARRIER_GRADE`.
    #[must_use]
    pub const fn port_preservation(mut self, preserves: bool) -> Self {
        self.preserves_ports = preserves;
        self
    }

    /// Whether two nodes behind it reach each other by their external
    /// endpoints (RFC 4787 §6). Each sees the external endpoint of the other. By default
    /// they do not. Hairpinned packets are not filtered.
    #[must_use]
    pub const fn hairpinning(mut self, hairpins: bool) -> Self {
        self.hairpins = hairpins;
        self
    }

    /// How long a UDP mapping stays without packets, rounded up to whole seconds. By default
    /// 300 s.
    ///
    /// # Panics
    /// It is zero or longer than a day.
    #[must_use]
    pub const fn udp_timeout(mut self, timeout: Duration) -> Self {
        self.udp_timeout = whole_seconds(timeout);
        self
    }

    /// How long the mapping of an established TCP connection stays without packets, rounded up
    /// to whole seconds. By default 2 h 4 min.
    ///
    /// # Panics
    /// It is zero or longer than a day.
    #[must_use]
    pub const fn tcp_timeout(mut self, timeout: Duration) -> Self {
        self.tcp_timeout = whole_seconds(timeout);
        self
    }
}

const fn whole_seconds(timeout: Duration) -> Duration {
    let seconds = timeout.as_secs() + (timeout.subsec_nanos() > 0) as u64;
    assert!(seconds > 0 && seconds <= 86_400, "the timeout of a NAT is between a second and a day");
    Duration::from_secs(seconds)
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NAT (mapping {}, filtering {}", self.mapping.as_str(), self.filtering.as_str())?;
        if (self.first_port, self.last_port) != (1024, 65535) {
            write!(f, ", ports {}-{}", self.first_port, self.last_port)?;
        }
        if self.hairpins {
            f.write_str(", hairpinning")?;
        }
        f.write_str(")")
    }
}

/// What a router does to IPv6 addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Nat6 {
    /// Nodes keep their addresses, and the other side has routes to them.
    #[default]
    Routed,
    /// Each address of the LAN becomes the one with the same interface
    /// identifier in this prefix, and back (RFC 6296 "NPTv6"), which must be as
    /// long as the LAN's. Both sides may begin a conversation. It is not checksum-neutral, as
    /// RFC 6296 requires: the checksums are corrected instead.
    Prefix(Subnet),
    /// Address and port translation ("NAT66"), as for IPv4.
    Nat(Nat),
}

impl Nat6 {
    /// [`Prefix`](Self::Prefix), of a [`Subnet`] or a text.
    ///
    /// ```
    /// use nstest::Nat6;
    ///
    /// let nat = Nat6::prefix("2001:db8:9::/64")?;
    /// assert_eq!(nat, Nat6::Prefix("2001:db8:9::/64".parse()?));
    /// # Ok::<(), nstest::Error>(())
    /// ```
    ///
    /// # Errors
    /// `subnet`, if the text is not a subnet.
    pub fn prefix(external: impl ToString) -> Result<Self> {
        external.to_string().parse().map(Self::Prefix)
    }
}

/// Which packets from its WAN a router forwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Firewall {
    /// Everything.
    #[default]
    Open,
    /// Those of conversations that began inside, and those to forwarded ports. Others are
    /// dropped without an answer (the simple security of RFC 6092, for IPv4 and IPv6).
    BlockInbound,
}

/// A transport protocol that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_what_the_rfcs_call_them() {
        use NatFiltering as F;
        use NatMapping as M;
        for (nat, mapping, filtering) in [
            (Nat::FULL_CONE, M::EndpointIndependent, F::EndpointIndependent),
            (Nat::RESTRICTED_CONE, M::EndpointIndependent, F::AddressDependent),
            (Nat::PORT_RESTRICTED, M::EndpointIndependent, F::AddressAndPortDependent),
            (Nat::SYMMETRIC, M::AddressAndPortDependent, F::AddressAndPortDependent),
            (Nat::CARRIER_GRADE, M::EndpointIndependent, F::EndpointIndependent),
        ] {
            assert_eq!((nat.mapping, nat.filtering), (mapping, filtering), "{nat}");
        }
    }

    #[test]
    fn timeouts_are_whole_seconds_and_never_shorter_than_asked() {
        let nat = Nat::FULL_CONE.udp_timeout(Duration::from_millis(1500));
        assert_eq!(nat.udp_timeout, Duration::from_secs(2));
    }

    #[test]
    #[should_panic(expected = "between a second and a day")]
    fn no_timeout_of_zero() {
        let _ = Nat::FULL_CONE.tcp_timeout(Duration::ZERO);
    }

    #[test]
    #[should_panic(expected = "at least two ports")]
    fn no_empty_port_range() {
        let _ = Nat::FULL_CONE.ports(2000, 1999);
    }
}
