//! The tests that fail.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use nstest::{
    Action, Condition, DefaultRoute, Fault, Nat, Net, Node, PacketKind, Packets, Percent,
    TestResult, netns_test,
};
use nstest_tests::marks;

const PORT: u16 = 7000;

/// Accepts one connection and keeps it open, without a word.
fn silent(node: &Node) -> std::io::Result<()> {
    let listener = node.run(|| TcpListener::bind((node.ip(), PORT)))?;
    node.spawn(move || {
        let _accepted = listener.accept().unwrap();
        marks::hang()
    });
    Ok(())
}

/// Asks for one byte, and closes its connection also if no answer comes.
fn ask_with_time_limit(server: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.write_all(&[7])?;
    stream.read_exact(&mut [0])
}

#[netns_test(timeout = "20s")]
#[ignore = "fixture of another test"]
fn silent_server_and_question_mark(server: Node) -> TestResult {
    silent(&server)?;
    ask_with_time_limit((server.ip(), PORT).into())?;
    Ok(())
}

#[netns_test(timeout = "20s")]
#[ignore = "fixture of another test"]
fn silent_server_and_unwrap(server: Node) {
    silent(&server).unwrap();
    ask_with_time_limit((server.ip(), PORT).into()).unwrap();
}

/// Sends back what comes, on each connection.
fn echo(node: &Node, at: impl ToSocketAddrs) -> std::io::Result<()> {
    let listener = node.run(|| TcpListener::bind(at))?;
    node.spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut bytes) {
                if stream.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
        }
    });
    Ok(())
}

