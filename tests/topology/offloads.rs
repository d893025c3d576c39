//! Offloads: what a network stack on a packet socket gets to see, with them and without.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{ReceiveTimeout, UdpGsoSegment};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket,
};
use nix::sys::time::TimeVal;
use nstest::{Condition, Firewall, Nat, Net, Node, NodeBuilder, Rate, TestResult, netns_test};
use nstest_tests::fixtures::{fails, fixture};

use crate::shell::shows;

/// An Ethernet header.
const HEADER: usize = 14;

/// Bytes in one direction of a connection before the other side sends. So the socket that
/// captures misses little, although its receive buffer is small.
const CHUNK: usize = 16 << 10;
const ROUNDS: usize = 32;

/// A packet socket for all frames of all interfaces (packet(7)).
fn packet_socket() -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap()
}

/// A raw socket for all TCP over IPv4 that its node receives (raw(7)).
fn raw_socket() -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Tcp).unwrap()
}

/// What a socket in the node gets while `body` runs.
fn captured(
    node: &Node,
    open: fn() -> OwnedFd,
    body: impl FnOnce() -> TestResult,
) -> TestResult<Vec<Vec<u8>>> {
    let socket = node.run(open);
    let (end, stop) = UnixStream::pair()?;
    let reader = std::thread::spawn(move || {
        let (mut frames, mut buffer, mut ends) = (Vec::new(), vec![0; 1 << 17], false);
        loop {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => frames.push(buffer[..length].to_vec()),
                Err(Errno::EAGAIN) if ends => return frames,
                Err(Errno::EAGAIN) => {
                    let mut fds = [
                        PollFd::new(socket.as_fd(), PollFlags::POLLIN),
                        PollFd::new(end.as_fd(), PollFlags::POLLIN),
                    ];
                    poll(&mut fds, PollTimeout::NONE).unwrap();
                    ends = fds[1].any() == Some(true);
                }
                Err(errno) => panic!("{errno}"),
            }
        }
    });
    let result = body();
    drop(stop);
    let frames = reader.join().unwrap();
    result.map(|()| frames)
}

/// What is wrong with a frame for a stack that expects those of a physical link.
fn wrong(frame: &[u8], mtu: usize) -> Option<String> {
    if frame.len() > HEADER + mtu {
        return Some(format!("{} bytes", frame.len()));
    }
    let (kind, packet) = (&frame[12..HEADER], &frame[HEADER..]);
    let (addrs, protocol, payload) = match kind {
        [0x08, 0x00] => {
            let is_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0;
            let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            if is_fragment {
                return None; // the checksum is that of the whole datagram
            }
            (&packet[12..20], packet[9], &packet[20..length])
        }
        [0x86, 0xdd] => {
            let length = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            (&packet[8..40], packet[6], &packet[40..40 + length])
        }
        _ => return None,
    };
    let name = match protocol {
        6 => "TCP",
        17 => "UDP",
        _ => return None,
    };
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let sum = sum(addrs) + sum(&length) + u64::from(protocol) + sum(payload);
    let folded = (0..3).fold(sum, |sum, _| (sum & 0xffff) + (sum >> 16));
    (folded != 0xffff).then(|| format!("{name} checksum of a frame of {} bytes", frame.len()))
}

fn sum(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    bytes.chunks(2).map(word).sum()
}

/// UDP, UDP in segments (udp(7)), which QUIC uses, and TCP in both directions. UDP comes first:
/// of TCP, the socket that captures may miss something.
fn traffic(client: &Node, server: &Node, ip: IpAddr) -> TestResult {
    let at = SocketAddr::new(ip, 7000);
    let to = server.run(|| UdpSocket::bind(at))?;
    setsockopt(&to, ReceiveTimeout, &TimeVal::new(10, 0))?;
    let from = client.run(|| UdpSocket::bind(SocketAddr::new(unspecified(ip), 0)))?;
    let mut buffer = [0; 4096];
    for length in [1, 1000, 3001] {
        from.send_to(&buffer[..length], at)?;
        assert_eq!(to.recv(&mut buffer)?, length);
    }
    setsockopt(&from, UdpGsoSegment, &500)?;
    from.send_to(&[7; 1501], at)?;
    for length in [500, 500, 500, 1] {
        assert_eq!(to.recv(&mut buffer)?, length);
    }

    let listener = server.run(|| TcpListener::bind(at))?;
    let served = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        (0..ROUNDS).try_for_each(|_| {
            stream.read_exact(&mut vec![0; CHUNK])?;
            stream.write_all(&vec![b's'; CHUNK])
        })
    });
    let mut stream = client.run(|| TcpStream::connect(at))?;
    for _ in 0..ROUNDS {
        stream.write_all(&vec![b'c'; CHUNK])?;
        stream.read_exact(&mut vec![0; CHUNK])?;
    }
    served.join().unwrap()?;
    Ok(())
}

