//! What passes untouched: each kind of network, both families.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{
    Arc, Net, Node, bound, connected, link_end_of, network, pass, round_trip, sound, teach,
};
use crate::frame::Direction;
use crate::testing::isolated;
use crate::wire::HiddenPair;

fn talk(a: &Node, b: &Node) {
    for (from, to) in [(a.ipv4().into(), b.ipv4().into()), (a.ipv6().into(), b.ipv6().into())] {
        round_trip(&connected((a, from), (b, to)));
    }
}

/// Broadcasts one datagram, which arrives once at each node.
fn broadcast(from: &Node, to: &[Node]) {
    let near = bound(from, from.ipv4().into());
    near.set_broadcast(true).unwrap();
    let bind = || std::net::UdpSocket::bind("0.0.0.0:4242").unwrap();
    let ends: Vec<_> = to.iter().map(|node| node.run(bind)).collect();
    near.send_to(b"all", ("255.255.255.255", 4242)).unwrap();
    let mut buffer = [0; 8];
    for end in &ends {
        end.set_read_timeout(Some(super::LIMIT)).unwrap();
        assert_eq!(end.recv(&mut buffer).unwrap(), 3);
        end.set_nonblocking(true).unwrap();
        assert!(end.recv(&mut buffer).is_err(), "it arrived twice");
    }
}

/// All nodes have a wire. The first exchanges datagrams with all others.
fn all_exchange(net: &Net) {
    let mut nodes = vec![net.local()];
    nodes.extend(net.nodes());
    let counts: Vec<_> = nodes.iter().map(|_| <Arc<[AtomicUsize; 2]>>::default()).collect();
    for (node, count) in nodes.iter().zip(&counts) {
        let count = Arc::clone(count);
        teach(node, false, move |direction, frame, now, out| {
            count[usize::from(direction == Direction::Egress)].fetch_add(1, Ordering::Relaxed);
            pass(direction, frame, now, out);
        });
    }
    let (first, last) = (&nodes[0], nodes.last().unwrap());
    for node in &nodes[1..] {
        talk(first, node);
    }
    talk(last, first);
    broadcast(first, &nodes[1..]);
    for (node, count) in nodes.iter().zip(&counts) {
        let [ingress, egress] = [0, 1].map(|way| count[way].load(Ordering::Relaxed));
        assert!(ingress >= 2 && egress >= 2, "{}: {ingress} in, {egress} out", node.name());
    }
    sound(net);
}

#[test]
fn a_cable_with_a_wire_at_each_end() {
    isolated(|| all_exchange(&network(&["peer"])));
}

#[test]
fn what_leaves_a_node_goes_straight_on_where_nothing_is_in_the_way() {
    isolated(|| {
        let net = network(&[]);
        let lan = net.add_lan("lan").build().unwrap();
        let node = |name: &str| net.add_node(name).join(&lan).build().unwrap();
        let (near, far) = (node("near"), node("far"));
        let delay = Duration::from_micros(200);
        let come = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&come);
        teach(&near, true, move |direction, _, now, out| {
            count.fetch_add(usize::from(direction == Direction::Ingress), Ordering::Relaxed);
            out.forward.extend([now, now + delay]);
        });
        // What comes to the node comes in where what leaves it would go back.
        let outer = HiddenPair::of(link_end_of(&near).ifindex()).outer_name();
        let back = || net.shared().received(&outer) as i64 - come.load(Ordering::Relaxed) as i64;
        let goes_straight = || {
            let before = back();
            (0..10).for_each(|_| talk(&near, &far));
            // Ten times both families, twice; a stray report of a group may come as well.
            let back = back() - before;
            assert!(back < 10, "{back} frames went back");
        };
        goes_straight();
        // From a hub, too: all but broadcasts.
        let third = node("third");
        goes_straight();
        third.remove().unwrap();
        goes_straight();
        sound(&net);
    });
}

#[test]
fn a_hub_with_a_wire_at_each_link_end() {
    isolated(|| all_exchange(&network(&["b", "c"])));
}

#[test]
fn a_bridge_with_a_wire_at_each_link_end() {
    isolated(|| {
        let names: Vec<String> = (1..25).map(|nth| format!("n{nth}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        all_exchange(&network(&names));
    });
}

#[test]
fn fifty_wires() {
    isolated(|| {
        let names: Vec<String> = (1..50).map(|nth| format!("n{nth}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let net = network(&names);
        let start = std::time::Instant::now();
        net.nodes().iter().chain([&net.local()]).for_each(|node| teach(node, true, pass));
        println!("50 wires spliced in {:?}", start.elapsed());
        net.nodes().iter().for_each(|node| talk(&net.local(), node));
        sound(&net);
    });
}
