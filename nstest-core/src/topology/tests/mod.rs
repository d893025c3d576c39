//! Tests of edits, states and changes. They need no kernel.

mod bad_input;
mod bad_routers;
mod changes;
mod properties;
mod random;
mod routers;
mod wans;
mod worlds;

use std::net::IpAddr;

use super::changes::Changes;
use super::spec::NewRouter;
use super::spec::Parameters;
use super::spec::{ForeignNames, NodeId, SegmentId, Spec};
use super::spec::{Join, NewLan, NewNode};
use super::state::NetworkState;
use super::{Topology, Transition};
use crate::error::Result;

/// A network that is built one edit after the other. Each edit is checked: the changes lead
/// to the next state, and can be undone after any of them.
pub(super) struct Net {
    pub(super) now: Topology,
    /// The changes of the last edit.
    pub(super) last: Changes,
}

impl Net {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let Transition { changes, next } =
            Topology::first(Spec::of_parameters(parameters).unwrap()).unwrap();
        assert_leads(&NetworkState::default(), &changes, next.state());
        Self { now: next, last: changes }
    }

    pub(super) fn with_peers(names: &[&str]) -> Self {
        let nodes = names.iter().map(ToString::to_string).collect();
        Self::of(&Parameters { nodes, ..Parameters::default() })
    }

    pub(super) fn change<T>(&mut self, edit: impl FnOnce(&mut Spec) -> Result<T>) -> Result<T> {
        let (Transition { changes, next }, value) =
            self.now.edit(&ForeignNames::new(), |spec| {
                let value = edit(spec)?;
                self.assert_like_from_scratch(spec);
                Ok(value)
            })?;
        assert_leads(self.now.state(), &changes, next.state());
        // Of many changes, only some places are tried.
        for done in (0..=changes.list.len()).step_by(1 + changes.list.len() / 8) {
            let mut halfway = self.now.state().clone();
            changes.list.iter().take(done).for_each(|change| halfway.apply(change));
            assert_leads(&halfway, &self.now.undo(&changes, done), self.now.state());
        }
        self.now = next;
        self.last = changes;
        Ok(value)
    }

    /// What is derived from the state before an edit is what is derived from nothing, errors
    /// included.
    fn assert_like_from_scratch(&self, edited: &Spec) {
        let text = |error| format!("{error:?}");
        let (now, before) = (self.now.state(), self.now.spec());
        let from_before = now.after(before, edited).map_err(text);
        assert_eq!(from_before, NetworkState::of(edited).map_err(text), "{before:?}\n{edited:?}");
    }

    pub(super) fn lan(&mut self, name: &str, subnets: &[&str]) -> SegmentId {
        let subnets = subnets.iter().map(|s| s.parse().unwrap()).collect();
        self.change(|spec| spec.add_lan(&NewLan { name, subnets, ..NewLan::default() })).unwrap()
    }

    pub(super) fn node(&mut self, name: &str, lans: &[SegmentId]) -> NodeId {
        let joins = lans.iter().map(|lan| Join::of(*lan)).collect();
        self.change(|spec| spec.add_node(&NewNode { name, joins, ..NewNode::default() })).unwrap()
    }

    pub(super) fn router(
        &mut self,
        router: NewRouter<'_>,
        lans: &[SegmentId],
        wan: SegmentId,
    ) -> NodeId {
        let mut joins: Vec<_> = lans.iter().map(|lan| (Join::of(*lan), false)).collect();
        joins.push((Join::of(wan), true));
        self.change(|spec| spec.add_router(&NewRouter { joins, ..router })).unwrap()
    }

    pub(super) fn ips(&self, node: NodeId) -> Vec<String> {
        let addrs = self.now.spec().ips(node).unwrap();
        addrs.iter().map(IpAddr::to_string).collect()
    }

    /// The routes of a node that lead to a gateway.
    pub(super) fn routes(&self, node: NodeId) -> Vec<String> {
        let routes = self.now.state().nodes[&node].routes.iter();
        routes.filter(|route| route.via.is_some()).map(ToString::to_string).collect()
    }

    /// The rules of a node, as nft reads them.
    pub(super) fn rules(&self, node: NodeId) -> String {
        self.now.state().nodes[&node].rules.tables.iter().map(ToString::to_string).collect()
    }
}

fn assert_leads(from: &NetworkState, changes: &Changes, to: &NetworkState) {
    let mut state = from.clone();
    changes.list.iter().for_each(|change| state.apply(change));
    assert_eq!(&state, to, "{changes}");
    assert!(Changes::between(to, &state).is_empty());
}

/// The changes, without the settings that every node has.
pub(super) fn without_sysctls(changes: &Changes) -> String {
    let text = changes.to_string();
    let lines = text.lines().filter(|line| !line.contains(": sysctl "));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

pub(super) fn lan(name: &str) -> NewLan<'_> {
    NewLan { name, ..NewLan::default() }
}

pub(super) fn router(name: &str) -> NewRouter<'_> {
    NewRouter { name, ..NewRouter::default() }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