fn unspecified(like: IpAddr) -> IpAddr {
    let text = if like.is_ipv4() { "0.0.0.0" } else { "::" };
    text.parse().unwrap()
}

/// Everything that is wrong with the frames that `watcher` sees of the traffic of two nodes.
fn defects(watcher: &Node, client: &Node, server: &Node, mtu: usize) -> TestResult<Vec<String>> {
    let mut defects = Vec::new();
    for ip in server.ips() {
        let mut frames = captured(watcher, packet_socket, || traffic(client, server, ip))?;
        frames.retain(|frame| !frame.starts_with(&[0; 12])); // of `lo`
        // On a busy machine, the socket keeps at least the first ones: as many as fit into its
        // receive buffer (rmem_default, 208 KiB).
        let data = frames.iter().filter(|frame| frame.len() > 1000).count();
        assert!(data >= 5, "few frames with data: {data} of {}", frames.len());
        defects.extend(frames.iter().filter_map(|frame| wrong(frame, mtu)));
    }
    defects.sort();
    defects.dedup();
    Ok(defects)
}

/// In both directions of the connection and with both roles.
#[track_caller]
fn assert_clean(watcher: &Node, peer: &Node, mtu: usize) -> TestResult {
    for (client, server) in [(watcher, peer), (peer, watcher)] {
        assert_eq!(defects(watcher, client, server, mtu)?, [""; 0], "{client:?} to {server:?}");
    }
    Ok(())
}

/// What this is about, and that the tests below would notice it.
#[netns_test]
fn with_offloads_a_packet_socket_gets_superframes(peer: Node, net: Net) -> TestResult {
    let found = defects(&net.local(), &peer, &net.local(), 1500)?;
    assert!(found.iter().any(|defect| defect.ends_with("bytes")), "{found:?}");
    assert!(found.iter().any(|defect| defect.contains("UDP checksum")), "{found:?}");
    Ok(())
}

#[netns_test(offloads = false)]
fn a_direct_link(peer: Node, net: Net) -> TestResult {
    assert_clean(&net.local(), &peer, 1500)?;
    assert_clean(&peer, &net.local(), 1500)
}

#[netns_test]
fn raw_sockets(stack: Node, net: Net) -> TestResult {
    let frames = || -> TestResult<Vec<Vec<u8>>> {
        let body = || traffic(&net.local(), &stack, stack.ip());
        let packets = captured(&stack, raw_socket, body)?;
        let header = [&[2; 12][..], &[0x08, 0x00]].concat();
        Ok(packets.iter().map(|packet| [&*header, packet].concat()).collect())
    };
    assert!(frames()?.iter().any(|frame| wrong(frame, 1500).is_some()));
    stack.set_offloads(false)?;
    let frames = frames()?;
    assert!(frames.len() > 20, "few packets: {}", frames.len());
    let found: Vec<_> = frames.iter().filter_map(|frame| wrong(frame, 1500)).collect();
    assert_eq!(found, [""; 0]);
    Ok(())
}

#[netns_test(offloads = false, root = false)]
fn a_direct_link_without_root(peer: Node, net: Net) -> TestResult {
    assert_clean(&net.local(), &peer, 1500)
}

#[netns_test(offloads = false, peers = 2, mtu = 1280)]
fn a_lan_with_another_mtu(net: Net) -> TestResult {
    assert_clean(&net.node("peer1")?, &net.node("peer2")?, 1280)
}

#[netns_test(offloads = false, peers = 2, mtu = 9000)]
fn jumbo_frames(net: Net) -> TestResult {
    assert_clean(&net.node("peer1")?, &net.node("peer2")?, 9000)
}

/// Only the node itself is without them: its peers cut nothing.
#[netns_test]
fn one_node_of_a_lan(net: Net, peer: Node, _other: Node) -> TestResult {
    let lan = net.lan("peers")?;
    let stack = net.add_node("stack").join(&lan).without_offloads().build()?;
    assert_clean(&stack, &peer, 1500)
}

