//! Nodes and routers whose addresses change: what was known by the old ones is forgotten.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use nstest::{Nat, Net, Node, ProbeOutcome, Protocol, TestResult, netns_test};

use crate::probe::{FAMILIES, Family, Home, ip_on, seen_as, udp};

const NATS: [Nat; 3] = [Nat::FULL_CONE, Nat::PORT_RESTRICTED, Nat::SYMMETRIC];

#[netns_test]
fn a_new_address_is_seen_by_old_and_new_peers(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    for (nat, host) in NATS.into_iter().zip(200..) {
        home.translate(nat)?;
        for family in FAMILIES {
            let outside = home.outside(family);
            let inside = udp(&home.laptop, family, 0);
            let before = home.wan(family);
            assert_eq!(seen_as(&inside, outside.first()).ip(), before);
            let addr = match family {
                Family::V4 => format!("203.0.113.{host}"),
                Family::V6 => format!("2001:db8::{host}"),
            };
            home.router.set_address(&home.internet, addr.parse()?)?;
            let wan = home.wan(family);
            assert_ne!(wan, before);
            for (name, peer) in [("old", outside.first()), ("new", &outside.sockets[1][1])] {
                let seen = seen_as(&inside, peer).ip();
                assert_eq!(seen, wan, "{nat} as seen by the {name} peer");
            }
            home.converses_with(&home.servers[1], family)?;
        }
    }
    Ok(())
}

/// An address of the other IP version, or of the LAN, changes nothing for a conversation.
#[netns_test]
fn other_addresses_leave_conversations_alone(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::SYMMETRIC)?;
    let outside = home.outside(Family::V4);
    let inside = udp(&home.laptop, Family::V4, 0);
    let endpoint = seen_as(&inside, outside.first());
    let lan = net.lan("home")?;
    home.router.set_address(&lan, "192.168.1.253".parse()?)?;
    assert_eq!(seen_as(&inside, outside.first()), endpoint);
    Ok(())
}

#[netns_test]
fn a_router_that_roams_is_seen_by_its_new_address(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE)?;
    let elsewhere =
        net.add_lan("elsewhere").subnet("198.51.100.0/24").subnet("2001:db8:1::/64").build()?;
    let there = net.add_node("there").join(&elsewhere).build()?;
    net.add_router("core").lan(&home.internet).lan(&elsewhere).build()?;
    let inside = FAMILIES.map(|family| udp(&home.laptop, family, 0));
    let outside = FAMILIES.map(|family| home.outside(family));
    for (inside, outside) in inside.iter().zip(&outside) {
        seen_as(inside, outside.first());
    }
    home.router.roam(&home.internet, &elsewhere)?;
    for ((family, inside), outside) in FAMILIES.into_iter().zip(&inside).zip(&outside) {
        let wan = ip_on(&home.router, &elsewhere, family);
        assert_eq!(seen_as(inside, &udp(&there, family, 0)).ip(), wan);
        assert_eq!(seen_as(inside, outside.first()).ip(), wan);
    }
    Ok(())
}

/// `b` gets the address that `a` had, and all that know it by MAC address ask again.
#[netns_test]
fn an_address_that_another_node_gets_is_reached_at_once(
    a: Node,
    b: Node,
    c: Node,
    net: Net,
) -> TestResult {
    let peers = net.lan("peers")?;
    let knocks = |ip: IpAddr, at: &Node| -> TestResult {
        let listener = at.run(|| TcpListener::bind((ip, 7000)))?;
        for node in [&net.local(), &c] {
            let to = (ip, 7000).into();
            drop(node.run(|| TcpStream::connect_timeout(&to, Duration::from_millis(900)))?);
            drop(listener.accept()?);
        }
        Ok(())
    };
    let [v4, v6] = [a.ip(), a.ipv6().into()];
    for _ in 0..3 {
        for ip in [v4, v6] {
            knocks(ip, &a)?;
        }
        for other in ["10.0.2.77", "fd00:2::77"] {
            a.set_address(&peers, other.parse()?)?;
        }
        let before = [b.ip(), b.ipv6().into()];
        for ip in [v4, v6] {
            b.set_address(&peers, ip)?;
            knocks(ip, &b)?;
        }
        for (back, ip) in before.into_iter().zip([v4, v6]) {
            b.set_address(&peers, back)?;
            a.set_address(&peers, ip)?;
        }
    }
    // So if the node that had it has left, or is removed.
    a.leave(&peers)?;
    b.set_address(&peers, v4)?;
    knocks(v4, &b)?;
    b.remove()?;
    a.join(&peers)?;
    a.set_address(&peers, v4)?;
    knocks(v4, &a)
}

