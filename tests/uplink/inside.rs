//! Fixtures: tests with an uplink, which run in the node that plays the machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use nstest::{Node, TestResult, netns_test};

use crate::outside::{LOOPBACK_PORT, MACHINE, SERVER, SERVER6};

const PATIENCE: Duration = Duration::from_secs(5);

/// The address of this client as the server sees it.
fn seen_as(server: &str) -> TestResult<String> {
    let mut text = String::new();
    let addr = SocketAddr::new(server.parse()?, 80);
    TcpStream::connect_timeout(&addr, PATIENCE)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Whether the fixture was started directly. It then does nothing, so that no packet of it
/// leaves the machine.
fn on_the_real_machine() -> bool {
    let real = std::env::var_os("IS_NESTED").is_none();
    if real {
        println!("does nothing outside of the node that plays the machine");
    }
    real
}

#[netns_test(uplink)]
#[ignore = "fixture of another test"]
fn reaches(peer: Node) -> TestResult {
    if on_the_real_machine() {
        return Ok(());
    }
    assert_eq!(seen_as(SERVER)?, MACHINE);
    if std::env::var_os("HAS_IPV6").is_some() {
        assert!(seen_as(SERVER6)?.starts_with("2001:db8::"));
    }
    // First a name of the test, then a name of the machine's network.
    let addresses = |name: &str| -> std::io::Result<Vec<_>> {
        Ok((name, 80).to_socket_addrs()?.map(|addr| addr.ip()).collect())
    };
    assert!(addresses("peer")?.contains(&peer.ip()));
    assert_eq!(addresses("www.example.test")?, [SERVER.parse::<std::net::IpAddr>()?]);
    // The peer is only on the test's own network, which works beside the uplink.
    peer.wait_reachable(std::net::Ipv4Addr::new(10, 0, 2, 1))?;
    peer.run(|| TcpStream::connect((SERVER, 80))).unwrap_err();
    loopback_is_closed();
    Ok(())
}

/// The server on the machine's loopback is not reachable at any address.
fn loopback_is_closed() {
    let addresses = [
        "127.0.0.1",
        "::1",
        MACHINE,
        "2001:db8::1", // itself
        "198.18.0.1",
        "198.18.0.2",
        "198.18.0.3",
        "fd00:1::2",
        "fd00:1::3", // of the relay
        "198.18.1.1",
        "198.18.1.5",
        "10.0.2.2",
        "169.254.0.1",
        "0.0.0.0",
    ];
    std::thread::scope(|scope| {
        for address in addresses {
            scope.spawn(move || {
                let addr = SocketAddr::new(address.parse().unwrap(), LOOPBACK_PORT);
                let answer = TcpStream::connect_timeout(&addr, Duration::from_secs(1));
                let mut text = String::new();
                if let Ok(mut stream) = answer {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                    let _ = stream.read_to_string(&mut text);
                }
                assert_eq!(text, "", "at {address}");
            });
        }
    });
}

/// Reports to the server that the fixture runs.
fn stay() -> TestResult<TcpStream> {
    let mut stream = TcpStream::connect((SERVER, 81))?;
    stream.write_all(b"x")?;
    Ok(stream)
}

#[netns_test(uplink)]
#[ignore = "fixture of another test"]
fn stays() -> TestResult {
    if on_the_real_machine() {
        return Ok(());
    }
    let _stream = stay()?;
    loop {
        std::thread::park();
    }
}

#[netns_test(uplink)]
#[ignore = "fixture of another test"]
fn dies() -> TestResult {
    if on_the_real_machine() {
        return Ok(());
    }
    let _stream = stay()?;
    let kill = format!("kill -9 {}", std::process::id());
    std::process::Command::new("sh").args(["-c", &kill]).status()?;
    Ok(())
}

#[netns_test(uplink, subnet = "192.0.2.0/25")]
#[ignore = "fixture of another test"]
fn overlaps(_peer: Node) {}
