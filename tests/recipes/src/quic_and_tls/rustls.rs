//! A TLS client on a path that loses long packets.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use nstest::{Node, TestResult, netns_test};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream,
};

/// A certificate of two kilobytes, which needs more than one packet.
fn configure() -> TestResult<(ServerConfig, ClientConfig)> {
    let names: Vec<String> = (0..100).map(|n| format!("name-{n}.example")).collect();
    let made = rcgen::generate_simple_self_signed([vec!["server".to_owned()], names].concat())?;
    let certificate: CertificateDer = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![certificate], key.into())?;
    let client = ClientConfig::builder().with_root_certificates(roots);
    let mut client = client.with_no_client_auth();
    // A session that is resumed needs no certificate.
    client.resumption = Resumption::disabled();
    Ok((server, client))
}

/// Your server.
fn serve(listener: TcpListener, config: Arc<ServerConfig>) {
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        // The error of a client that has given up.
        let _ = Stream::new(&mut tls, &mut connection).write_all(b"hello");
    }
}

/// Your client: gives up after half a second without an answer.
fn fetch(config: Arc<ClientConfig>) -> io::Result<String> {
    let mut connection = TcpStream::connect("server:443")?;
    connection.set_read_timeout(Some(Duration::from_millis(500)))?;
    let name = "server".try_into().map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut answer = [0; 5];
    Stream::new(&mut tls, &mut connection).read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[netns_test]
fn a_handshake_whose_certificate_is_lost_times_out(server: Node) -> TestResult {
    let (serves, trusts) = configure()?;
    let trusts = Arc::new(trusts);
    let listener = server.run(|| TcpListener::bind("[::]:443"))?;
    server.spawn(move || serve(listener, Arc::new(serves)));
    assert_eq!(fetch(Arc::clone(&trusts))?, "hello");

    // As in a VPN with a gateway that drops ICMP: the connection is established, and the short
    // packets of the client arrive.
    let tunnel = server.link().egress().mtu_blackhole(1280)?;
    let error = fetch(Arc::clone(&trusts)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
    assert!(tunnel.affected() > 0);
    tunnel.end()?;

    assert_eq!(fetch(trusts)?, "hello");
    Ok(())
}
