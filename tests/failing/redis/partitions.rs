//! Two clients of one server, and a partition between it and one of them.

use nstest::{Net, Node, TestContext, TestResult, eventually, netns_test};
use redis::{Connection, RedisResult, TypedCommands};

use super::{PATIENCE, Store, TIMEOUT, writes_are_only_late};

/// A client that adds entries to a list, each once, and records the results.
struct Writer {
    store: Store,
    name: &'static str,
    connection: Connection,
    tried: usize,
    acknowledged: Vec<String>,
}

impl Writer {
    fn new(store: &Store, client: &Node, name: &'static str) -> TestResult<Self> {
        let store = store.at(client);
        let connection = store.connect()?;
        Ok(Self { store, name, connection, tried: 0, acknowledged: Vec::new() })
    }

    fn push(&mut self) -> RedisResult<()> {
        let entry = format!("{} {}", self.name, self.tried);
        self.tried += 1;
        self.connection.rpush("list", &entry)?;
        self.acknowledged.push(entry);
        Ok(())
    }

    fn push_many(&mut self) -> RedisResult<()> {
        (0..20).try_for_each(|_| self.push())
    }

    /// Checks that its entries are in the list: acknowledged ones once and in order, others at
    /// most once and anywhere.
    fn check(&self, list: &[String]) {
        let ours: Vec<_> = list.iter().filter(|entry| entry.starts_with(self.name)).collect();
        let counted: Vec<_> =
            ours.iter().filter(|entry| self.acknowledged.contains(entry)).copied().collect();
        assert_eq!(counted, self.acknowledged.iter().collect::<Vec<_>>());
        let mut doubtful: Vec<_> =
            ours.iter().filter(|entry| !self.acknowledged.contains(entry)).collect();
        doubtful.sort();
        assert!(doubtful.windows(2).all(|pair| pair[0] != pair[1]), "{doubtful:?}");
    }
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn no_acknowledged_write_is_lost(
    server: Node,
    near: Node,
    far: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    let store = Store::start(&server, &near, &context)?;
    let mut others = Writer::new(&store, &near, "near")?;
    let mut writer = Writer::new(&store, &far, "far")?;
    for _ in 0..2 {
        writer.push_many()?;
        let apart = net.partition(&[&[&server, &near], &[&far]])?;
        let error = writer.push().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        others.push_many()?;
        assert!(apart.affected() > 0);
        net.heal()?;
        writer.connection = eventually(PATIENCE, || writer.store.connect())?;
        writer.push_many()?;
    }
    let list = writer.connection.lrange("list", 0, -1)?;
    assert_eq!(writer.acknowledged.len(), 80);
    writer.check(&list);
    others.check(&list);
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server and ss; run ./check test")]
fn a_short_partition_is_only_a_delay(
    server: Node,
    client: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    let store = Store::start(&server, &client, &context)?;
    // The first lost packet may be an acknowledgement of the previous answer.
    let part =
        || net.partition(&[&[&server], &[&client]]).map(|apart| move || apart.affected() > 0);
    writes_are_only_late(&store, part, || net.heal())
}

/// The write that the client gives up is done: only the answer was lost.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn a_write_is_done_even_if_its_answer_is_lost(
    server: Node,
    near: Node,
    far: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    let store = Store::start(&server, &near, &context)?;
    let mut observer = store.connect()?;
    let mut writer = store.at(&far).connect()?;
    assert_eq!(writer.incr("counter", 1)?, 1);
    let apart = net.partition_one_way(&[&server], &[&far])?;
    let asks = far.spawn(move || writer.incr("counter", 1));
    eventually(TIMEOUT, || observer.get("counter").is_ok_and(|seen| seen.as_deref() == Some("2")))?;
    let error = asks.join().expect("it does not panic").unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(apart.affected() > 0);
    net.heal()?;
    let mut writer = eventually(PATIENCE, || store.at(&far).connect())?;
    assert_eq!(writer.incr("counter", 1)?, 3);
    Ok(())
}
