//! An axum server and a reqwest client on port 80, over both address families.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use nstest::{TestContext, TestResult, netns_test};
use tokio::net::TcpListener;

/// Starts a server in the background. Its socket listens when this returns.
async fn serve(name: &str, address: &str) -> TestResult {
    let router = Router::new()
        .route("/name", get(|State(name): State<String>| async move { name }))
        .route("/echo", post(|body: String| async move { body }))
        .with_state(name.to_owned());
    let listener = TcpListener::bind(address).await?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

async fn exchange(context: &TestContext, address: &str, host: &str) -> TestResult {
    serve(context.name(), address).await?;
    let client = reqwest::Client::new();
    let name = client.get(format!("http://{host}/name")).send().await?.text().await?;
    assert_eq!(name, context.name(), "another test's server");
    let body = "x".repeat(100_000);
    let echo = client.post(format!("http://{host}/echo")).body(body.clone()).send().await?;
    assert_eq!(echo.error_for_status()?.text().await?, body);
    Ok(())
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(
            mod $name {
                use super::*;

                #[netns_test]
                async fn over_ipv4(context: TestContext) -> TestResult {
                    exchange(&context, "127.0.0.1:80", "127.0.0.1").await
                }

                #[netns_test]
                async fn over_ipv6(context: TestContext) -> TestResult {
                    exchange(&context, "[::1]:80", "[::1]").await
                }

                #[netns_test(flavor = "multi_thread", worker_threads = 2)]
                async fn by_name_on_threads(context: TestContext) -> TestResult {
                    exchange(&context, "0.0.0.0:80", "localhost").await
                }
            }
        )*
    };
}

tests!(a b c d e f g h);
