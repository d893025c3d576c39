//! Which programs were started in a node.

use std::sync::Mutex;

use crate::sync::lock;

/// A program that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StartedProgram {
    pub(super) pid: u32,
    pub(super) name: String,
}

/// The programs that were started in a node, without those of which it is known that someone has
/// waited for them.
#[derive(Debug, Default)]
pub(super) struct StartedPrograms(Mutex<Vec<StartedProgram>>);

impl StartedPrograms {
    pub(super) fn add(&self, pid: u32, name: String) {
        let mut all = lock(&self.0);
        // A number is given again only if the program that had it was waited for.
        all.retain(|program| program.pid != pid);
        all.push(StartedProgram { pid, name });
    }

    /// What `state` says about each program. Those about which it says nothing are forgotten.
    #[cfg(not(any(not(target_os = "linux"), miri, nstest_stub)))]
    pub(super) fn look<S>(&self, state: impl Fn(&StartedProgram) -> Option<S>) -> Vec<S> {
        let mut states = Vec::new();
        lock(&self.0).retain(|program| {
            let state = state(program);
            let is_known = state.is_some();
            states.extend(state);
            is_known
        });
        states
    }
}
