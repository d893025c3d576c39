//! What becomes of a packet that a fault takes.

use std::fmt;
use std::time::Duration;

use super::packets::{Layer, Packets};
use super::span;
pub use crate::frame::build::Unreachable;

/// What becomes of a packet that a fault takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// It is lost, and nobody is told: a black hole.
    Drop,
    /// It is lost, and its sender is told by ICMP. What must not be answered
    /// (RFC 1122 §3.2.2), such as multicast, is only lost.
    Reject(Unreachable),
    /// It is lost, and both ends of its TCP connection are reset, now and whenever
    /// they send again. What is no TCP is only lost.
    Reset,
    /// It arrives so many times more.
    Duplicate(u8),
    /// It is held back so long.
    Delay(Duration),
    /// One bit of it is wrong.
    Corrupt,
    /// It is lost if it is longer than so many octets from its IP header on, and
    /// may not be fragmented; its sender is told so, or not: the black hole of path
    /// MTU discovery (RFC 2923 §2.1).
    Mtu {
        /// Octets.
        mtu: u32,
        /// Whether the sender is told ("packet too big").
        told: bool,
    },
    /// With it, everything in its direction is lost from now on, but for control.
    Blackhole,
    /// With it, everything in both directions is lost from now on, control included.
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
            Self::Delay(delay) => write!(f, "delay {}", span::text(*delay)),
            Self::Corrupt => f.write_str("corrupt"),
            Self::Mtu { mtu, told: false } => write!(f, "mtu {mtu}"),
            Self::Mtu { mtu, told: true } => write!(f, "mtu {mtu} told"),
            Self::Blackhole => f.write_str("blackhole"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

impl Action {
    /// The delay of `delay` where no time is given: 200 ms. TCP retransmits a segment
    /// after at least as long (`TCP_RTO_MIN` in the kernel's `include/net/tcp.h`).
    pub const DEFAULT_DELAY: Duration = Duration::from_millis(200);

    /// Whether anything is left to chance: which bit of a packet is wrong.
    pub(crate) fn is_random(&self) -> bool {
        matches!(self, Self::Corrupt)
    }

    /// Whether it goes on when the packet that it began with is gone.
    pub(super) fn outlasts_its_packet(&self) -> bool {
        matches!(self, Self::Reset | Self::Blackhole | Self::Cut)
    }

    /// Why it cannot be with these packets, and what to do about it.
    pub(super) fn nonsense(&self, packets: &Packets) -> Option<(String, String)> {
        let says = |why: &str, help: &str| Some((why.to_owned(), help.to_owned()));
        match self {
            Self::Reset if packets.layer.is_some_and(|layer| layer != Layer::Tcp) => {
                says("only TCP can be reset", "take `tcp` packets, or `reject port-unreachable`")
            }
            Self::Reject(_) if packets.is_control() => {
                says("ARP and neighbour discovery are never answered so", "take `drop`")
            }
            Self::Duplicate(0) => says("no copy is no fault", "take 1 or more"),
            Self::Delay(Duration::ZERO) => says("no delay is no fault", "give it a time"),
            Self::Mtu { mtu: ..68, .. } => says(
                "68 octets pass everywhere (RFC 791 §3.2)",
                "take an MTU from 68, for IPv6 from 1280",
            ),
            _ => None,
        }
    }
}

/// Whether the grammar can carry it.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}
