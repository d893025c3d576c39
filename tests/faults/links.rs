//! Links that are down: what the nodes keep, and which reasons add up.

use std::net::{IpAddr, TcpListener};
use std::time::{Duration, Instant};

use nstest::{Backend, Fault, Injection, Net, Node, Plan, ProbeOutcome, TestResult, netns_test};

use crate::stream::{PATIENCE, both};

const SILENCE: Duration = Duration::from_millis(200);

/// Waits briefly for silence, and longer for an answer, which may take time under load.
#[track_caller]
fn assert_reached(from: &Node, ip: IpAddr, expected: ProbeOutcome) {
    let patience = if expected == ProbeOutcome::NoReply { SILENCE } else { PATIENCE };
    from.probe_with((ip, 80), &[], patience).expect("try it").assert(expected);
}

/// Addresses and routes of a node, as its kernel has them.
fn state(node: &Node) -> std::io::Result<Vec<String>> {
    node.run(|| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{file}"));
        let all = [read("if_inet6")?, read("fib_trie")?, read("route")?];
        // The reference counts of IPv6's routes come and go.
        let v6 = read("ipv6_route")?;
        let v6 = v6.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            [&words[..6], &words[9..]].concat().join(" ")
        });
        let mut lines: Vec<String> = v6.collect();
        lines.sort();
        Ok(all.into_iter().chain(lines).collect())
    })
}

fn carrier(node: &Node) -> std::io::Result<String> {
    node.spawn(|| std::fs::read_to_string("/sys/class/net/eth0/carrier")).join().expect("no panic")
}

#[netns_test]
fn addresses_and_routes_survive(server: Node, net: Net) -> TestResult {
    let _listeners = both(&server).map(|ip| server.run(|| TcpListener::bind((ip, 80))).unwrap());
    let before = (state(&server)?, state(&net.local())?);
    // Both handles are of one link.
    for link in [server.link(), net.local().link()] {
        link.down()?;
        assert_eq!((carrier(&server)?, carrier(&net.local())?), ("0\n".into(), "0\n".into()));
        for ip in both(&server) {
            assert_reached(&net.local(), ip, ProbeOutcome::NoReply);
        }
        link.down()?; // it is already
        link.up()?;
        link.up()?;
        assert_eq!((carrier(&server)?, carrier(&net.local())?), ("1\n".into(), "1\n".into()));
        let start = Instant::now();
        for ip in both(&server) {
            assert_reached(&net.local(), ip, ProbeOutcome::Connected);
        }
        assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
        assert_eq!((state(&server)?, state(&net.local())?), before);
    }
    Ok(())
}

/// The links of other nodes stay up.
#[netns_test]
fn one_link_of_a_lan(a: Node, b: Node, net: Net) -> TestResult {
    let _listeners: Vec<_> = [&a, &b]
        .map(|node| node.run(|| TcpListener::bind("0.0.0.0:80")))
        .into_iter()
        .collect::<Result<_, _>>()?;
    let before = state(&a)?;
    a.link().down()?;
    assert_eq!((carrier(&a)?, carrier(&b)?), ("0\n".into(), "1\n".into()));
    assert_reached(&b, a.ip(), ProbeOutcome::NoReply);
    assert_reached(&net.local(), b.ip(), ProbeOutcome::Connected);
    a.link().up()?;
    assert_reached(&b, a.ip(), ProbeOutcome::Connected);
    assert_eq!(state(&a)?, before);
    Ok(())
}

#[netns_test]
fn a_flap_ends_by_itself(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let before = (state(&server)?, state(&net.local())?);
    let start = Instant::now();
    let flap = server.link().flap(Duration::from_millis(300))?;
    assert_eq!(flap.backends(), [Backend::Carrier]);
    assert_eq!(carrier(&server)?, "0\n");
    nstest::eventually(PATIENCE, || carrier(&server).is_ok_and(|carrier| carrier == "1\n"))?;
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_reached(&net.local(), server.ip(), ProbeOutcome::Connected);
    assert_eq!((state(&server)?, state(&net.local())?), before);
    assert_eq!(flap.backends(), []);
    // Ended before its time, it does not come back.
    let long = server.link().flap(Duration::from_secs(600))?;
    assert_eq!(carrier(&server)?, "0\n");
    long.end()?;
    assert_eq!(carrier(&server)?, "1\n");
    Ok(())
}

/// A link between two nodes has two names. Two faults cannot take it down at one time.
#[netns_test]
fn a_second_down_is_refused(server: Node, net: Net) -> TestResult {
    let down = net.inject(Fault::on("server").down())?;
    for name in ["server", "test"] {
        let error = net.inject(Fault::on(name).down()).unwrap_err();
        assert_eq!(error.code().as_str(), "plan-conflict", "{error:?}");
    }
    assert_eq!(carrier(&server)?, "0\n");
    down.end()?;
    assert_eq!(carrier(&server)?, "1\n");
    net.inject(Fault::on("test").down())?.end()?;
    Ok(())
}

