//! Schedules: faults that start at a time or with a packet, last for a time, and repeat.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use expect_test::expect;
use nstest::{
    Action, Backend, Condition, Fault, Net, Node, PacketKind, Packets, Percent, Plan, TestResult,
    netns_test,
};
use nstest_tests::driver::Run;

use crate::stream::{PATIENCE, Stream};
use crate::without_tcp_counts;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn carrier(node: &Node) -> bool {
    let read = || std::fs::read_to_string("/sys/class/net/eth0/carrier");
    node.spawn(read).join().expect("no panic").expect("there is an eth0") == "1\n"
}

#[netns_test]
fn a_fault_starts_and_ends_at_its_times(server: Node, net: Net) -> TestResult {
    let start = Instant::now();
    let later = net.inject(Fault::on("server").down().at(ms(1000)).lasting(ms(1500)))?;
    assert_eq!(later.backends(), []);
    nstest::eventually(PATIENCE, || !carrier(&server))?;
    assert!(start.elapsed() >= ms(1000), "{:?}", start.elapsed());
    nstest::eventually(PATIENCE, || carrier(&server))?;
    assert!(start.elapsed() >= ms(2500), "{:?}", start.elapsed());
    Stream::open(&net.local(), &server, server.ip(), 0)?
        .send_many(1, |sent, arrived| sent == arrived)?;
    assert_eq!(later.backends(), []);
    Ok(())
}

#[netns_test]
fn a_fault_repeats(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let start = Instant::now();
    let fault = Fault::on("server").ingress().condition(Condition::new().loss(Percent::ALL));
    let blinking = net.inject(fault.lasting(ms(20)).every(ms(60)))?;
    let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
    // Packets are lost and arrive in turns, three times.
    for _ in 0..3 {
        let affected = blinking.affected();
        nstest::eventually(PATIENCE, || {
            stream.send().expect("send");
            blinking.affected() > affected
        })?;
        let arrived = stream.arrived();
        nstest::eventually(PATIENCE, || {
            stream.send().expect("send");
            stream.arrived() > arrived
        })?;
    }
    assert!(start.elapsed() >= ms(120), "{:?}", start.elapsed());
    blinking.end()?;
    let affected = blinking.affected();
    stream.take();
    // The fault has ended: it does not repeat for longer than its period.
    let end = Instant::now() + ms(200);
    let mut sent = 0;
    while Instant::now() < end {
        sent += 1;
        stream.send()?;
        stream.wait(sent)?;
    }
    assert_eq!(blinking.affected(), affected);
    Ok(())
}

/// The third connection takes the link down, and is established when the link is up again.
#[netns_test]
fn a_packet_starts_a_fault(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let fault: Fault = "server tcp syn nth 3: down lasting 2s".parse()?;
    let down = net.inject(fault)?;
    for _ in 0..2 {
        TcpStream::connect((server.ip(), 80))?;
        assert!(carrier(&server));
    }
    let start = Instant::now();
    let to = (server.ip(), 80);
    // The packet itself passes. Its answer may be lost.
    let third = std::thread::spawn(move || TcpStream::connect(to));
    nstest::eventually(PATIENCE, || !carrier(&server))?;
    assert_eq!(down.backends(), [Backend::Carrier]);
    nstest::eventually(PATIENCE, || carrier(&server))?;
    assert!(start.elapsed() >= ms(2000), "{:?}", start.elapsed());
    third.join().expect("no panic")?.write_all(b"x")?;
    TcpStream::connect(to)?;
    assert!(carrier(&server) && down.backends().is_empty());
    Ok(())
}

