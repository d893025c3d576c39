//! Receipts: how many packets a fault has affected.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::frame::view::{PacketView, protocol};

/// The number of packets that one fault has affected, and the number of the fault.
///
/// A fault affects a packet when it drops, delays, changes, duplicates or answers it, or
/// when the packet waits for a rate. Of control traffic, only ARP and neighbour discovery
/// that was dropped counts: a node had a packet to send.
///
/// Clones share the count. Dropping a receipt has no effect.
#[derive(Clone)]
pub(crate) struct Receipt(Arc<Inner>);

struct Inner {
    affected: AtomicU64,
    optional: AtomicBool,
    fault: String,
    /// The number of the fault among those of its network.
    number: OnceLock<u32>,
    /// The first packet, as text.
    first: OnceLock<String>,
    /// The packets that passed it, by protocol: see [`PROTOCOLS`].
    passed: [AtomicU64; PROTOCOLS.len()],
    /// Those of them that match in all but their number.
    passed_matches: AtomicU64,
}

/// The protocols of the packets that passed.
const PROTOCOLS: [&str; 4] = ["tcp", "udp", "icmp", "other"];

impl Receipt {
    /// `fault` is the fault in the plan grammar.
    pub(crate) fn new(fault: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            affected: AtomicU64::new(0),
            optional: AtomicBool::new(false),
            fault: fault.into(),
            number: OnceLock::new(),
            first: OnceLock::new(),
            passed: Default::default(),
            passed_matches: AtomicU64::new(0),
        }))
    }

    /// The number of packets until now.
    pub(crate) fn affected(&self) -> u64 {
        self.0.affected.load(Relaxed)
    }

    /// The fault, in the plan grammar.
    pub(crate) fn fault(&self) -> &str {
        &self.0.fault
    }

    /// Gives the fault its number, which it keeps.
    pub(crate) fn set_number(&self, number: u32) {
        self.0.number.get_or_init(|| number);
    }

    /// The number of the fault, if it is one of a network.
    pub(crate) fn number(&self) -> Option<u32> {
        self.0.number.get().copied()
    }

    /// Lets the test pass even if the fault affects no packet.
    pub(crate) fn optional(&self) {
        self.0.optional.store(true, Relaxed);
    }

    /// Whether [`optional`](Self::optional) was called.
    pub(crate) fn is_optional(&self) -> bool {
        self.0.optional.load(Relaxed)
    }

    /// The first packet that a rule affected, as text.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.first.get().map(String::as_str)
    }

    /// Keeps the text of a packet, if it is the first one.
    pub(crate) fn remember(&self, packet: impl FnOnce() -> String) {
        self.0.first.get_or_init(packet);
    }

    /// Counts a packet that passed the fault. If the fault decides by chance, the packet may
    /// have been affected.
    pub(crate) fn note_passed(&self, packet: &PacketView<'_>) {
        let protocol = match packet.ip.as_ref().map(|ip| ip.protocol) {
            Some(protocol::TCP) => 0,
            Some(protocol::UDP) => 1,
            Some(protocol::ICMP | protocol::ICMPV6) => 2,
            _ => 3,
        };
        self.0.passed[protocol].fetch_add(packet.packets, Relaxed);
    }

    /// Counts a packet that matches in all but its number.
    pub(crate) fn note_match(&self) {
        self.0.passed_matches.fetch_add(1, Relaxed);
    }

    /// How many packets passed that match in all but their number.
    pub(crate) fn passed_matches(&self) -> u64 {
        self.0.passed_matches.load(Relaxed)
    }

    /// The packets that passed the fault: "12 tcp, 2 icmp". `None` if there were none.
    pub(crate) fn passed(&self) -> Option<String> {
        let counts = self.0.passed.iter().map(|count| count.load(Relaxed)).zip(PROTOCOLS);
        let counts = counts.filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts.map(|(count, name)| format!("{count} {name}")).collect();
        (!counts.is_empty()).then(|| counts.join(", "))
    }

    /// Counts the packets of a frame.
    pub(crate) fn count(&self, frame: &PacketView<'_>) {
        self.0.affected.fetch_add(frame.packets, Relaxed);
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` affected {}", self.fault(), self.affected())
    }
}
