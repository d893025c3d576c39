//! A redis client that has an idea of how long it waits.

use std::process::Stdio;
use std::time::Duration;

use nstest::{Node, TestContext, TestResult, eventually, netns_test};
use nstest_tests::programs::find;
use redis::{Connection, TypedCommands};

mod partitions;

/// How long the client waits for an answer, above what one takes on a loaded
/// machine.
const TIMEOUT: Duration = Duration::from_millis(1500);
const PATIENCE: Duration = Duration::from_secs(20);

struct Store {
    client: Node,
    opened: redis::Client,
}

impl Store {
    fn start(server: &Node, client: &Node, context: &TestContext) -> TestResult<Self> {
        server
            .command(find("redis-server"))
            .args(["--save", "", "--protected-mode", "no", "--bind", "0.0.0.0", "::", "--dir"])
            .arg(context.tmp_dir())
            .stdout(Stdio::null())
            .spawn()?;
        server.wait_listening(6379)?;
        let opened = redis::Client::open(format!("redis://{}/", server.ip()))?;
        Ok(Self { client: client.clone(), opened })
    }

    /// The same one, as a client in another node has it.
    fn at(&self, client: &Node) -> Self {
        Self { client: client.clone(), opened: self.opened.clone() }
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        let connection = self.client.run(|| self.opened.get_connection_with_timeout(TIMEOUT))?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        Ok(connection)
    }
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn counts(server: Node, client: Node, context: TestContext) -> TestResult {
    let store = Store::start(&server, &client, &context)?;
    let mut connection = store.connect()?;
    for n in 1..=100 {
        assert_eq!(connection.incr("counter", 1)?, n);
    }
    assert_eq!(store.connect()?.get("counter")?.as_deref(), Some("100"));
    Ok(())
}

/// The client gives up, and reconnects after the healing; the write that it gave
/// up was under way, and counts after all: TCP of its node went on to deliver it.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn a_write_that_timed_out_is_in_doubt(
    server: Node,
    client: Node,
    context: TestContext,
) -> TestResult {
    let store = Store::start(&server, &client, &context)?;
    let mut connection = store.connect()?;
    assert_eq!(connection.incr("counter", 1)?, 1);
    server.link().down()?;
    let error = connection.incr("counter", 1).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(store.connect().is_err(), "nor is there another way");
    drop(connection);
    server.link().up()?;
    let mut connection = eventually(PATIENCE, || store.connect())?;
    eventually(PATIENCE, || match connection.get("counter") {
        Ok(Some(seen)) if seen == "2" => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    assert_eq!(connection.incr("counter", 1)?, 3);
    Ok(())
}

/// Shorter than the client's patience, a failure is nothing but a delay: three writes,
/// each sent while nothing gets through. `fail` makes it so and says how to see that
/// something was lost.
fn writes_are_only_late<L: Fn() -> bool>(
    store: &Store,
    fail: impl Fn() -> nstest::Result<L>,
    mend: impl Fn() -> nstest::Result<()>,
) -> TestResult {
    let mut connection = store.connect()?;
    connection.set_read_timeout(Some(PATIENCE))?;
    for n in 1..=3 {
        let lost = fail()?;
        let asks = store.client.spawn(move || (connection.incr("counter", 1), connection));
        // What is sent meanwhile is kept in the client's node.
        eventually(PATIENCE, || lost() && unanswered(&store.client))?;
        mend()?;
        let seen;
        (seen, connection) = asks.join().expect("it does not panic");
        assert_eq!(seen?, n);
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server and ss; run ./check test")]
fn a_cable_that_is_pulled_and_plugged_loses_nothing(
    server: Node,
    client: Node,
    context: TestContext,
) -> TestResult {
    let store = Store::start(&server, &client, &context)?;
    let cable = server.link();
    writes_are_only_late(&store, || cable.down().map(|()| || true), || cable.up())
}

/// Whether a connection of this node has sent what nobody acknowledged.
fn unanswered(node: &Node) -> bool {
    let told = node.command(find("ss")).args(["-Htn", "dport", "=", "6379"]).output();
    let told = told.expect("ss runs");
    String::from_utf8_lossy(&told.stdout)
        .lines()
        .any(|line| line.split_whitespace().nth(2).is_some_and(|queued| queued != "0"))
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn a_connection_that_is_killed_is_told_at_once(
    server: Node,
    client: Node,
    context: TestContext,
) -> TestResult {
    let store = Store::start(&server, &client, &context)?;
    let mut connection = store.connect()?;
    assert_eq!(connection.incr("counter", 1)?, 1);
    assert_eq!(server.kill_connections(6379)?, 1);
    let error = connection.incr("counter", 1).unwrap_err();
    assert!(error.is_connection_dropped(), "{error}");
    assert_eq!(store.connect()?.incr("counter", 1)?, 2);
    Ok(())
}
