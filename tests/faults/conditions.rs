//! Conditions do what they say, within a tolerance.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use nstest::{Condition, Engine, Net, Node, Percent, TestResult, netns_test};

/// A socket on a node, at its first address.
fn udp(node: &Node, port: u16) -> std::io::Result<UdpSocket> {
    let socket = node.run(|| UdpSocket::bind((node.ip(), port)))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(socket)
}

#[netns_test]
fn a_delay_is_the_round_trip_of_both_directions(server: Node, net: Net) -> TestResult {
    let (client, echo) = (udp(&net.local(), 0)?, udp(&server, 7)?);
    client.connect((server.ip(), 7))?;
    let round = || -> std::io::Result<Duration> {
        let start = Instant::now();
        client.send(b"x")?;
        let (_, from) = echo.recv_from(&mut [0])?;
        echo.send_to(b"y", from)?;
        client.recv(&mut [0])?;
        Ok(start.elapsed())
    };
    let before = round()?;
    let slow = server.link().condition(Condition::new().delay(Duration::from_millis(50)))?;
    println!("{:?}", slow.engines());
    for _ in 0..5 {
        let took = round()?;
        println!("{before:?} {took:?}");
        assert!(
            took >= Duration::from_millis(100) && took < Duration::from_millis(150),
            "{took:?}"
        );
    }
    assert!(slow.touched() >= 10, "{slow:?}");
    slow.end()?;
    let after = round()?;
    assert!(after < Duration::from_millis(50), "{after:?}");
    let one_way =
        server.link().egress().condition(Condition::new().delay(Duration::from_millis(50)))?;
    let took = round()?;
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(90), "{took:?}");
    assert_eq!(one_way.touched(), 1);
    Ok(())
}

#[netns_test]
fn loss_is_what_was_asked_for(server: Node, net: Net) -> TestResult {
    let (client, sink) = (udp(&net.local(), 0)?, udp(&server, 9)?);
    client.connect((server.ip(), 9))?;
    net.local().wait_reachable(server.ip())?; // no neighbour is asked for later
    let lossy = server.link().condition(Condition::new().loss(Percent::new(20.0)))?;
    assert_eq!(lossy.engines(), [Engine::Wire]);
    sink.set_nonblocking(true)?;
    let (mut sent, mut received) = (0, 0);
    while sent < 10_000 {
        for _ in 0..100 {
            sent += u64::try_from(client.send(b"x")?)?;
        }
        // No more at once than a socket holds.
        nstest::eventually(Duration::from_secs(5), || {
            while sink.recv(&mut [0]).is_ok() {
                received += 1;
            }
            received + lossy.touched() == sent
        })?;
    }
    let lost = sent - received;
    println!("{lost}");
    assert!((1_900..2_100).contains(&lost), "{lost} of 10,000");
    assert_eq!(lossy.touched(), lost);
    Ok(())
}
