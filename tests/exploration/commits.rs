//! A protocol in which the end of the connection is the end of the message. A server that
//! accepts any end, such as an RST, commits half a message.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use expect_test::expect;
use nstest::{Node, TestResult, netns_test};

use crate::found::explore;

const PATIENCE: Duration = Duration::from_millis(700);

const RECORD: &str = "amount=120";

/// The data that was stored from one connection.
type Stored = Option<String>;

/// Reads until the connection ends, and stores everything.
fn store_all_that_came(mut stream: TcpStream) -> Stored {
    let mut record = Vec::new();
    let mut chunk = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        record.extend(&chunk[..count]);
    }
    (!record.is_empty()).then(|| String::from_utf8_lossy(&record).into_owned())
}

/// Reads the length of the record, and stores it only if it is complete.
fn store_whole(mut stream: TcpStream) -> Stored {
    let mut length = [0];
    stream.read_exact(&mut length).ok()?;
    let mut record = vec![0; length[0].into()];
    stream.read_exact(&mut record).ok()?;
    String::from_utf8(record).ok()
}

/// Sends the record in two segments.
fn send(server: SocketAddr, head: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_nodelay(true)?;
    let (first, second) = RECORD.split_at(8);
    stream.write_all(&[head, first.as_bytes()].concat())?;
    stream.write_all(second.as_bytes())
}

fn stores(server: &Node, head: &[u8], store: fn(TcpStream) -> Stored) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    listener.set_nonblocking(false)?;
    let stored = server.spawn(move || -> io::Result<Stored> {
        // The client may give up before its connection arrives.
        let timeout = nix::sys::time::TimeVal::new(1, 0);
        nix::sys::socket::setsockopt(
            &listener,
            nix::sys::socket::sockopt::ReceiveTimeout,
            &timeout,
        )?;
        let (stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(store(stream))
    });
    let _ = send((server.ip(), 7000).into(), head);
    let stored = stored.join().ok().and_then(Result::ok).flatten();
    assert!(stored.as_deref().is_none_or(|it| it == RECORD), "stored {:?}", stored.unwrap());
    Ok(())
}

#[netns_test(explore(then reset, then cut, drop))]
#[ignore = "fixture of another test"]
fn commits_half(server: Node) -> TestResult {
    stores(&server, b"", store_all_that_came)
}

#[netns_test(explore(then cut, then blackhole, then reset, drop, duplicate, delay))]
fn a_message_with_a_length_survives(server: Node) -> TestResult {
    stores(&server, &[RECORD.len() as u8], store_whole)
}

#[test]
fn a_commit_of_half_a_message_is_found() {
    let found = explore("commits::commits_half");
    expect![[r#"
        test commits::commits_half ... FAILED

        ---- commits::commits_half stdout ----
        nstest[exploration]: the test passes without faults, but fails in 2 of 18 runs (6 points x 3 faults)

        first failure: server ingress tcp port 7000 #1 data nth 1: then reset
          packet: TCP 10.0.2.1:PORT > 10.0.2.2:7000 PSH ACK seq N ack N len 8
          panicked: stored "amount=1"
          output:
            thread 'commits::commits_half' (TID) panicked at tests/exploration/commits.rs:LINE:COLUMN:
            stored "amount=1"
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

        all failures:
          server ingress tcp port 7000 #1 data nth 1: then reset  panicked: stored "amount=1"
          server ingress tcp port 7000 #1 data nth 1: then cut    panicked: stored "amount=1"

        repeat the first failure:
          NSTEST_PLAN="server ingress tcp port 7000 #1 data nth 1: then reset" NSTEST_SEED=1 cargo test -p nstest-tests --test exploration -- --include-ignored --exact commits::commits_half
    "#]].assert_eq(&found.shown());
    found.repeats("commits::commits_half", "stored \"amount=1\"");
}
