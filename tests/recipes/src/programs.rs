//! nginx in front of two servers, of which one is out of reach.

use axum::Router;
use axum::routing::get;
use nstest::{Net, Node, TestContext, TestResult, netns_test};
use tokio::net::TcpListener;

/// Your configuration: nginx asks the other server if one does not accept within 200 ms.
fn configuration(directory: &str) -> String {
    format!(
        "user root; daemon off; master_process off; pid {directory}/nginx.pid; events {{}}
        http {{
            access_log off;
            client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
            scgi_temp_path {directory}/scgi;
            upstream shops {{ server north:80; server south:80; }}
            server {{
                listen 80;
                location / {{ proxy_pass http://shops; proxy_connect_timeout 200ms; }}
            }}
        }}"
    )
}

async fn start(proxy: &Node, context: &TestContext) -> TestResult {
    let file = context.tmp_dir().join("nginx.conf");
    std::fs::write(&file, configuration(&context.tmp_dir().display().to_string()))?;
    proxy.command("nginx").args(["-e", "stderr", "-c"]).arg(&file).spawn()?;
    Ok(proxy.wait_listening_async(80).await?)
}

/// Your server: says its name.
async fn serve(name: String) -> std::io::Result<()> {
    let app = Router::new().route("/", get(|| async { name }));
    axum::serve(TcpListener::bind("[::]:80").await?, app).await
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nginx; run ./check test")]
async fn requests_go_to_the_server_that_answers(
    north: Node,
    south: Node,
    proxy: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    for shop in [&north, &south] {
        shop.spawn_async(serve(shop.name().to_owned()));
        shop.wait_listening_async(80).await?;
    }
    start(&proxy, &context).await?;
    let ask = async || reqwest::get("http://proxy/").await?.text().await;
    let mut answers = Vec::new();
    // Each server has two addresses, IPv4 and IPv6, which nginx takes in turn.
    for _ in 0..4 {
        answers.push(ask().await?);
    }
    answers.sort();
    assert_eq!(answers, ["north", "north", "south", "south"]);

    net.isolate(&south)?;
    for _ in 0..4 {
        assert_eq!(ask().await?, "north");
    }
    // No server is left.
    net.heal()?;
    net.partition(&[&[&north], &[&south], &[&proxy, &net.local()]])?;
    assert!(reqwest::get("http://proxy/").await?.status().is_server_error());
    Ok(())
}
