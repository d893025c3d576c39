//! Attributes that prepare the process of a test: above, and below where they can be.

use nstest::{Node, TestContext, netns, netns_test};
use tracing_test::traced_test;

#[traced_test]
#[netns_test]
fn traced_above(server: Node) {
    tracing::info!("it is {}", server.name());
    assert!(logs_contain("it is server"));
}

#[netns_test]
#[traced_test]
fn traced_below(server: Node) {
    tracing::info!("it is {}", server.name());
    assert!(logs_contain("it is server"));
}

#[traced_test]
#[nstest::test]
async fn traced_above_an_async_fn(_context: TestContext) {
    tracing::info!("in the runtime");
    assert!(logs_contain("in the runtime"));
}

#[netns_test]
#[traced_test]
async fn traced_below_an_async_fn(_context: TestContext) {
    tracing::info!("in the runtime");
    assert!(logs_contain("in the runtime"));
}

#[tokio::test]
#[traced_test]
#[netns]
async fn traced_below_tokio() {
    tracing::info!("in the runtime");
    assert!(logs_contain("in the runtime"));
}
