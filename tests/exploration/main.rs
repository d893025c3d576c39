//! Exploration finds known bugs, and what is right survives every point.
#![deny(unsafe_code)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nstest::{Node, TestResult, netns_test};

/// Says a word to the server, and hears it back.
fn exchange(server: &Node, timeout: Option<Duration>) -> std::io::Result<()> {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    let served = server.spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut word = [0; 4];
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.read_exact(&mut word)?;
        stream.write_all(&word)
    });
    let mut client =
        TcpStream::connect_timeout(&(server.ip(), 7000).into(), Duration::from_secs(2))?;
    client.set_read_timeout(timeout)?;
    client.write_all(b"word")?;
    client.read_exact(&mut [0; 4])?;
    drop(client);
    let _ = served.join();
    Ok(())
}

#[netns_test(explore(drop, duplicate, reset, cut, blackhole, delay))]
fn the_client_reports_every_failure(server: Node) -> TestResult {
    let _ = exchange(&server, Some(Duration::from_secs(1)));
    Ok(())
}

#[netns_test(explore(cut), timeout = "2s")]
fn the_client_waits_for_ever(server: Node) -> TestResult {
    let _ = exchange(&server, None);
    Ok(())
}
