//! QUIC by quinn: a connection is its identifiers, not its addresses, and
//! outlives them (RFC 9000 §9).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use nstest::{Lan, Nat, Nat6, Net, Node, Router, TestResult, netns_test};
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::PrivatePkcs8KeyDer;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Two connected endpoints, each in its node; the server sends back what it gets
/// on a stream.
struct Pair {
    client: Node,
    near: Connection,
    /// The same connection as the server has it.
    far: Connection,
}

impl Pair {
    async fn connect(client: &Node, server: &Node, addr: IpAddr) -> TestResult<Self> {
        let made = rcgen::generate_simple_self_signed(["server".to_owned()])?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let serves = ServerConfig::with_single_cert(vec![made.cert.der().clone()], key.into())?;
        let listens = server
            .spawn_async(async { Endpoint::server(serves, (Ipv6Addr::UNSPECIFIED, 0).into()) });
        let endpoint = listens.await??;
        let port = endpoint.local_addr()?.port();
        let accepts = server.spawn_async(async move {
            let connection = endpoint.accept().await.ok_or("the endpoint is closed")?.await?;
            tokio::spawn(echo(connection.clone()));
            Ok::<_, Failed>(connection)
        });
        let config = ClientConfig::with_root_certificates(Arc::new(roots))?;
        let connects = client.spawn_async(async move {
            let mut endpoint = Endpoint::client((Ipv6Addr::UNSPECIFIED, 0).into())?;
            endpoint.set_default_client_config(config);
            Ok::<_, Failed>(endpoint.connect((addr, port).into(), "server")?.await?)
        });
        let (near, far) = (connects.await??, accepts.await??);
        Ok(Self { client: client.clone(), near, far })
    }

    /// As what the server sees the client.
    fn seen(&self) -> SocketAddr {
        let seen = self.far.remote_address();
        (seen.ip().to_canonical(), seen.port()).into()
    }

    /// A stream that has carried something.
    async fn stream(&self) -> TestResult<Stream> {
        let (sends, receives) = self.near.open_bi().await?;
        let mut stream = Stream { sends, receives };
        stream.exchange(b"first").await?;
        Ok(stream)
    }

    /// Sends so much there and back, on a stream of its own, and compares.
    async fn transfer(&self, bytes: usize) -> TestResult {
        let (mut sends, mut receives) = self.near.open_bi().await?;
        let sent: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writes = self.client.spawn_async(async move {
            sends.write_all(&sent).await?;
            sends.finish()?;
            Ok::<_, Failed>(())
        });
        let got = receives.read_to_end(bytes).await?;
        writes.await??;
        assert!(got == expected, "{} bytes of {bytes}, or others", got.len());
        Ok(())
    }
}

struct Stream {
    sends: SendStream,
    receives: RecvStream,
}

impl Stream {
    async fn exchange(&mut self, message: &[u8]) -> TestResult {
        let mut got = vec![0; message.len()];
        self.sends.write_all(message).await?;
        self.receives.read_exact(&mut got).await?;
        assert_eq!(got, message);
        Ok(())
    }
}

async fn echo(connection: Connection) -> Result<(), quinn::ConnectionError> {
    loop {
        let (mut sends, mut receives) = connection.accept_bi().await?;
        tokio::spawn(async move {
            while let Some(chunk) = receives.read_chunk(64 << 10, true).await? {
                sends.write_chunk(chunk.bytes).await?;
            }
            sends.finish()?;
            Ok::<_, Failed>(())
        });
    }
}

fn both(node: &Node) -> [IpAddr; 2] {
    [node.ipv4().into(), node.ipv6().into()]
}

#[netns_test]
async fn bytes_arrive_whole_and_in_order(client: Node, server: Node) -> TestResult {
    let pair = Pair::connect(&client, &server, server.ip()).await?;
    assert!(client.addrs().contains(&pair.seen().ip()));
    pair.transfer(1 << 20).await?;
    Ok(())
}

