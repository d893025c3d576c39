//! A client that repeats a request after its connection was reset.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use nstest::{Net, Node, TestResult, netns_test};
use tokio::net::TcpListener;

/// Your server: counts the orders that it takes.
async fn serve(orders: Arc<AtomicU32>) -> std::io::Result<()> {
    let take = |State(orders): State<Arc<AtomicU32>>| async move {
        format!("order {}", orders.fetch_add(1, Ordering::Relaxed) + 1)
    };
    let app = Router::new().route("/order", get(take)).with_state(orders);
    axum::serve(TcpListener::bind("[::]:80").await?, app).await
}

/// Your client: tries three times.
async fn order(client: &reqwest::Client) -> reqwest::Result<String> {
    let mut tries = 0;
    loop {
        tries += 1;
        match client.get("http://server/order").send().await {
            Ok(response) => return response.text().await,
            Err(error) if tries == 3 => return Err(error),
            Err(_) => {}
        }
    }
}

#[netns_test]
async fn a_repeated_request_orders_twice(server: Node, net: Net) -> TestResult {
    let orders = Arc::new(AtomicU32::new(0));
    server.spawn_async(serve(Arc::clone(&orders)));
    server.wait_listening_async(80).await?;

    // The server has taken the order, and its response is lost with the connection.
    let reset = net.inject("server egress tcp sport 80 data nth 1: reset".parse()?)?;
    assert_eq!(order(&reqwest::Client::new()).await?, "order 2");
    assert!(reset.affected() > 0);
    assert_eq!(orders.load(Ordering::Relaxed), 2);
    Ok(())
}

#[netns_test]
async fn a_request_without_an_answer_ends_at_its_timeout(server: Node, net: Net) -> TestResult {
    server.spawn_async(serve(Arc::default()));
    server.wait_listening_async(80).await?;
    let timeout = std::time::Duration::from_millis(200);
    let client = reqwest::Client::builder().timeout(timeout).build()?;
    assert_eq!(order(&client).await?, "order 1");

    net.isolate(&server)?;
    assert!(order(&client).await.unwrap_err().is_timeout());
    net.heal()?;
    order(&client).await?;
    Ok(())
}
