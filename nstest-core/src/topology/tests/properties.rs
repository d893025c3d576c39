//! What holds in every world, by trying many small ones.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::addr::{Family, Subnet};
use crate::topology::nat::{Nat, Nat6};
use crate::topology::spec::DefaultVia;

/// Each address, MAC, index and name is one's own; each next hop is somebody on the link.
fn check(net: &Net) {
    let (spec, state) = (net.now.spec(), net.now.state());
    let mut ends = BTreeSet::new();
    for (id, segment) in spec.segments.iter() {
        let on: Vec<_> = spec.nodes.values().filter_map(|n| n.on(*id)).map(|(_, i)| i).collect();
        let addrs: Vec<IpAddr> = on.iter().flat_map(|i| i.ips()).collect();
        let macs: BTreeSet<_> = on.iter().map(|i| i.mac).collect();
        assert_eq!(addrs.iter().collect::<BTreeSet<_>>().len(), addrs.len(), "{segment}");
        assert_eq!(macs.len(), on.len(), "{segment}");
        for addr in addrs {
            let subnet = segment.subnet(Family::of(addr)).unwrap();
            assert_eq!(subnet.check_host(addr), Ok(()), "{addr} on {segment}");
        }
        for interface in &on {
            assert!(ends.insert(interface.end), "{}", interface.end);
            assert!(segment.subnets().count() == interface.ips().count());
        }
        assert_eq!(state.segments[id].ends.len(), on.len());
    }
    for (id, node) in state.nodes.iter() {
        for route in &node.routes {
            let link = node.links.values().find(|l| l.name == route.device).expect("a device");
            let Some(via) = route.via else {
                let group = |n: IpAddr| n.is_multicast() || n == Ipv4Addr::BROADCAST;
                assert!(group(route.destination.network()), "{}: {route}", node.name);
                continue;
            };
            if route.onlink {
                assert!(link.neighbours.iter().any(|(addr, _)| *addr == via));
                continue;
            }
            let on_link = link.addrs.iter().any(|(a, len)| Subnet::of(*a, *len).contains(via));
            assert!(on_link, "{}: {route}", node.name);
            let mut others = spec.nodes.iter().filter(|(other, _)| *other != id);
            let somebody =
                others.any(|(_, n)| n.interfaces.values().any(|i| i.ips().any(|a| a == via)));
            assert!(somebody, "{}: {route}", node.name);
            let own = node.links.values().flat_map(|l| &l.addrs);
            let connected: Vec<_> = own.map(|(a, len)| Subnet::of(*a, *len)).collect();
            assert!(!connected.contains(&route.destination), "{}: {route}", node.name);
        }
    }
}

#[test]
fn parameters_of_every_number_and_family() {
    for anonymous in 0..=40 {
        for (without_ipv4, without_ipv6) in [(false, false), (true, false), (false, true)] {
            for subnets in
                [vec![], vec!["172.16.0.0/12".parse().unwrap(), "fd0a::/120".parse().unwrap()]]
            {
                if !subnets.is_empty() && (without_ipv4 || without_ipv6) {
                    continue;
                }
                let parameters = Parameters {
                    anonymous,
                    without_ipv4,
                    without_ipv6,
                    subnets,
                    ..Parameters::default()
                };
                let net = Net::of(&parameters);
                check(&net);
                assert_eq!(
                    Spec::of_parameters(&parameters).unwrap(),
                    *net.now.spec(),
                    "the same each time"
                );
            }
        }
    }
}

/// Three LANs, two routers, three nodes: every way to wire them that is allowed.
#[test]
fn every_small_world_and_every_step_between_two() {
    let mut worlds = 0;
    let sides = [None, Some(false), Some(true)];
    for wiring in 0..sides.len().pow(4) {
        let pick = |nth: u32| sides[wiring / sides.len().pow(nth) % sides.len()];
        let mut net = Net::with_peers(&["a"]);
        let lans = ["x", "y"].map(|name| net.lan(name, &[]));
        let mut routers = vec![];
        for (nth, name) in ["r", "s"].into_iter().enumerate() {
            let joins: Vec<_> = lans
                .iter()
                .enumerate()
                .filter_map(|(lan, id)| Some((Join::of(*id), pick((nth * 2 + lan) as u32)?)))
                .collect();
            routers.extend(net.change(|s| s.add_router(&NewRouter { joins, ..router(name) })));
            check(&net);
        }
        let n = net.node("n", &[lans[0]]);
        let both = net.node("both", &[lans[1], lans[0]]);
        check(&net);
        for router in &routers {
            let _ = net.change(|s| s.set_nat(*router, Some(Nat::PORT_RESTRICTED)));
            let _ = net.change(|s| s.set_nat6(*router, Nat6::Nat(Nat::SYMMETRIC)));
            let _ = net.change(|s| s.set_default(both, DefaultVia::Router(*router)));
            check(&net);
        }
        for default in [DefaultVia::Blackhole, DefaultVia::None, DefaultVia::Auto] {
            net.change(|s| s.set_default(both, default)).unwrap();
            check(&net);
        }
        net.change(|s| s.roam(n, lans[0], &Join::of(lans[1]))).unwrap();
        check(&net);
        net.change(|s| s.leave(both, lans[1])).unwrap();
        check(&net);
        net.change(|s| s.readdress(both, lans[0], &[ip("10.0.3.99")])).unwrap();
        check(&net);
        for router in routers {
            net.change(|s| s.remove_node(router)).unwrap();
            check(&net);
        }
        worlds += 1;
    }
    assert_eq!(worlds, 81);
}

#[test]
fn back_and_forth_comes_to_nothing() {
    let net = Net::with_peers(&["a", "b", "c"]);
    let there = Changes::between(&NetworkState::default(), net.now.state());
    let back = Changes::between(net.now.state(), &NetworkState::default());
    let mut state = NetworkState::default();
    there.list.iter().chain(&back.list).for_each(|change| state.apply(change));
    assert_eq!(state, NetworkState::default());
    assert!(Changes::between(net.now.state(), net.now.state()).is_empty());
}
