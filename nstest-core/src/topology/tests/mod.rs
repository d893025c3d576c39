//! Plans without a kernel.

mod bad_input;
mod bad_routers;
mod changes;
mod properties;
mod routers;
mod worlds;

use std::net::IpAddr;

use super::plan::Plan;
use super::spec::NewRouter;
use super::spec::Parameters;
use super::spec::{Join, NewLan, NewNode};
use super::spec::{NodeId, SegmentId, Spec};
use super::state::State;
use super::{Step, Topology};
use crate::error::Result;

/// A world that is built one call after the other, each checked: the plan
/// leads where it says, and each of its halves can be taken back.
pub(super) struct Net {
    pub(super) now: Topology,
    /// The plan of the last call.
    pub(super) last: Plan,
}

impl Net {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let Step { plan, next } =
            Topology::first(Spec::of_parameters(parameters).unwrap()).unwrap();
        assert_leads(&State::default(), &plan, next.state());
        Self { now: next, last: plan }
    }

    pub(super) fn with_peers(names: &[&str]) -> Self {
        let nodes = names.iter().map(ToString::to_string).collect();
        Self::of(&Parameters { nodes, ..Parameters::default() })
    }

    pub(super) fn change<T>(&mut self, edit: impl FnOnce(&mut Spec) -> Result<T>) -> Result<T> {
        let (Step { plan, next }, value) = self.now.step(edit)?;
        assert_leads(self.now.state(), &plan, next.state());
        // Of a long plan, some of its halves.
        for done in (0..=plan.ops.len()).step_by(1 + plan.ops.len() / 8) {
            let mut halfway = self.now.state().clone();
            plan.ops.iter().take(done).for_each(|op| halfway.apply(op));
            assert_leads(&halfway, &self.now.undo(&plan, done), self.now.state());
        }
        self.now = next;
        self.last = plan;
        Ok(value)
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

    pub(super) fn addrs(&self, node: NodeId) -> Vec<String> {
        let addrs = self.now.spec().addrs(node).unwrap();
        addrs.iter().map(IpAddr::to_string).collect()
    }

    pub(super) fn routes(&self, node: NodeId) -> Vec<String> {
        self.now.state().nodes[&node].routes.iter().map(ToString::to_string).collect()
    }

    /// The rules of a node, as nft reads them.
    pub(super) fn rules(&self, node: NodeId) -> String {
        self.now.state().nodes[&node].rules.tables.iter().map(ToString::to_string).collect()
    }
}

fn assert_leads(from: &State, plan: &Plan, to: &State) {
    let mut state = from.clone();
    plan.ops.iter().for_each(|op| state.apply(op));
    assert_eq!(&state, to, "{plan}");
    assert!(Plan::between(to, &state).is_empty());
}

/// A plan without what every node has.
pub(super) fn without_sysctls(plan: &Plan) -> String {
    let text = plan.to_string();
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
