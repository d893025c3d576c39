//! Random sequences of edits. After each of them, planning from the state before is compared
//! with planning from nothing, the changes with what they lead to, and undoing with what was
//! there: see `Net::change`.

use super::{Net, ip, lan, router};
use crate::topology::nat::{Firewall, Nat, Nat6, Protocol};
use crate::topology::spec::{
    DefaultVia, Join, NewLan, NewNode, NewRouter, NodeId, PortForward, SegmentId,
};

/// A generator of numbers, as good as the test needs it: Knuth's MMIX.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

#[test]
fn planning_from_the_state_before_is_planning_from_nothing() {
    let mut carried_out = 0;
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut net = Net::with_peers(&["a", "b"][..random.below(3)]);
        for step in 0..40 {
            carried_out += usize::from(edit(&mut net, &mut random, step));
        }
    }
    // If few edits were possible, the test would show little.
    assert!(carried_out > 1000, "{carried_out}");
}

/// One edit, and whether it was possible. Those that are not must be refused by both ways
/// of planning.
fn edit(net: &mut Net, random: &mut Random, step: usize) -> bool {
    let spec = net.now.spec();
    let nodes: Vec<NodeId> = spec.nodes().map(|(id, _)| id).collect();
    let mut lans: Vec<SegmentId> = spec.segments.keys().copied().collect();
    lans.push(SegmentId(u16::MAX)); // there is no such segment
    let routers = spec.nodes().filter(|(_, node)| node.router.is_some()).map(|(id, _)| id);
    let routers: Vec<NodeId> = routers.chain([NodeId::TEST]).collect();
    let (node, other, router_id) =
        (random.pick(&nodes), random.pick(&nodes), random.pick(&routers));
    let (segment, to) = (random.pick(&lans), random.pick(&lans));
    let name = format!("x{step}");
    let subnets = ["10.77.0.0/16", "192.168.7.0/24", "fd07::/64"].map(|s| s.parse().unwrap());
    match random.below(21) {
        0 | 1 => net.change(|s| s.add_lan(&lan(&name))).is_ok(),
        2 => {
            let subnets = vec![random.pick(&subnets)];
            let may_overlap = random.below(2) == 0;
            let new = NewLan { subnets, may_overlap, ..lan(&name) };
            net.change(|s| s.add_lan(&new)).is_ok()
        }
        3..=6 => {
            let joins = if random.below(4) == 0 { vec![segment, to] } else { vec![segment] };
            let joins = joins.into_iter().map(Join::of).collect();
            let aliases = if random.below(3) == 0 { vec![format!("{name}.test")] } else { vec![] };
            let new = NewNode { name: &name, joins, aliases, ..NewNode::default() };
            net.change(|s| s.add_node(&new)).is_ok()
        }
        7 | 8 => {
            let joins = vec![(Join::of(segment), false), (Join::of(to), random.below(3) > 0)];
            net.change(|s| s.add_router(&NewRouter { joins, ..router(&name) })).is_ok()
        }
        9 => net.change(|s| s.remove_node(node)).is_ok(),
        10 => net.change(|s| s.leave(node, segment)).is_ok(),
        11 => net.change(|s| s.join(node, &Join::of(segment))).is_ok(),
        12 => net.change(|s| s.roam(node, segment, &Join::of(to))).is_ok(),
        13 => {
            let addr = random.pick(&[ip("10.0.2.99"), ip("10.0.3.98"), ip("10.77.1.1")]);
            net.change(|s| s.readdress(node, segment, &[addr])).is_ok()
        }
        14 => {
            let default = random.pick(&[
                DefaultVia::Auto,
                DefaultVia::None,
                DefaultVia::Blackhole,
                DefaultVia::Router(router_id),
            ]);
            net.change(|s| s.set_default(node, default)).is_ok()
        }
        15 => {
            let destination = random.pick(&subnets);
            let of_other = net.now.spec().ips(other).unwrap_or_default();
            let Some(gateway) = of_other.first().copied() else { return false };
            net.change(|s| s.add_route(node, destination, gateway)).is_ok()
        }
        16 => net.change(|s| s.set_mtu(segment, 1400 + step as u32)).is_ok(),
        20 => net.change(|s| s.set_offloads(node, random.below(2) == 0)).is_ok(),
        17 => match random.below(3) {
            0 => net.change(|s| s.set_nat(router_id, Some(Nat::FULL_CONE))).is_ok(),
            1 => net.change(|s| s.set_nat6(router_id, Nat6::Nat(Nat::SYMMETRIC))).is_ok(),
            _ => net.change(|s| s.set_firewall(router_id, Firewall::BlockInbound)).is_ok(),
        },
        18 => {
            let protocol = Protocol::Tcp;
            let forward = PortForward { protocol, port: 80, node: other, node_port: 8080 };
            net.change(|s| s.forward_port(router_id, forward)).is_ok()
        }
        _ => match random.below(2) {
            0 => net.change(|s| s.connect(node, other, &NewLan::default())).is_ok(),
            _ => net.change(|s| s.remove_segment(segment)).is_ok(),
        },
    }
}