/// What begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Down,
    Up,
    FaultBegins,
    FaultEnds,
}

use Change::{Down, FaultBegins, FaultEnds, Up};

/// All orders in which `down` precedes `up` and a fault begins before it ends.
const ORDERS: [[Change; 4]; 6] = [
    [Down, Up, FaultBegins, FaultEnds],
    [Down, FaultBegins, Up, FaultEnds],
    [Down, FaultBegins, FaultEnds, Up],
    [FaultBegins, Down, Up, FaultEnds],
    [FaultBegins, Down, FaultEnds, Up],
    [FaultBegins, FaultEnds, Down, Up],
];

/// A link is down while at least one reason holds: in every order in which they begin and
/// end, by both names of the link, and for each way to inject `down`.
#[netns_test]
fn a_link_is_down_while_a_reason_holds(server: Node, net: Net) -> TestResult {
    const LONG: Duration = Duration::from_secs(600);
    let plan: Plan = "test: down lasting 600s".parse()?;
    let faults: [&dyn Fn() -> nstest::Result<Injection>; 4] = [
        &|| net.inject(Fault::on("server").down()),
        &|| net.inject(Fault::on("test").down().lasting(LONG)),
        &|| server.link().flap(LONG),
        &|| Ok(net.apply(&plan)?.remove(0)),
    ];
    for link in [server.link(), net.local().link()] {
        for (inject, order) in faults.iter().flat_map(|fault| ORDERS.map(|order| (fault, order))) {
            let (mut by_test, mut by_fault) = (false, None);
            for change in order {
                match change {
                    Down => by_test = link.down().map(|()| true)?,
                    Up => by_test = link.up().map(|()| false)?,
                    FaultBegins => by_fault = Some(inject()?),
                    FaultEnds => by_fault.take().expect("it began").end()?,
                }
                let expected = if by_test || by_fault.is_some() { "0\n" } else { "1\n" };
                let seen = (carrier(&server)?, carrier(&net.local())?);
                assert_eq!(seen, (expected.into(), expected.into()), "{change:?} in {order:?}");
            }
        }
    }
    Ok(())
}

/// A partition and a link that is down do not affect each other.
#[netns_test]
fn a_partition_outlasts_a_link_that_is_down(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let local = net.local();
    for order in ORDERS {
        let (mut is_down, mut partition) = (false, None);
        for change in order {
            match change {
                Down => is_down = server.link().down().map(|()| true)?,
                Up => is_down = server.link().up().map(|()| false)?,
                FaultBegins => {
                    partition = Some(net.partition(&[&[&server], &[&local]])?.optional());
                }
                FaultEnds => partition.take().expect("it began").end()?,
            }
            let expected = if is_down { "0\n" } else { "1\n" };
            assert_eq!(carrier(&server)?, expected, "{change:?} in {order:?}");
            let passes = !is_down && partition.is_none();
            let expected = if passes { ProbeOutcome::Connected } else { ProbeOutcome::NoReply };
            assert_reached(&local, server.ip(), expected);
        }
    }
    Ok(())
}

/// A fault with a schedule comes and goes, and the link stays as the test has put it.
#[netns_test]
fn a_flap_does_not_bring_up_what_the_test_took_down(server: Node) -> TestResult {
    let link = server.link();
    let short = Duration::from_millis(50);
    let ended = |flap: &Injection| nstest::eventually(PATIENCE, || flap.backends().is_empty());
    // Taken down before the flap, and during it.
    link.down()?;
    ended(&link.flap(short)?)?;
    assert_eq!(carrier(&server)?, "0\n");
    link.up()?;
    assert_eq!(carrier(&server)?, "1\n");
    let flap = link.flap(short)?;
    link.down()?;
    ended(&flap)?;
    assert_eq!(carrier(&server)?, "0\n");
    link.up()?;
    assert_eq!(carrier(&server)?, "1\n");
    // `up` comes before the end of the flap.
    for down_first in [true, false] {
        if down_first {
            link.down()?;
        }
        let flap = link.flap(short)?;
        if !down_first {
            link.down()?;
        }
        link.up()?;
        ended(&flap)?;
        assert_eq!(carrier(&server)?, "1\n");
    }
    // `up` does not end a flap.
    let flap = link.flap(Duration::from_secs(600))?;
    link.down()?;
    link.up()?;
    link.up()?;
    assert_eq!((carrier(&server)?, flap.backends()), ("0\n".into(), vec![Backend::Carrier]));
    flap.end()?;
    assert_eq!(carrier(&server)?, "1\n");
    Ok(())
}

/// A link that is removed takes its reasons along: a new one of the node is up.
#[netns_test]
fn a_new_link_is_up(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let node = net.add_node("node").join(&lan).build()?;
    let _other = net.add_node("other").join(&lan).build()?;
    node.link().down()?;
    assert_eq!(carrier(&node)?, "0\n");
    node.leave(&lan)?;
    node.join(&lan)?;
    assert_eq!(carrier(&node)?, "1\n");
    Ok(())
}
