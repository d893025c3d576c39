//! Faults of single packets and connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nstest::{
    Action, Condition, DefaultRoute, Net, Node, Occurrence, PacketKind, Packets, ProbeOutcome,
    TestResult, Unreachable, netns_test,
};

use crate::stream::{PATIENCE, Stream, both};

/// The time without a reply that counts as silence.
const SILENCE: Duration = Duration::from_millis(200);

fn connect(from: &Node, to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = from.run(|| TcpStream::connect(to))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn pair(net: &Net, server: &Node, ip: IpAddr) -> std::io::Result<(TcpStream, TcpStream)> {
    let listener = server.run(|| TcpListener::bind((ip, 0)))?;
    let client = connect(&net.local(), listener.local_addr()?)?;
    let (served, _) = listener.accept()?;
    served.set_read_timeout(Some(PATIENCE))?;
    Ok((client, served))
}

#[netns_test]
fn the_first_syn_is_lost(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let lost = server.link().fault()?.packets(Packets::tcp().kind(PacketKind::Syn)).nth(1);
    let lost = net.inject(lost.action(Action::Drop))?;
    let start = Instant::now();
    TcpStream::connect((server.ip(), 80))?;
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    assert_eq!(lost.affected(), 1);
    Ok(())
}

#[netns_test]
fn a_connection_is_reset_at_both_ends(server: Node, net: Net) -> TestResult {
    for ip in both(&server) {
        for from_server in [false, true] {
            let (mut client, mut served) = pair(&net, &server, ip)?;
            let (mut other_client, mut other_served) = pair(&net, &server, ip)?;
            let link = server.link();
            let direction = if from_server { link.egress() } else { link.ingress() };
            let port = served.local_addr()?.port();
            let reset = direction.reset(Packets::tcp().port(port).kind(PacketKind::Data))?;
            let sender = if from_server { &mut served } else { &mut client };
            sender.write_all(b"x")?;
            assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(served.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(reset.affected(), 1);
            reset.end()?;
            other_client.write_all(b"x")?;
            assert_eq!(other_served.read(&mut [0])?, 1, "of another connection");
        }
    }
    Ok(())
}

/// Each kind of rejection, of a connection and of datagrams.
#[netns_test]
fn a_rejection_notifies_the_sender(server: Node, net: Net) -> TestResult {
    let _listeners = both(&server).map(|ip| server.run(|| TcpListener::bind((ip, 80))).unwrap());
    for ip in both(&server) {
        let admin =
            if ip.is_ipv4() { ErrorKind::HostUnreachable } else { ErrorKind::PermissionDenied };
        for (why, kind) in [
            (Unreachable::Net, ErrorKind::NetworkUnreachable),
            (Unreachable::Host, ErrorKind::HostUnreachable),
            (Unreachable::Port, ErrorKind::ConnectionRefused),
            (Unreachable::AdminProhibited, admin),
        ] {
            let tcp = server.link().reject(Packets::tcp().dport(80), why)?;
            let found = net.local().probe((ip, 80))?;
            found.assert(ProbeOutcome::Rejected);
            assert_eq!(found.hop(), Some("server"), "{found}");
            let error = connect(&net.local(), (ip, 80).into()).unwrap_err();
            assert_eq!(error.kind(), kind, "{tcp}: {error}");
            assert_eq!(tcp.affected(), 2);
            tcp.end()?;

            let udp = server.link().reject(Packets::udp().dport(9), why)?;
            let any = if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = std::net::UdpSocket::bind(any)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.connect((ip, 9))?;
            if ip.is_ipv4() {
                // By default UDP sockets get only errors about a port: udp(7), ip(7).
                nix::sys::socket::setsockopt(
                    &socket,
                    nix::sys::socket::sockopt::Ipv4RecvErr,
                    &true,
                )?;
            } else {
                nix::sys::socket::setsockopt(
                    &socket,
                    nix::sys::socket::sockopt::Ipv6RecvErr,
                    &true,
                )?;
            }
            socket.send(b"x")?;
            let error = socket.recv(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), kind, "{udp}: {error}");
            assert_eq!(udp.affected(), 1);
            udp.end()?;
        }
        net.local().probe((ip, 80))?.assert(ProbeOutcome::Connected);
    }
    Ok(())
}

/// A probe reports the result of a connection, and which node caused it.
#[netns_test]
fn a_probe_names_the_hop(net: Net) -> TestResult {
    let (near, far) = (net.add_lan("near").build()?, net.add_lan("far").build()?);
    let gate = net.add_router("gate").lan(&near).wan(&far).build()?;
    let client = net.add_node("client").join(&near).build()?;
    let server = net.add_node("server").join(&far).default_via(&gate).build()?;
    let lost = net.add_node("lost").join(&near).default_route(DefaultRoute::None).build()?;
    for ip in both(&server) {
        let to = (ip, 80);
        client.probe(to)?.assert(ProbeOutcome::Refused);
        let listener = server.run(|| TcpListener::bind(to))?;
        client.probe(to)?.assert(ProbeOutcome::Connected);
        lost.probe(to)?.assert(ProbeOutcome::NoRoute);
        assert_eq!(lost.probe(to)?.hop(), Some("lost"));

        let link = server.link_to(&far)?;
        let silent = link.ingress().drop_packets(Packets::tcp())?;
        // Long enough for the SYN to get as far as the gate on a busy machine.
        let found = client.probe_with(to, &[], Duration::from_secs(1))?;
        found.assert(ProbeOutcome::NoReply);
        assert_eq!(found.hop(), Some("gate"), "{found}");
        silent.end()?;

        let wall = gate.link_to(&near)?.reject(Packets::tcp().dport(80), Unreachable::Host)?;
        client.probe(to)?.assert(ProbeOutcome::Rejected);
        wall.end()?;

        // The SYN passes, and the data does not.
        let reset = link.reset(Packets::tcp().kind(PacketKind::Data))?;
        let found = client.probe_with(to, b"hello", PATIENCE)?;
        found.assert(ProbeOutcome::Reset);
        assert_eq!(found.hop(), Some("server"), "{found}");
        reset.end()?;

        let refused = link.reset(Packets::tcp().kind(PacketKind::Syn))?;
        client.probe(to)?.assert(ProbeOutcome::Refused);
        refused.end()?;
        drop(listener);
    }
    Ok(())
}

/// Only the packets of one client are dropped.
#[netns_test]
fn packets_are_selected(client: Node, other: Node, server: Node) -> TestResult {
    let _web = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let _mail = server.run(|| TcpListener::bind("0.0.0.0:25"))?;
    let found = |from: &Node, port, patience| -> nstest::Result<ProbeOutcome> {
        Ok(from.probe_with((server.ip(), port), &[], patience)?.outcome())
    };
    let link = server.link();
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    for (packets, lost, passes) in [
        (Packets::tcp().dport(80), (&client, 80), (&client, 25)),
        (Packets::all().from(&client), (&client, 80), (&other, 80)),
        (Packets::all().from(client.ipv4()), (&client, 80), (&other, 80)),
        (Packets::all().host(&other).port(25), (&other, 25), (&other, 80)),
        (Packets::tcp().flags(SYN, ACK).port(25), (&client, 25), (&client, 80)),
        (Packets::tcp().kind(PacketKind::SynAck).sport(80), (&client, 80), (&client, 25)),
    ] {
        let gone = link.drop_packets(packets)?;
        assert_eq!(found(lost.0, lost.1, SILENCE)?, ProbeOutcome::NoReply, "{packets}");
        assert_eq!(found(passes.0, passes.1, PATIENCE)?, ProbeOutcome::Connected, "{packets}");
        assert!(gone.affected() > 0);
        gone.end()?;
    }
    // A SYN goes to the server, never away from it.
    link.egress().drop_packets(Packets::tcp().flags(SYN, ACK))?.optional();
    link.ingress().drop_packets(Packets::tcp().kind(PacketKind::SynAck))?.optional();
    link.drop_packets(Packets::udp())?.optional();
    link.drop_packets(Packets::tcp().ipv6())?.optional();
    assert_eq!(found(&client, 80, PATIENCE)?, ProbeOutcome::Connected);
    Ok(())
}

#[netns_test]
fn occurrences_count_matching_packets(server: Node, net: Net) -> TestResult {
    for ip in both(&server) {
        net.local().wait_reachable(ip)?;
        let all = |number: u32| (1..=20).filter(move |n: &u32| n % number == 0).collect::<Vec<_>>();
        for (occurrence, lost) in [
            (Occurrence::nth(3), vec![3]),
            (Occurrence::every_nth(3), all(3)),
            (Occurrence::first(4), (1..=4).collect()),
            (Occurrence::after(15), (16..=20).collect()),
        ] {
            let mut stream = Stream::open(&net.local(), &server, ip, 0)?;
            let fault = server.link().ingress().fault()?.packets(Packets::udp());
            let fault = net.inject(fault.occurrence(occurrence).action(Action::Drop))?;
            stream.send_lossy(20, &fault)?;
            let arrived: Vec<u32> = stream.take().iter().map(|a| a.number + 1).collect();
            let expected: Vec<u32> = (1..=20).filter(|n| !lost.contains(n)).collect();
            assert_eq!(arrived, expected, "{fault}");
            assert_eq!(fault.affected(), lost.len() as u64);
            fault.end()?;
        }
        let mut stream = Stream::open(&net.local(), &server, ip, 0)?;
        let fault = server.link().ingress().fault()?.packets(Packets::udp()).nth(2);
        let thrice = net.inject(fault.action(Action::Duplicate(2)))?;
        stream.send_many(5, |_, arrived| arrived == 7)?;
        assert_eq!((thrice.affected(), stream.take().len()), (1, 7));
        thrice.end()?;
    }
    Ok(())
}

/// Long segments are dropped. A sender that is notified sends shorter ones.
#[netns_test]
fn path_mtu_discovery_needs_the_icmp_error(server: Node, net: Net) -> TestResult {
    for ip in both(&server) {
        let (mut client, mut served) = pair(&net, &server, ip)?;
        let hole = server.link().mtu_blackhole(1300)?;
        client.write_all(b"short")?;
        assert_eq!(served.read(&mut [0; 99])?, 5);
        client.write_all(&[1; 20_000])?;
        nstest::eventually(PATIENCE, || hole.affected() >= 2)?; // with a retransmission
        served.set_nonblocking(true)?;
        assert_eq!(served.read(&mut [0; 99]).unwrap_err().kind(), ErrorKind::WouldBlock);
        hole.end()?;

        let (mut client, mut served) = pair(&net, &server, ip)?;
        let reported = server.link().fault()?.action(Action::Mtu { mtu: 1300, notify: true });
        let reported = net.inject(reported)?;
        client.write_all(&[1; 20_000])?;
        served.read_exact(&mut [0; 20_000])?;
        assert!(reported.affected() > 0);
        reported.end()?;
    }
    Ok(())
}

/// Nothing arrives in one direction; the other one works.
#[netns_test]
fn one_direction_is_a_black_hole(server: Node, net: Net) -> TestResult {
    for ip in both(&server) {
        let (mut client, mut served) = pair(&net, &server, ip)?;
        let half = server.link().ingress().fault()?.packets(Packets::tcp().kind(PacketKind::Data));
        let half = net.inject(half.nth(2).action(Action::Blackhole))?;
        client.write_all(b"heard")?;
        assert_eq!(served.read(&mut [0; 9])?, 5);
        client.write_all(b"not heard")?;
        served.write_all(b"hello")?;
        assert_eq!(client.read(&mut [0; 9])?, 5, "what the server says is heard");
        nstest::eventually(PATIENCE, || half.affected() >= 3)?; // the segment, an ACK, a retransmission
        served.set_nonblocking(true)?;
        assert_eq!(served.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        half.end()?;
        served.set_nonblocking(false)?;
        assert_eq!(served.read(&mut [0; 9])?, 9, "it is sent again");
    }
    Ok(())
}

#[netns_test]
fn connections_are_killed(server: Node, net: Net) -> TestResult {
    for ip in both(&server) {
        let (mut client, mut served) = pair(&net, &server, ip)?;
        let (mut stays, mut there) = pair(&net, &server, ip)?;
        assert_eq!(server.kill_connections(served.local_addr()?.port())?, 1);
        assert_eq!(served.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        stays.write_all(b"x")?;
        assert_eq!(there.read(&mut [0])?, 1);
    }
    Ok(())
}

/// The MTU changes with and without a condition that needs single packets.
#[netns_test]
fn the_mtu_of_a_link_changes(server: Node, net: Net) -> TestResult {
    let lossless = server.link().condition(Condition::new().delay(Duration::from_millis(1)))?;
    for (mtu, octets) in [(9000, 8000), (1400, 1300), (1500, 1400)] {
        server.link().set_mtu(mtu)?;
        for ip in both(&server) {
            let (mut client, mut served) = pair(&net, &server, ip)?;
            client.write_all(&vec![1; 100_000])?;
            served.read_exact(&mut vec![0; 100_000])?;
            let socket =
                std::net::UdpSocket::bind(if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            let sink = server.run(|| std::net::UdpSocket::bind((ip, 0)))?;
            sink.set_read_timeout(Some(PATIENCE))?;
            socket.connect(sink.local_addr()?)?;
            assert_eq!(socket.send(&vec![1; octets])?, octets);
            assert_eq!(sink.recv(&mut vec![0; octets + 1])?, octets);
        }
    }
    assert!(lossless.affected() > 0);
    Ok(())
}
