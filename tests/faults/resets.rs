//! A reset that follows a packet: what both programs see does not depend on their speed.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nstest::{Fault, Net, Node, TestResult, netns_test};

/// The length of the request.
const LENGTH: usize = 100;

/// The server reads the request and can write its answer. The client gets a reset, and only
/// after the server has answered.
#[netns_test]
fn a_reset_after_a_packet_comes_with_the_answer(server: Node, net: Net) -> TestResult {
    let listener = server.run(|| TcpListener::bind((server.ip(), 80)))?;
    for round in 0..50 {
        let fault: Fault = "server ingress tcp dport 80 data nth 1: then reset".parse()?;
        let reset = net.inject(fault)?;
        let mut client = TcpStream::connect((server.ip(), 80))?;
        let (mut served, _) = listener.accept()?;
        let (answered, has_answered) = std::sync::mpsc::channel();
        let serve = std::thread::spawn(move || -> std::io::Result<ErrorKind> {
            served.read_exact(&mut [0; LENGTH])?;
            if round % 2 == 0 {
                std::thread::yield_now(); // let others go first
            }
            answered.send(()).unwrap();
            served.write_all(b"answer")?;
            Ok(served.read(&mut [0]).expect_err("a reset").kind())
        });
        client.write_all(&[1; LENGTH])?;
        let error = client.read(&mut [0]).expect_err("a reset");
        has_answered.try_recv().expect("the reset came before the answer");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "round {round}");
        assert_eq!(serve.join().unwrap()?, ErrorKind::ConnectionReset, "round {round}");
        reset.end()?;
    }
    Ok(())
}

/// If no other packet comes, the connection is reset after 500 ms.
#[netns_test]
fn a_reset_after_a_packet_needs_no_answer(server: Node, net: Net) -> TestResult {
    let listener = server.run(|| TcpListener::bind((server.ip(), 80)))?;
    let reset = net.inject("server ingress tcp dport 80 data nth 1: then reset".parse()?)?;
    let mut client = TcpStream::connect((server.ip(), 80))?;
    let (mut served, _) = listener.accept()?;
    client.write_all(&[1; LENGTH])?;
    served.read_exact(&mut [0; LENGTH])?;
    for stream in [&mut client, &mut served] {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let error = stream.read(&mut [0]).expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(reset.affected(), 1);
    Ok(())
}
