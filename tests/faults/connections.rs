//! Numbers of connections that are older than the first fault of their link.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use expect_test::{Expect, expect};
use nstest::{Condition, Injection, Nat, Net, Node, TestResult, netns_test};

use crate::stream::{PATIENCE, both};

/// A connection to a server: the client's end and the server's.
struct Connection {
    client: TcpStream,
    served: TcpStream,
}

fn listen(server: &Node, port: u16) -> TestResult<TcpListener> {
    Ok(server.run(|| TcpListener::bind(("::", port)))?)
}

fn connect(client: &Node, listener: &TcpListener, ip: IpAddr) -> TestResult<Connection> {
    let port = listener.local_addr()?.port();
    let client = client.run(|| TcpStream::connect((ip, port)))?;
    let (served, _) = listener.accept()?;
    client.set_read_timeout(Some(PATIENCE))?;
    served.set_read_timeout(Some(PATIENCE))?;
    Ok(Connection { client, served })
}

impl Connection {
    /// How many packets a fault affects while the server speaks, and then the client.
    fn affected_by(&mut self, fault: &Injection) -> TestResult<[bool; 2]> {
        let Self { client, served } = self;
        let spoken = |from: &mut TcpStream, to: &mut TcpStream| -> TestResult<bool> {
            let before = fault.affected();
            from.write_all(b"220 ready")?;
            to.read_exact(&mut [0; 9])?;
            Ok(fault.affected() > before)
        };
        Ok([spoken(served, client)?, spoken(client, served)?])
    }

