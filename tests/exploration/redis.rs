//! A real client library and a real server, in two nodes.

use std::process::Stdio;
use std::time::Duration;

use nstest::{Node, TestContext, TestResult, netns_test};
use nstest_tests::programs::find;
use redis::{Connection, RedisResult};

use crate::found::explore;

const PATIENCE: Duration = Duration::from_millis(700);

fn start(store: &Node, context: &TestContext) -> TestResult {
    store
        .command(find("redis-server"))
        .args(["--save", "", "--protected-mode", "no", "--bind", "0.0.0.0", "--dir"])
        .arg(context.tmp_dir())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(store.wait_listening(6379)?)
}

fn connect(url: String) -> RedisResult<Connection> {
    let connection = redis::Client::open(url)?.get_connection_with_timeout(PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// Takes one item, and tries again if it gets no confirmation.
fn take_one(store: &Node, script: &str) -> bool {
    (0..3).any(|_| {
        let taken = connect(format!("redis://{}/", store.ip())).and_then(|mut connection| {
            redis::cmd("EVAL").arg(script).arg(0).query::<i64>(&mut connection)
        });
        taken.is_ok()
    })
}

fn takes_one(store: &Node, context: &TestContext, script: &str) -> TestResult {
    start(store, context)?;
    // From the node of the store, so that no packet passes the link.
    let own = || store.run(|| connect("redis://127.0.0.1/".to_owned()));
    redis::cmd("SET").arg("stock").arg(5).exec(&mut own()?)?;
    let taken = take_one(store, script);
    let left: i64 = redis::cmd("GET").arg("stock").query(&mut own()?)?;
    assert!(left >= 4 && (!taken || left == 4), "taken once, {left} of 5 left");
    Ok(())
}

#[netns_test(explore(then reset, drop))]
#[ignore = "fixture of another test"]
fn takes_two(store: Node, context: TestContext) -> TestResult {
    takes_one(&store, &context, "return redis.call('DECR', 'stock')")
}

#[netns_test(explore(then reset, drop))]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn an_order_that_the_store_knows_survives(store: Node, context: TestContext) -> TestResult {
    let script = "if redis.call('SET', 'order-7', '1', 'NX') then redis.call('DECR', 'stock') end
        return 1";
    takes_one(&store, &context, script)
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn a_command_that_is_done_twice_is_found() {
    let found = explore("redis::takes_two");
    assert!(
        found.plans.iter().all(|plan| plan.contains("ingress tcp port 6379")),
        "{}",
        found.text
    );
    assert!(found.again.ends_with("then reset"), "{}", found.text);
    found.repeats("redis::takes_two", "taken once, 3 of 5 left");
}
