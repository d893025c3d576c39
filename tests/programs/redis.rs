//! redis-server in two nodes, each on the standard port; its client in a third,
//! and in the test.

use std::process::Stdio;

use nstest::{Node, TestContext, TestResult, netns_test};
use nstest_tests::programs::find;
use redis::TypedCommands;

fn start(node: &Node, context: &TestContext) -> TestResult {
    node.command(find("redis-server"))
        .args(["--save", "", "--protected-mode", "no", "--bind", "0.0.0.0", "::", "--dir"])
        .arg(context.tmp_dir())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(node.wait_listening(6379)?)
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn two_stores_and_clients_elsewhere(
    north: Node,
    south: Node,
    client: Node,
    context: TestContext,
) -> TestResult {
    for store in [&north, &south] {
        start(store, &context)?;
        let mut own =
            redis::Client::open(format!("redis://{}/", store.name()))?.get_connection()?;
        own.set("name", store.name())?;
    }
    for store in [&north, &south] {
        for url in [format!("redis://{}/", store.ip()), format!("redis://[{}]/", store.ipv6())] {
            let opened = redis::Client::open(url)?;
            let mut connection = client.run(|| opened.get_connection())?;
            assert_eq!(connection.get("name")?.as_deref(), Some(store.name()));
        }
        let seen = redis::Client::open(format!("redis://{}/", store.name()))?;
        let list: String =
            redis::cmd("CLIENT").arg("LIST").query(&mut client.run(|| seen.get_connection())?)?;
        assert!(
            list.contains(&client.ip().to_string()) || list.contains(&client.ipv6().to_string()),
            "{list}"
        );
    }
    Ok(())
}
