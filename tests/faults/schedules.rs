//! Faults that come and go by themselves: at a time, for a time, again and again, and
//! with a packet; as values and as text.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nstest::{
    Action, Backend, Condition, Fault, Net, Node, PacketKind, Packets, Percent, Plan, TestResult,
    netns_test,
};
use nstest_tests::driver::Run;

use crate::stream::{PATIENCE, Stream};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn carrier(node: &Node) -> bool {
    let read = || std::fs::read_to_string("/sys/class/net/eth0/carrier");
    node.spawn(read).join().expect("no panic").expect("there is an eth0") == "1\n"
}

#[netns_test]
fn at_a_time_for_a_time(server: Node, net: Net) -> TestResult {
    let start = Instant::now();
    let later = net.inject(Fault::on("server").down().at(ms(300)).lasting(ms(400)))?;
    assert_eq!(later.backends(), []);
    nstest::eventually(PATIENCE, || !carrier(&server))?;
    assert!(start.elapsed() >= ms(300), "{:?}", start.elapsed());
    nstest::eventually(PATIENCE, || carrier(&server))?;
    assert!(start.elapsed() >= ms(700), "{:?}", start.elapsed());
    Stream::open(&net.local(), &server, server.ip(), 0)?
        .send_many(1, |sent, arrived| sent == arrived)?;
    assert_eq!(later.backends(), []);
    Ok(())
}

#[netns_test]
fn again_and_again(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let start = Instant::now();
    let fault = Fault::on("server").ingress().condition(Condition::new().loss(Percent::ALL));
    let blinking = net.inject(fault.lasting(ms(20)).every(ms(60)))?;
    let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
    // Three times lost and three times arrived, in turns.
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
    // It is over for good, for longer than it would stay away.
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

/// The third connection pulls the cable, and is made when it is plugged in again.
#[netns_test]
fn a_packet_begins_it(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let fault: Fault = "server tcp syn nth 3: down lasting 1s".parse()?;
    let down = net.inject(fault)?;
    for _ in 0..2 {
        TcpStream::connect((server.ip(), 80))?;
        assert!(carrier(&server));
    }
    let start = Instant::now();
    let to = (server.ip(), 80);
    // The packet itself passes; its answer may or may not be in time.
    let third = std::thread::spawn(move || TcpStream::connect(to));
    nstest::eventually(PATIENCE, || !carrier(&server))?;
    assert_eq!(down.backends(), [Backend::Carrier]);
    nstest::eventually(PATIENCE, || carrier(&server))?;
    assert!(start.elapsed() >= ms(1000), "{:?}", start.elapsed());
    third.join().expect("no panic")?.write_all(b"x")?;
    TcpStream::connect(to)?;
    assert!(carrier(&server) && down.backends().is_empty());
    Ok(())
}

/// A condition that begins with the first byte of data.
#[netns_test]
fn data_begins_it(server: Node, net: Net) -> TestResult {
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

/// Two times of one condition; what follows the other does so at once.
#[netns_test]
fn plans_are_text(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let plan: Plan = "server ingress: condition loss 100% lasting 100ms
        server ingress: condition delay 50ms at 100ms; server udp port 9: drop optional"
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

/// All of a plan or nothing of it.
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

/// Runs under the plan of its case.
#[netns_test]
#[ignore = "its case runs it"]
fn talks(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?; // what the plan names comes only now
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

#[test]
fn a_run_has_a_plan() {
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
        ("server tcp syn: reject net-unreachable", "Network is unreachable"),
        ("server tcp port 81: drop", "nstest[fault-unmatched]"),
        ("nobody: drop", "nstest[fault-unmatched]"),
        ("server: nothing", "`nothing`"),
        ("server: drop; server: drop", "nstest[plan-conflict]"),
    ] {
        let run = run(fails);
        assert!(!run.status.success() && run.text().contains(words), "{fails}: {}", run.text());
    }
}

/// The listener of one link serves all that wait for packets of it.
#[netns_test]
fn several_packets_are_awaited(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let slow = Condition::new().delay(ms(1));
    let syn = net.inject(
        Fault::on("server").packets(Packets::tcp().kind(PacketKind::Syn)).down().lasting(ms(500)),
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

/// What follows another at once leaves no gap between them.
#[netns_test]
fn one_follows_the_other(server: Node, net: Net) -> TestResult {
    let plan: Plan = "server: down lasting 100ms; server: down at 100ms lasting 400ms".parse()?;
    let start = Instant::now();
    net.apply(&plan)?;
    nstest::eventually(PATIENCE, || carrier(&server))?;
    assert!(start.elapsed() >= ms(500), "{:?}", start.elapsed());
    Ok(())
}
