//! HTTP/2 with prior knowledge (RFC 9113 §3.3), by axum and reqwest. Many requests share one
//! connection, and fail together with it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use nstest::{Node, TestResult, netns_test};
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinSet;

mod resets;

/// The number of concurrent requests.
const STREAMS: usize = 16;

/// A server with two resources. Both return the address of the client: `/` at once, `/held`
/// when [`STREAMS`] requests have come and the test releases them.
struct Served {
    held: Arc<Barrier>,
    released: Arc<Notify>,
}

impl Served {
    async fn start(server: &Node) -> TestResult<Self> {
        // The test waits there, too.
        let held = Arc::new(Barrier::new(STREAMS + 1));
        let released = Arc::new(Notify::new());
        let who = |ConnectInfo(from): ConnectInfo<SocketAddr>| async move { from.to_string() };
        let (barrier, notify) = (Arc::clone(&held), Arc::clone(&released));
        let waits = move |from: ConnectInfo<SocketAddr>| async move {
            let released = notify.notified();
            barrier.wait().await;
            released.await;
            who(from).await
        };
        let router = Router::new().route("/", get(who)).route("/held", get(waits));
        let listens = server.spawn_async(async {
            let listener = tokio::net::TcpListener::bind("[::]:80").await?;
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async { axum::serve(listener, service).await });
            Ok::<_, std::io::Error>(())
        });
        listens.await??;
        Ok(Self { held, released })
    }
}

/// A client with its connections in this node.
#[derive(Clone)]
struct Client {
    node: Node,
    http: reqwest::Client,
}

impl Client {
    fn new(node: &Node) -> TestResult<Self> {
        let http = reqwest::Client::builder().http2_prior_knowledge().build()?;
        Ok(Self { node: node.clone(), http })
    }

    /// The address of the client, as the server sees it.
    async fn get(&self, path: &str) -> TestResult<reqwest::Result<String>> {
        let asks = self.http.get(format!("http://server{path}"));
        let answer = self.node.spawn_async(async {
            let response = asks.send().await?.error_for_status()?;
            assert_eq!(response.version(), reqwest::Version::HTTP_2);
            response.text().await
        });
        Ok(answer.await?)
    }

    /// Starts as many concurrent requests as the server holds.
    fn held(&self) -> JoinSet<reqwest::Result<String>> {
        let mut all = JoinSet::new();
        for _ in 0..STREAMS {
            let client = self.clone();
            all.spawn(async move { client.get("/held").await.expect("it does not panic") });
        }
        all
    }
}

#[netns_test]
async fn many_requests_share_a_connection(server: Node, client: Node) -> TestResult {
    let served = Served::start(&server).await?;
    let client = Client::new(&client)?;
    let first = client.get("/").await??;
    let requests = client.held();
    served.held.wait().await;
    served.released.notify_waiters();
    for seen in requests.join_all().await {
        assert_eq!(seen?, first);
    }
    Ok(())
}

#[netns_test]
async fn a_reset_ends_all_requests_and_the_next_reconnects(
    server: Node,
    client: Node,
) -> TestResult {
    let served = Served::start(&server).await?;
    let client = Client::new(&client)?;
    let first = client.get("/").await??;
    for _ in 0..3 {
        let requests = client.held();
        served.held.wait().await;
        assert_eq!(server.kill_connections(80)?, 1);
        for seen in requests.join_all().await {
            assert!(seen.unwrap_err().is_request());
        }
        assert_ne!(client.get("/").await??, first);
    }
    Ok(())
}

#[netns_test]
async fn requests_survive_a_link_that_goes_down_and_up(server: Node, client: Node) -> TestResult {
    let served = Served::start(&server).await?;
    let client = Client::new(&client)?;
    let first = client.get("/").await??;
    let requests = client.held();
    served.held.wait().await;
    server.link().down()?;
    served.released.notify_waiters();
    server.link().up()?;
    for seen in requests.join_all().await {
        assert_eq!(seen?, first);
    }
    Ok(())
}
