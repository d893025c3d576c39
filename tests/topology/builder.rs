//! Networks larger than parameters describe, built step by step.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nstest::{DefaultRoute, ErrorCode, MacAddr, Net, Node, TestResult, netns_test};
use nstest_tests::programs::need;

use crate::shell::{gets_no_reply, interfaces, pings, shows};

/// One TCP exchange between two nodes.
#[track_caller]
fn talks(client: &Node, server: &Node, ip: impl Into<IpAddr>) {
    let ip = ip.into();
    let listener = server.run(|| TcpListener::bind((ip, 7000))).expect("listen");
    // The first packet arrives. Otherwise it would be sent again after a second.
    let patience = Duration::from_millis(900);
    let connect = || TcpStream::connect_timeout(&SocketAddr::new(ip, 7000), patience);
    let mut out = client.run(connect).expect("connect");
    let (mut stream, _) = listener.accept().expect("accept");
    out.write_all(b"x").expect("write");
    stream.read_exact(&mut [0]).expect("read");
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn a_multi_homed_node_has_an_address_on_each_lan(net: Net) -> TestResult {
    let office = net.add_lan("office").subnet("192.168.1.0/24").build()?;
    let lab = net.add_lan("lab").subnet("172.16.0.0/16").subnet("2001:db8:1::/64").build()?;
    let both = net.add_node("both").join(&office).ip([192, 168, 1, 7]).join(&lab).build()?;
    let clerk = net.add_node("clerk").join(&office).build()?;
    let robot = net.add_node("robot").join(&lab).build()?;
    assert_eq!(interfaces(&both), ["lo", "eth0", "eth1"]);
    assert_eq!(both.ip(), IpAddr::from([192, 168, 1, 7]));
    assert_eq!(both.ips().len(), 4);
    talks(&clerk, &both, both.ip());
    talks(&robot, &both, both.ips()[2]);
    talks(&both, &robot, robot.ipv6());
    // It forwards nothing, because it is not a router.
    assert!(shows(&clerk, "ping -c 1 -W 1 172.16.0.2").contains("unreachable"));
    assert_eq!(office.nodes(), [both.clone(), clerk]);
    assert_eq!(lab.nodes(), [both, robot]);
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn a_lan_can_do_without_a_family(net: Net) -> TestResult {
    let old = net.add_lan("old").without_ipv6().build()?;
    let new = net.add_lan("new").without_ipv4().build()?;
    let [a, b] = ["a", "b"].map(|name| net.add_node(name).join(&old).build().unwrap());
    let [c, d] = ["c", "d"].map(|name| net.add_node(name).join(&new).build().unwrap());
    assert!(a.ips().iter().all(IpAddr::is_ipv4) && c.ips().iter().all(IpAddr::is_ipv6));
    assert!(c.ip().is_ipv6());
    talks(&a, &b, b.ip());
    talks(&c, &d, d.ip());
    assert!(shows(&c, "ip -4 address show eth0").is_empty());
    // A link-local address does not bypass that either.
    assert_eq!(shows(&a, "ip -6 address show eth0"), "", "IPv6 where there is none");
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn packets_above_the_mtu_do_not_fit(net: Net) -> TestResult {
    let narrow = net.add_lan("narrow").mtu(1400).build()?;
    let [a, b] = ["a", "b"].map(|name| net.add_node(name).join(&narrow).build().unwrap());
    let with_payload =
        |bytes: u32| shows(&a, &format!("ping -M do -c 1 -W 1 -s {bytes} {}", b.ip()));
    // 20 bytes of IPv4 (RFC 791) and 8 of ICMP (RFC 792).
    assert!(with_payload(1400 - 28).contains(" 0% packet loss"));
    assert!(with_payload(1400 - 27).contains("message too long, mtu=1400"));
    narrow.set_mtu(9000)?;
    assert!(with_payload(9000 - 28).contains(" 0% packet loss"));
    let refused = narrow.set_mtu(1000).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Config, "{refused:?}");
    assert!(with_payload(9000 - 28).contains(" 0% packet loss"));
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn no_default_route_fails_at_once_and_a_blackhole_times_out(net: Net) -> TestResult {
    const PATIENCE: Duration = Duration::from_millis(300);
    let lan = net.add_lan("lan").build()?;
    let far = net.add_lan("far").build()?;
    net.add_router("router").lan(&lan).lan(&far).build()?;
    let server = net.add_node("server").join(&far).build()?;
    let node = net.add_node("node").join(&lan).build()?;
    let connect = |ip: IpAddr| {
        let start = Instant::now();
        let error = node.run(|| TcpStream::connect_timeout(&SocketAddr::new(ip, 9), PATIENCE));
        (error.unwrap_err(), start.elapsed())
    };
    for ip in server.ips() {
        assert_eq!(connect(ip).0.kind(), ErrorKind::ConnectionRefused);
        node.set_default_route(DefaultRoute::None)?;
        let (error, took) = connect(ip);
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
        assert!(took < PATIENCE, "{took:?}");
        node.set_default_route(DefaultRoute::Blackhole)?;
        let (error, took) = connect(ip);
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(took >= PATIENCE, "{took:?}");
        // The neighbours are still there.
        node.wait_reachable(net.node("router")?.ip())?;
        node.set_default_route(DefaultRoute::Auto)?;
        assert_eq!(connect(ip).0.kind(), ErrorKind::ConnectionRefused);
    }
    let [lost, hidden] = [
        net.add_node("lost").join(&lan).default_route(DefaultRoute::None).build()?,
        net.add_node("hidden").join(&lan).default_route(DefaultRoute::Blackhole).build()?,
    ];
    assert!(shows(&lost, "ping -c 1 203.0.113.9").contains("Network is unreachable"));
    assert!(gets_no_reply(&hidden, [203, 0, 113, 9]));
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn macs_interfaces_and_aliases_are_as_asked(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let mac: MacAddr = "02:00:5e:10:00:01".parse()?;
    let node = net.add_node("printer").join(&lan).mac(mac).interface("lp0").alias("lpd").build()?;
    let user = net.add_node("user").join(&lan).build()?;
    assert_eq!(interfaces(&node), ["lo", "lp0"]);
    assert!(shows(&node, "ip link show lp0").contains("link/ether 02:00:5e:10:00:01"));
    for name in ["printer", "lpd"] {
        assert!(
            shows(&user, &format!("getent ahostsv4 {name}")).starts_with(&node.ip().to_string())
        );
    }
    assert!(pings(&user, node.ip()));
    let neighbours = shows(&user, "ip neighbour");
    assert!(neighbours.contains("02:00:5e:10:00:01"), "{neighbours}");
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn a_node_is_plugged_in_and_out_while_it_runs(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let other = net.add_node("other").join(&lan).build()?;
    let node = net.add_node("node").build()?;
    assert_eq!(interfaces(&node), ["lo"]);
    assert_eq!(node.try_ip().unwrap_err().code(), ErrorCode::NoAddress);
    node.join(&lan)?;
    let first = node.ips();
    for _ in 0..3 {
        talks(&other, &node, node.ip());
        talks(&node, &other, other.ipv6());
        node.leave(&lan)?;
        assert_eq!(interfaces(&node), ["lo"]);
        assert!(gets_no_reply(&other, first[0]));
        node.join(&lan)?;
        assert_eq!(node.ips(), first, "it comes back with its address");
    }
    Ok(())
}

/// A node asks for a neighbour that is not there. It finds the neighbour as soon as that
/// joins or gets the address.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn a_neighbour_that_did_not_answer_is_found_when_it_joins(net: Net) -> TestResult {
    let lan = net.add_lan("lan").subnet("192.168.1.0/24").subnet("fd00:1::/64").build()?;
    let seeker = net.add_node("seeker").join(&lan).build()?;
    let addrs: [IpAddr; 2] = ["192.168.1.77".parse()?, "fd00:1::77".parse()?];
    let seek = || {
        for addr in addrs {
            let any: IpAddr = if addr.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
            let sent = seeker.run(|| UdpSocket::bind((any, 0))?.send_to(b"unanswered", (addr, 9)));
            sent.expect("it waits for the neighbour");
        }
        let neighbours = shows(&seeker, "ip neighbour");
        assert_eq!(neighbours.matches("INCOMPLETE").count(), 2, "{neighbours}");
    };
    let found = |node: &Node| {
        for addr in addrs {
            let listener = node.run(|| TcpListener::bind((addr, 7000))).expect("bind");
            let limit = Duration::from_millis(200);
            seeker.run(|| TcpStream::connect_timeout(&(addr, 7000).into(), limit)).expect("found");
            drop(listener);
        }
    };
    seek();
    let node = net.add_node("node").join(&lan).ip(addrs[0]).ip(addrs[1]).build()?;
    found(&node);
    node.leave(&lan)?;
    shows(&seeker, "ip neighbour flush dev eth0");
    seek();
    node.join(&lan)?;
    found(&node);
    node.remove()?;
    shows(&seeker, "ip neighbour flush dev eth0");
    let node = net.add_node("other").join(&lan).build()?;
    seek();
    for addr in addrs {
        node.set_address(&lan, addr)?;
    }
    found(&node);
    Ok(())
}

/// A node moves to another network and back.
#[netns_test]
fn a_connection_outlives_roaming_there_and_back(net: Net) -> TestResult {
    let home = net.add_lan("home").build()?;
    let cafe = net.add_lan("cafe").build()?;
    let server = net.add_node("server").join(&home).build()?;
    let barista = net.add_node("barista").join(&cafe).build()?;
    let laptop = net.add_node("laptop").join(&home).build()?;
    let mac = shows(&laptop, "cat /sys/class/net/eth0/address");
    for ip in server.ips() {
        let listener = server.run(|| TcpListener::bind((ip, 7000)))?;
        let mut client = laptop.run(|| TcpStream::connect((ip, 7000)))?;
        let (mut stream, _) = listener.accept()?;
        laptop.roam(&home, &cafe)?;
        assert_eq!(cafe.nodes(), [barista.clone(), laptop.clone()]);
        talks(&laptop, &barista, barista.ip());
        talks(&barista, &laptop, laptop.ipv6());
        assert_eq!(shows(&laptop, "cat /sys/class/net/eth0/address"), mac);
        client.write_all(b"x")?;
        laptop.roam(&cafe, &home)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.read_exact(&mut [0])?;
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn an_address_changes_and_its_name_with_it(net: Net) -> TestResult {
    let lan = net.add_lan("lan").subnet("192.168.1.0/24").subnet("2001:db8::/64").build()?;
    let node = net.add_node("node").join(&lan).build()?;
    let other = net.add_node("other").join(&lan).build()?;
    assert!(pings(&other, node.ip()));
    let before = node.ip();
    node.set_address(&lan, [192, 168, 1, 99].into())?;
    assert_eq!(node.ip(), IpAddr::from([192, 168, 1, 99]));
    talks(&other, &node, node.ip());
    assert!(shows(&other, "getent ahostsv4 node").starts_with("192.168.1.99 "));
    assert!(!shows(&node, "ip address").contains(&format!("{before}/")));
    let v6: IpAddr = "2001:db8::beef".parse()?;
    node.set_address(&lan, v6)?;
    talks(&other, &node, v6);
    talks(&other, &node, node.ip());
    // Another node may have the old address now, and is reached by it.
    other.set_address(&lan, before)?;
    talks(&node, &other, before);
    assert_eq!(node.set_address(&lan, before).unwrap_err().code(), ErrorCode::Address);
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn what_is_removed_is_gone_and_its_name_is_free(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let node = net.add_node("node").join(&lan).build()?;
    let other = net.add_node("other").join(&lan).build()?;
    let (ip, handle) = (node.ip(), node.clone());
    node.remove()?;
    assert_eq!(net.node("node").unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(handle.try_ip().unwrap_err().code(), ErrorCode::NotFound);
    assert!(!shows(&other, "ip netns list").contains("node"));
    assert!(shows(&other, "getent hosts node").is_empty());
    assert!(gets_no_reply(&other, ip));
    let again = net.add_node("node").join(&lan).build()?;
    talks(&other, &again, again.ip());
    other.remove()?;
    again.leave(&lan)?;
    lan.remove()?;
    assert_eq!(net.lan("lan").unwrap_err().code(), ErrorCode::NotFound);
    let lan = net.add_lan("lan").build()?;
    again.join(&lan)?;
    assert_eq!(lan.nodes(), [again]);
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn links_connect_two_nodes_only(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    let link = net.connect(&a, &b)?;
    assert_eq!(interfaces(&a), ["lo", "eth0", "eth1"]);
    assert_eq!(interfaces(&c), ["lo", "eth0"]);
    let (far, far6) = (b.ips()[2], b.ips()[3]);
    assert!(far6.is_ipv6());
    talks(&a, &b, far);
    talks(&a, &b, far6);
    assert!(!pings(&c, far));
    link.down()?;
    assert!(gets_no_reply(&a, far));
    assert!(pings(&a, b.ip()), "the LAN is another way");
    link.up()?;
    assert!(pings(&a, far));
    Ok(())
}

/// Addresses that a program has added do not disturb changes.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn a_busy_node_is_plugged_in(net: Net) -> TestResult {
    need(&["ip"]);
    let lan = net.add_lan("lan").build()?;
    let other = net.add_node("other").join(&lan).build()?;
    let node = net.add_node("node").build()?;
    let script =
        "for n in $(seq 1000); do echo address add fd99::$n/128 dev lo; done | ip -batch -";
    assert!(node.command("sh").args(["-c", script]).status()?.success());
    node.join(&lan)?;
    talks(&other, &node, node.ipv6());
    Ok(())
}

/// What runs in a node that is removed goes on, without a network.
#[netns_test]
fn a_removed_node_runs_code_and_has_only_lo(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let peer = net.add_node("peer").join(&lan).build()?;
    let removed = net.add_node("removed").join(&lan).build()?;
    let to = (peer.ip(), 9);
    let socket = removed.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    socket.send_to(b"x", to)?;
    removed.clone().remove()?;

    let unreachable = ErrorKind::NetworkUnreachable;
    assert_eq!(socket.send_to(b"x", to).unwrap_err().kind(), unreachable);
    assert_eq!(removed.run(|| TcpStream::connect(to)).unwrap_err().kind(), unreachable);
    let to_itself = || TcpStream::connect(TcpListener::bind("127.0.0.1:0")?.local_addr()?);
    removed.run(to_itself)?;
    assert_eq!(removed.spawn(|| 7).join().expect("no panic"), 7);
    assert!(removed.command("true").status()?.success());

    for error in [
        removed.try_ip().unwrap_err(),
        removed.link_to(&lan).unwrap_err(),
        removed.join(&lan).unwrap_err(),
        removed.leave(&lan).unwrap_err(),
        removed.set_offloads(false).unwrap_err(),
        removed.restore().unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::NotFound, "{error:?}");
        assert!(format!("{error:?}").contains("use node `removed`"), "{error:?}");
    }
    // Another node may have its name.
    let again = net.add_node("removed").join(&lan).build()?;
    again.wait_reachable(peer.ip())?;
    assert!(removed.try_ip().is_err());
    Ok(())
}
