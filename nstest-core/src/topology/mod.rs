//! A test's network as data, and the changes that lead from one state of it to the next.
//! No code here talks to the kernel: `fabric` carries the changes out.
//!
//! A [`Spec`] is what the test asked for: nodes, LANs, links and routers, with every number
//! and address that must stay as it is. [`NetworkState`] follows from it: what each node
//! looks like, with addresses, routes, sysctls, rules and names. [`Changes::between`] two
//! states lists the operations that lead from one to the other. So the network that a test
//! starts with, a node that is added later, a router that gets another NAT, and undoing any
//! of them all take the same path.
//!
//! | module | contents |
//! |---|---|
//! | `names`, `nat` | values that tests write: names of nodes; NAT, firewalls |
//! | `errors` | the errors of edits and states |
//! | `shared_map` | a map: its copies share the parts that are equal |
//! | `spec` | what was asked for, and the edits, which check it |
//! | `routing` | routes; checks for overlapping networks and circles |
//! | `translate` | NAT and firewalls as nftables rules, in the types of `netlink::nftables` |
//! | `settings` | sysctls |
//! | `state` | what everything looks like |
//! | `changes`, `diff`, `apply` | operations; those between two states; what they do to a state |
//!
//! Invariant: this module reads no clock, no random number, no environment variable and no
//! kernel. The same edits result in the same changes.

mod apply;
pub(crate) mod changes;
mod diff;
mod errors;
mod names;
mod nat;
pub(crate) mod routing;
mod settings;
pub(crate) mod shared_map;
pub(crate) mod spec;
pub(crate) mod state;
mod translate;

#[cfg(test)]
mod tests;

pub(crate) use errors::{gone, not_one_link};
pub use nat::{Firewall, Nat, Nat6, NatFiltering, NatMapping, Protocol};
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
pub(crate) use settings::Sysctl;
pub use spec::DefaultRoute;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
pub(crate) use translate::TABLE as RULES;

use crate::error::Result;
use changes::Changes;
use spec::{ForeignNames, Outdated, Spec};
use state::NetworkState;

/// The network at present: what the test asked for, and the state that follows.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    spec: Spec,
    state: NetworkState,
}

/// The changes to the next network. When they are carried out, `next` is the network.
#[derive(Debug)]
#[must_use = "nothing has changed until the changes are carried out"]
pub(crate) struct Transition {
    pub(crate) changes: Changes,
    pub(crate) next: Topology,
}

impl Topology {
    /// The changes from no network to that of the test's parameters.
    pub(crate) fn first(spec: Spec) -> Result<Transition> {
        let nothing = NetworkState::default();
        let state = NetworkState::of(&spec)?;
        Ok(Transition {
            changes: Changes::between(&nothing, &state),
            next: Topology { spec, state },
        })
    }

    /// The changes of one edit. If the edit fails, nothing changes. New interfaces do not get
    /// the `foreign` names.
    pub(crate) fn edit<T>(
        &self,
        foreign: &ForeignNames,
        edit: impl FnOnce(&mut Spec) -> Result<T>,
    ) -> Result<(Transition, T)> {
        let mut spec = self.spec.clone();
        spec.foreign.clone_from(foreign);
        let value = edit(&mut spec)?;
        spec.foreign.clear();
        let state = self.state.after(&self.spec, &spec)?;
        let changes = Changes::between(&self.state, &state);
        let next = Topology { spec, state };
        Ok((Transition { changes, next }, value))
    }

    /// What other nodes may know of the network before an edit and is not so any more.
    pub(crate) fn outdated(&self, next: &Self) -> Outdated {
        self.spec.outdated(&next.spec)
    }

    /// The changes that undo the first `done` operations of `changes`, which began here.
    pub(crate) fn undo(&self, changes: &Changes, done: usize) -> Changes {
        let mut halfway = self.state.clone();
        for change in changes.list.iter().take(done) {
            halfway.apply(change);
        }
        Changes::between(&halfway, &self.state)
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) fn state(&self) -> &NetworkState {
        &self.state
    }
}
