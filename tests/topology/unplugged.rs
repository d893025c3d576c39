//! Routers that leave their WAN or a LAN, and join again.

use std::io::ErrorKind;
use std::net::TcpStream;

use nstest::{ErrorCode, Firewall, Nat, Nat6, Net, Protocol, TestResult, netns_test};

use crate::probe::{FAMILIES, Home, ip, ip_on, seen_as, udp};

#[netns_test]
fn a_wan_that_is_left_and_joined_translates_again(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    let lan = net.lan("home")?;
    let router = &home.router;
    router.set_firewall(Firewall::BlockInbound)?;
    router.forward_port(Protocol::Udp, 9000, &home.laptop, 9000)?;
    let inside = FAMILIES.map(|family| udp(&home.laptop, family, 0));
    let outside = FAMILIES.map(|family| udp(&home.servers[0], family, 7000));
    let translates = || -> TestResult {
        for ((family, inside), outside) in FAMILIES.into_iter().zip(&inside).zip(&outside) {
            assert_eq!(seen_as(inside, outside).ip(), home.wan(family));
            let forwarded = udp(&home.laptop, family, 9000);
            outside.send_to(b"?", (home.wan(family), 9000))?;
            assert_eq!(forwarded.recv_from(&mut [0; 8])?.1, outside.local_addr()?);
            home.converses_with(&home.servers[1], family)?;
        }
        Ok(())
    };
    translates()?;
    for family in FAMILIES {
        router.leave(&home.internet)?;
        let to = (ip(&home.servers[0], family), 7000);
        let error = home.laptop.run(|| TcpStream::connect(to)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "{family:?}");
        router.join(&home.internet)?;
        translates()?;
        router.leave(&lan)?;
        router.join(&lan)?;
        translates()?;
        router.rebind()?;
        translates()?;
    }
    assert_eq!(net.notes(), [""; 0]);
    Ok(())
}

#[netns_test]
fn another_lan_becomes_the_wan(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE)?;
    let lte = net.add_lan("lte").subnet("198.51.100.0/24").subnet("2001:db8:1::/64").build()?;
    let there = net.add_node("there").join(&lte).build()?;
    let inside = FAMILIES.map(|family| udp(&home.laptop, family, 0));
    for (from, to, server) in
        [(&home.internet, &lte, &there), (&lte, &home.internet, &home.servers[0])]
    {
        home.router.leave(from)?;
        home.router.join(to)?;
        for (family, inside) in FAMILIES.into_iter().zip(&inside) {
            let wan = ip_on(&home.router, to, family);
            assert_eq!(seen_as(inside, &udp(server, family, 0)).ip(), wan);
        }
    }
    Ok(())
}

#[netns_test]
fn settings_of_a_wan_that_is_left_are_refused(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    let router = &home.router;
    router.leave(&home.internet)?;
    for (call, result) in [
        ("set_nat", router.set_nat(Nat::FULL_CONE)),
        ("set_nat(None)", router.set_nat(None)),
        ("set_nat6", router.set_nat6(Nat6::Routed)),
        ("set_firewall", router.set_firewall(Firewall::default())),
        ("forward_port", router.forward_port(Protocol::Tcp, 80, &home.laptop, 80)),
        ("flush_nat", router.flush_nat()),
        ("rebind", router.rebind()),
    ] {
        let error = result.expect_err(call);
        assert_eq!(error.code(), ErrorCode::Nat, "{call}");
        let text = format!("{error:?}");
        assert!(text.contains("no WAN") && text.contains("join one first"), "{call}: {text}");
    }
    router.join(&home.internet)?;
    router.rebind()?;
    Ok(())
}
