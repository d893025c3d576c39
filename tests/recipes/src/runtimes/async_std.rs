//! async-std: a datagram is repeated until it is answered.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_std::net::UdpSocket;
use async_std::task;
use nstest::{Net, Node, TestResult, netns_test};

/// Your server: sends each datagram back.
async fn serve(socket: UdpSocket) -> io::Result<()> {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..length], from).await?;
    }
}

/// Your client: asks up to five times.
async fn ask(server: SocketAddr) -> io::Result<usize> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    for tries in 1..=5 {
        socket.send_to(b"hello", server).await?;
        let answer = async { socket.recv_from(&mut [0; 5]).await };
        match async_std::io::timeout(Duration::from_millis(100), answer).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            answer => return answer.map(|_| tries),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

#[netns_test]
fn a_lost_datagram_is_sent_again(server: Node, net: Net) -> TestResult {
    // Inside `run`, async-std would start its threads, and they would stay in that node.
    let socket = server.run(|| std::net::UdpSocket::bind("0.0.0.0:5000"))?;
    server.spawn(|| task::block_on(serve(socket.into())).unwrap());
    let lost = net.inject("server ingress udp first 2: drop".parse()?)?;
    assert!(task::block_on(ask((server.ip(), 5000).into()))? >= 3);
    assert_eq!(lost.affected(), 2);
    Ok(())
}
