//! What passes untouched: each kind of network, both families.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Arc, Net, Node, bound, connected, network, pass, round_trip, sound, teach};
use crate::frame::Direction;
use crate::testing::isolated;

fn talk(a: &Node, b: &Node) {
    for (from, to) in [(a.ipv4().into(), b.ipv4().into()), (a.ipv6().into(), b.ipv6().into())] {
        round_trip(&connected((a, from), (b, to)));
    }
}

/// One datagram to everybody.
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
        assert!(end.recv(&mut buffer).is_err(), "it came twice");
    }
}

/// Everybody has a wire, and everybody talks to the first and the last.
fn everybody(net: &Net) {
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
    isolated(|| everybody(&network(&["peer"])));
}

#[test]
fn a_hub_with_a_wire_at_each_port() {
    isolated(|| everybody(&network(&["b", "c"])));
}

#[test]
fn a_bridge_with_a_wire_at_each_port() {
    isolated(|| {
        let names: Vec<String> = (1..25).map(|nth| format!("n{nth}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        everybody(&network(&names));
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
