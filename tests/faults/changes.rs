//! Conditions that replace others, and networks that change while faults are active.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nstest::{
    Action, Backend, Condition, Fault, Injection, Net, Node, Packets, Percent, Rate, TestResult,
    netns_test,
};

use crate::stream::{PATIENCE, Stream, both};

const LOSSY: Condition = Condition::new().loss(Percent::ALL);

fn rate(mbit: u64) -> Condition {
    Condition::new().rate(Rate::mbit(mbit))
}

fn send(from: &Node, to: &Node, count: u32) -> TestResult {
    let mut stream = Stream::open(from, to, to.ip(), 0)?;
    stream.send_many(count, |sent, arrived| sent == arrived)
}

/// The number of packets that each fault affected.
fn affected(injections: &[&Injection]) -> Vec<u64> {
    injections.iter().map(|injection| injection.affected()).collect()
}

/// Each fault counts its own packets.
#[netns_test]
fn each_fault_counts_its_own_packets(server: Node, net: Net) -> TestResult {
    let link = server.link().ingress();
    let first = link.condition(rate(10))?;
    send(&net.local(), &server, 60)?;
    let second = link.condition(rate(20))?;
    assert_eq!(affected(&[&first, &second]), [60, 0]);
    send(&net.local(), &server, 80)?;
    let third = link.condition(Condition::new().duplicate(Percent::ALL))?;
    assert_eq!((third.backends(), second.backends()), (vec![Backend::Wire], vec![]));
    assert_eq!(affected(&[&first, &second, &third]), [60, 80, 0]);
    let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
    stream.send_many(100, |sent, arrived| arrived == 2 * sent)?;
    let fourth = link.condition(rate(30))?;
    send(&net.local(), &server, 120)?;
    assert_eq!(affected(&[&first, &second, &third, &fourth]), [60, 80, 100, 120]);
    // Ending a condition that was replaced does not end the one that replaced it.
    for over in [&first, &second, &third] {
        over.end()?;
    }
    assert_eq!(fourth.backends(), [Backend::Wire], "it has come, and stays");
    send(&net.local(), &server, 20)?;
    fourth.end()?;
    send(&net.local(), &server, 100)?;
    assert_eq!(affected(&[&first, &second, &third, &fourth]), [60, 80, 100, 140]);
    Ok(())
}

/// A change does not affect packets that were sent before it, and they are counted.
#[netns_test]
fn a_change_affects_later_packets_only(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let link = server.link().ingress();
    let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
    let mut arrived = 0;
    for _ in 0..100 {
        let lossy = link.condition(LOSSY)?;
        for _ in 0..10 {
            stream.send()?;
        }
        lossy.end()?;
        let udp = link.drop_packets(Packets::udp())?;
        for _ in 0..3 {
            stream.send()?;
        }
        assert_eq!(udp.affected(), 3);
        udp.end()?;
        for _ in 0..2 {
            stream.send()?;
        }
        arrived += 2;
        assert_eq!((lossy.affected(), udp.affected()), (10, 3));
        stream.wait(arrived)?;
    }
    assert_eq!(stream.arrived(), 200);
    Ok(())
}

/// A condition of one direction replaces one of both directions only there.
#[netns_test]
fn one_direction_is_replaced(server: Node, net: Net) -> TestResult {
    let both = server.link().condition(LOSSY)?;
    let egress = server.link().egress().condition(Condition::new())?.optional();
    let mut forth = Stream::open(&net.local(), &server, server.ip(), 0)?;
    let mut back = Stream::open(&server, &net.local(), net.local().ip(), 0)?;
    back.send()?;
    back.wait(1)?;
    forth.send()?;
    nstest::eventually(PATIENCE, || both.affected() == 1)?;
    both.end()?;
    forth.send()?;
    forth.wait(1)?;
    // From the other node, the directions of the link are reversed.
    let ingress = net.local().link().egress().condition(LOSSY)?;
    let lossy = server.link().egress().condition(LOSSY)?;
    assert_eq!((ingress.backends(), egress.backends()), (vec![Backend::Wire], vec![]));
    let error = net.inject(Fault::on("test").ingress().condition(LOSSY)).unwrap_err();
    assert_eq!(error.code().as_str(), "plan-conflict", "{error:?}");
    for stream in [&mut forth, &mut Stream::open(&server, &net.local(), net.local().ip(), 0)?] {
        stream.send()?;
    }
    nstest::eventually(PATIENCE, || ingress.affected() >= 1 && lossy.affected() >= 1)?;
    // A replaced condition does not exclude others.
    ingress.end()?;
    net.inject(Fault::on("server").ingress().condition(LOSSY))?.optional().end()?;
    Ok(())
}

