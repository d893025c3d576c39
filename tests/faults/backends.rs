//! Backends: which one carries out a condition, and the change from one to another.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nstest::{Backend, Condition, Net, Node, Packets, Rate, TestResult, netns_test};

use crate::stream::in_time;

/// The time that 200 kB take to a node.
fn transfer(from: &Node, to: &Node) -> std::io::Result<Duration> {
    let listener = to.run(|| TcpListener::bind((to.ip(), 80)))?;
    let mut sender = from.run(|| TcpStream::connect((to.ip(), 80)))?;
    let (mut receiver, _) = listener.accept()?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || sender.write_all(&[0; 200_000]));
        receiver.read_to_end(&mut Vec::new())
    })?;
    Ok(start.elapsed())
}

#[netns_test]
fn a_rate_moves_from_the_kernel_to_the_wire(server: Node, net: Net) -> TestResult {
    let test = net.local();
    let slow = server.link().condition(Condition::new().rate(Rate::mbit(8)))?;
    assert_eq!(slow.backends(), [Backend::Tbf]);
    let least = Duration::from_millis(180);
    for (from, to) in [(&test, &server), (&server, &test)] {
        let took = transfer(from, to)?;
        assert!(took > least, "{took:?}");
    }
    let before = slow.affected();
    assert!(before > 200, "{before}");
    let picky = server.link().drop_packets(Packets::udp().port(53))?.optional();
    assert_eq!((slow.backends(), picky.backends()), (vec![Backend::Wire], vec![Backend::Wire]));
    assert!(slow.affected() >= before, "the count of the kernel is kept");
    for (from, to) in [(&test, &server), (&server, &test)] {
        let took = transfer(from, to)?;
        assert!(took > least, "{took:?}");
    }
    // Now the rate applies to one direction only.
    server.link().egress().condition(Condition::new())?.optional();
    in_time(|| Ok(transfer(&server, &test)? < least))?;
    let down = transfer(&test, &server)?;
    assert!(down > least, "{down:?}");
    slow.end()?;
    in_time(|| Ok(transfer(&test, &server)? < least))
}