fn ask(server: SocketAddr, bytes: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(&vec![7; bytes])?;
    stream.read_exact(&mut vec![0; bytes])
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn wrong_address(server: Node) -> TestResult {
    echo(&server, ("127.0.0.1", PORT))?;
    ask((server.ip(), PORT).into(), 5)?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn listener_that_is_closed_on_return(server: Node) -> TestResult {
    let _wrong = server.run(|| TcpListener::bind(("127.0.0.1", PORT)))?;
    ask((server.ip(), PORT).into(), 5)?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn name_of_the_internet() {
    TcpStream::connect("example.com:80").unwrap();
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn address_of_the_internet() -> TestResult {
    TcpStream::connect("93.184.215.14:80")?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn swallowed_syn(server: Node) -> TestResult {
    echo(&server, (server.ip(), PORT))?;
    server.link().drop_packets(Packets::tcp().kind(PacketKind::Syn))?;
    ask((server.ip(), PORT).into(), 5)?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn reset_in_mid_message(server: Node, net: Net) -> TestResult {
    echo(&server, (server.ip(), PORT))?;
    let data = Packets::tcp().port(PORT).kind(PacketKind::Data);
    net.inject(Fault::on("server").ingress().packets(data).nth(5).action(Action::Reset))?;
    ask((server.ip(), PORT).into(), 200_000)?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn resolver_missing(server: Node) -> TestResult {
    echo(&server, (server.ip(), PORT))?;
    TcpStream::connect(("db.example", PORT))?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn mtu_black_hole(server: Node) -> TestResult {
    echo(&server, (server.ip(), PORT))?;
    server.link().mtu_blackhole(1_300)?;
    ask((server.ip(), PORT).into(), 500)?;
    ask((server.ip(), PORT).into(), 5_000)?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn partition_never_healed(net: Net, a: Node, b: Node) -> TestResult {
    echo(&b, (b.ip(), PORT))?;
    let server = (b.ip(), PORT).into();
    a.run(|| ask(server, 5))?;
    net.partition(&[&[&a], &[&b]])?;
    a.run(|| ask(server, 5))?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn address_used_twice(server: Node, other: Node) -> TestResult {
    echo(&server, (server.ip(), PORT))?;
    ask((server.ip(), PORT).into(), 5)?;
    let address = server.ip();
    let ip = |arguments: &str| other.command("ip").args(arguments.split(' ')).status();
    ip(&format!("addr del {}/24 dev eth0", other.ip()))?;
    ip(&format!("addr add {address}/24 dev eth0"))?;
    ip("neigh flush all")?;
    let socket = other.run(|| UdpSocket::bind((address, 0)))?;
    socket.send_to(b"hello", "10.0.2.1:9")?;
    ask((address, PORT).into(), 5)?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn route_missing(net: Net) -> TestResult {
    let (near, far) = (net.add_lan("near").build()?, net.add_lan("far").build()?);
    let client = net.add_node("client").join(&near).build()?;
    let server = net.add_node("server").join(&far).build()?;
    net.add_router("router").lan(&near).lan(&far).build()?;
    echo(&server, (server.ip(), PORT))?;
    client.set_default_route(DefaultRoute::None)?;
    client.run(|| ask((server.ip(), PORT).into(), 5))?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn both_write(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind((server.ip(), PORT)))?;
    let peer = server.spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(&vec![1; 64 << 20]).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let mut stream = TcpStream::connect((server.ip(), PORT))?;
    stream.write_all(&vec![2; 64 << 20])?;
    stream.read_to_end(&mut Vec::new())?;
    peer.join().unwrap();
    Ok(())
}

#[netns_test(timeout = "3s")]
#[ignore = "fixture of another test"]
fn slow_under_loss(server: Node) -> TestResult {
    echo(&server, (server.ip(), PORT))?;
    // With a connection for each question, a SYN or a FIN that is lost would be another cause.
    let mut stream = TcpStream::connect((server.ip(), PORT))?;
    let condition = Condition::new().delay(Duration::from_millis(20)).loss(Percent::new(10.0));
    server.link().condition(condition)?;
    for _ in 0..1_000 {
        stream.write_all(&[7; 30_000])?;
        stream.read_exact(&mut [0; 30_000])?;
    }
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn both_read(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind((server.ip(), PORT)))?;
    server.spawn(move || {
        let (mut stream, mut request) = (listener.accept().unwrap().0, Vec::new());
        stream.read_to_end(&mut request).unwrap();
        stream.write_all(&request).unwrap();
    });
    ask((server.ip(), PORT).into(), 5)?;
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn full_receive_buffer(server: Node) -> TestResult {
    let receiver = server.run(|| UdpSocket::bind((server.ip(), PORT)))?;
    let sender = UdpSocket::bind("0.0.0.0:0")?;
    for _ in 0..1_000 {
        sender.send_to(&[0; 1_400], (server.ip(), PORT))?;
    }
    receiver.set_read_timeout(Some(Duration::from_millis(200)))?;
    let count = std::iter::from_fn(|| receiver.recv(&mut [0; 1_400]).ok()).count();
    assert_eq!(count, 1_000);
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn port_not_forwarded(net: Net) -> TestResult {
    let (home, inet) = (net.add_lan("home").build()?, net.add_lan("inet").build()?);
    let server = net.add_node("server").join(&home).build()?;
    let client = net.add_node("client").join(&inet).build()?;
    let router = net.add_router("router").lan(&home).wan(&inet).nat(Nat::FULL_CONE).build()?;
    echo(&server, ("0.0.0.0", PORT))?;
    let outside = router.ip_on(&inet)?;
    client.run(|| ask((outside, PORT).into(), 5))?;
    Ok(())
}

/// Asks the server, which replies from `from`, and waits for the reply.
fn ask_over_udp(server: &Node, from: SocketAddr) -> std::io::Result<()> {
    let receiver = server.run(|| UdpSocket::bind(("0.0.0.0", PORT)))?;
    let sender = server.run(|| UdpSocket::bind(from))?;
    server.spawn(move || {
        let mut bytes = [0; 9];
        let (length, client) = receiver.recv_from(&mut bytes).unwrap();
        sender.send_to(&bytes[..length], client).unwrap();
    });
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((server.ip(), PORT))?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send(b"hello")?;
    socket.recv(&mut [0; 9]).map(drop)
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn reply_from_another_port(server: Node) {
    ask_over_udp(&server, (server.ip(), 50_000).into()).unwrap();
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn reply_from_another_address_and_port(server: Node, net: Net) -> TestResult {
    let lan = net.add_lan("other").build()?;
    server.join(&lan)?;
    ask_over_udp(&server, (server.ip_on(&lan)?, 50_000).into())?;
    Ok(())
}

#[netns_test(timeout = "5s")]
#[ignore = "fixture of another test"]
fn not_yet_listening(server: Node) {
    let (failed, wait) = std::sync::mpsc::channel::<()>();
    server.spawn(move || {
        let _ = wait.recv();
        TcpListener::bind(("0.0.0.0", PORT)).unwrap().accept().map(drop)
    });
    ask((server.ip(), PORT).into(), 5).unwrap();
    drop(failed);
}
