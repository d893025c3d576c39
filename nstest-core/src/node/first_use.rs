//! Reports in which nodes code of the test has run, so that not all nodes need to be looked at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::sync::lock;

/// The numbers of nodes in which code of the test ran for the first time.
#[derive(Debug, Clone, Default)]
pub(crate) struct UsedNodes(Arc<Mutex<Vec<u16>>>);

impl UsedNodes {
    /// Those that were reported since the last call.
    pub(crate) fn take(&self) -> Vec<u16> {
        std::mem::take(&mut *lock(&self.0))
    }
}

/// Whether code of the test may have run in a node.
#[derive(Debug, Default)]
pub(super) struct FirstUse {
    used: AtomicBool,
    report: OnceLock<(u16, UsedNodes)>,
}

impl FirstUse {
    pub(super) fn mark(&self) {
        if !self.used.load(Ordering::Relaxed) && !self.used.swap(true, Ordering::SeqCst) {
            self.send();
        }
    }

    /// Reports the first use under this number. A use before this call is reported now.
    pub(super) fn report_to(&self, number: u16, nodes: &UsedNodes) {
        let is_new = self.report.set((number, nodes.clone())).is_ok();
        if is_new && self.used.load(Ordering::SeqCst) {
            self.send();
        }
    }

    fn send(&self) {
        if let Some((number, UsedNodes(nodes))) = self.report.get() {
            lock(nodes).push(*number);
        }
    }
}
