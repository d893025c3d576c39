//! Stateful firewalls, and the ICMP errors that routers forward.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use nstest::{Firewall, Nat, Nat6, Net, TestResult, eventually, netns_test};
use nstest_tests::programs::find;

use crate::probe::{FAMILIES, Home, PATIENCE, connect, exchange, gets_in, ip, seen_as, udp};

/// How long to wait for a connection that must fail.
const SHORT: Duration = Duration::from_millis(300);

#[netns_test]
fn connections_from_inside_pass_and_others_get_no_answer(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    home.router.set_firewall(Firewall::BlockInbound)?;
    let server = &home.servers[0];
    for family in FAMILIES {
        let at = (ip(server, family), 80);
        let (mut near, mut far, seen) = connect(&home.laptop, server, at, at)?;
        assert_eq!(seen.ip(), ip(&home.laptop, family));
        exchange(&mut near, &mut far)?;

        let outside = home.outside(family);
        let inside = udp(&home.laptop, family, 5000);
        let endpoint = seen_as(&inside, outside.first());
        assert_eq!(outside.let_in(&inside, endpoint), [true, false, false, false]);

        for target in [&home.laptop, home.router.node()] {
            let to = (ip(target, family), 80).into();
            let _listener = target.run(|| TcpListener::bind(to))?;
            let error = server.run(|| TcpStream::connect_timeout(&to, SHORT)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "no answer, to {target:?}");
        }
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn a_nat_answers_for_no_port_of_its_own(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    for family in FAMILIES {
        let to = (home.wan(family), 22).into();
        let _listener = home.router.run(|| TcpListener::bind(to))?;
        let error = home.servers[0].run(|| TcpStream::connect_timeout(&to, SHORT)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let wan = home.wan(family).to_string();
        let pinged = home.servers[0].command(find("ping")).args(["-c1", "-W5", &wan]).output()?;
        assert!(pinged.status.success(), "{}", String::from_utf8_lossy(&pinged.stdout));
    }
    Ok(())
}

/// A closed port answers with port unreachable (RFC 792, RFC 4443 §3.1), which
/// a NAT carries back (RFC 5508 REQ-4).
#[netns_test]
fn unreachable_ports_are_reported_inside(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    home.router.set_firewall(Firewall::BlockInbound)?;
    for nat in [None, Some(Nat::FULL_CONE), Some(Nat::SYMMETRIC)] {
        if let Some(nat) = nat {
            home.translate(nat)?;
        }
        for family in FAMILIES {
            let socket = udp(&home.laptop, family, 0);
            socket.connect((ip(&home.servers[0], family), 9))?;
            socket.send(b"anybody there?")?;
            let error = socket.recv(&mut [0; 16]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{nat:?} {family:?}");
        }
    }
    Ok(())
}

/// A network in the middle has a smaller MTU. The sender learns the path MTU from ICMP,
/// through the NAT (RFC 1191, RFC 8201).
#[netns_test]
fn packets_that_are_too_big_are_reported_inside(net: Net) -> TestResult {
    let [home, internet, narrow, far] =
        [("home", 1500), ("internet", 1500), ("narrow", 1300), ("far", 1500)]
            .map(|(name, mtu)| net.add_lan(name).mtu(mtu).build());
    let (home, internet, narrow, far) = (home?, internet?, narrow?, far?);
    let router = net.add_router("router").lan(&home).wan(&internet).nat(Nat::FULL_CONE);
    let router = router.nat6(Nat6::Nat(Nat::FULL_CONE)).firewall(Firewall::BlockInbound).build()?;
    net.add_router("near").lan(&narrow).wan(&internet).build()?;
    net.add_router("remote").lan(&far).wan(&narrow).build()?;
    let laptop = net.add_node("laptop").join(&home).build()?;
    let server = net.add_node("server").join(&far).build()?;
    for family in FAMILIES {
        // One packet is too long. The sender learns the MTU, and sends fragments.
        let inside = udp(&laptop, family, 5000);
        let outside = udp(&server, family, 5000);
        outside.set_nonblocking(true)?;
        let seen = eventually(PATIENCE, || {
            send(&inside, &outside);
            outside.recv_from(&mut [0; 1500])
        })?;
        assert_eq!(seen.0, 1400);
        assert_eq!(seen.1.ip(), crate::probe::ip_on(&router, &internet, family));

        let at = (ip(&server, family), 80);
        let (mut near, mut end, _) = connect(&laptop, &server, at, at)?;
        let sender = laptop.spawn(move || near.write_all(&[7; 100_000]).map(|()| near));
        let mut got = vec![0; 100_000];
        end.read_exact(&mut got)?;
        let mut near = sender.join().unwrap()?;
        exchange(&mut near, &mut end)?;
    }
    Ok(())
}

/// An error is the kernel's "message too long", once it knows the path MTU.
fn send(inside: &UdpSocket, outside: &UdpSocket) {
    let _ = inside.send_to(&[7; 1400], outside.local_addr().unwrap());
}

#[netns_test]
fn firewalls_change_while_conversations_go_on(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    let server = &home.servers[0];
    for family in FAMILIES {
        home.router.set_firewall(Firewall::Open)?;
        let web = (ip(server, family), 80);
        let (mut near, mut far, _) = connect(&home.laptop, server, web, web)?;
        let outside = home.outside(family);
        let inside = udp(&home.laptop, family, 5000);
        let endpoint = seen_as(&inside, outside.first());
        let friend = (outside.first(), endpoint);
        let stranger = &outside.sockets[1][0];
        assert!(gets_in(stranger, endpoint, &inside, friend));

        home.router.set_firewall(Firewall::BlockInbound)?;
        // A router without a firewall tracks no connections: it learns of them by packets from
        // inside.
        exchange(&mut near, &mut far)?;
        assert_eq!(seen_as(&inside, outside.first()), endpoint);
        let at = (ip(&home.laptop, family), 80);
        let _listener = home.laptop.run(|| TcpListener::bind(at))?;
        let new = || server.run(|| TcpStream::connect_timeout(&at.into(), SHORT));
        assert_eq!(new().unwrap_err().kind(), ErrorKind::TimedOut);
        let stranger = &outside.sockets[1][1];
        assert!(!gets_in(stranger, endpoint, &inside, friend));

        home.router.set_firewall(Firewall::Open)?;
        assert!(gets_in(stranger, endpoint, &inside, friend));
        new()?;
        exchange(&mut near, &mut far)?;
    }
    Ok(())
}