#[netns_test]
async fn a_new_address_is_only_another_path(net: Net) -> TestResult {
    let lan = net.add_lan("lan").subnet("192.168.1.0/24").subnet("fd00:1::/64").build()?;
    let client = net.add_node("client").join(&lan).build()?;
    let servers = ["v4", "v6"].map(|name| net.add_node(name).join(&lan).build());
    let news: [IpAddr; 2] = ["192.168.1.77".parse()?, "fd00:1::77".parse()?];
    for ((server, family), new) in servers.into_iter().zip(0..).zip(news) {
        let server = server?;
        let pair = Pair::connect(&client, &server, both(&server)[family]).await?;
        let (mut stream, old) = (pair.stream().await?, pair.seen());
        assert_eq!(old.ip(), both(&client)[family]);
        client.set_address(&lan, new)?;
        stream.exchange(b"from elsewhere").await?;
        assert_eq!(pair.seen(), SocketAddr::new(new, old.port()));
        pair.transfer(1 << 20).await?;
    }
    Ok(())
}

/// A laptop at home, behind a NAT, with a server and a mobile network outside.
struct World {
    home: Lan,
    mobile: Lan,
    router: Router,
    laptop: Node,
    server: Node,
}

impl World {
    fn build(net: &Net) -> nstest::Result<Self> {
        let internet =
            net.add_lan("internet").subnet("203.0.113.0/24").subnet("2001:db8::/64").build()?;
        let home = net.add_lan("home").subnet("192.168.1.0/24").subnet("fd00:1::/64").build()?;
        let mobile = net.add_lan("mobile").subnet("100.64.0.0/24").subnet("fd00:2::/64").build()?;
        let nat = Nat::CARRIER_GRADE;
        let routes = |name, lan| {
            let router = net.add_router(name).lan(lan).wan(&internet);
            router.nat(nat).nat6(Nat6::Nat(nat)).build()
        };
        let router = routes("router", &home)?;
        routes("mast", &mobile)?;
        let laptop = net.add_node("laptop").join(&home).build()?;
        let server = net.add_node("server").join(&internet).build()?;
        Ok(Self { home, mobile, router, laptop, server })
    }
}

#[netns_test]
async fn a_connection_roams_to_another_network_and_back(net: Net) -> TestResult {
    let world = World::build(&net)?;
    for addr in both(&world.server) {
        let server = world.server.clone();
        let pair = Pair::connect(&world.laptop, &server, addr).await?;
        let (mut stream, at_home) = (pair.stream().await?, pair.seen());
        world.laptop.roam(&world.home, &world.mobile)?;
        stream.exchange(b"from the street").await?;
        let outside = pair.seen();
        assert_ne!(outside.ip(), at_home.ip());
        pair.transfer(1 << 20).await?;
        world.laptop.roam(&world.mobile, &world.home)?;
        stream.exchange(b"from home").await?;
        assert_eq!(pair.seen().ip(), at_home.ip());
    }
    Ok(())
}

#[netns_test]
async fn a_nat_that_forgets_is_only_another_port(net: Net) -> TestResult {
    let world = World::build(&net)?;
    let pair = Pair::connect(&world.laptop, &world.server, world.server.ip()).await?;
    let (mut stream, before) = (pair.stream().await?, pair.seen());
    world.router.flush_nat()?;
    stream.exchange(b"from another port").await?;
    let after = pair.seen();
    assert_eq!(after.ip(), before.ip());
    assert_ne!(after.port(), before.port());
    pair.transfer(1 << 20).await?;
    Ok(())
}

#[netns_test]
async fn what_is_sent_while_the_cable_is_pulled_arrives_later(
    client: Node,
    server: Node,
) -> TestResult {
    let pair = Pair::connect(&client, &server, server.ip()).await?;
    let mut stream = pair.stream().await?;
    let sent = pair.near.stats().udp_tx.datagrams;
    server.link().down()?;
    let exchange = client.spawn_async(async move { stream.exchange(b"patience").await });
    // It has been sent, and once more when nobody acknowledged it.
    nstest::eventually(std::time::Duration::from_secs(10), || {
        pair.near.stats().udp_tx.datagrams > sent + 1
    })?;
    assert!(!exchange.is_finished());
    server.link().up()?;
    exchange.await?
}
