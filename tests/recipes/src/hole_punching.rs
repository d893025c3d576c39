//! Two peers behind NATs: a rendezvous server introduces them, then QUIC connects them.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use nstest::{Nat, Net, Node, TestResult, netns, netns_test};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use rustls::RootCertStore;
use rustls::pki_types::PrivatePkcs8KeyDer;
use test_case::test_case;

/// Your rendezvous server: gives each of two peers the address from which the other one sends.
fn introduce(socket: &UdpSocket) -> io::Result<()> {
    let (_, first) = socket.recv_from(&mut [0])?;
    let mut second = first;
    while second == first {
        second = socket.recv_from(&mut [0])?.1;
    }
    socket.send_to(second.to_string().as_bytes(), first)?;
    socket.send_to(first.to_string().as_bytes(), second)?;
    Ok(())
}

/// Your peer: sends to the other one until it hears from it. A packet to the outside opens the
/// NAT for the answers to it.
fn punch(rendezvous: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(b"?", rendezvous)?;
    let mut buffer = [0; 50];
    let (length, _) = socket.recv_from(&mut buffer)?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    let other: SocketAddr = text.parse().map_err(io::Error::other)?;

    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    for _ in 0..20 {
        socket.send_to(b"!", other)?;
        match socket.recv_from(&mut buffer) {
            // Behind some NATs, the other one sends from a port that the server did not see.
            Ok((1, from)) => {
                socket.send_to(b"!", from)?;
                return Ok((socket, from));
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// A node behind a router with this NAT.
fn behind(net: &Net, name: &str, nat: Nat) -> nstest::Result<Node> {
    let lan = net.add_lan(&format!("lan-{name}")).build()?;
    let router = net.add_router(&format!("router-{name}")).lan(&lan).wan(&net.lan("internet")?);
    router.nat(nat).build()?;
    net.add_node(name).join(&lan).build()
}

/// Two peers behind these NATs, and what each of them got.
fn meet(near: Nat, far: Nat) -> TestResult<[io::Result<(UdpSocket, SocketAddr)>; 2]> {
    let net = nstest::net();
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let rendezvous = net.add_node("rendezvous").join(&internet).build()?;
    let peers = [behind(&net, "near", near)?, behind(&net, "far", far)?];
    let socket = rendezvous.run(|| UdpSocket::bind("0.0.0.0:3478"))?;
    let address = SocketAddr::from((rendezvous.ip(), 3478));
    rendezvous.spawn(move || introduce(&socket).unwrap());
    let threads = peers.map(|peer| peer.spawn(move || punch(address)));
    Ok(threads.map(|thread| thread.join().expect("no panic")))
}

#[test_case(Nat::FULL_CONE, Nat::SYMMETRIC => true; "one of them lets in everybody")]
#[test_case(Nat::RESTRICTED_CONE, Nat::SYMMETRIC => true; "one of them lets in a host it knows")]
#[test_case(Nat::PORT_RESTRICTED, Nat::PORT_RESTRICTED => true; "both use one port for all")]
#[test_case(Nat::PORT_RESTRICTED, Nat::SYMMETRIC => false; "one of them has an unknown port")]
#[test_case(Nat::SYMMETRIC, Nat::SYMMETRIC => false; "both have an unknown port")]
#[netns]
fn peers_meet(near: Nat, far: Nat) -> bool {
    meet(near, far).unwrap().iter().all(io::Result::is_ok)
}

/// A server and a client that trusts its certificate.
fn configure() -> TestResult<(ServerConfig, ClientConfig)> {
    let made = rcgen::generate_simple_self_signed(["peer".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let server = ServerConfig::with_single_cert(vec![certificate], key.into())?;
    Ok((server, ClientConfig::with_root_certificates(Arc::new(roots))?))
}

/// Your application: QUIC over the sockets that have met.
#[netns_test]
async fn peers_speak_quic(_net: Net) -> TestResult {
    let [near, far] = meet(Nat::PORT_RESTRICTED, Nat::PORT_RESTRICTED)?;
    let ((near, _), (far, address)) = (near?, far?);
    let (serves, trusts) = configure()?;
    let endpoint = |socket, config| {
        Endpoint::new(EndpointConfig::default(), config, socket, Arc::new(TokioRuntime))
    };
    let server = endpoint(near, Some(serves))?;
    let answers = tokio::spawn(async move {
        let connection = server.accept().await.unwrap().await.unwrap();
        let mut answer = connection.open_uni().await.unwrap();
        answer.write_all(b"hello").await.unwrap();
        answer.finish().unwrap();
        connection.closed().await;
    });
    let mut client = endpoint(far, None)?;
    client.set_default_client_config(trusts);
    let connection = client.connect(address, "peer")?.await?;
    assert_eq!(connection.accept_uni().await?.read_to_end(10).await?, b"hello");
    connection.close(0_u8.into(), b"");
    answers.await?;
    Ok(())
}
