//! IPv4 multicast and the limited broadcast (RFC 919), on sockets that name no interface.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};

use nix::errno::Errno;
use nstest::{DefaultRoute, Net, Node, TestResult, netns_test};

use crate::probe::PATIENCE;

/// Groups: that of SSDP, and one of the administratively scoped range (RFC 2365).
const GROUPS: [Ipv4Addr; 2] = [Ipv4Addr::new(239, 255, 255, 250), Ipv4Addr::new(239, 1, 2, 3)];

/// A socket in every group, on the interface that the kernel chooses.
fn member(node: &Node, port: u16) -> UdpSocket {
    let socket = node.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap();
    for group in GROUPS {
        socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED).unwrap();
    }
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// What `from` sends to groups and to the broadcast address reaches all of these nodes.
#[track_caller]
fn assert_heard(from: &Node, by: &[&Node], port: u16) {
    let members: Vec<UdpSocket> = by.iter().map(|node| member(node, port)).collect();
    let sender = from.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
    sender.set_broadcast(true).unwrap();
    for to in [&GROUPS[..], &[Ipv4Addr::BROADCAST]].concat() {
        sender.send_to(&to.octets(), (to, port)).unwrap_or_else(|error| panic!("{to}: {error}"));
        for (node, socket) in by.iter().zip(&members) {
            let mut bytes = [0; 16];
            let (len, who) = socket.recv_from(&mut bytes).unwrap();
            assert_eq!(bytes[..len], to.octets(), "{node:?} hears {to}");
            assert!(from.ips().contains(&who.ip()), "{node:?} hears {who}");
        }
    }
}

#[netns_test]
fn a_pair(peer: Node, net: Net) -> TestResult {
    assert_heard(&net.local(), &[&peer], 1900);
    assert_heard(&peer, &[&net.local()], 1901);
    Ok(())
}

#[netns_test]
fn a_lan_with_any_default_route(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    assert_heard(&net.local(), &[&a, &b, &c], 1900);
    for (route, port) in
        [DefaultRoute::None, DefaultRoute::Blackhole, DefaultRoute::Auto].into_iter().zip(1901..)
    {
        a.set_default_route(route)?;
        assert_heard(&a, &[&b, &c], port);
        assert_heard(&b, &[&a, &c], port);
    }
    Ok(())
}

/// On a node with several interfaces: the interface of the default route, or else the first.
#[netns_test]
fn the_interface_is_that_of_the_default_route(net: Net) -> TestResult {
    let [dark, lit, outside] =
        ["dark", "lit", "outside"].map(|name| net.add_lan(name).build().unwrap());
    let node = net.add_node("node").join(&dark).join(&lit).build()?;
    let in_dark = net.add_node("in_dark").join(&dark).build()?;
    let in_lit = net.add_node("in_lit").join(&lit).build()?;
    assert_heard(&node, &[&in_dark], 1900);
    net.add_router("router").lan(&lit).wan(&outside).build()?;
    assert_heard(&node, &[&in_lit], 1901);
    node.leave(&lit)?;
    assert_heard(&node, &[&in_dark], 1902);
    node.roam(&dark, &outside)?;
    let in_outside = net.add_node("in_outside").join(&outside).build()?;
    assert_heard(&node, &[&in_outside], 1903);
    assert_heard(&in_outside, &[&node], 1904);
    Ok(())
}

/// A route that the test added takes precedence.
#[netns_test]
fn a_route_of_the_test_replaces_them(net: Net) -> TestResult {
    let [first, second] = ["first", "second"].map(|name| net.add_lan(name).build().unwrap());
    let node = net.add_node("node").join(&first).join(&second).build()?;
    let there = net.add_node("there").join(&second).build()?;
    for all in ["224.0.0.0/4", "255.255.255.255/32"] {
        node.add_route(all, &there)?;
    }
    assert_heard(&node, &[&there], 1900);
    Ok(())
}

/// A test without a network has no route for groups, as a host without one: a socket names `lo`
/// by its address.
#[netns_test]
fn on_lo_sockets_name_the_interface() -> TestResult {
    let receiver = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 1900))?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    let unspecified = receiver.join_multicast_v4(&GROUPS[0], &Ipv4Addr::UNSPECIFIED);
    assert_eq!(unspecified.unwrap_err().raw_os_error(), Some(Errno::ENODEV as i32));
    receiver.join_multicast_v4(&GROUPS[0], &Ipv4Addr::LOCALHOST)?;

    for to in [GROUPS[0], Ipv4Addr::BROADCAST] {
        let from_any = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        from_any.set_broadcast(true)?;
        let refused = from_any.send_to(b"x", (to, 1900)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NetworkUnreachable, "{to}");

        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        sender.set_broadcast(true)?;
        sender.send_to(b"x", (to, 1900))?;
        assert_eq!(receiver.recv_from(&mut [0; 2])?.1, sender.local_addr()?, "{to}");
    }
    Ok(())
}
