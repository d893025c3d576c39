//! rstest and test-case: one function, several tests.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use nstest::{Net, Node, TestResult, netns};
use rstest::rstest;
use test_case::test_case;

/// Your server: answers the first question.
fn serve(listener: &TcpListener) {
    let mut connection = listener.accept().unwrap().0;
    // The errors of a client that has gone.
    let _ = connection.read(&mut [0]).and_then(|_| connection.write_all(b"!"));
}

/// Your client.
fn ask(server: impl ToSocketAddrs) -> io::Result<()> {
    let mut connection = TcpStream::connect(server)?;
    connection.set_read_timeout(Some(Duration::from_millis(200)))?;
    connection.write_all(b"?")?;
    connection.read_exact(&mut [0])
}

#[rstest]
#[case::has_no_route(
    "server ingress tcp syn: reject net-unreachable",
    ErrorKind::NetworkUnreachable
)]
#[case::is_off("server ingress tcp syn: reject host-unreachable", ErrorKind::HostUnreachable)]
#[case::is_blocked("server ingress tcp syn: reject admin-prohibited", ErrorKind::HostUnreachable)]
#[case::refuses("server tcp syn: reset", ErrorKind::ConnectionRefused)]
#[case::crashes("server egress tcp data: reset", ErrorKind::ConnectionReset)]
#[case::is_silent("server egress tcp data: drop", ErrorKind::WouldBlock)]
#[netns]
fn a_server_that(
    #[case] fault: &str,
    #[case] expected: ErrorKind,
    #[ignore] server: Node,
    #[ignore] net: Net,
) -> TestResult {
    let listener = server.run(|| TcpListener::bind("[::]:80"))?;
    server.spawn(move || serve(&listener));
    net.inject(fault.parse()?)?;
    let error = ask("server:80").unwrap_err();
    assert_eq!(error.kind(), expected, "{error}");
    Ok(())
}

// All parameters are those of test-case, so the network is that of `nstest::net()`.
#[test_case("lte", 70; "an LTE network")]
#[test_case("satellite-geo", 600; "a satellite")]
#[netns(peers = 1)]
fn a_round_trip_over(link: &str, milliseconds: u64) -> TestResult {
    let server = nstest::net().node("peer1")?;
    nstest::net().inject(format!("peer1: condition {link} loss 0% jitter 0ms").parse()?)?;
    let listener = server.run(|| TcpListener::bind("[::]:80"))?;
    let start = std::time::Instant::now();
    TcpStream::connect("peer1:80")?;
    assert!(start.elapsed() >= Duration::from_millis(milliseconds));
    drop(listener);
    Ok(())
}
