//! A Redis client with timeouts.

use std::process::Stdio;
use std::time::Duration;

use nstest::{Node, TestContext, TestResult, eventually, netns_test};
use nstest_tests::programs::find;
use redis::{Connection, TypedCommands};

mod partitions;

/// The time that the client waits for an answer, longer than one takes on a loaded machine.
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

    /// The same store for a client in another node.
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

/// The client gives up, and reconnects after the network has healed. Its abandoned write is
/// done after all, because the TCP of its node retransmitted it.
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

/// A failure that is shorter than the client's timeout is only a delay. Sends three writes,
/// each during a failure. `fail` starts it, and returns how to see that a packet was lost.
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
        // The client's node retransmits what is sent during the failure.
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
fn a_link_that_goes_down_and_up_loses_nothing(
    server: Node,
    client: Node,
    context: TestContext,
) -> TestResult {
    let store = Store::start(&server, &client, &context)?;
    let link = server.link();
    writes_are_only_late(&store, || link.down().map(|()| || true), || link.up())
}

/// Whether a connection of this node has unacknowledged data.
fn unanswered(node: &Node) -> bool {
    let output = node.command(find("ss")).args(["-Htn", "dport", "=", "6379"]).output();
    let output = output.expect("ss runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .any(|line| line.split_whitespace().nth(2).is_some_and(|queued| queued != "0"))
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn a_killed_connection_fails_at_once(
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
