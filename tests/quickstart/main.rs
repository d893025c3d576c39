//! Read this first: what tests look like that have a network of their own.
//!
//! Below is a small client and its tests. They run in parallel, they all use
//! port 8080, and none of them meets another, the machine's own port 8080, or
//! the Internet: each has a fresh network in which there is only `lo`, and a
//! second node where a parameter asks for one, on a link that can fail.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixListener;

use std::time::Duration;

use nstest::{Condition, Node, Percent, TestContext, TestResult, netns_test};

/// The code under test: fetches a greeting from the first server that answers.
fn greeting(servers: &[&str]) -> io::Result<String> {
    let mut last = io::Error::from(ErrorKind::InvalidInput);
    for server in servers {
        match TcpStream::connect(server) {
            Ok(mut stream) => {
                let mut text = String::new();
                stream.read_to_string(&mut text)?;
                return Ok(text);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A server that greets one client.
fn serve(listener: TcpListener, text: &'static str) {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(text.as_bytes())
    });
}

const HERE: &str = "127.0.0.1:8080";
/// An address for documentation (RFC 5737): no test can reach it.
const FAR_AWAY: &str = "192.0.2.1:8080";

#[netns_test]
fn fetches_a_greeting() -> TestResult {
    serve(TcpListener::bind(HERE)?, "hello");
    assert_eq!(greeting(&[HERE])?, "hello");
    Ok(())
}

#[netns_test]
fn prefers_the_first_server() -> TestResult {
    serve(TcpListener::bind(HERE)?, "first"); // the same port, at the same time
    serve(TcpListener::bind("[::1]:8080")?, "second");
    assert_eq!(greeting(&[HERE, "[::1]:8080"])?, "first");
    Ok(())
}

#[netns_test]
async fn serves_from_async_code() -> TestResult {
    let listener = tokio::net::TcpListener::bind(HERE).await?;
    let client = tokio::task::spawn_blocking(|| greeting(&[HERE]));
    let (mut stream, peer) = listener.accept().await?;
    assert!(peer.ip().is_loopback());
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"hello").await?;
    drop(stream);
    assert_eq!(client.await??, "hello");
    Ok(())
}

#[netns_test]
fn tells_a_refusal_from_an_unreachable_network() {
    let kind = |server| greeting(&[server]).unwrap_err().kind();
    assert_eq!(kind(HERE), ErrorKind::ConnectionRefused); // a machine, but no server
    assert_eq!(kind(FAR_AWAY), ErrorKind::NetworkUnreachable); // no way there, known at once
}

#[netns_test(timeout = "5s")]
fn falls_back_when_the_network_is_unreachable() -> TestResult {
    serve(TcpListener::bind(HERE)?, "from the fallback");
    assert_eq!(greeting(&[FAR_AWAY, HERE])?, "from the fallback");
    Ok(())
}

/// With the cable pulled, nobody answers for the peer's address, and the kernel
/// gives up after three seconds of asking (arp(7)).
#[netns_test(timeout = "20s")]
fn falls_back_when_the_cable_is_pulled(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:8080"))?;
    serve(listener.try_clone()?, "from the peer");
    let peer = SocketAddr::from((server.ip(), 8080)).to_string();
    assert_eq!(greeting(&[&peer, HERE])?, "from the peer");
    server.link().down()?;
    serve(TcpListener::bind(HERE)?, "from the fallback");
    assert_eq!(greeting(&[&peer, HERE])?, "from the fallback");
    Ok(())
}

/// A bad line: slow, and packets are lost, the same ones whenever this test runs
/// with the same seed (`NSTEST_SEED`).
#[netns_test]
fn gets_through_a_bad_line(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:8080"))?;
    let peer = SocketAddr::from((server.ip(), 8080)).to_string();
    let bad = Condition::new().delay(Duration::from_millis(5)).loss(Percent::new(5.0));
    let line = server.link().condition(bad)?;
    while line.affected() < 20 {
        serve(listener.try_clone()?, "hello");
        assert_eq!(greeting(&[&peer])?, "hello");
    }
    Ok(())
}

/// Runs once as it is, and then once for each packet that was on the network and
/// each of these faults: whatever happens, there is no greeting but a whole one.
#[netns_test(explore(drop, duplicate, reset))]
fn a_greeting_is_whole_or_an_error(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:8080"))?;
    serve(listener, "hello");
    let peer = SocketAddr::from((server.ip(), 8080)).to_string();
    if let Ok(text) = greeting(&[&peer]) {
        assert_eq!(text, "hello");
    }
    Ok(())
}

#[netns_test(timeout = "5s")]
fn names_resolve_here_or_fail_fast() -> TestResult {
    let local: Vec<SocketAddr> = "localhost:8080".to_socket_addrs()?.collect();
    assert!(local.iter().all(|address| address.ip().is_loopback()));
    assert!("example.com:8080".to_socket_addrs().is_err()); // whatever the machine's resolver knows
    Ok(())
}

#[netns_test]
fn binds_ports_that_are_root_s() -> TestResult {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 80))?; // without being root on the machine
    Ok(())
}

#[netns_test]
fn has_a_directory_for_its_files(cx: TestContext) -> TestResult {
    UnixListener::bind(cx.tmp_dir().join("server.sock"))?; // gone with the test
    assert_eq!(cx.tmp_dir(), std::env::temp_dir());
    Ok(())
}

#[netns_test]
#[should_panic(expected = "ConnectionRefused")]
fn panics_as_any_other_test_does() {
    greeting(&[HERE]).unwrap();
}
