//! tonic: calls end at their deadline, and the channel connects again.

use std::time::Duration;

use nstest::{Net, Node, TestResult, netns_test};
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Server};

use super::shop::{ShopServer, order};

/// Your server.
fn start(server: &Node) -> TestResult {
    let shop = ShopServer(|what| format!("one {what}"));
    let serves = Server::builder().add_service(shop).serve("[::]:50051".parse()?);
    server.spawn_async(async { serves.await.unwrap() });
    Ok(())
}

/// Your client: no call takes more than a second, and a connection that does not answer within
/// a second is given up.
async fn connect() -> Result<Channel, tonic::transport::Error> {
    const SECOND: Duration = Duration::from_secs(1);
    Endpoint::from_static("http://server:50051")
        .connect_timeout(SECOND)
        .timeout(SECOND)
        .http2_keep_alive_interval(SECOND / 2)
        .keep_alive_timeout(SECOND)
        .keep_alive_while_idle(true)
        .connect()
        .await
}

#[netns_test]
async fn a_channel_survives_a_partition(server: Node, net: Net) -> TestResult {
    start(&server)?;
    server.wait_listening_async(50051).await?;
    let shop = connect().await?;
    assert_eq!(order(&shop, "book").await?, "one book");

    // Nothing says that the server is out of reach. The deadline ends the call.
    net.isolate(&server)?;
    let status = order(&shop, "lamp").await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled, "{status}");

    // The channel connects again by itself.
    net.heal()?;
    let again = || async { order(&shop, "lamp").await };
    let answer = nstest::eventually_async(Duration::from_secs(20), again).await?;
    assert_eq!(answer, "one lamp");
    Ok(())
}

#[netns_test]
async fn a_call_whose_connection_is_reset_fails_at_once(server: Node, net: Net) -> TestResult {
    start(&server)?;
    server.wait_listening_async(50051).await?;
    let shop = connect().await?;
    order(&shop, "book").await?;

    let reset = net.inject("server ingress tcp dport 50051 data nth 1: reset".parse()?)?;
    let status = order(&shop, "lamp").await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown, "{status}");
    assert!(reset.affected() > 0);
    assert_eq!(order(&shop, "lamp").await?, "one lamp");
    Ok(())
}
