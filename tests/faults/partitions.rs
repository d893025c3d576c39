//! Partitions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nstest::{Nat, Net, Node, ProbeOutcome, TestResult, netns_test};

use crate::stream::{PATIENCE, Stream, both};

/// The time without a reply after which a node counts as unreachable.
const SILENCE: Duration = Duration::from_millis(100);

/// The time for a first connection after a partition has healed.
const SOON: Duration = Duration::from_millis(200);

/// The time after which TCP retransmits a SYN: RFC 6298 §2.
const AGAIN: Duration = Duration::from_millis(950);

fn listen(nodes: &[&Node]) -> std::io::Result<Vec<TcpListener>> {
    let all = nodes.iter().flat_map(|node| both(node).map(|ip| (node, ip)));
    all.map(|(node, ip)| node.run(|| TcpListener::bind((ip, 80)))).collect()
}

/// Asserts whether one node reaches another, with both IP versions. An answer has more time
/// than a missing reply, because of load.
#[track_caller]
fn assert_reaches(from: &Node, to: &Node, expected: bool) {
    let (patience, reached) = match expected {
        true => (PATIENCE, ProbeOutcome::Connected),
        false => (SILENCE, ProbeOutcome::NoReply),
    };
    for ip in both(to) {
        from.probe_with((ip, 80), &[], patience).expect("try it").assert(reached);
    }
}

/// Asserts which nodes reach which, as a matrix of source and destination.
#[track_caller]
fn assert_matrix<const N: usize>(nodes: &[&Node; N], expected: [&str; N]) {
    for (from, line) in nodes.iter().zip(expected) {
        for (to, cell) in nodes.iter().zip(line.chars()).filter(|(to, _)| *to != from) {
            assert_reaches(from, to, cell == 'x');
        }
    }
}

/// Asserts that all nodes reach each other soon: no SYN is retransmitted after a second, and
/// half of the connections take much less.
fn assert_healed(nodes: &[&Node]) -> TestResult {
    let mut times = Vec::new();
    for from in nodes {
        for to in nodes.iter().filter(|to| to != &from) {
            for ip in both(to) {
                let start = Instant::now();
                from.run(|| TcpStream::connect((ip, 80)))?;
                let took = start.elapsed();
                assert!(took < AGAIN, "from {from:?} to {to:?} at {ip}: {took:?}");
                times.push(took);
            }
        }
    }
    times.sort_unstable();
    assert!(times[times.len() / 2] < SOON, "{times:?}");
    Ok(())
}

#[netns_test]
fn every_shape(a: Node, b: Node, c: Node, d: Node, net: Net) -> TestResult {
    let all = [&a, &b, &c, &d];
    let _listeners = listen(&all)?;
    let _mine = listen(&[&net.local()])?;
    let halves = net.partition(&[&[&a, &b], &[&c, &d]])?;
    assert_matrix(&all, [".x  ", "x.  ", "  .x", "  x."]);
    assert_reaches(&net.local(), &a, true); // it is in no group
    assert_reaches(&d, &net.local(), true);
    assert!(halves.affected() > 0);
    net.heal()?;
    assert_healed(&all)?;

    net.partition(&[&[&a], &[&b, &c, &d]])?;
    assert_matrix(&all, [".   ", " .xx", " x.x", " xx."]);
    net.heal()?;
    assert_healed(&all)?;

    net.isolate(&b)?;
    assert_matrix(&all, [". xx", " .  ", "x .x", "x x."]);
    assert_reaches(&net.local(), &b, false);
    assert_reaches(&net.local(), &a, true);
    net.heal()?;
    assert_healed(&all)?;

    let ring: &[&[&Node]] = &[&[&a, &b], &[&b, &c], &[&c, &d], &[&d, &a]];
    net.partition(ring)?;
    assert_matrix(&all, [".x x", "x.x ", " x.x", "x x."]);
    net.heal()?;
    assert_healed(&all)?;

    // One node is in two groups.
    net.partition(&[&[&a, &b, &c], &[&c, &d]])?;
    assert_matrix(&all, [".xx ", "x.x ", "xx.x", "  x."]);
    net.heal()?;
    assert_healed(&all)
}

/// Packets in the other direction arrive.
#[netns_test]
fn one_way(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    let all = [&a, &b, &c];
    for node in all {
        for other in all.iter().filter(|other| **other != node) {
            for ip in both(other) {
                node.wait_reachable(ip)?; // before ARP is dropped
            }
        }
    }
    for index in 0..2 {
        let deaf = net.partition_one_way(&[&a], &[&b, &c])?;
        let mut back = Stream::open(&b, &a, both(&a)[index], 0)?;
        let mut beside = Stream::open(&b, &c, both(&c)[index], 0)?;
        let mut forth = Stream::open(&a, &b, both(&b)[index], 0)?;
        forth.send()?;
        for passes in [&mut back, &mut beside] {
            passes.send()?;
            passes.wait(1)?;
        }
        nstest::eventually(PATIENCE, || deaf.affected() >= 1)?;
        net.heal()?;
        forth.send()?;
        forth.wait(1)?;
        assert_eq!(forth.take().iter().map(|a| a.number).collect::<Vec<_>>(), [1]);
    }
    Ok(())
}

