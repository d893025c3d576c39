//! Read this first: tests that each have a network of their own.
//!
//! Below are a small client and its tests. They run in parallel, and they all use port
//! 8080. Each test has a new network with one interface, `lo`. So no test reaches another
//! test, the machine's own port 8080 or the Internet. A test with a parameter
//! `server: Node` has a second host, on a link that can fail.
#![cfg(test)]

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
/// An address reserved for documentation (RFC 5737). No test can reach it.
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
fn refusal_and_unreachable_network_are_different_errors() {
    let kind = |server| greeting(&[server]).unwrap_err().kind();
    assert_eq!(kind(HERE), ErrorKind::ConnectionRefused); // the host exists, but has no server
    assert_eq!(kind(FAR_AWAY), ErrorKind::NetworkUnreachable); // there is no route; the kernel says so at once
}

#[netns_test(timeout = "5s")]
fn falls_back_when_the_network_is_unreachable() -> TestResult {
    serve(TcpListener::bind(HERE)?, "from the fallback");
    assert_eq!(greeting(&[FAR_AWAY, HERE])?, "from the fallback");
    Ok(())
}

/// When the link is down, nothing answers ARP requests for the peer's address. The kernel
/// gives up after three seconds (arp(7)).
#[netns_test(timeout = "20s")]
fn falls_back_when_the_link_is_down(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:8080"))?;
    serve(listener.try_clone()?, "from the peer");
    let peer = SocketAddr::from((server.ip(), 8080)).to_string();
    assert_eq!(greeting(&[&peer, HERE])?, "from the peer");
    server.link().down()?;
    serve(TcpListener::bind(HERE)?, "from the fallback");
    assert_eq!(greeting(&[&peer, HERE])?, "from the fallback");
    Ok(())
}

/// The link is slow and loses packets. With the same seed (`NSTEST_SEED`), it loses the
/// same ones.
#[netns_test]
fn works_over_a_lossy_link(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:8080"))?;
    let peer = SocketAddr::from((server.ip(), 8080)).to_string();
    let bad = Condition::new().delay(Duration::from_millis(5)).loss(Percent::new(5.0));
    let condition = server.link().condition(bad)?;
    while condition.affected() < 20 {
        serve(listener.try_clone()?, "hello");
        assert_eq!(greeting(&[&peer])?, "hello");
    }
    Ok(())
}

/// Runs once without faults. Then it runs again for each packet of that run and each of
/// these faults. The client must return the whole greeting or an error in every run.
#[netns_test(explore(drop, duplicate, reset))]
fn a_greeting_is_complete_or_an_error(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:8080"))?;
    serve(listener, "hello");
    let peer = SocketAddr::from((server.ip(), 8080)).to_string();
    if let Ok(text) = greeting(&[&peer]) {
        assert_eq!(text, "hello");
    }
    Ok(())
}

#[netns_test(timeout = "5s")]
fn names_resolve_locally_or_fail_at_once() -> TestResult {
    let local: Vec<SocketAddr> = "localhost:8080".to_socket_addrs()?.collect();
    assert!(local.iter().all(|address| address.ip().is_loopback()));
    assert!("example.com:8080".to_socket_addrs().is_err()); // even if the machine can resolve it
    Ok(())
}

#[netns_test]
fn binds_a_privileged_port() -> TestResult {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 80))?; // no need to be root on the machine
    Ok(())
}

#[netns_test]
fn has_a_temporary_directory(context: TestContext) -> TestResult {
    UnixListener::bind(context.tmp_dir().join("server.sock"))?; // removed with the test
    assert_eq!(context.tmp_dir(), std::env::temp_dir());
    Ok(())
}

#[netns_test]
#[should_panic(expected = "ConnectionRefused")]
fn should_panic_works_as_usual() {
    greeting(&[HERE]).unwrap();
}
