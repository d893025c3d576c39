//! How long the effect of a packet lasts: the time counts from the packet.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nstest::{Injection, Lan, Net, Node, TestResult, netns_test};

use crate::stream::{PATIENCE, Stream};

const LASTING: Duration = Duration::from_millis(200);

/// Injects a fault, and sends packets that it does not match until it would be over if it
/// had started with its injection.
fn inject_and_wait(net: &Net, server: &Node, fault: &str) -> TestResult<Injection> {
    let injected = net.inject(fault.parse()?)?;
    let mut others = Stream::open(&net.local(), server, server.ip(), 0)?;
    let start = Instant::now();
    while start.elapsed() < LASTING + LASTING / 2 {
        others.send_many(1, |sent, arrived| sent == arrived)?;
    }
    Ok(injected)
}

/// Sends datagrams of one byte until one of them arrives, and returns how long it took.
fn silence((from, sink): &(UdpSocket, UdpSocket), octet: u8) -> TestResult<Duration> {
    let start = Instant::now();
    sink.set_read_timeout(Some(Duration::from_millis(1)))?;
    let mut received = [0];
    while received != [octet] {
        assert!(start.elapsed() < PATIENCE, "no datagram arrived");
        from.send(&[octet])?;
        let _ = sink.recv(&mut received); // one of those before, or none
    }
    Ok(start.elapsed())
}

fn sockets(server: &Node) -> TestResult<(UdpSocket, UdpSocket)> {
    let sink = server.run(|| UdpSocket::bind((server.ip(), 7)))?;
    let from = UdpSocket::bind("0.0.0.0:0")?;
    from.connect((server.ip(), 7))?;
    Ok((from, sink))
}

#[netns_test]
fn a_black_hole_lasts_from_its_packet_on(server: Node, net: Net) -> TestResult {
    let sockets = sockets(&server)?;
    let effects = ["blackhole", "cut", "then blackhole", "then cut"];
    for (effect, octet) in effects.into_iter().zip(1..) {
        let fault = format!("server ingress udp dport 7 nth 1: {effect} lasting 200ms");
        let hole = inject_and_wait(&net, &server, &fault)?;
        assert_eq!(hole.affected(), 0, "{effect}");
        let start = Instant::now();
        if effect.starts_with("then") {
            sockets.1.set_read_timeout(Some(PATIENCE))?;
            sockets.0.send(&[octet + 100])?;
            let mut received = [0];
            while received != [octet + 100] {
                sockets.1.recv(&mut received)?;
            }
        }
        silence(&sockets, octet)?;
        assert!(start.elapsed() >= LASTING, "{effect}: {:?}", start.elapsed());
        assert!(hole.affected() > 0 && hole.backends().is_empty(), "{effect}");
    }
    Ok(())
}

#[netns_test]
fn resets_last_from_their_first_packet_on(server: Node, net: Net) -> TestResult {
    let listener = server.run(|| TcpListener::bind((server.ip(), 80)))?;
    let passes = || -> TestResult<bool> {
        let mut client = TcpStream::connect((server.ip(), 80))?;
        let (mut served, _) = listener.accept()?;
        client.write_all(b"x")?;
        Ok(served.read(&mut [0])? == 1)
    };
    for effect in ["reset", "then reset"] {
        let fault = format!("server ingress tcp dport 80 data: {effect} lasting 200ms");
        let reset = inject_and_wait(&net, &server, &fault)?;
        assert_eq!(reset.affected(), 0);
        let start = Instant::now();
        // A segment that passes before the reset can still be read.
        let first = passes();
        assert!(first.is_err() || effect == "then reset", "{first:?}");
        assert!(reset.affected() > 0);
        nstest::eventually(PATIENCE, || {
            let before = reset.affected();
            passes().is_ok_and(|passed| passed) && reset.affected() == before
        })?;
        assert!(start.elapsed() >= LASTING, "{effect}: {:?}", start.elapsed());
    }
    Ok(())
}

/// A fault that repeats waits for a packet each time.
#[netns_test]
fn a_black_hole_repeats_with_a_packet(server: Node, net: Net) -> TestResult {
    let sockets = sockets(&server)?;
    let fault = "server ingress udp dport 7 nth 1: blackhole at 1ms lasting 50ms every 100ms";
    let hole = net.inject(fault.parse()?)?;
    nstest::eventually(PATIENCE, || !hole.backends().is_empty())?;
    let start = Instant::now();
    for round in 1..=3 {
        let took = silence(&sockets, round)?;
        assert!(took >= Duration::from_millis(50), "{round}: {took:?}");
        nstest::eventually(PATIENCE, || !hole.backends().is_empty())?;
    }
    assert!(start.elapsed() >= Duration::from_millis(250));
    hole.end()?;
    let affected = hole.affected();
    silence(&sockets, b'x')?;
    assert_eq!(hole.affected(), affected);
    Ok(())
}

