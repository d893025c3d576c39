//! A LAN that grows and shrinks while its nodes talk. Inside, a small LAN is
//! made of packet filters and a large one of a bridge. Tests do not notice the change.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nstest::{Net, Node, TestResult, netns_test};

use crate::shell::{gets_no_reply, pings, shows};

/// Sends datagrams and waits for each echo. Counts how many were sent and how many were lost.
fn echoes(client: &Node, server: &Node, stop: &Arc<AtomicBool>) -> nstest::JoinHandle<(u32, u32)> {
    let addr = (server.ip(), 7);
    // Bound before the first datagram is sent, which would be refused otherwise.
    let socket = server.run(|| std::net::UdpSocket::bind(addr)).expect("bind");
    server.spawn(move || {
        let mut buffer = [0; 4];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer, from);
        }
    });
    let stop = Arc::clone(stop);
    client.spawn(move || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("bind");
        socket.connect(addr).expect("connect");
        // A late echo is not lost: the machine may be busy.
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("set a timeout");
        let (mut sent, mut lost) = (0u32, 0);
        while !stop.load(Ordering::Relaxed) {
            sent += 1;
            let _ = socket.send(&sent.to_be_bytes());
            let mut buffer = [0; 4];
            loop {
                match socket.recv(&mut buffer) {
                    Ok(_) if u32::from_be_bytes(buffer) == sent => break,
                    Ok(_) => {}
                    Err(_) => {
                        lost += 1;
                        break;
                    }
                }
            }
        }
        (sent, lost)
    })
}

#[netns_test(timeout = "3m")]
fn a_lan_grows_from_2_to_25_and_shrinks_again(a: Node, net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    a.join(&lan)?;
    let b = net.add_node("b").join(&lan).build()?;
    let on_lan = |node: &Node| node.ips().into_iter().rev().nth(1).expect("an address");
    let listener = b.run(|| TcpListener::bind((b.ip(), 7000)))?;
    let mut client = a.run(|| TcpStream::connect((b.ip(), 7000)))?;
    let (mut server, _) = listener.accept()?;
    server.set_read_timeout(Some(Duration::from_secs(20)))?;
    let stop = Arc::new(AtomicBool::new(false));
    let echoes = echoes(&a, &b, &stop);
    let mut talk = || -> TestResult {
        client.write_all(b"x")?;
        Ok(server.read_exact(&mut [0])?)
    };
    let nodes = Mutex::new(Vec::new());
    for nth in 3..=25 {
        nodes.lock().unwrap().push(net.add_node(&format!("n{nth}")).join(&lan).build()?);
        talk()?;
    }
    let mut nodes = nodes.into_inner()?;
    for node in &nodes {
        node.wait_reachable(on_lan(&a))?;
        b.wait_reachable(node.ipv6())?;
        talk()?;
    }
    while let Some(node) = nodes.pop() {
        node.remove()?;
        talk()?;
    }
    stop.store(true, Ordering::Relaxed);
    let (sent, lost) = echoes.join().expect("no panic");
    println!("lost {lost} of {sent}");
    // The LAN changes from filters to a bridge and back. Packets under way may be lost then.
    assert!(lost <= 4 && sent > 100, "lost {lost} of {sent}");
    Ok(())
}

/// What can be done to a small LAN can be done to a large one.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn a_large_lan_is_a_lan(net: Net) -> TestResult {
    let [large, small] = ["large", "small"].map(|name| net.add_lan(name).build().unwrap());
    let nodes: Vec<Node> =
        (1..=24).map(|n| net.add_node(&format!("n{n}")).join(&large).build().unwrap()).collect();
    let (first, last) = (&nodes[0], &nodes[23]);
    let other = net.add_node("other").join(&small).build()?;
    assert!(pings(first, last.ip()) && pings(last, first.ipv6()));
    last.link().down()?;
    assert!(gets_no_reply(first, last.ip()) && pings(first, nodes[1].ip()));
    last.link().up()?;
    assert!(pings(last, first.ip()) && pings(first, last.ipv6()));
    last.roam(&large, &small)?;
    assert!(pings(last, other.ip()) && pings(&other, last.ipv6()));
    assert!(!pings(last, first.ip()));
    last.roam(&small, &large)?;
    assert!(pings(last, first.ip()) && pings(first, last.ipv6()));
    large.set_mtu(9000)?;
    let jumbo = shows(first, &format!("ping -M do -c 1 -W 5 -s 8972 {}", last.ip()));
    assert!(jumbo.contains(" 0% packet loss"), "{jumbo}");
    Ok(())
}

/// A hundred changes from four threads at once, while the nodes exchange packets.
#[netns_test(timeout = "3m")]
fn many_change_the_world_at_once(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let [a, b] = ["a", "b"].map(|name| net.add_node(name).join(&lan).build().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let echoes = echoes(&a, &b, &stop);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (net, lan, a) = (&net, &lan, &a);
            scope.spawn(move || {
                for nth in 0..6 {
                    let node = net.add_node(&format!("n{thread}-{nth}")).join(lan).build().unwrap();
                    node.wait_reachable(a.ip()).unwrap();
                    node.leave(lan).unwrap();
                    node.join(lan).unwrap();
                    a.wait_reachable(node.ipv6()).unwrap();
                    node.remove().unwrap();
                }
            });
        }
    });
    stop.store(true, Ordering::Relaxed);
    let (sent, lost) = echoes.join().expect("no panic");
    assert_eq!(lost, 0, "of {sent}");
    assert_eq!(lan.nodes(), [a, b]);
    Ok(())
}

/// A thread in a node that is removed has no network any more, and does not prevent the
/// removal.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn a_node_is_removed_with_all_that_runs_in_it(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let a = net.add_node("a").join(&lan).build()?;
    let b = net.add_node("b").join(&lan).build()?;
    let listener = b.run(|| TcpListener::bind((b.ip(), 7000)))?;
    let mut program = b.command("sleep").arg("1000").spawn()?;
    let thread = b.spawn(move || listener.accept().map(drop));
    let (ip, kept) = (b.ip(), b.clone());
    b.remove()?;
    assert!(gets_no_reply(&a, ip));
    assert!(kept.run(|| TcpStream::connect((a.ip(), 7000))).is_err());
    assert!(!thread.is_finished() && program.try_wait()?.is_none());
    program.kill()?;
    let b = net.add_node("b").join(&lan).build()?;
    assert_ne!(b, kept);
    assert!(pings(&a, b.ip()));
    Ok(())
}
