//! An axum server in one node and reqwest in another, by name.

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use std::net::SocketAddr;

use nstest::{Node, TestResult, netns_test};

#[netns_test]
async fn a_client_that_pools_connections(server: Node, client: Node) -> TestResult {
    let serves = server.spawn_async(async {
        let who = |ConnectInfo(from): ConnectInfo<SocketAddr>| async move {
            from.ip().to_canonical().to_string()
        };
        let router = Router::new().route("/", get(who));
        let listener = tokio::net::TcpListener::bind("[::]:80").await?;
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
    });
    server.wait_listening_async(80).await?;
    let asks = client.spawn_async(async {
        let client = reqwest::Client::new();
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(client.get("http://server/").send().await?.text().await?);
        }
        Ok::<_, reqwest::Error>(seen)
    });
    for seen in asks.await?? {
        assert!(client.ips().contains(&seen.parse()?), "{seen}");
    }
    serves.abort();
    Ok(())
}