/// The schedule of a replaced condition does not start it again.
#[netns_test]
fn a_replaced_condition_does_not_start_again(server: Node, net: Net) -> TestResult {
    let tick = Duration::from_millis(5);
    let fault = Fault::on("server").condition(LOSSY).lasting(tick).every(2 * tick).optional();
    let blinking = net.inject(fault)?;
    let clean = server.link().condition(Condition::new().delay(tick))?;
    for _ in 0..20 {
        send(&net.local(), &server, 1)?;
        assert_eq!(blinking.backends(), []);
    }
    assert!(clean.affected() >= 20);
    Ok(())
}

/// An injection that fails changes nothing. Here no descriptor is left for the wire.
#[netns_test]
fn a_failed_injection_changes_nothing(a: Node, b: Node, net: Net) -> TestResult {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard)?;
    let errors = [
        b.link().condition(LOSSY).map(drop),
        b.link().ingress().condition(rate(20)).map(drop),
        net.partition(&[&[&a], &[&b]]).map(drop),
        b.link().drop_packets(Packets::udp()).map(drop),
    ];
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    for error in errors {
        assert_eq!(error.unwrap_err().code().as_str(), "open-files");
    }
    send(&a, &b, 10)?;
    // The failed ones do not exclude the next.
    net.partition(&[&[&a], &[&b]])?.optional().end()?;
    let lossy = b.link().ingress().condition(LOSSY)?;
    Stream::open(&a, &b, b.ip(), 0)?.send()?;
    nstest::eventually(PATIENCE, || lossy.affected() == 1)?;
    Ok(())
}

/// A node that returns finds the faults of its link, and their counts are kept.
#[netns_test]
fn faults_follow_a_node(net: Net) -> TestResult {
    let (home, cafe) = (net.add_lan("home").build()?, net.add_lan("cafe").build()?);
    let laptop = net.add_node("laptop").join(&home).build()?;
    let at_home = net.add_node("a").join(&home).build()?;
    let in_cafe = net.add_node("b").join(&cafe).build()?;
    let fast = laptop.link().ingress().condition(rate(10))?;
    let no_udp =
        net.inject(Fault::on("laptop").egress().packets(Packets::udp()).action(Action::Drop))?;
    send(&at_home, &laptop, 5)?;
    let counted = fast.affected();
    assert_eq!(counted, 5);
    laptop.roam(&home, &cafe)?;
    assert_eq!(fast.backends(), [Backend::Wire], "which serves the other fault");
    send(&in_cafe, &laptop, 5)?;
    assert!(fast.affected() >= counted + 5, "{fast:?}");
    Stream::open(&laptop, &in_cafe, in_cafe.ip(), 0)?.send()?;
    nstest::eventually(PATIENCE, || no_udp.affected() == 1)?;

    let counted = fast.affected();
    laptop.leave(&cafe)?;
    assert_eq!((fast.backends(), fast.affected()), (vec![], counted));
    laptop.join(&home)?;
    assert_eq!((fast.backends(), no_udp.backends()), (vec![Backend::Wire], vec![Backend::Wire]));
    send(&at_home, &laptop, 5)?;
    assert!(fast.affected() >= counted + 5, "{fast:?}");
    Stream::open(&laptop, &at_home, at_home.ip(), 0)?.send()?;
    nstest::eventually(PATIENCE, || no_udp.affected() == 2)?;

    laptop.remove()?;
    fast.end()?;
    no_udp.end()?;
    assert!(fast.affected() >= counted + 5, "{fast:?}");
    Ok(())
}

/// A link that is down stays down when its node moves.
#[netns_test]
fn a_link_that_is_down_follows_its_node(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let node = net.add_node("node").join(&lan).build()?;
    let other = net.add_node("other").join(&lan).build()?;
    let down = net.inject(Fault::on("node").down())?;
    node.leave(&lan)?;
    node.join(&lan)?;
    for ip in both(&node) {
        let found = other.probe_with((ip, 80), &[], Duration::from_millis(100))?;
        found.assert(nstest::ProbeOutcome::NoReply);
    }
    down.end()?;
    send(&other, &node, 1)?;
    Ok(())
}
