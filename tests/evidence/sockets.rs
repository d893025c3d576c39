//! Sockets and threads of a test that fails.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use nstest::{Node, Packets, TestResult, netns_test};
use nstest_tests::marks;

/// The server listens on the loopback only, and the client's bytes stay unread elsewhere.
#[netns_test]
#[ignore = "fixture of another test"]
fn panics_with_open_sockets(server: Node) {
    let listener = server.run(|| TcpListener::bind("127.0.0.1:7000")).unwrap();
    let reader = server.run(|| TcpListener::bind((server.ip(), 7001))).unwrap();
    let mut client = TcpStream::connect((server.ip(), 7001)).unwrap();
    let accepted = reader.accept().unwrap();
    client.write_all(b"12345").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:53").unwrap();
    server.run(|| TcpStream::connect("127.0.0.1:7000")).unwrap();
    accepted.0.peek(&mut [0]).unwrap();
    let open = (listener, reader, accepted, datagrams);
    TcpStream::connect((server.ip(), 7000)).unwrap();
    drop(open);
}

#[netns_test(timeout = "1s")]
#[ignore = "fixture of another test"]
fn hangs_in_connect(server: Node) {
    server.link().drop_packets(Packets::tcp()).unwrap();
    let at = server.ip();
    let _listener = server.spawn(move || {
        TcpListener::bind((at, 7000)).unwrap().accept().unwrap();
    });
    TcpStream::connect((server.ip(), 7000)).unwrap();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_without_a_network() {
    let _listener = TcpListener::bind("[::1]:7000").unwrap();
    panic!("deliberately");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn returns_an_error(server: Node) -> TestResult {
    let at = server.ip();
    server.spawn(move || {
        TcpListener::bind((at, 7000)).unwrap().accept().unwrap();
    });
    server.wait_listening(7000)?;
    Err("deliberately".into())
}

#[netns_test(timeout = "1s")]
#[ignore = "fixture of another test"]
async fn hangs_in_async_code(server: Node) {
    let at = server.ip();
    let task = server.spawn_async(async move {
        let listener = tokio::net::TcpListener::bind((at, 7000)).await.unwrap();
        listener.accept().await.unwrap()
    });
    server.wait_listening(7000).unwrap();
    let mut stream = tokio::net::TcpStream::connect((at, 7000)).await.unwrap();
    let other = task.await.unwrap();
    tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap();
    drop(other);
}

#[netns_test(timeout = "1s")]
#[ignore = "fixture of another test"]
fn hangs_in_many_ways(server: Node) {
    let at = server.ip();
    let listener = server.run(|| TcpListener::bind((at, 7000))).unwrap();
    let reading = server.spawn(move || listener.accept().unwrap().0.read(&mut [0; 16]).unwrap());
    let stream = TcpStream::connect((at, 7000)).unwrap();
    let mut program = server.command("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let limited = std::thread::Builder::new().name("limited".into());
    let limited = limited.spawn(move || {
        TcpStream::connect_timeout(&"10.255.255.1:9".parse().unwrap(), Duration::from_secs(9))
            .is_ok()
    });
    let _ = std::thread::Builder::new().name("waits".into()).spawn(move || program.wait());
    let _ = std::thread::Builder::new().name("sleeps".into()).spawn(marks::hang);
    reading.join().unwrap();
    drop((stream, limited));
}
