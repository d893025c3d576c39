//! A QUIC connection that survives a new address of its client.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use nstest::{Nat, Net, Node, TestResult, netns_test};
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::PrivatePkcs8KeyDer;

/// A server and a client that trusts its certificate.
fn configure() -> TestResult<(ServerConfig, ClientConfig)> {
    let made = rcgen::generate_simple_self_signed(["server".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let server = ServerConfig::with_single_cert(vec![certificate], key.into())?;
    Ok((server, ClientConfig::with_root_certificates(Arc::new(roots))?))
}

/// Your server: answers each stream with the address of the client.
async fn serve(endpoint: Endpoint) {
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    while let Ok((mut answer, _)) = connection.accept_bi().await {
        answer.write_all(connection.remote_address().to_string().as_bytes()).await.unwrap();
        answer.finish().unwrap();
    }
}

/// Your client: asks the server for its own address.
async fn ask(connection: &Connection) -> TestResult<SocketAddr> {
    let (mut question, mut answer) = connection.open_bi().await?;
    question.write_all(b"?").await?;
    Ok(String::from_utf8(answer.read_to_end(100).await?)?.parse()?)
}

/// Makes an endpoint, with its socket and tasks in this node.
async fn endpoint(node: &Node, config: Option<ServerConfig>) -> TestResult<Endpoint> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, if config.is_some() { 443 } else { 0 }));
    let made = node.spawn_async(async move {
        match config {
            Some(config) => Endpoint::server(config, any),
            None => Endpoint::client(any),
        }
    });
    Ok(made.await??)
}

#[netns_test]
async fn a_connection_survives_a_nat_rebinding(net: Net) -> TestResult {
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let home = net.add_lan("home").subnet("192.168.1.0/24").build()?;
    let street = net.add_lan("street").subnet("198.51.100.0/24").build()?;
    let router = net.add_router("router").lan(&home).wan(&internet).nat(Nat::PORT_RESTRICTED);
    let router = router.build()?;
    net.add_router("mast").lan(&street).wan(&internet).nat(Nat::CARRIER_GRADE).build()?;
    let phone = net.add_node("phone").join(&home).build()?;
    let server = net.add_node("server").join(&internet).build()?;

    let (serves, trusts) = configure()?;
    server.spawn_async(serve(endpoint(&server, Some(serves)).await?));
    let mut client = endpoint(&phone, None).await?;
    client.set_default_client_config(trusts);
    let connection = client.connect((server.ip(), 443).into(), "server")?.await?;
    let first = ask(&connection).await?;

    // The router assigns another port, as after a restart.
    router.rebind()?;
    let second = ask(&connection).await?;
    assert_eq!(second.ip(), first.ip());
    assert_ne!(second.port(), first.port());

    // The phone leaves the Wi-Fi for the mobile network.
    phone.roam(&home, &street)?;
    assert_ne!(ask(&connection).await?.ip(), first.ip());
    Ok(())
}
