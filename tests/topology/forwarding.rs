//! Port forwarding, and NATs behind NATs.

use nstest::{Firewall, Nat, Nat6, Net, Protocol, TestResult, netns_test};

use crate::probe::{
    FAMILIES, Family, Home, connect, exchange, gets_in, ip, ip_on, receive, seen_as, udp,
};

#[netns_test]
fn tcp_comes_in_by_a_forwarded_port(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    home.router.forward_port(Protocol::Tcp, 8080, &home.laptop, 80)?;
    for firewall in [Firewall::Open, Firewall::BlockInbound] {
        home.router.set_firewall(firewall)?;
        for family in FAMILIES {
            let server = &home.servers[0];
            let listen = (ip(&home.laptop, family), 80);
            let to = (home.wan(family), 8080);
            let (mut near, mut far, seen) = connect(server, &home.laptop, to, listen)?;
            assert_eq!(seen.ip(), ip(server, family), "the source stays");
            exchange(&mut near, &mut far)?;
        }
    }
    Ok(())
}

#[netns_test]
fn udp_comes_in_by_a_forwarded_port(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::SYMMETRIC)?;
    home.router.forward_port(Protocol::Udp, 5353, &home.laptop, 53)?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let inside = udp(&home.laptop, family, 53);
        let door = (home.wan(family), 5353).into();
        for socket in outside.sockets.iter().flatten() {
            socket.send_to(b"query", door)?;
            let (message, from) = receive(&inside)?;
            assert_eq!((&*message, from), (&b"query"[..], socket.local_addr()?));
            inside.send_to(b"answer", from)?;
            assert_eq!(receive(socket)?, (b"answer".to_vec(), door));
        }
    }
    home.router.unforward_port(Protocol::Udp, 5353)?;
    home.router.flush_nat()?;
    let outside = home.outside(Family::V4);
    let inside = udp(&home.laptop, Family::V4, 53);
    let known = seen_as(&inside, outside.first());
    let door = (home.wan(Family::V4), 5353).into();
    let stranger = &outside.sockets[1][1];
    assert!(!gets_in(stranger, door, &inside, (outside.first(), known)), "closed again");
    Ok(())
}

/// Two homes behind a carrier's NAT (RFC 6888), each with a NAT of its own.
#[netns_test]
fn homes_behind_a_carrier(net: Net) -> TestResult {
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let isp = net.add_lan("isp").subnet("100.64.0.0/10").build()?;
    let carrier = net.add_router("carrier").lan(&isp).wan(&internet).nat(Nat::CARRIER_GRADE);
    let carrier = carrier.build()?;
    let servers = [
        net.add_node("server1").join(&internet).build()?,
        net.add_node("server2").join(&internet).build()?,
    ];
    let mut laptops = Vec::new();
    for n in 1..=2 {
        let home = net.add_lan(&format!("home{n}")).subnet("192.168.1.0/24").may_overlap();
        let home = home.without_ipv6().build()?;
        let router = net.add_router(&format!("cpe{n}")).lan(&home).wan(&isp);
        router.nat(Nat::PORT_RESTRICTED).build()?;
        laptops.push(net.add_node(&format!("laptop{n}")).join(&home).build()?);
    }
    let [one, two] = &laptops[..] else { unreachable!() };
    assert_eq!(one.ip(), two.ip(), "each home has the same network");
    let wan = ip_on(&carrier, &internet, Family::V4);
    let at = (servers[0].ip(), 80);
    for laptop in [one, two] {
        let (mut near, mut far, seen) = connect(laptop, &servers[0], at, at)?;
        assert_eq!(seen.ip(), wan);
        exchange(&mut near, &mut far)?;
    }
    let outside = crate::probe::Outside::on([&servers[0], &servers[1]], Family::V4);
    // A node behind both has the stricter behaviour of the two.
    let inside = udp(one, Family::V4, 5000);
    assert_eq!(outside.filtering(&inside), nstest::NatFiltering::AddressAndPortDependent);
    assert_eq!(outside.mapping(&inside), nstest::NatMapping::EndpointIndependent);
    // Hole punching, through the hairpinning of the carrier's NAT.
    let sockets = [one, two].map(|laptop| udp(laptop, Family::V4, 6000));
    punches(&sockets, outside.first(), true)?;
    Ok(())
}

/// Two nodes that learnt of each other at a meeting point (RFC 5128 §3.3).
fn punches(
    [a, b]: &[std::net::UdpSocket; 2],
    meeting: &std::net::UdpSocket,
    succeeds: bool,
) -> TestResult {
    let [seen_a, seen_b] = [a, b].map(|socket| seen_as(socket, meeting));
    // The first packet creates the mapping for the other direction, and may be dropped itself.
    a.send_to(b"open", seen_b)?;
    let in_a = gets_in(b, seen_a, a, (meeting, seen_a));
    let in_b = gets_in(a, seen_b, b, (meeting, seen_b));
    assert_eq!((in_a, in_b), (succeeds, succeeds));
    Ok(())
}

#[netns_test]
fn holes_are_punched_where_the_mapping_allows(net: Net) -> TestResult {
    let internet = net.add_lan("internet").build()?;
    let meeting = net.add_node("meeting").join(&internet).build()?;
    let mut homes = Vec::new();
    for n in 1..=2 {
        let home = net.add_lan(&format!("home{n}")).build()?;
        let router = net.add_router(&format!("router{n}")).lan(&home).wan(&internet).build()?;
        homes.push((router, net.add_node(&format!("node{n}")).join(&home).build()?));
    }
    let [(router1, node1), (router2, node2)] = &homes[..] else { unreachable!() };
    for (port, nat, succeeds) in [(5000, Nat::PORT_RESTRICTED, true), (6000, Nat::SYMMETRIC, false)]
    {
        for router in [router1, router2] {
            router.set_nat(nat)?;
            router.set_nat6(Nat6::Nat(nat))?;
            router.flush_nat()?;
        }
        for family in FAMILIES {
            let sockets = [node1, node2].map(|node| udp(node, family, port));
            punches(&sockets, &udp(&meeting, family, port), succeeds)?;
        }
    }
    Ok(())
}
