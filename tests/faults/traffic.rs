//! Faults of single packets and connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nstest::{Action, Kind, Net, Node, Packets, Reached, TestResult, Unreachable, netns_test};

#[netns_test]
fn the_first_syn_is_lost(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let lost = server.link().fault()?.packets(Packets::tcp().kind(Kind::Syn)).nth(1);
    let lost = net.inject(lost.action(Action::Drop))?;
    let start = Instant::now();
    TcpStream::connect((server.ip(), 80))?;
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    assert_eq!(lost.touched(), 1);
    Ok(())
}

#[netns_test]
fn a_connection_is_reset_at_both_ends(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let mut client = TcpStream::connect((server.ip(), 80))?;
    let (mut served, _) = listener.accept()?;
    let reset = server.link().reset(Packets::tcp().kind(Kind::Data))?;
    client.write_all(b"x")?;
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(served.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(reset.touched(), 1);
    Ok(())
}

#[netns_test]
fn a_rejection_is_told(server: Node, net: Net) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    server.link().reject(Packets::tcp().dport(80), Unreachable::AdminProhibited)?;
    let found = net.local().reach((server.ip(), 80))?;
    println!("{found}");
    found.assert(Reached::Rejected);
    Ok(())
}
