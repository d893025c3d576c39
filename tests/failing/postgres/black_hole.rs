//! Sessions with a black hole in one direction. Both ends detect it, and no transaction is
//! half done.

use nstest::netns_test;
use nstest::{Action, Fault, Injection, Net, Node, PacketKind, Packets, TestContext, TestResult};
use nstest_tests::postgres;
use tokio_postgres::{Client, Transaction};

use super::{gave_up, session};

/// The settings with which a server detects that its client is gone.
const NOTICES: [&str; 4] = [
    "tcp_user_timeout=1000",
    "tcp_keepalives_idle=1",
    "tcp_keepalives_interval=1",
    "tcp_keepalives_count=1",
];

/// Creates two accounts. Returns a client in the server's own node, which reads them.
async fn bank(db: &Node, context: &TestContext) -> TestResult<Client> {
    postgres::start(db, context, &NOTICES).await?;
    let here = session(db).await?;
    here.batch_execute(
        "CREATE TABLE accounts (name text PRIMARY KEY, balance int); \
         INSERT INTO accounts VALUES ('a', 100), ('b', 0)",
    )
    .await?;
    Ok(here)
}

async fn balances(client: &Client) -> TestResult<Vec<i32>> {
    let rows = client.query("SELECT balance FROM accounts ORDER BY name", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A transaction that is complete except for its commit.
async fn transfer(client: &mut Client) -> TestResult<Transaction<'_>> {
    let transaction = client.transaction().await?;
    for update in ["balance - 10 WHERE name = 'a'", "balance + 10 WHERE name = 'b'"] {
        transaction.execute(&format!("UPDATE accounts SET balance = {update}"), &[]).await?;
    }
    Ok(transaction)
}

/// Commits while this fault drops the packets of the server.
async fn commit_unanswered(
    (db, app, net, context): (Node, Node, Net, TestContext),
    fault: impl Fn(Fault) -> Fault,
) -> TestResult<Injection> {
    let here = bank(&db, &context).await?;
    let mut there = session(&app).await?;
    let pid: i32 = there.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let transaction = transfer(&mut there).await?;
    assert_eq!(balances(&here).await?, [100, 0]);

    let dead = net.inject(fault(db.link().egress().fault()?))?;
    let error = transaction.commit().await.unwrap_err();
    assert!(gave_up(&error), "{error:?}");
    loop {
        match balances(&here).await?[..] {
            [90, 10] => break,
            ref other => assert_eq!(other, [100, 0], "half of it"),
        }
    }
    // The server detects it, although no packet of the client is lost.
    let lives = "SELECT FROM pg_stat_activity WHERE pid = $1";
    while !here.query(lives, &[&pid]).await?.is_empty() {}

    dead.end()?;
    let mut again = session(&app).await?;
    assert_eq!(balances(&again).await?, [90, 10]);
    transfer(&mut again).await?.commit().await?;
    assert_eq!(balances(&here).await?, [80, 20]);
    Ok(dead)
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_commit_is_done_even_if_its_answer_is_lost(
    db: Node,
    app: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    let dead = commit_unanswered((db, app, net, context), |fault| fault.action(Action::Drop));
    assert!(dead.await?.affected() > 0);
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn an_answer_that_starts_a_black_hole_is_lost(
    db: Node,
    app: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    let dead = commit_unanswered((db, app, net, context), |fault| {
        let answers = Packets::tcp().sport(5432).kind(PacketKind::Data);
        fault.packets(answers).nth(1).action(Action::Blackhole)
    });
    assert!(dead.await?.affected() > 0);
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_transaction_is_undone_if_its_commit_is_lost(
    db: Node,
    app: Node,
    context: TestContext,
) -> TestResult {
    let here = bank(&db, &context).await?;
    let mut there = session(&app).await?;
    let transaction = transfer(&mut there).await?;

    let dead = db.link().ingress().drop_packets(Packets::all())?;
    let error = transaction.commit().await.unwrap_err();
    assert!(gave_up(&error), "{error:?}");
    assert_eq!(balances(&here).await?, [100, 0]);
    // The row is locked until the server detects that the client does not answer.
    here.batch_execute("UPDATE accounts SET balance = balance - 1 WHERE name = 'a'").await?;
    assert!(dead.affected() > 0);

    dead.end()?;
    let again = session(&app).await?;
    assert_eq!(balances(&again).await?, [99, 0]);
    Ok(())
}
