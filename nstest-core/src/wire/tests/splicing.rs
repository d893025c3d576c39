//! Splicing in while traffic flows, and taking out what goes.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{Arc, LIMIT, Pair, connected, network, pair, pass, round_trip, sound, teach};
use crate::testing::isolated;

/// Threads of this process by the name of the wire.
fn wire_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    tasks.filter_map(|task| name(task.unwrap()).ok()).filter(|name| name == "nstest wire\n").count()
}

#[test]
fn no_wire_no_thread() {
    isolated(|| {
        let Pair { net, local, peer, ends } = pair();
        assert_eq!(wire_threads(), 0);
        teach(&local, true, pass);
        teach(&peer, true, pass);
        round_trip(&ends);
        assert_eq!(wire_threads(), 1);
        sound(&net);
    });
}

#[test]
fn on_a_cable_nothing_is_lost_sent_twice_or_overtaken() {
    isolated(|| nothing_is_lost_sent_twice_or_overtaken(&["b"]));
}

#[test]
fn on_a_hub_nothing_is_lost_sent_twice_or_overtaken() {
    isolated(|| nothing_is_lost_sent_twice_or_overtaken(&["b", "c"]));
}

fn nothing_is_lost_sent_twice_or_overtaken(names: &[&str]) {
    let net = network(names);
    let nodes: Vec<_> = std::iter::once(net.local()).chain(net.nodes()).collect();
    let (near, far) = connected((&nodes[0], nodes[0].ip()), (&nodes[1], nodes[1].ip()));
    round_trip(&(near.try_clone().unwrap(), far.try_clone().unwrap()));
    // No more on the way than the receiver's buffer holds, and always some.
    let over = Arc::new(AtomicBool::new(false));
    let arrived = Arc::new(AtomicU32::new(0));
    let (stop, seen) = (Arc::clone(&over), Arc::clone(&arrived));
    let sender = std::thread::spawn(move || {
        // The frames of a sender that moves to another processor may overtake each other.
        let mut here = nix::sched::CpuSet::new();
        here.set(nix::sched::sched_getcpu().unwrap()).unwrap();
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &here).unwrap();
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let start = Instant::now();
            while number - seen.load(Ordering::Relaxed) > 100 && start.elapsed() < LIMIT {
                std::thread::yield_now();
            }
            near.send(&number.to_ne_bytes()).unwrap();
            number += 1;
        }
        near.send(b"the end").unwrap();
        number
    });
    let receiver = std::thread::spawn(move || {
        let (mut expected, mut buffer) = (0_u32, [0; 16]);
        loop {
            if far.recv(&mut buffer).unwrap() != 4 {
                return expected;
            }
            let number = u32::from_ne_bytes(buffer[..4].try_into().unwrap());
            assert_eq!(number, expected, "lost, sent twice or overtaken");
            expected += 1;
            arrived.store(expected, Ordering::Relaxed);
        }
    });
    let spliced = Instant::now();
    for (nth, node) in nodes.iter().enumerate() {
        let begin = Instant::now();
        teach(node, nth == 1, pass);
        println!("spliced in {:?}", begin.elapsed());
        // The stage is replaced, too, by one that needs segments or not.
        for segments in [true, false, true] {
            teach(node, segments, pass);
        }
    }
    while spliced.elapsed() < Duration::from_millis(300) {
        std::thread::yield_now();
    }
    over.store(true, Ordering::Relaxed);
    let sent = sender.join().unwrap();
    assert_eq!(receiver.join().unwrap(), sent);
    println!("{sent} datagrams, {:.0} a second", f64::from(sent) / spliced.elapsed().as_secs_f64());
    sound(&net);
}

#[test]
fn a_node_with_a_wire_is_removed() {
    isolated(|| {
        let net = network(&["b", "c"]);
        let [b, c] = ["b", "c"].map(|name| net.node(name).unwrap());
        let local = net.local();
        for node in [&local, &b, &c] {
            teach(node, true, pass);
        }
        round_trip(&connected((&local, local.ip()), (&b, b.ip())));
        b.remove().unwrap();
        round_trip(&connected((&local, local.ip()), (&c, c.ip())));
        let d = net.add_node("d").join(&net.lan("peers").unwrap()).build().unwrap();
        teach(&d, true, pass);
        round_trip(&connected((&c, c.ip()), (&d, d.ip())));
        sound(&net);
    });
}

#[test]
fn a_cable_that_is_unplugged_carries_nothing() {
    isolated(|| {
        let Pair { net, peer, ends, .. } = pair();
        let delay = Duration::from_millis(30);
        teach(&peer, true, move |_, _, now, out| out.forward.push(now + delay));
        ends.0.send(b"in flight").unwrap();
        peer.link().down().unwrap();
        peer.link().up().unwrap();
        let took = round_trip_or_late(&ends);
        assert!(took >= 2 * delay, "{took:?}");
        sound(&net);
    });
}

/// The datagram in flight may come, or have been lost with the carrier.
fn round_trip_or_late((near, far): &(std::net::UdpSocket, std::net::UdpSocket)) -> Duration {
    let start = Instant::now();
    let mut buffer = [0; 16];
    near.send(b"there").unwrap();
    while far.recv(&mut buffer).unwrap() != 5 {}
    far.send(b"back").unwrap();
    assert_eq!(near.recv(&mut buffer).unwrap(), 4);
    start.elapsed()
}
