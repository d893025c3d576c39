//! Receipts: a fault that affected no packet fails its test, and the report names it.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use expect_test::expect;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use nstest::{
    Action, Backend, Condition, Fault, Net, Node, PacketKind, Packets, Percent, TestResult,
    Unreachable, netns_test,
};
use nstest_tests::driver::Run;

use crate::stream::{PATIENCE, Stream};
use crate::without_tcp_counts;

#[netns_test]
#[ignore = "fixture of another test"]
fn affects_no_packet(server: Node, net: Net) -> TestResult {
    let link = server.link();
    let third = link.fault()?.packets(Packets::tcp().port(80).kind(PacketKind::Syn)).nth(3);
    net.inject(third.action(Action::Drop))?;
    link.egress().condition(Condition::new().delay(Duration::from_millis(1)))?; // replaced
    link.egress().condition(Condition::new().loss(Percent::new(0.0001)))?;
    link.reject(Packets::udp().dport(53), Unreachable::Port)?.end()?; // too early
    net.inject(
        Fault::on("server").packets(Packets::udp().port(9)).down().lasting(Duration::from_secs(1)),
    )?;
    net.inject("server: down at 10m".parse()?)?;
    link.drop_packets(Packets::udp().port(7))?; // this one affects a packet
    link.mtu_blackhole(1280)?.optional();
    net.inject("server ingress: drop at 10m optional".parse()?)?;
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    for _ in 0..2 {
        TcpStream::connect((server.ip(), 80))?;
    }
    UdpSocket::bind("0.0.0.0:0")?.send_to(b"x", (server.ip(), 7))?;
    Ok(())
}

#[test]
fn a_fault_without_packets_fails_the_test() {
    let outcome = Run::of(&["receipts::affects_no_packet"]).run();
    assert!(!outcome.status.success());
    expect![[r#"
        test receipts::affects_no_packet ... FAILED

        ---- receipts::affects_no_packet stdout ----
        nstest: seed 1 (repeat with NSTEST_SEED=1)
        nstest[fault-unmatched]: a declared fault had no effect
          cause: server tcp port 80 syn nth 3: drop
              injected at tests/faults/receipts.rs:LINE:COLUMN: N tcp, 1 udp passed, 2 matched in all but their number
            server egress: condition delay 1ms
              injected at tests/faults/receipts.rs:LINE:COLUMN: another condition replaced it before a packet passed
            server egress: condition loss 0.0001%
              injected at tests/faults/receipts.rs:LINE:COLUMN: N tcp passed, and by chance it affected none: try NSTEST_SEED=2
            server udp dport 53: reject port-unreachable
              injected at tests/faults/receipts.rs:LINE:COLUMN: no packet passed while it was active
            server udp port 9: down lasting 1s
              injected at tests/faults/receipts.rs:LINE:COLUMN: the packet that starts it was not sent; N tcp, 1 udp passed, none matched
            server: down at 10m
              injected at tests/faults/receipts.rs:LINE:COLUMN: the test ended before its start
          help: send matching packets or queries while it is active, or mark it `.optional()`
    "#]]
    .assert_eq(&without_tcp_counts(&outcome.shown()));
}

#[netns_test]
fn optional_faults_need_not_match(server: Node, net: Net) -> TestResult {
    server.link().drop_packets(Packets::udp().port(9))?.optional();
    net.inject(Fault::on("server").packets(Packets::tcp().port(9)).optional())?;
    net.inject("server: condition delay 5ms optional at 1h".parse()?)?;
    // No packet reaches the other end of a link that is down.
    server.link().flap(Duration::from_millis(1))?;
    Ok(())
}

/// Each fault counts the packets that it affected, and no others.
#[netns_test]
fn counts_are_right(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let link = server.link().ingress();
    let slow = link.condition(Condition::new().delay(Duration::from_millis(1)))?;
    let tenth = link.fault()?.packets(Packets::udp());
    let tenth =
        net.inject(tenth.occurrence(nstest::Occurrence::every_nth(10)).action(Action::Drop))?;
    let twice = link.fault()?.packets(Packets::udp()).nth(2);
    let twice = net.inject(twice.action(Action::Duplicate(1)))?;
    let other = link.drop_packets(Packets::tcp())?.optional();
    let back = server.link().egress().condition(Condition::new().loss(Percent::ALL))?.optional();
    let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
    stream.send_many(100, |sent, arrived| arrived + sent / 10 == sent + 1)?;
    let counts = [&slow, &tenth, &twice, &other, &back].map(nstest::Injection::affected);
    assert_eq!(counts, [90, 10, 1, 0, 0]);
    // Of two faults that match the same packet, the first one affects it.
    let first = link.drop_packets(Packets::udp())?;
    let second = link.drop_packets(Packets::udp().host(server.ip()))?.optional();
    stream.send()?;
    nstest::eventually(PATIENCE, || first.affected() == 1)?;
    assert_eq!((second.affected(), slow.affected()), (0, 90));
    Ok(())
}

/// A test that sends more than the wire can process fails, because it has not tested its
/// network. Here the wire's thread gets almost no processor time: it has the idle policy, and
/// the sender runs on the same processor.
#[netns_test]
#[ignore = "fixture of another test"]
fn floods_the_wire(a: Node, b: Node) -> TestResult {
    b.link().condition(Condition::new().loss(Percent::new(0.0001)))?.optional();
    a.wait_reachable(b.ip())?;
    let mut one = CpuSet::new();
    one.set(sched_getcpu()?)?;
    sched_setaffinity(Pid::from_raw(0), &one)?;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        if std::fs::read_to_string(thread.join("comm"))?.trim() == "nstest wire" {
            let id = thread.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            sched_setaffinity(Pid::from_raw(id.parse()?), &one)?;
            let idle = Command::new("chrt").args(["--idle", "--pid", "0", id]).status()?;
            assert!(idle.success());
        }
    }
    let socket = a.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    for _ in 0..200_000 {
        let _ = socket.send_to(b"x", (b.ip(), 9));
    }
    Ok(())
}

#[test]
fn frames_lost_by_the_wire_fail_the_test() {
    let outcome = Run::of(&["receipts::floods_the_wire"]).run();
    let text = outcome.text();
    assert!(!outcome.status.success(), "{text}");
    assert!(text.contains("frames were lost because the queue of the wire was full"), "{text}");
}

/// On a LAN, others still send to a node with a link that is down. No fault counts their packets,
/// and the test passes.
#[netns_test]
fn a_link_that_is_down_counts_no_packet(server: Node, _other: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let address = server.addr(80);
    TcpStream::connect(address)?; // so that the next one needs no ARP
    let down = net.inject("server: down lasting 10m".parse()?)?;
    let error = TcpStream::connect_timeout(&address, Duration::from_millis(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(down.backends(), [Backend::Carrier]);
    assert_eq!(down.affected(), 0);
    down.end()?;
    assert!(down.backends().is_empty());
    TcpStream::connect(address)?;
    Ok(())
}
