//! Receipts: how many packets a fault has affected.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// The number of packets that one fault has affected.
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
    /// The first packet, as text.
    first: OnceLock<String>,
}

impl Receipt {
    /// `fault` is the fault in the plan grammar.
    pub(crate) fn new(fault: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            affected: AtomicU64::new(0),
            optional: AtomicBool::new(false),
            fault: fault.into(),
            first: OnceLock::new(),
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

    /// Counts one packet.
    pub(crate) fn count_one(&self) {
        self.add(1);
    }

    /// Counts a number of packets.
    pub(crate) fn add(&self, affected: u64) {
        self.0.affected.fetch_add(affected, Relaxed);
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` affected {}", self.fault(), self.affected())
    }
}
