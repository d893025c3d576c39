//! Requests over UDP, with retransmission until there is an answer.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nstest::{Node, TestResult, netns_test};

use crate::found::explore;

/// The time until the client retransmits, longer than a loaded machine needs.
const AGAIN: Duration = Duration::from_millis(500);

/// The bug of a client or a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// The server carries out a repeated request again.
    DoesAgain,
    /// The client accepts any answer as the one to its last request.
    TakesAnyAnswer,
}

/// Serves numbers in order, from 1. A request has an ID; the answer has the ID and the next
/// number.
fn serve(server: &Node, bug: Bug) -> io::Result<()> {
    let socket = server.run(|| UdpSocket::bind("0.0.0.0:7000"))?;
    server.spawn(move || {
        let mut drawn = 0;
        let mut answers = HashMap::new();
        let mut request = [0];
        while let Ok((_, from)) = socket.recv_from(&mut request) {
            let known = answers.get(&request).copied().filter(|_| bug != Bug::DoesAgain);
            let answer = known.unwrap_or_else(|| {
                drawn += 1;
                drawn
            });
            answers.insert(request, answer);
            let _ = socket.send_to(&[request[0], answer], from);
        }
    });
    Ok(())
}

/// Sends a request, and returns the number of the answer, if one arrives.
fn draw(socket: &UdpSocket, server: SocketAddr, request: u8, bug: Bug) -> io::Result<Option<u8>> {
    for _ in 0..3 {
        socket.send_to(&[request], server)?;
        let until = Instant::now() + AGAIN;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            let mut answer = [0; 2];
            match socket.recv(&mut answer) {
                Ok(_) if answer[0] == request || bug == Bug::TakesAnyAnswer => {
                    return Ok(Some(answer[1]));
                }
                Ok(_) => {} // an answer of before, late
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

fn draws_twice(server: &Node, bug: Bug) -> TestResult {
    serve(server, bug)?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    for request in 1..=2 {
        let Some(number) = draw(&socket, (server.ip(), 7000).into(), request, bug)? else {
            return Ok(()); // it says that there is no answer, which is right
        };
        assert_eq!(number, request, "the number drawn");
    }
    Ok(())
}

#[netns_test(explore(drop, duplicate))]
#[ignore = "fixture of another test"]
fn does_again(server: Node) -> TestResult {
    draws_twice(&server, Bug::DoesAgain)
}

#[netns_test(explore(duplicate))]
#[ignore = "fixture of another test"]
fn takes_any_answer(server: Node) -> TestResult {
    draws_twice(&server, Bug::TakesAnyAnswer)
}

#[netns_test(explore(then cut, then blackhole, then reset, drop, duplicate, delay))]
fn requests_with_a_number_survive(server: Node) -> TestResult {
    draws_twice(&server, Bug::None)
}

#[test]
fn a_server_that_does_everything_again_is_found() {
    let found = explore("datagrams::does_again");
    assert_eq!(
        found.plans,
        [
            "server ingress udp port 7000 #1 datagram nth 1: duplicate",
            "server egress udp port 7000 #1 datagram nth 1: drop",
            "server egress udp port 7000 #1 datagram nth 2: drop",
        ],
        "{}",
        found.text
    );
    found.repeats("datagrams::does_again", "the number drawn");
}

#[test]
fn a_client_that_takes_any_answer_is_found() {
    let found = explore("datagrams::takes_any_answer");
    assert_eq!(
        found.plans,
        [
            "server ingress udp port 7000 #1 datagram nth 1: duplicate",
            "server egress udp port 7000 #1 datagram nth 1: duplicate",
        ],
        "{}",
        found.text
    );
    found.repeats("datagrams::takes_any_answer", "the number drawn");
}
