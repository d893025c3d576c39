//! Two connected endpoints.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use nstest::{Node, TestResult};
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::PrivatePkcs8KeyDer;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Two connected endpoints in two nodes. The server echoes each stream.
pub(super) struct Pair {
    client: Node,
    pub(super) near: Connection,
    /// The server's end of the same connection.
    pub(super) far: Connection,
}

impl Pair {
    pub(super) async fn connect(client: &Node, server: &Node, addr: IpAddr) -> TestResult<Self> {
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

    /// The client's address, as the server sees it.
    pub(super) fn seen(&self) -> SocketAddr {
        let seen = self.far.remote_address();
        (seen.ip().to_canonical(), seen.port()).into()
    }

    /// A stream that has transferred data.
    pub(super) async fn stream(&self) -> TestResult<Stream> {
        let (sends, receives) = self.near.open_bi().await?;
        let mut stream = Stream { sends, receives };
        stream.exchange(b"first").await?;
        Ok(stream)
    }

    /// Sends this many bytes and receives them back, on a new stream, and compares.
    pub(super) async fn transfer(&self, bytes: usize) -> TestResult {
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

pub(super) struct Stream {
    sends: SendStream,
    receives: RecvStream,
}

impl Stream {
    pub(super) async fn exchange(&mut self, message: &[u8]) -> TestResult {
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