/// With more than 20 nodes, a LAN is a bridge.
#[netns_test(peers = 22)]
fn one_node_of_a_bridge(net: Net) -> TestResult {
    let stack = net.node("peer7")?;
    stack.set_offloads(false)?;
    assert_clean(&stack, &net.node("peer20")?, 1500)
}

/// A router forwards superframes as they are.
#[netns_test]
fn behind_routers(net: Net) -> TestResult {
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let home = net.add_lan("home").subnet("192.168.1.0/24").build()?;
    let nat = Nat::FULL_CONE;
    net.add_router("router").lan(&home).wan(&internet).nat(nat).build()?;
    let laptop = net.add_node("laptop").join(&home).without_offloads().build()?;
    let server = net.add_node("server").join(&internet).build()?;
    assert_eq!(defects(&laptop, &laptop, &server, 1500)?, [""; 0]);
    server.set_offloads(false)?;
    laptop.set_offloads(true)?;
    assert_eq!(defects(&server, &laptop, &server, 1500)?, [""; 0]);
    Ok(())
}

/// The frames that a router gets and sends.
#[netns_test]
fn a_router_without_them(net: Net) -> TestResult {
    let internet = net.add_lan("internet").build()?;
    let home = net.add_lan("home").build()?;
    let router = net.add_router("router").lan(&home).wan(&internet);
    let router = router.firewall(Firewall::Open).without_offloads().build()?;
    let laptop = net.add_node("laptop").join(&home).build()?;
    let server = net.add_node("server").join(&internet).build()?;
    assert_eq!(defects(&router, &laptop, &server, 1500)?, [""; 0]);
    Ok(())
}

#[netns_test]
fn after_changes(net: Net) -> TestResult {
    let lans = ["a", "b", "c"].map(|name| net.add_lan(name).build());
    let [a, b, c] = lans.map(Result::unwrap);
    let everywhere = |node: NodeBuilder| node.join(&a).join(&b).join(&c).build();
    let peer = everywhere(net.add_node("peer"))?;
    let stack = net.add_node("stack").join(&a).without_offloads().build()?;
    let now = |mtu| defects(&stack, &peer, &stack, mtu);
    assert_eq!(now(1500)?, [""; 0], "as built");

    stack.link().down()?;
    stack.link().up()?;
    assert_eq!(now(1500)?, [""; 0], "down and up");

    stack.roam(&a, &b)?;
    assert_eq!(now(1500)?, [""; 0], "roamed");

    stack.join(&c)?;
    stack.leave(&b)?;
    assert_eq!(now(1500)?, [""; 0], "joined another LAN");

    c.set_mtu(1400)?;
    assert_eq!(now(1400)?, [""; 0], "another MTU");

    stack.set_offloads(true)?;
    assert_ne!(now(1400)?, [""; 0], "on again");
    stack.set_offloads(false)?;
    assert_eq!(now(1400)?, [""; 0], "off again");
    Ok(())
}

/// A condition needs single frames or not: neither may bring superframes back.
#[netns_test]
fn beside_faults(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let peer = net.add_node("peer").join(&lan).build()?;
    let stack = net.add_node("stack").join(&lan).without_offloads().build()?;
    let delay = Condition::new().delay(std::time::Duration::from_millis(1));
    for condition in [delay, Condition::new().rate(Rate::mbit(400))] {
        for link in [stack.link(), peer.link()] {
            let injection = link.condition(condition)?;
            assert_eq!(defects(&stack, &peer, &stack, 1500)?, [""; 0]);
            injection.end()?;
            // The wire stays, with superframes.
            assert_eq!(defects(&stack, &peer, &stack, 1500)?, [""; 0]);
        }
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn after_programs(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let peer = net.add_node("peer").join(&lan).build()?;
    let stack = net.add_node("stack").join(&lan).without_offloads().build()?;
    shows(&stack, "ip link del eth0");
    stack.restore()?;
    assert_clean(&stack, &peer, 1500)?;
    // It is not there under its name.
    for command in ["ip link set eth0 down", "ip link set eth0 name wan0", "ip link set wan0 up"] {
        shows(&stack, command);
    }
    stack.set_offloads(true)?;
    stack.set_offloads(false)?;
    stack.restore()?;
    assert_clean(&stack, &peer, 1500)
}

#[netns_test(offloads = false)]
#[ignore = "fixture of another test"]
fn of_nothing() {}

#[test]
fn without_a_network_they_are_refused() {
    let wanted = ["nstest[config]: give the test `offloads = false`", "nothing in it asked"];
    fails(fixture("offloads::of_nothing"), &wanted);
}
