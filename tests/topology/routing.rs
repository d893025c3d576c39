//! Routers that translate no ports: routes in both directions, and IPv6 prefixes.

use std::net::{IpAddr, Ipv6Addr};

use nstest::{DefaultRoute, Nat6, NatFiltering, NatMapping, Net, TestResult, netns_test};
use nstest_tests::programs::find;

use crate::probe::{FAMILIES, Family, Home, connect, exchange, ip, receive, seen_as, udp};

#[netns_test]
fn routed_networks_reach_each_other(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    let server = &home.servers[0];
    for family in FAMILIES {
        for (client, server) in [(&home.laptop, server), (server, &home.laptop)] {
            let at = (ip(server, family), 80);
            let (mut near, mut far, seen) = connect(client, server, at, at)?;
            assert_eq!(seen.ip(), ip(client, family), "no NAT on the way");
            exchange(&mut near, &mut far)?;
        }
    }
    Ok(())
}

#[netns_test]
fn routers_in_a_row(net: Net) -> TestResult {
    let lans: Vec<_> =
        (0..4).map(|n| net.add_lan(&format!("lan{n}")).build()).collect::<Result<_, _>>()?;
    for (n, pair) in lans.windows(2).enumerate() {
        net.add_router(&format!("router{n}")).lan(&pair[0]).wan(&pair[1]).build()?;
    }
    let ends =
        [net.add_node("a").join(&lans[0]).build()?, net.add_node("b").join(&lans[3]).build()?];
    for family in FAMILIES {
        for [client, server] in [[&ends[0], &ends[1]], [&ends[1], &ends[0]]] {
            let at = (ip(server, family), 80);
            let (mut near, mut far, seen) = connect(client, server, at, at)?;
            assert_eq!(seen.ip(), ip(client, family));
            exchange(&mut near, &mut far)?;
        }
    }
    Ok(())
}

/// RFC 6296: the prefix changes, the interface identifier stays, both sides may begin, and
/// ports stay.
#[netns_test]
fn prefixes_are_translated(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    home.router.set_nat6(Nat6::prefix("2001:db8:9::/64")?)?;
    let [laptop, desktop] = [&home.laptop, &home.desktop].map(|node| {
        let [.., a, b, c, d] = node.ipv6().segments();
        IpAddr::from([0x2001, 0xdb8, 9, 0, a, b, c, d])
    });
    assert_ne!(laptop, desktop);
    let server = &home.servers[0];
    for (node, outside) in [(&home.laptop, laptop), (&home.desktop, desktop)] {
        let at = (ip(server, Family::V6), 80);
        let (mut near, mut far, seen) = connect(node, server, at, at)?;
        assert_eq!(seen.ip(), outside);
        assert_eq!(seen.port(), near.local_addr()?.port());
        exchange(&mut near, &mut far)?;

        let (mut near, mut far, seen) =
            connect(server, node, (outside, 80), (ip(node, Family::V6), 80))?;
        assert_eq!(seen.ip(), ip(server, Family::V6));
        exchange(&mut near, &mut far)?;
    }
    let outside = home.outside(Family::V6);
    let inside = udp(&home.laptop, Family::V6, 5000);
    assert_eq!(seen_as(&inside, outside.first()), (laptop, 5000).into());
    assert_eq!(outside.mapping(&inside), NatMapping::EndpointIndependent);
    let stranger = udp(&home.laptop, Family::V6, 5001);
    assert_eq!(outside.filtering(&stranger), NatFiltering::EndpointIndependent);
    Ok(())
}

/// IPv6 gateways are often given by their link-local addresses.
#[netns_test]
fn a_gateway_may_be_named_by_its_link_local_address(net: Net) -> TestResult {
    let [near, far] = ["near", "far"].map(|name| net.add_lan(name).build().unwrap());
    let router = net.add_router("router").lan(&near).lan(&far).build()?;
    let node = net.add_node("node").join(&near).default_route(DefaultRoute::None).build()?;
    let there = net.add_node("there").join(&far).build()?;
    let text = router.run(|| std::fs::read_to_string("/proc/thread-self/net/if_inet6"))?;
    let line = text.lines().find(|line| line.starts_with("fe80") && line.ends_with("eth0"));
    let digits = &line.expect("it has one")[..32];
    let link_local = Ipv6Addr::from_bits(u128::from_str_radix(digits, 16)?);
    node.add_route("::/0", link_local)?;
    node.wait_reachable(there.ipv6())?;
    Ok(())
}

/// Three nodes on a LAN, a router at .254 that masquerades, and the Internet.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn a_lan_behind_one_address(net: Net) -> TestResult {
    let lan = net.add_lan("lan").subnet("10.0.2.0/24").without_ipv6().build()?;
    let internet = net.add_lan("internet").subnet("8.8.8.0/24").without_ipv6().build()?;
    let router =
        net.add_router("router").lan(&lan).wan(&internet).nat(nstest::Nat::PORT_RESTRICTED);
    let router = router.build()?;
    assert!(router.ips().contains(&"10.0.2.254".parse()?));
    let wan = crate::probe::ip_on(&router, &internet, Family::V4);
    let server = net.add_node("server").join(&internet).ip([8, 8, 8, 8]).build()?;
    let at = (server.ip(), 80);
    let meeting = udp(&server, Family::V4, 3478);
    for name in ["a", "b", "c"] {
        let node = net.add_node(name).join(&lan).build()?;
        let pinged = node.command(find("ping")).args(["-c1", "-W5", "8.8.8.8"]).output()?;
        assert!(pinged.status.success(), "{}", String::from_utf8_lossy(&pinged.stdout));
        let (mut near, mut far, seen) = connect(&node, &server, at, at)?;
        assert_eq!(seen.ip(), wan);
        exchange(&mut near, &mut far)?;

        // No node outside has a route to the inside.
        let error = connect(&server, &node, (node.ip(), 80), (node.ip(), 80)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NetworkUnreachable);
        let inside = udp(&node, Family::V4, 5000);
        let endpoint = seen_as(&inside, &meeting);
        assert_eq!(endpoint.ip(), wan);
        meeting.send_to(b"answer", endpoint)?;
        assert_eq!(receive(&inside)?.0, b"answer");
        let stranger = udp(&server, Family::V4, 0);
        assert!(!crate::probe::gets_in(&stranger, endpoint, &inside, (&meeting, endpoint)));
    }
    Ok(())
}
