//! A census finds the same points each time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use expect_test::expect;
use nstest::{Node, TestResult, netns_test};
use nstest_tests::driver::{failure, success};

/// Returns while the FINs of both ends are still on the link.
fn exchange(server: &Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    server.spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut word = [0; 4];
        stream.read_exact(&mut word)?;
        stream.write_all(&word)
    });
    let mut client = TcpStream::connect((server.ip(), 7000))?;
    client.write_all(b"word")?;
    client.read_exact(&mut [0; 4])?;
    Ok(())
}

#[netns_test(explore(duplicate))]
#[ignore = "fixture of another test"]
fn ends_at_once(server: Node) -> TestResult {
    exchange(&server)
}

/// SYN, SYN and ACK, data and FIN in each direction. Each run reaches its point.
#[test]
fn points_are_the_same_each_time() {
    for _ in 0..5 {
        let text = success("census::ends_at_once");
        let said = text.lines().filter(|line| line.starts_with("nstest") || line.contains("point"));
        let said: Vec<&str> = said.collect();
        assert_eq!(said, ["nstest: passed 6 runs (6 points x 1 fault)"], "{text}");
    }
}

#[netns_test(explore(duplicate, then reset, max = 4), seed = 3)]
#[ignore = "fixture of another test"]
fn is_sampled(server: Node) -> TestResult {
    // A reset may make it fail.
    let _ = exchange(&server);
    Ok(())
}

#[test]
fn a_sample_is_reported() {
    expect![[r#"
        nstest: passed 4 runs (6 points x 2 faults)
        the 4 runs are a sample of 12, drawn with seed 3 (`max = 4`)
    "#]]
    .assert_eq(&success("census::is_sampled"));
}

/// The port of every server but one differs in each run.
#[netns_test(explore(drop, then reset))]
#[ignore = "fixture of another test"]
fn has_another_port_each_time(server: Node) -> TestResult {
    let fixed = server.run(|| UdpSocket::bind("0.0.0.0:7000"))?;
    let any = server.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    let client = UdpSocket::bind("0.0.0.0:0")?;
    for socket in [&fixed, &any] {
        client.send_to(b"word", (server.ip(), socket.local_addr()?.port()))?;
    }
    Ok(())
}

#[test]
fn points_that_no_run_reaches_are_reported() {
    let text = success("census::has_another_port_each_time");
    let port = text.split("udp port ").nth(1).and_then(|rest| rest.split(' ').next());
    let port = port.unwrap_or_else(|| panic!("each point was reached: {text}"));
    let text = text.replace(port, "PORT");
    expect![[r#"
        nstest: passed 2 runs (2 points x 2 faults)
        2 runs left out: only TCP connections can be reset

        no fault injected in 1 run, which did not reach the point:
          server ingress udp port PORT #1 datagram nth 1: drop
    "#]]
    .assert_eq(&text);
}

#[netns_test(explore(then reset))]
#[ignore = "fixture of another test"]
fn has_nothing_to_reset(server: Node) -> TestResult {
    let client = UdpSocket::bind("0.0.0.0:0")?;
    client.send_to(b"word", (server.ip(), 7000))?;
    Ok(())
}

#[test]
fn a_fault_that_suits_no_point_explores_nothing() {
    expect![[r#"
        nstest[exploration]: explore the test: find a point at which to inject a fault
          cause: only TCP connections can be reset, and the test has none
          help: add a fault that affects any packet, such as `drop`
    "#]]
    .assert_eq(&failure("census::has_nothing_to_reset"));
}
