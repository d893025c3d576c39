//! Actions: what a fault does to the packets that it matches.

use std::fmt;
use std::time::Duration;

use super::duration;
use super::packets::{PacketProtocol, Packets};
pub use crate::frame::build::Unreachable;

/// What a fault does to a packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Drops the packet. Neither end is notified.
    Drop,
    /// Drops the packet, and sends an ICMP error to its sender. A packet that must not be
    /// answered (RFC 1122 §3.2.2), such as multicast, is only dropped.
    Reject(Unreachable),
    /// Drops the packet, and resets its TCP connection at both ends, now and whenever one
    /// of them sends again. A packet that is not TCP is only dropped.
    Reset,
    /// Sends this many copies in addition to the packet.
    Duplicate(u8),
    /// Delays the packet, in addition to the delay of the link.
    Delay(Duration),
    /// Inverts one bit of the packet.
    Corrupt,
    /// Drops the packet if it is longer than the MTU and must not be fragmented. If the
    /// sender is not notified, this is the black hole of path MTU discovery (RFC 2923 §2.1).
    Mtu {
        /// The longest packet that passes, in bytes from its IP header on.
        mtu: u32,
        /// Whether the sender gets an ICMP error ("packet too big").
        notify: bool,
    },
    /// Drops the packet and everything after it in its direction, except control traffic.
    Blackhole,
    /// Drops the packet and everything after it in both directions, control traffic
    /// included.
    Cut,
}

impl Unreachable {
    pub(super) const WORDS: [(&'static str, Self); 4] = [
        ("net-unreachable", Self::Net),
        ("host-unreachable", Self::Host),
        ("port-unreachable", Self::Port),
        ("admin-prohibited", Self::AdminProhibited),
    ];
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, why)| why == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Reject(why) => write!(f, "reject {why}"),
            Self::Reset => f.write_str("reset"),
            Self::Duplicate(1) => f.write_str("duplicate"),
            Self::Duplicate(copies) => write!(f, "duplicate {copies}"),
            Self::Delay(delay) => write!(f, "delay {}", duration::text(*delay)),
            Self::Corrupt => f.write_str("corrupt"),
            Self::Mtu { mtu, notify: false } => write!(f, "mtu {mtu}"),
            Self::Mtu { mtu, notify: true } => write!(f, "mtu {mtu} notify"),
            Self::Blackhole => f.write_str("blackhole"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

impl Action {
    /// The delay of `delay` where no time is given: 200 ms. TCP retransmits a segment
    /// after at least as long (`TCP_RTO_MIN` in the kernel's `include/net/tcp.h`).
    pub const DEFAULT_DELAY: Duration = Duration::from_millis(200);

    /// Whether part of it is random: the choice of the inverted bit is.
    pub(crate) fn is_random(&self) -> bool {
        matches!(self, Self::Corrupt)
    }

    /// Whether it has an effect after the packet, so that the packet itself may pass.
    pub(super) fn affects_later_packets(&self) -> bool {
        matches!(self, Self::Reset | Self::Blackhole | Self::Cut)
    }

    /// Why it cannot be combined with these packets, and the remedy.
    pub(super) fn problem(&self, packets: &Packets) -> Option<(String, String)> {
        let says = |why: &str, help: &str| Some((why.to_owned(), help.to_owned()));
        match self {
            Self::Reset
                if packets.protocol.is_some_and(|protocol| protocol != PacketProtocol::Tcp) =>
            {
                says(
                    "only TCP can be reset",
                    "match `tcp` packets, or use `reject port-unreachable`",
                )
            }
            Self::Reject(_) if packets.is_control() => {
                says("control traffic is never answered with an ICMP error", "use `drop`")
            }
            Self::Duplicate(0) => {
                says("a duplicate of 0 copies has no effect", "write 1 or more copies")
            }
            Self::Delay(Duration::ZERO) => {
                says("a delay of 0 has no effect", "write a longer delay")
            }
            Self::Mtu { mtu: ..68, .. } => says(
                "every link carries packets of 68 bytes (RFC 791 §3.2)",
                "write an MTU of at least 68, for IPv6 at least 1280",
            ),
            _ => None,
        }
    }
}

/// Whether the plan grammar can print a name as one word.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}
