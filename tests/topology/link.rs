//! Links that are taken down and up again.

use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nstest::{Net, Node, TestResult, netns_test};

use crate::shell::{gets_no_reply, pings, shows};

fn addresses_and_routes(node: &Node) -> [String; 4] {
    let kept = |line: &str| shows(node, line).replace(" linkdown", "");
    [
        kept("ip -oneline -4 address show eth0"),
        kept("ip -oneline -6 address show eth0"),
        kept("ip -4 route show table all"),
        kept("ip -6 route show table all"),
    ]
}

#[track_caller]
fn carrier(node: &Node, interface: &str) -> bool {
    let flags = shows(node, &format!("ip link show {interface}"));
    let (has, lacks) = (flags.contains("LOWER_UP"), flags.contains("NO-CARRIER"));
    assert_ne!(has, lacks, "{flags}");
    has
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn a_link_that_is_down_keeps_its_addresses_and_routes(peer: Node, net: Net) -> TestResult {
    let test = net.local();
    let before = [&test, &peer].map(addresses_and_routes);
    for _ in 0..3 {
        peer.link().down()?;
        // When `down` returns, both ends have lost their carrier.
        assert!(!carrier(&test, "eth0") && !carrier(&peer, "eth0"));
        assert_eq!([&test, &peer].map(addresses_and_routes), before);
        test.link().up()?;
        assert!(carrier(&test, "eth0") && carrier(&peer, "eth0"));
        assert_eq!([&test, &peer].map(addresses_and_routes), before);
        // The first packet arrives.
        let addrs: [IpAddr; 2] = [peer.ip(), peer.ipv6().into()];
        for addr in addrs {
            let listener = peer.run(|| TcpListener::bind((addr, 7000)))?;
            TcpStream::connect_timeout(&(addr, 7000).into(), Duration::from_millis(900))?;
            drop(listener);
        }
    }
    Ok(())
}

/// The kernel repeats ARP and ND requests after a second (retrans_time_ms, arp(7)). On a link
/// that comes up, nstest has them sent at once, so that pending connections succeed.
fn resumes_pending_connections(cut: &Node, others: &[Node]) -> TestResult {
    let ways = || others.iter().flat_map(|other| [(cut, other), (other, cut)]);
    let mut listeners = Vec::new();
    for node in others.iter().chain([cut]) {
        for ip in node.ips() {
            listeners.push(node.run(|| TcpListener::bind((ip, 7000)))?);
        }
    }
    cut.link().down()?;
    for node in others {
        shows(node, "ip neighbour flush dev eth0"); // as if it had been down for long
    }
    let mut connects = Vec::new();
    for (from, to) in ways() {
        for ip in to.ips() {
            let unspecified: IpAddr = if ip.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
            from.run(|| UdpSocket::bind((unspecified, 0))?.send_to(b"unanswered", (ip, 9)))?;
            connects.push(from.spawn(move || TcpStream::connect((ip, 7000)).map(drop)));
        }
        let neighbours = shows(from, "ip neighbour");
        let incomplete =
            neighbours.lines().filter(|line| line.trim_end().ends_with("INCOMPLETE")).count();
        assert!(incomplete >= to.ips().len(), "{from:?}: {neighbours}");
    }
    cut.link().up()?;
    for (from, to) in ways() {
        for ip in to.ips() {
            let start = Instant::now();
            let limit = Duration::from_millis(200);
            from.run(|| TcpStream::connect_timeout(&(ip, 7000).into(), limit))
                .map_err(|error| format!("{from:?} to {ip}: {error}"))?;
            println!("{from:?} to {ip}: {:?}", start.elapsed());
        }
    }
    for connect in connects {
        connect.join().expect("no panic")?;
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn the_first_packet_passes_after_unanswered_ones(peer: Node, net: Net) -> TestResult {
    for _ in 0..2 {
        resumes_pending_connections(&peer, &[net.local()])?;
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn the_first_packet_passes_on_a_lan_too(a: Node, b: Node, net: Net) -> TestResult {
    for cut in [&a, &net.local()] {
        let others: Vec<Node> =
            [&a, &b, &net.local()].into_iter().filter(|node| *node != cut).cloned().collect();
        resumes_pending_connections(cut, &others)?;
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn on_a_lan_a_node_has_a_link_of_its_own(a: Node, b: Node, net: Net) -> TestResult {
    let test = net.local();
    a.link().down()?;
    assert!(!carrier(&a, "eth0") && carrier(&b, "eth0") && carrier(&test, "eth0"));
    assert!(pings(&test, b.ip()) && pings(&b, test.ipv6()));
    assert!(gets_no_reply(&test, a.ip()));
    a.link().up()?;
    assert!(pings(&test, a.ip()) && pings(&a, b.ipv6()));
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn of_two_links_one_is_pulled(node: Node, net: Net) -> TestResult {
    let [left, right] = ["left", "right"].map(|name| net.add_lan(name).build().unwrap());
    let [l, r] = [&left, &right].map(|lan| net.add_node(lan.name()).join(lan).build().unwrap());
    node.join(&left)?;
    let link = node.join(&right)?;
    link.down()?;
    assert!(carrier(&node, "eth0") && carrier(&node, "eth1") && !carrier(&node, "eth2"));
    assert!(pings(&node, l.ip()) && gets_no_reply(&node, r.ip()));
    node.link_to(&right)?.up()?;
    assert!(pings(&node, r.ip()));
    Ok(())
}

#[netns_test]
fn a_connection_outlives_a_flap(peer: Node) -> TestResult {
    use std::io::{Read, Write};
    let listener = peer.run(|| TcpListener::bind((peer.ip(), 7000)))?;
    let mut client = TcpStream::connect((peer.ip(), 7000))?;
    let (mut server, _) = listener.accept()?;
    server.set_read_timeout(Some(Duration::from_secs(20)))?;
    for _ in 0..3 {
        peer.link().down()?;
        client.write_all(b"x")?;
        peer.link().up()?;
        server.read_exact(&mut [0])?;
    }
    Ok(())
}

/// A node that joins while the link of a neighbour is down does not take that link up.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn a_pulled_link_stays_pulled_while_the_world_changes(a: Node, b: Node, net: Net) -> TestResult {
    a.link().down()?;
    let lan = net.add_lan("lan").build()?;
    let c = net.add_node("c").join(&lan).build()?;
    b.join(&lan)?;
    assert!(pings(&b, c.ip()));
    assert!(!carrier(&a, "eth0"));
    a.join(&lan)?;
    assert!(!carrier(&a, "eth0") && carrier(&a, "eth1"));
    assert!(pings(&a, c.ip()));
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn a_link_has_an_mtu_and_a_lan_has_another(a: Node, b: Node, net: Net) -> TestResult {
    let link = net.connect(&a, &b)?;
    link.set_mtu(1400)?;
    for node in [&a, &b] {
        let shown = shows(node, "ip link show eth1");
        assert!(shown.contains(" mtu 1400 "), "{shown}");
    }
    let error = a.link_to(&net.lan("peers")?)?.set_mtu(1400).unwrap_err();
    assert_eq!(error.code(), nstest::ErrorCode::InUse);
    assert!(format!("{error:?}").contains("Lan::set_mtu"), "{error:?}");
    Ok(())
}

#[netns_test]
fn handles_print_what_they_are(client: Node, net: Net) -> TestResult {
    let lan = net.add_lan("home").build()?;
    let router = net.add_router("router").lan(&lan).build()?;
    let server = net.add_node("server").join(&lan).build()?;
    assert_eq!(format!("{:?}", client.link()), "Link(client–test)");
    assert_eq!(format!("{:?}", server.link()), "Link(server–home)");
    assert_eq!(format!("{:?}", router.link()), "Link(router–home)");
    assert_eq!(format!("{router:?} {server:?} {lan:?}"), "Router(router) Node(server) Lan(home)");
    let nodes = "Node(client), Node(router), Node(server)";
    assert_eq!(format!("{net:?}"), format!("Net {{ nodes: [{nodes}] }}"));
    Ok(())
}
