//! Links that the test has taken down, and faults that come and go.

use std::time::{Duration, Instant};

use nstest::{Fault, Injection, Net, Node, Plan, TestResult, netns_test};

use crate::stream::PATIENCE;

fn is_up(node: &Node) -> bool {
    let read = || std::fs::read_to_string("/sys/class/net/eth0/carrier");
    node.spawn(read).join().expect("no panic").expect("the carrier") == "1\n"
}

/// Checks for a while that the link is down, and until the faults that end have ended.
fn stays_down(node: &Node, faults: &[Injection]) -> TestResult {
    let start = Instant::now();
    Ok(nstest::eventually(PATIENCE, || {
        assert!(!is_up(node), "{faults:?}");
        let all_over = faults
            .iter()
            .all(|fault| fault.to_string().contains("every") || fault.backends().is_empty());
        start.elapsed() > Duration::from_millis(150) && all_over
    })?)
}

/// Sets of two faults of one link, and a fault that repeats. None of them ends what the test
/// did, before or after it.
#[netns_test]
fn no_fault_brings_up_what_the_test_took_down(server: Node, net: Net) -> TestResult {
    let link = server.link();
    for plan in [
        "server: down lasting 30ms; server: down at 30ms lasting 30ms",
        "server: down lasting 20ms; test: down at 40ms lasting 20ms",
        "server: down lasting 20ms every 40ms",
        "server: down at 20ms lasting 20ms; server: drop lasting 50ms optional",
        "server: down lasting 40ms; server: condition loss 100% lasting 20ms optional",
        "server: down lasting 20ms; server: condition delay 1ms lasting 40ms optional",
        "server: down lasting 40ms; *: partition server | test lasting 20ms optional",
        "server: down lasting 20ms; *: partition server | test lasting 40ms optional",
    ] {
        let plan: Plan = plan.parse()?;
        link.down()?;
        let faults = net.apply(&plan)?;
        stays_down(&server, &faults)?;
        net.end_faults()?;
        assert!(!is_up(&server), "{plan}");
        link.up()?;
        assert!(is_up(&server), "{plan}");

        let faults = net.apply(&plan)?;
        link.down()?;
        stays_down(&server, &faults)?;
        link.up()?;
        net.end_faults()?;
        assert!(is_up(&server), "{plan}");
    }
    Ok(())
}

/// Likewise for a fault that a packet starts.
#[netns_test]
fn a_fault_that_a_packet_starts_ends_alone(server: Node, net: Net) -> TestResult {
    let link = server.link();
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    for by_test in [true, false] {
        let down = net.inject("test egress udp dport 9 nth 1: down".parse()?)?;
        socket.send_to(b"x", (server.ip(), 9))?;
        nstest::eventually(PATIENCE, || !down.backends().is_empty())?;
        link.down()?;
        if !by_test {
            link.up()?;
            assert!(!is_up(&server));
        }
        down.end()?;
        assert_eq!(is_up(&server), !by_test);
        link.up()?;
        assert!(is_up(&server));
    }
    Ok(())
}

/// A node moves while its link is down by the test, by a fault, or by both.
#[netns_test]
fn a_link_stays_down_when_its_node_roams(net: Net) -> TestResult {
    let (home, cafe) = (net.add_lan("home").build()?, net.add_lan("cafe").build()?);
    let node = net.add_node("node").join(&home).build()?;
    let _others = [net.add_node("a").join(&home).build()?, net.add_node("b").join(&cafe).build()?];
    let mut lans = [&home, &cafe];
    for fault_ends_first in [true, false] {
        let down = net.inject(Fault::on("node").down())?;
        node.link().down()?;
        node.roam(lans[0], lans[1])?;
        assert!(!is_up(&node));
        if fault_ends_first {
            down.end()?;
        } else {
            node.link().up()?;
        }
        assert!(!is_up(&node), "the other reason holds");
        node.roam(lans[1], lans[0])?;
        assert!(!is_up(&node), "the other reason holds");
        if fault_ends_first {
            node.link().up()?;
        } else {
            down.end()?;
        }
        assert!(is_up(&node));
        node.roam(lans[0], lans[1])?;
        assert!(is_up(&node));
        lans.swap(0, 1);
    }
    Ok(())
}
