//! What a fault has done.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// The record of one fault: how many packets it has affected.
///
/// A packet is affected when a fault decided something about it: that it was lost,
/// delayed, changed, doubled, answered; or, for a link with a rate, that it took
/// its time. Of control, only ARP and neighbour discovery that were lost count:
/// somebody wanted to talk.
///
/// It is a record and no guard: dropping it changes nothing. Clones are one record.
#[derive(Clone)]
pub(crate) struct Receipt(Arc<Inner>);

struct Inner {
    affected: AtomicU64,
    optional: AtomicBool,
    fault: String,
    /// The first packet, in words.
    first: OnceLock<String>,
}

impl Receipt {
    /// `fault` says what it waits for, in the plan grammar.
    pub(crate) fn new(fault: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            affected: AtomicU64::new(0),
            optional: AtomicBool::new(false),
            fault: fault.into(),
            first: OnceLock::new(),
        }))
    }

    /// How many packets it has affected up to now.
    pub(crate) fn affected(&self) -> u64 {
        self.0.affected.load(Relaxed)
    }

    /// The fault, as a plan writes it.
    pub(crate) fn fault(&self) -> &str {
        &self.0.fault
    }

    /// The test may pass though the fault never affected a packet.
    pub(crate) fn optional(&self) {
        self.0.optional.store(true, Relaxed);
    }

    /// Whether [`optional`](Self::optional) was said.
    pub(crate) fn is_optional(&self) -> bool {
        self.0.optional.load(Relaxed)
    }

    /// The first packet that a rule has affected.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.first.get().map(String::as_str)
    }

    /// If this is the first packet, it is remembered.
    pub(crate) fn remember(&self, packet: impl FnOnce() -> String) {
        self.0.first.get_or_init(packet);
    }

    pub(crate) fn touch(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, affected: u64) {
        self.0.affected.fetch_add(affected, Relaxed);
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` affected {}", self.fault(), self.affected())
    }
}
