//! ICMP errors: each is sent, however many there are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use nstest::{Net, Node, ProbeOutcome, TestResult, eventually, netns_test};

use crate::probe::{FAMILIES, Family, PATIENCE, ip};

/// More than the kernel sends at once for all destinations (`icmp_msgs_burst` is 50).
const MANY: u64 = 300;

/// How many ICMP errors of this kind the node has received.
fn received(node: &Node, family: Family, kind: &str) -> u64 {
    let (file, name) = match family {
        Family::V4 => ("snmp", format!("In{kind}s")),
        Family::V6 => ("snmp6", format!("Icmp6In{kind}s")),
    };
    let text = node.run(|| std::fs::read_to_string(format!("/proc/thread-self/net/{file}")));
    let text = text.unwrap();
    let value = match family {
        Family::V4 => {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix("Icmp: "));
            let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
            let mut pairs = names.split(' ').zip(values.split(' '));
            pairs.find(|(known, _)| **known == name).unwrap().1
        }
        Family::V6 => text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().trim(),
    };
    value.parse().unwrap()
}

fn socket(from: &Node, family: Family) -> UdpSocket {
    let any: IpAddr = match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    from.run(|| UdpSocket::bind((any, 0))).unwrap()
}

/// Each of many datagrams to this node gets an ICMP error of this kind.
#[track_caller]
fn assert_each_is_answered(from: &Node, socket: &UdpSocket, to: IpAddr, kind: &str) {
    let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
    let before = received(from, family, kind);
    for _ in 0..MANY {
        socket.send_to(b"x", (to, 9)).unwrap();
    }
    eventually(PATIENCE, || {
        let answers = received(from, family, kind) - before;
        (answers == MANY).then_some(()).ok_or_else(|| format!("{answers} of {MANY} answers"))
    })
    .unwrap();
}

#[netns_test]
fn each_datagram_to_a_closed_port_is_answered(server: Node, net: Net) -> TestResult {
    let client = net.local();
    for family in FAMILIES {
        let socket = socket(&client, family);
        assert_each_is_answered(&client, &socket, ip(&server, family), "DestUnreach");
    }
    Ok(())
}

#[netns_test]
fn each_packet_whose_hop_limit_ends_is_answered(net: Net) -> TestResult {
    let [near, far] = ["near", "far"].map(|name| net.add_lan(name).build().unwrap());
    net.add_router("router").lan(&near).lan(&far).build()?;
    let node = net.add_node("node").join(&near).build()?;
    let there = net.add_node("there").join(&far).build()?;
    for family in FAMILIES {
        let socket = socket(&node, family);
        match family {
            Family::V4 => socket.set_ttl(1)?,
            Family::V6 => setsockopt(&socket, sockopt::Ipv6Ttl, &1)?,
        }
        assert_each_is_answered(&node, &socket, ip(&there, family), "TimeExcd");
    }
    Ok(())
}

/// A router reports that it has no route five times, and then once a second for each sender
/// (`ip_error` in net/ipv4/route.c). No sysctl of a namespace changes that.
#[netns_test]
fn a_probe_finds_the_router_without_a_route_each_time(net: Net) -> TestResult {
    let [near, middle] = ["near", "middle"].map(|name| net.add_lan(name).build().unwrap());
    let first = net.add_router("first").lan(&near).wan(&middle).build()?;
    net.add_router("second").lan(&middle).build()?;
    let node = net.add_node("node").join(&near).build()?;
    for (to, times) in [([203, 0, 113, 1], 7), ([192, 0, 2, 1], 1)] {
        for nth in 0..times {
            let found = node.probe((to, 7000))?;
            assert_eq!(found.outcome(), ProbeOutcome::Rejected, "{nth}: {found}");
            assert_eq!(found.hop(), Some("second"), "{nth}: {found}");
        }
    }
    // Without a second hop, too.
    first.set_default_route(nstest::DefaultRoute::None)?;
    for nth in 0..7 {
        let found = node.probe(([203, 0, 113, 1], 7000))?;
        assert_eq!(found.outcome(), ProbeOutcome::Rejected, "{nth}: {found}");
        assert_eq!(found.hop(), Some("first"), "{nth}: {found}");
    }
    Ok(())
}