/// A condition that starts with the first byte of data.
#[netns_test]
fn data_starts_a_condition(server: Node, net: Net) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let slow = Condition::new().delay(ms(150));
    let fault =
        Fault::on("server").packets(Packets::tcp().port(80).kind(PacketKind::Data)).condition(slow);
    let slow = net.inject(fault)?;
    let mut client = TcpStream::connect((server.ip(), 80))?;
    let (mut served, _) = listener.accept()?;
    assert_eq!(slow.backends(), []);
    client.write_all(b"x")?;
    served.read_exact(&mut [0])?;
    nstest::eventually(PATIENCE, || !slow.backends().is_empty())?;
    let start = Instant::now();
    served.write_all(b"y")?;
    client.read_exact(&mut [0])?;
    assert!(start.elapsed() >= ms(150));
    slow.end()?;
    Ok(())
}

/// Two conditions of one direction, the second right after the first.
#[netns_test]
fn a_plan_is_applied_from_text(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let plan: Plan = "server ingress: condition loss 100% lasting 1s
        server ingress: condition delay 50ms at 1s; server udp port 9: drop optional"
        .parse()?;
    let injections = net.apply(&plan)?;
    assert_eq!(injections.len(), 3);
    let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
    nstest::eventually(PATIENCE, || {
        stream.send().expect("send");
        stream.arrived() > 0
    })?;
    assert!(injections[0].affected() > 0);
    let first = stream.take()[0];
    assert!(first.at >= ms(50) && first.took >= ms(50), "{first:?}");
    let again: Vec<Fault> =
        injections.iter().map(|i| i.to_string().parse()).collect::<Result<_, _>>()?;
    assert_eq!(again, plan.faults());
    net.end_faults()?;
    stream.send()?;
    assert!(injections.iter().all(|injection| injection.backends().is_empty()));
    Ok(())
}

/// If one fault of a plan cannot be injected, none is.
#[netns_test]
fn a_plan_is_applied_whole(server: Node, net: Net) -> TestResult {
    let plan: Plan = "server: drop; server: down; nobody: drop".parse()?;
    let error = net.apply(&plan).unwrap_err();
    assert_eq!(error.code().as_str(), "not-found");
    Stream::open(&net.local(), &server, server.ip(), 0)?
        .send_many(3, |sent, arrived| sent == arrived)?;
    let plan: Plan = "server: condition loss 100%".parse()?;
    net.apply(&plan)?;
    let error = net.apply(&plan).unwrap_err();
    assert_eq!(error.code().as_str(), "plan-conflict");
    Stream::open(&net.local(), &server, server.ip(), 0)?.send()?;
    Ok(())
}

/// Run by the test below, with a plan.
#[netns_test]
#[ignore = "fixture of another test"]
fn talks(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?; // the plan names nodes that are created only here
    let client = net.add_node("client").join(&lan).build()?;
    let server = net.add_node("server").join(&lan).build()?;
    let listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let mut client = client.run(|| TcpStream::connect((server.ip(), 80)))?;
    let (mut served, _) = listener.accept()?;
    client.write_all(b"hello")?;
    let mut said = [0; 5];
    served.read_exact(&mut said)?;
    assert_eq!(&said, b"hello");
    Ok(())
}

