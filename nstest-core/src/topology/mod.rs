//! From what a test asks for to what the kernel is to do, without a kernel.
//!
//! Start here. A [`Spec`] is data: nodes, LANs, links and routers,
//! with every number and address that must not move once it is handed out.
//! [`NetworkState::of`] derives from it what each node is to look
//! like: addresses, routes, sysctls, rules, names. [`Changes::between`]
//! lists the operations that lead from one state to another. The builder and
//! the parameters of a test make a new spec from the present one, and whoever
//! applies plans carries out the difference; so the first world of a test, a
//! node plugged in later, a router with a new NAT and the undoing of all of
//! them are one path.
//!
//! | room | what |
//! |---|---|
//! | `names`, `nat` | the values that tests write |
//! | `spec` | what was asked for, and the edits, each checked |
//! | `routing` | which way packets go; overlaps; cycles |
//! | `translate` | NAT and firewall as nftables rules, in the words of `netlink::nftables` |
//! | `settings` | sysctls |
//! | `state` | what everything is to look like |
//! | `plan`, `diff`, `apply` | operations, which ones lead from one state to another, and what they do |
//! | `errors` | what goes wrong, in the test's words |
//!
//! Invariant: nothing in here reads a clock, a random number, the environment
//! or the kernel. The same edits make the same plans.

mod apply;
pub(crate) mod changes;
mod diff;
mod errors;
mod names;
mod nat;
pub(crate) mod routing;
mod settings;
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
use spec::Spec;
use state::NetworkState;

/// The world as it is: what was asked for, and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    spec: Spec,
    state: NetworkState,
}

/// A step from one world to the next. Once `plan` is carried out, `next` is the world.
#[derive(Debug)]
#[must_use = "nothing has changed until the changes are carried out"]
pub(crate) struct Transition {
    pub(crate) changes: Changes,
    pub(crate) next: Topology,
}

impl Topology {
    /// The first step of a test: from nothing at all to the world of its parameters.
    pub(crate) fn first(spec: Spec) -> Result<Transition> {
        let nothing = NetworkState::default();
        let state = NetworkState::of(&spec)?;
        Ok(Transition {
            changes: Changes::between(&nothing, &state),
            next: Topology { spec, state },
        })
    }

    /// One edit of the world, whole or not at all.
    pub(crate) fn edit<T>(
        &self,
        edit: impl FnOnce(&mut Spec) -> Result<T>,
    ) -> Result<(Transition, T)> {
        let mut spec = self.spec.clone();
        let value = edit(&mut spec)?;
        let state = self.state.after(&self.spec, &spec)?;
        let changes = Changes::between(&self.state, &state);
        let next = Topology { spec, state };
        Ok((Transition { changes, next }, value))
    }

    /// What takes back the first `done` operations of a plan that began here and failed.
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
