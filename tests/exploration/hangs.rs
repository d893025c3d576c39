//! A client without a read timeout, which can wait for ever.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nstest::{Node, TestResult, netns_test};

use crate::found::explore;

/// Longer than the first retransmission of TCP takes.
const PATIENCE: Duration = Duration::from_millis(700);

/// Answers each connection with what it receives.
fn serve(server: &Node) -> io::Result<()> {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    server.spawn(move || {
        for stream in listener.incoming() {
            // An error of one connection does not stop the server.
            let _ = stream.and_then(|mut stream| {
                let mut word = [0; 4];
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.read_exact(&mut word)?;
                stream.write_all(&word)
            });
        }
    });
    Ok(())
}

fn ask(server: SocketAddr, read_timeout: Option<Duration>) -> io::Result<[u8; 4]> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(read_timeout)?;
    stream.write_all(b"word")?;
    let mut word = [0; 4];
    stream.read_exact(&mut word)?;
    Ok(word)
}

fn asks(server: &Node, read_timeout: Option<Duration>) -> TestResult {
    serve(server)?;
    // It may get an error, but no wrong answer, and it must not wait for ever.
    if let Ok(word) = ask((server.ip(), 7000).into(), read_timeout) {
        assert_eq!(&word, b"word");
    }
    Ok(())
}

#[netns_test(explore(then cut, then blackhole), timeout = "3s")]
#[ignore = "fixture of another test"]
fn waits_for_ever(server: Node) -> TestResult {
    asks(&server, None)
}

// All faults of the attribute.
#[netns_test(explore(
    drop,
    reset,
    then reset,
    duplicate,
    duplicate 3,
    delay,
    delay 40ms,
    corrupt,
    blackhole,
    then blackhole,
    cut,
    then cut,
))]
fn a_client_with_a_timeout_survives(server: Node) -> TestResult {
    asks(&server, Some(PATIENCE))
}

#[test]
fn a_client_that_waits_for_ever_is_found() {
    let found = explore("hangs::waits_for_ever");
    // The request or the answer is lost after the connection is established.
    assert_eq!(
        found.plans,
        [
            "server ingress tcp port 7000 #1 syn nth 1: then blackhole",
            "server egress tcp port 7000 #1 synack nth 1: then cut",
            "server egress tcp port 7000 #1 synack nth 1: then blackhole",
            "server ingress tcp port 7000 #1 data nth 1: then cut",
        ],
        "{}",
        found.text
    );
    found.repeats("hangs::waits_for_ever", "the test did not end within 3s");
}