/// What had no effect is named, with the reason.
#[test]
fn an_unmatched_plan_says_which_of_its_faults_had_no_effect() {
    let plan = "server tcp port 80 data: delay 1ms; server tcp port 81: drop; nobody: drop; \
                server.eth7: drop; *: partition client | nobody; test: drop; \
                server udp port 9: down; client: down at 10m; client: drop at 10m";
    let run = Run::of(&["schedules::talks"]).env("NSTEST_PLAN", plan).run();
    assert!(!run.status.success());
    let text = run.text();
    let report = text.split("  cause: ").nth(1).and_then(|text| text.split("  help: ").next());
    expect![[r#"
        these had no effect:
            server tcp port 81: drop
              N tcp passed, none matched
            nobody: drop
              cannot find node `nobody`: there is no node with this name; the test has `test`, `client`, `server`
            server.eth7: drop
              cannot find interface `eth7` of node `server`: it has the interfaces eth0; name one of them, as in `server.eth0`
            *: partition client | nobody
              cannot find node `nobody`: there is no node with this name; the test has `test`, `client`, `server`
            test: drop
              cannot find the link of node `test`: it is on no network; let it `join` a LAN, or `connect` it. What a node sends to itself passes no link and meets no fault: run one side in another node, as of a parameter `peer: Node`
            server udp port 9: down
              the packet that starts it was not sent; N tcp passed, none matched
            client: down at 10m
              the test ended before its start
            client: drop at 10m
              the test ended before its start
    "#]]
    .assert_eq(&without_tcp_counts(report.expect("a report")));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn fails_for_another_reason(_server: Node) {
    panic!("another reason");
}

#[test]
fn a_test_that_fails_reports_an_unmatched_plan_too() {
    let run = Run::of(&["schedules::fails_for_another_reason"]);
    let text = run.env("NSTEST_PLAN", "servr: drop").run().text();
    assert!(text.contains("another reason"), "{text}");
    assert!(text.contains("nstest[fault-unmatched]: apply the plan `servr: drop`"), "{text}");
    assert!(text.contains("cannot find node `servr`"), "{text}");
}

#[test]
fn a_run_follows_its_plan() {
    let run = |plan: &str| {
        Run::of(&["schedules::talks"]).env("NSTEST_PLAN", plan).env("RUST_TEST_THREADS", "1").run()
    };
    for passes in [
        "server ingress tcp port 80 data nth 1: drop",
        "client: condition delay 10ms; server tcp syn: delay 10ms",
        "server tcp synack: duplicate 3",
    ] {
        let run = run(passes);
        assert!(run.status.success(), "{passes}: {}", run.text());
    }
    for (fails, words) in [
        ("server tcp port 80 data: reset", "Connection reset"),
        ("server tcp syn: reject net-unreachable", "os error 101"),
        ("server tcp port 81: drop", "nstest[fault-unmatched]"),
        ("nobody: drop", "nstest[fault-unmatched]"),
        ("server: nothing", "`nothing`"),
        ("server: drop; server: drop", "nstest[plan-conflict]"),
    ] {
        let run = run(fails);
        assert!(!run.status.success() && run.text().contains(words), "{fails}: {}", run.text());
    }
}

/// Several faults of one link can each wait for a packet.
#[netns_test]
fn several_faults_wait_for_packets(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let slow = Condition::new().delay(ms(1));
    let syn = net.inject(
        Fault::on("server").packets(Packets::tcp().kind(PacketKind::Syn)).down().lasting(ms(1500)),
    )?;
    let udp = net.inject(Fault::on("server").packets(Packets::udp()).nth(2).condition(slow))?;
    let lost =
        net.inject(Fault::on("server").packets(Packets::udp()).nth(3).action(Action::Drop))?;
    let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
    stream.send_many(2, |sent, arrived| sent == arrived)?;
    nstest::eventually(PATIENCE, || !udp.backends().is_empty())?;
    assert!(syn.backends().is_empty());
    stream.send()?;
    nstest::eventually(PATIENCE, || lost.affected() == 1)?;
    stream.send_many(1, |sent, arrived| sent == arrived + 1)?;
    let to = (server.ip(), 80);
    let connecting = std::thread::spawn(move || TcpStream::connect(to));
    nstest::eventually(PATIENCE, || !carrier(&server))?;
    nstest::eventually(PATIENCE, || carrier(&server))?;
    connecting.join().expect("no panic")?;
    Ok(())
}

/// There is no gap between two faults that follow each other directly.
#[netns_test]
fn consecutive_faults_leave_no_gap(server: Node, net: Net) -> TestResult {
    let plan: Plan = "server: down lasting 100ms; server: down at 100ms lasting 400ms".parse()?;
    let start = Instant::now();
    net.apply(&plan)?;
    nstest::eventually(PATIENCE, || carrier(&server))?;
    assert!(start.elapsed() >= ms(500), "{:?}", start.elapsed());
    Ok(())
}