/// Multicast, as mDNS uses it, does not cross a partition.
#[netns_test]
fn multicast_is_included(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);
    const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
    let join = |node: &Node| -> std::io::Result<[UdpSocket; 2]> {
        node.run(|| {
            let index = nix::net::if_::if_nametoindex("eth0")?;
            let v4 = UdpSocket::bind(("0.0.0.0", 5353))?;
            v4.join_multicast_v4(&GROUP.0, &node.ipv4())?;
            let v6 = v6_only(5353)?;
            v6.join_multicast_v6(&GROUP6, index)?;
            for socket in [&v4, &v6] {
                socket.set_read_timeout(Some(PATIENCE))?;
            }
            Ok([v4, v6])
        })
    };
    let (sender, near, far) = (join(&a)?, join(&b)?, join(&c)?);
    let say = |word: &[u8]| -> std::io::Result<()> {
        // By address, because there is no route for the group.
        a.run(|| UdpSocket::bind((a.ipv4(), 0)))?.send_to(word, GROUP)?;
        let index = a.run(|| nix::net::if_::if_nametoindex("eth0"))?;
        sender[1].send_to(word, std::net::SocketAddrV6::new(GROUP6, 5353, 0, index)).map(drop)
    };
    let hear = |socket: &UdpSocket| -> std::io::Result<Vec<u8>> {
        let mut buffer = [0; 99];
        let length = socket.recv(&mut buffer)?;
        Ok(buffer[..length].to_vec())
    };
    say(b"one")?;
    for socket in near.iter().chain(&far) {
        assert_eq!(hear(socket)?, b"one");
    }
    let apart = net.partition(&[&[&a, &b], &[&c]])?;
    say(b"two")?;
    for socket in &near {
        assert_eq!(hear(socket)?, b"two");
    }
    nstest::eventually(PATIENCE, || apart.affected() >= 2)?;
    net.heal()?;
    say(b"three")?;
    for socket in near.iter().chain(&far) {
        assert_eq!(hear(socket)?, b"three");
    }
    Ok(())
}

fn v6_only(port: u16) -> std::io::Result<UdpSocket> {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn6, bind, setsockopt, socket, sockopt,
    };
    let fd = socket(AddressFamily::Inet6, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    let any = std::net::SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn6::from(any))?;
    Ok(fd.into())
}

/// Nodes in two networks, one behind a router with NAT.
#[netns_test]
fn across_routers(net: Net) -> TestResult {
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let home = net.add_lan("home").subnet("192.168.1.0/24").build()?;
    let gate =
        net.add_router("gate").lan(&home).wan(&internet).nat(Nat::PORT_RESTRICTED).build()?;
    let laptop = net.add_node("laptop").join(&home).build()?;
    let server = net.add_node("server").join(&internet).build()?;
    let other = net.add_node("other").join(&internet).build()?;
    let _listeners = listen(&[&server, &other])?;
    let v4 = |from: &Node, to: &Node| -> nstest::Result<bool> {
        let found = from.probe_with((to.ipv4(), 80), &[], Duration::from_millis(800))?;
        Ok(found.outcome() == ProbeOutcome::Connected)
    };
    let soon = |from: &Node, to: IpAddr| -> TestResult {
        let start = Instant::now();
        from.run(|| TcpStream::connect((to, 80)))?;
        assert!(start.elapsed() < AGAIN, "{:?}", start.elapsed());
        Ok(())
    };
    let mut open = laptop.run(|| TcpStream::connect((server.ip(), 80)))?;
    assert!(v4(&laptop, &other)?);
    // The router reaches both.
    let apart = net.partition(&[&[&laptop], &[&server]])?;
    assert!(!v4(&laptop, &server)? && v4(&laptop, &other)? && v4(&other, &server)?);
    std::io::Write::write_all(&mut open, b"x")?;
    let before = apart.affected();
    nstest::eventually(PATIENCE, || apart.affected() > before)?; // open connections are separated, too
    net.heal()?;
    soon(&laptop, server.ip())?;
    // The home network is separated from the internet.
    net.partition(&[&[&laptop, &gate], &[&server, &other]])?;
    assert!(!v4(&laptop, &server)? && !v4(&laptop, &other)? && v4(&other, &server)?);
    net.heal()?;
    soon(&laptop, server.ip())?;
    soon(&laptop, other.ip())
}

/// The partition applies to nodes that join, leave and move while it is active.
#[netns_test]
fn the_network_changes_during_a_partition(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let add = |name: &str| net.add_node(name).join(&lan).build();
    let (a, b, c) = (add("a")?, add("b")?, add("c")?);
    let mut listeners = listen(&[&a, &b, &c])?;
    net.partition(&[&[&a], &[&b, &c]])?;
    assert_matrix(&[&a, &b, &c], [".  ", " .x", " x."]);

    let d = add("d")?;
    listeners.extend(listen(&[&d])?);
    assert_matrix(&[&a, &b, &c, &d], [".  x", " .xx", " x.x", "xxx."]);

    // The same node with another address.
    listeners.clear();
    a.set_address(&lan, lan_address(&a))?;
    listeners.extend(listen(&[&a, &b, &c, &d])?);
    assert_matrix(&[&a, &b, &c], [".  ", " .x", " x."]);

    // A second link to the same network does not avoid the partition.
    let link = net.connect(&a, &b)?;
    let ips = b.ips();
    for ip in ips {
        let found = a.probe_with((ip, 80), &[], SILENCE)?;
        assert_ne!(found.outcome(), ProbeOutcome::Refused, "{found}");
        assert_ne!(found.outcome(), ProbeOutcome::Connected, "{found}");
    }
    link.remove()?;

    // A node leaves, and another one joins with its name.
    drop(listeners);
    c.remove()?;
    let c = add("c")?;
    let _listeners = listen(&[&a, &b, &c, &d])?;
    assert_matrix(&[&a, &b, &c, &d], [".  x", " .xx", " x.x", "xxx."]);
    net.heal()?;
    assert_healed(&[&a, &b, &c, &d])
}

/// A free address of the same network.
fn lan_address(node: &Node) -> IpAddr {
    let [a, b, c, _] = node.ipv4().octets();
    Ipv4Addr::new(a, b, c, 77).into()
}