type Move = Box<dyn Fn() -> TestResult>;

/// What can happen to the link of a node that keeps its address.
fn moves(server: &Node, here: &Lan, there: &Lan) -> [(&'static str, Move); 3] {
    let of = || (server.clone(), here.clone(), there.clone());
    let [(a, a_here, _), (b, b_here, b_there), (c, ..)] = [of(), of(), of()];
    let leave = move || {
        a.leave(&a_here)?;
        a.join(&a_here)?;
        Ok(())
    };
    let roam = move || {
        b.roam(&b_here, &b_there)?;
        Ok(b.roam(&b_there, &b_here)?)
    };
    let restore = move || {
        let delete = c.command("ip").args(["link", "delete", "eth0"]).status()?;
        assert!(delete.success());
        Ok(c.restore()?)
    };
    [("leave", Box::new(leave)), ("roam", Box::new(roam)), ("restore", Box::new(restore))]
}

fn two_lans(net: &Net) -> TestResult<(Node, Lan, Lan)> {
    let [here, there] = ["here", "there"].map(|name| net.add_lan(name).build());
    let (here, there) = (here?, there?);
    let server = net.add_node("server").join(&here).build()?;
    net.local().join(&here)?;
    Ok((server, here, there))
}

/// The effect of a packet goes along with a link that is made again.
#[netns_test]
fn what_a_packet_began_goes_on_at_another_link(net: Net) -> TestResult {
    let (server, here, there) = two_lans(&net)?;
    let sink = server.run(|| UdpSocket::bind("0.0.0.0:7"))?;
    sink.set_read_timeout(Some(PATIENCE))?;
    let client = UdpSocket::bind("0.0.0.0:0")?;
    let mut round = 0;
    for (name, move_it) in moves(&server, &here, &there) {
        for effect in ["blackhole", "cut", "then blackhole", "condition loss 100%"] {
            for lasting in ["", " lasting 1h"] {
                let fault = format!("server ingress udp dport 7 nth 2: {effect}{lasting}");
                let hole = net.inject(fault.parse()?)?;
                let says = |error| format!("{name}: {fault}: {error}");
                round += 1;
                client.send_to(&[round], (server.ip(), 7))?;
                let mut received = [0];
                while received != [round] {
                    sink.recv(&mut received)?;
                }
                move_it()?;
                nstest::eventually(PATIENCE, || {
                    let _ = client.send_to(b"2", (server.ip(), 7)); // it may have no neighbour
                    hole.affected() > 0
                })
                .map_err(says)?;
                move_it()?;
                // Nothing passes, and no packet that the fault selects is sent.
                let before = hole.affected();
                nstest::eventually(PATIENCE, || {
                    let _ = client.send_to(b"x", (server.ip(), 8));
                    hole.affected() > before
                })
                .map_err(says)?;
                hole.end()?;
            }
        }
    }
    Ok(())
}

#[netns_test]
fn its_end_comes_at_another_link(net: Net) -> TestResult {
    let (server, here, there) = two_lans(&net)?;
    let client = UdpSocket::bind("0.0.0.0:0")?;
    for (name, move_it) in moves(&server, &here, &there) {
        for effect in ["blackhole", "cut", "then cut"] {
            let fault = format!("server ingress udp dport 7 nth 1: {effect} lasting 200ms");
            let hole = net.inject(fault.parse()?)?;
            let says = |error| format!("{name}: {fault}: {error}");
            move_it()?; // it still waits for the packet
            let start = Instant::now();
            nstest::eventually(PATIENCE, || {
                let _ = client.send_to(b"x", (server.ip(), 7)); // it may have no neighbour
                hole.affected() > 0
            })
            .map_err(says)?;
            move_it()?;
            // No packet that would begin it is sent any more.
            nstest::eventually(PATIENCE, || hole.backends().is_empty()).map_err(says)?;
            assert!(start.elapsed() >= LASTING, "{name}: {fault}");
            hole.end()?;
        }
    }
    Ok(())
}