/// Two homes with one subnet: the gateway has the same address in both.
#[netns_test]
fn a_node_that_roams_asks_for_its_neighbours_again(net: Net) -> TestResult {
    let core = net.add_lan("core").build()?;
    let server = net.add_node("server").join(&core).build()?;
    let mut homes = Vec::new();
    for name in ["here", "there"] {
        let home = net.add_lan(name).subnet("192.168.1.0/24").without_ipv6().may_overlap();
        let home = home.build()?;
        let gate = net.add_router(&format!("gate-{name}")).lan(&home).wan(&core);
        gate.nat(Nat::PORT_RESTRICTED).build()?;
        homes.push(home);
    }
    let laptop = net.add_node("laptop").join(&homes[0]).build()?;
    let listener = server.run(|| TcpListener::bind((server.ip(), 7000)))?;
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        let connect = || {
            let to = (server.ip(), 7000).into();
            laptop.run(|| TcpStream::connect_timeout(&to, Duration::from_millis(900)))
        };
        drop((connect()?, listener.accept()?));
        laptop.roam(&homes[from], &homes[to])?;
        drop((connect()?, listener.accept()?));
    }
    Ok(())
}

#[netns_test]
fn a_forwarded_port_follows_its_node(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED.hairpinning(true))?;
    let lan = net.lan("home")?;
    home.router.forward_port(Protocol::Udp, 9000, &home.laptop, 9000)?;
    for (family, new) in FAMILIES.into_iter().zip(["192.168.1.77", "fd00:1::77"]) {
        let outside = udp(&home.servers[0], family, 0);
        let ask = |from: &UdpSocket| -> TestResult {
            let inside = udp(&home.laptop, family, 9000);
            from.send_to(b"?", (home.wan(family), 9000))?;
            let (_, peer) = inside.recv_from(&mut [0; 8])?;
            inside.send_to(b"!", peer)?;
            let (_, by) = from.recv_from(&mut [0; 8])?;
            assert_eq!(by, (home.wan(family), 9000).into());
            Ok(())
        };
        ask(&outside)?;
        home.laptop.set_address(&lan, new.parse()?)?;
        ask(&outside)?; // the same conversation
        ask(&udp(&home.desktop, family, 0))?; // by hairpin
        let wan = match family {
            Family::V4 => "203.0.113.99",
            Family::V6 => "2001:db8::99",
        };
        home.router.set_address(&home.internet, wan.parse()?)?;
        ask(&outside)?;
        ask(&udp(&home.desktop, family, 0))?;
    }
    Ok(())
}

#[netns_test]
fn names_and_resolvers_follow(dns: Node, other: Node, net: Net) -> TestResult {
    let peers = net.lan("peers")?;
    let resolver = dns.serve_dns()?;
    resolver.answer("www.example", Ipv4Addr::new(192, 0, 2, 1))?;
    let asks = |nodes: &[&Node]| {
        for node in nodes {
            let found = node.run(|| ("www.example", 80).to_socket_addrs());
            assert!(found.is_ok_and(|mut all| all.any(|addr| addr.ip().is_ipv4())), "{node:?}");
            let found = node.run(|| ("dns", 80).to_socket_addrs()).expect("a name of a node");
            let found: BTreeSet<_> = found.map(|addr| addr.ip()).collect();
            assert_eq!(found, dns.ips().into_iter().collect());
        }
    };
    let all = [&net.local(), &other];
    asks(&all);
    for new in ["10.0.2.99", "fd00:2::99"] {
        dns.set_address(&peers, new.parse()?)?;
        asks(&all);
    }
    let lan = net.add_lan("lan").build()?;
    for node in [&net.local(), &other] {
        node.join(&lan)?;
    }
    dns.roam(&peers, &lan)?;
    asks(&all);
    dns.leave(&lan)?;
    assert!(!std::fs::read_to_string("/etc/hosts")?.contains("dns"));
    dns.join(&peers)?;
    asks(&all);
    Ok(())
}

/// Through a router, a partition knows nodes by their IP addresses.
#[netns_test]
fn a_partition_follows(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    let (laptop, server) = (&home.laptop, &home.servers[0]);
    laptop.wait_reachable(server.ip())?;
    net.partition(&[&[laptop], &[server, &home.servers[1]]])?;
    for new in ["203.0.113.77", "2001:db8::77"] {
        server.set_address(&home.internet, new.parse()?)?;
    }
    for ip in [server.ip(), server.ipv6().into()] {
        let probe = laptop.probe_with((ip, 80), &[], Duration::from_millis(100))?;
        probe.assert(ProbeOutcome::NoReply);
    }
    net.heal()?;
    laptop.probe((server.ip(), 80))?.assert(ProbeOutcome::Refused);
    Ok(())
}