    /// Closes it from the client. Its socket remains in TIME_WAIT there.
    fn close(mut self) -> TestResult {
        self.client.shutdown(std::net::Shutdown::Write)?;
        self.served.read_to_end(&mut Vec::new())?;
        drop(self.served);
        self.client.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

/// A fault that affects the data of these packets, and does not change them.
fn watch(net: &Net, packets: &str) -> nstest::Result<Injection> {
    Ok(net.inject(format!("{packets} data: delay 1ms").parse()?)?.optional())
}

#[track_caller]
fn refused(net: &Net, packets: &str, expected: &Expect) {
    expected.assert_eq(&format!("{:?}\n", watch(net, packets).unwrap_err()));
}

const ALL: [bool; 2] = [true; 2];
const NONE: [bool; 2] = [false; 2];

/// The server's port is the one on which it listens, and not that to which the first packet
/// goes.
#[netns_test]
fn a_server_that_speaks_first_is_found(server: Node, net: Net) -> TestResult {
    let client = net.local();
    let mut old = Vec::new();
    for (ip, port) in both(&server).into_iter().zip(80..) {
        let listener = listen(&server, port)?;
        old.push((connect(&client, &listener, ip)?, port, listener));
    }
    let without_port = watch(&net, "server tcp #1")?;
    for (mut old, port, listener) in old {
        let ip = old.client.peer_addr()?.ip();
        let first = watch(&net, &format!("server tcp port {port} #1"))?;
        assert_eq!(old.affected_by(&first)?, ALL, "{ip}");
        assert_eq!(old.affected_by(&without_port)?, ALL, "{ip}");
        assert_eq!(connect(&client, &listener, ip)?.affected_by(&first)?, NONE, "{ip}");
        assert_eq!(connect(&client, &listener, ip)?.affected_by(&without_port)?, NONE, "{ip}");
        let fourth = watch(&net, &format!("server tcp port {port} #4"))?;
        assert_eq!(connect(&client, &listener, ip)?.affected_by(&fourth)?, ALL, "{ip}");
    }
    Ok(())
}

#[netns_test]
fn a_new_connection_is_not_the_first(server: Node, net: Net) -> TestResult {
    let listener = listen(&server, 80)?;
    let client = net.local();
    let mut old = connect(&client, &listener, server.ip())?;
    let [first, second] = ["server tcp #1", "server tcp port 80 #2"].map(|it| watch(&net, it));
    let (first, second) = (first?, second?);
    let mut new = connect(&client, &listener, server.ip())?;
    assert_eq!(new.affected_by(&first)?, NONE);
    assert_eq!(new.affected_by(&second)?, ALL);
    assert_eq!(old.affected_by(&first)?, ALL);
    assert_eq!(old.affected_by(&second)?, NONE);
    Ok(())
}

/// The link of the client, and direct links, which have a name at each end.
#[netns_test]
fn any_end_of_a_link_knows_its_connections(net: Net) -> TestResult {
    let [left, right] = [net.add_node("left").build()?, net.add_node("right").build()?];
    net.connect(&left, &right)?;
    for (client, server) in [(&left, &right), (&right, &left)] {
        let listener = listen(server, 80)?;
        let mut old = connect(client, &listener, server.ip())?;
        for node in [&left, &right] {
            let first = watch(&net, &format!("{} tcp port 80 #1", node.name()))?;
            // The second round has two, one in each direction, and the same link.
            let expected = if client == &left { ALL } else { NONE };
            assert_eq!(old.affected_by(&first)?, expected, "{client:?}, {node:?}");
            first.end()?;
        }
    }
    Ok(())
}

/// The listening socket may be closed, and a server may be a client, too.
#[netns_test]
fn a_server_need_not_listen_any_more(server: Node, other: Node, net: Net) -> TestResult {
    let client = net.local();
    let listener = listen(&server, 80)?;
    let mut old = connect(&client, &listener, server.ip())?;
    drop(listener);
    let listener = listen(&other, 81)?;
    let mut back = connect(&server, &listener, other.ip())?;
    // One that does not pass the link.
    let within = listen(&server, 80)?;
    let _within = connect(&server, &within, [127, 0, 0, 1].into())?;
    drop(within);
    for link in ["server", "other"] {
        let first = watch(&net, &format!("{link} tcp port 81 #1"))?;
        assert_eq!(back.affected_by(&first)?, ALL, "{link}");
    }
    let first = watch(&net, "server tcp port 80 #1")?;
    assert_eq!(old.affected_by(&first)?, ALL);
    assert_eq!(back.affected_by(&first)?, NONE);
    Ok(())
}

#[netns_test]
fn closed_connections_count(server: Node, net: Net) -> TestResult {
    let listener = listen(&server, 80)?;
    let client = net.local();
    connect(&client, &listener, server.ip())?.close()?;
    let Connection { client: theirs, served: ours } = connect(&client, &listener, server.ip())?;
    // And one that the server closes first.
    Connection { client: ours, served: theirs }.close()?;
    let third = watch(&net, "server tcp port 80 #3")?;
    assert_eq!(connect(&client, &listener, server.ip())?.affected_by(&third)?, ALL);
    refused(
        &net,
        "server tcp port 80 #2",
        &expect![[r#"
        nstest[fault]: find the connection of the fault `server tcp port 80 #2 data: delay 1ms`
          cause: 2 earlier connections to port 80 were made in an order that is not known
          help: inject it before these connections are made; or select the packets by their addresses and ports
    "#]],
    );
    Ok(())
}

#[netns_test]
fn what_cannot_be_known_is_refused(server: Node, net: Net) -> TestResult {
    let listener = listen(&server, 80)?;
    let client = net.local();
    let _two =
        [connect(&client, &listener, server.ip())?, connect(&client, &listener, server.ip())?];
    refused(
        &net,
        "server tcp port 80 #1",
        &expect![[r#"
        nstest[fault]: find the connection of the fault `server tcp port 80 #1 data: delay 1ms`
          cause: 2 earlier connections to port 80 were made in an order that is not known
          help: inject it before these connections are made; or select the packets by their addresses and ports
    "#]],
    );
    refused(
        &net,
        "server #2",
        &expect![[r#"
        nstest[fault]: find the connection of the fault `server #2 data: delay 1ms`
          cause: 2 earlier connections to port 80 were made in an order that is not known
          help: inject it before these connections are made; or select the packets by their addresses and ports
    "#]],
    );
    let third = watch(&net, "server tcp port 80 #3")?;
    assert_eq!(connect(&client, &listener, server.ip())?.affected_by(&third)?, ALL);
    let other = listen(&server, 81)?;
    let first = watch(&net, "server tcp port 81 #1")?;
    assert_eq!(connect(&client, &other, server.ip())?.affected_by(&first)?, ALL);
    // A condition that starts with a packet, and a fault that starts later.
    for fault in [
        "server tcp port 80 #1 data: condition delay 1ms",
        "server tcp port 80 #1 data: drop at 1h",
    ] {
        assert!(net.inject(fault.parse()?).is_err(), "{fault}");
    }
    Ok(())
}

#[netns_test]
fn aborted_connections_may_have_been_to_any_port(server: Node, net: Net) -> TestResult {
    let listener = listen(&server, 80)?;
    let client = net.local();
    let Connection { client: mut theirs, served } = connect(&client, &listener, server.ip())?;
    theirs.write_all(b"unread")?;
    let mut unread = [0];
    while served.peek(&mut unread)? == 0 {}
    drop(served); // resets it
    assert!(theirs.read(&mut unread).is_err());
    refused(
        &net,
        "server tcp port 81 #1",
        &expect![[r#"
            nstest[fault]: find the connection of the fault `server tcp port 81 #1 data: delay 1ms`
              cause: connections of node server were closed or refused before (1 of 1), and it is not known to which ports they were
              help: inject it before these connections are made; or select the packets by their addresses and ports
        "#]],
    );
    Ok(())
}

#[netns_test]
fn datagrams_have_no_state(server: Node, net: Net) -> TestResult {
    let sink = server.run(|| UdpSocket::bind((server.ip(), 7)))?;
    UdpSocket::bind("0.0.0.0:0")?.send_to(b"x", sink.local_addr()?)?;
    sink.peek(&mut [0])?; // it is there, and not read
    let fault = |packets: &str| net.inject(format!("server {packets}: delay 1ms").parse()?);
    let error = fault("udp dport 8 #1").unwrap_err();
    expect![[r#"
        nstest[fault]: find the connection of the fault `server udp dport 8 #1: delay 1ms`
          cause: node server has sent or received a datagram before
          help: inject it before these connections are made; or select the packets by their addresses and ports
    "#]].assert_eq(&format!("{error:?}\n"));
    assert!(fault("#1").is_err());
    let (client, listener) = (net.local(), listen(&server, 80)?);
    let first = watch(&net, "server tcp #1")?;
    assert_eq!(connect(&client, &listener, server.ip())?.affected_by(&first)?, ALL);
    Ok(())
}

/// Routers on the way, one of which translates addresses.
#[netns_test]
fn connections_through_routers_are_numbered(net: Net) -> TestResult {
    let [home, wan] = ["home", "wan"].map(|name| net.add_lan(name).build());
    let (home, wan) = (home?, wan?);
    let client = net.add_node("client").join(&home).build()?;
    let server = net.add_node("server").join(&wan).build()?;
    net.add_router("router").lan(&home).wan(&wan).nat(Nat::SYMMETRIC).build()?;
    let listener = listen(&server, 80)?;
    connect(&client, &listener, server.ipv4().into())?.close()?;
    let mut old = connect(&client, &listener, server.ipv4().into())?;
    for link in ["client", "server"] {
        let third = watch(&net, &format!("{link} tcp port 80 #3"))?;
        assert_eq!(old.affected_by(&third)?, NONE, "{link}");
        third.end()?;
    }
    let (at_client, at_server) =
        (watch(&net, "client tcp port 80 #3")?, watch(&net, "server tcp port 80 #3")?);
    let mut new = connect(&client, &listener, server.ipv4().into())?;
    assert_eq!(new.affected_by(&at_client)?, ALL);
    assert_eq!(new.affected_by(&at_server)?, ALL);
    refused(
        &net,
        "router.eth1 tcp port 80 #3",
        &expect![[r#"
        nstest[fault]: find the connection of the fault `router.eth1 tcp port 80 #3 data: delay 1ms`
          cause: router router has forwarded packets of connections, which it does not count
          help: inject it before these connections are made; or select the packets by their addresses and ports
    "#]],
    );
    Ok(())
}

/// A connection that is older than its link's first rule, and younger than its first
/// condition.
#[netns_test]
fn under_a_condition_connections_are_numbered(server: Node, net: Net) -> TestResult {
    let listener = listen(&server, 80)?;
    let client = net.local();
    let slow = Condition::new().delay(Duration::from_millis(1));
    server.link().condition(slow)?;
    let _first = connect(&client, &listener, server.ip())?;
    let mut second = connect(&client, &listener, server.ip())?;
    let rule = watch(&net, "server tcp port 80 #2")?;
    assert_eq!(second.affected_by(&rule)?, ALL);
    Ok(())
}

/// What the node did on other links does not matter.
#[netns_test]
fn a_new_link_begins_with_the_first_connection(server: Node, net: Net) -> TestResult {
    let client = net.local();
    let listener = listen(&server, 80)?;
    let _old =
        [connect(&client, &listener, server.ip())?, connect(&client, &listener, server.ip())?];
    let lan = net.add_lan("second").build()?;
    net.apply(&"server.eth1 tcp port 80 #1 data: delay 1ms optional".parse()?).unwrap_err();
    server.join(&lan)?;
    client.join(&lan)?;
    let first = watch(&net, "server.eth1 tcp port 80 #1")?;
    let ip = server.ip_on(&lan)?;
    assert_eq!(connect(&client, &listener, ip)?.affected_by(&first)?, ALL);
    Ok(())
}
