//! A PostgreSQL session has two ends, and each may believe in it without the
//! other. PostgreSQL refuses to run as root, so the tests are none.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use nstest::{Node, TestContext, TestResult, netns_test};
use nstest_tests::postgres;
use tokio_postgres::{Client, Config, NoTls};

mod half_open;

/// A session of a program in this node. Such a program asks its TCP to notice
/// when the other side is gone: what it sent is not acknowledged, or it waits
/// and nobody answers a probe.
async fn session(app: &Node) -> TestResult<Client> {
    let mut config = Config::new();
    config
        .host("db")
        .user("postgres")
        .tcp_user_timeout(Duration::from_secs(1))
        .keepalives_idle(Duration::from_secs(1))
        .keepalives_interval(Duration::from_secs(1))
        .keepalives_retries(1);
    let connects = app.spawn_async(async move {
        // It listens before it is ready to serve, and says so: 57P03.
        let (client, connection) = loop {
            match config.connect(NoTls).await {
                Err(error) if error.as_db_error().is_some() => tokio::task::yield_now().await,
                other => break other?,
            }
        };
        tokio::spawn(connection);
        Ok::<_, tokio_postgres::Error>(client)
    });
    Ok(connects.await??)
}

/// Whether the client's TCP has given up: at once, or before it was asked.
fn gave_up(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || kind(error) == Some(ErrorKind::TimedOut)
}

/// What the system said, where a client's error comes from there.
fn kind(error: &tokio_postgres::Error) -> Option<ErrorKind> {
    error.source()?.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_transaction_is_seen_when_it_is_committed(
    db: Node,
    app: Node,
    context: TestContext,
) -> TestResult {
    postgres::start(&db, &context, &[]).await?;
    let (mut writer, reader) = (session(&app).await?, session(&app).await?);
    reader.batch_execute("CREATE TABLE t (n int)").await?;
    let transaction = writer.transaction().await?;
    transaction.execute("INSERT INTO t VALUES (42)", &[]).await?;
    assert!(reader.query("SELECT n FROM t", &[]).await?.is_empty());
    transaction.commit().await?;
    assert_eq!(reader.query_one("SELECT n FROM t", &[]).await?.get::<_, i32>(0), 42);
    Ok(())
}

/// The client learns of it, its server does not, and holds the lock of a dead
/// client against the one that takes over, until it is told.
#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_lock_outlives_the_client_that_was_cut_off(
    db: Node,
    app: Node,
    standby: Node,
    context: TestContext,
) -> TestResult {
    postgres::start(&db, &context, &[]).await?;
    let dead = session(&app).await?;
    let pid: i32 = dead.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    dead.batch_execute("CREATE TABLE t (n int); SELECT pg_advisory_lock(1)").await?;

    app.link().down()?;
    let error = dead.batch_execute("INSERT INTO t VALUES (1)").await.unwrap_err();
    assert!(gave_up(&error), "{error:?}");

    let alive = session(&standby).await?;
    let free = alive.query_one("SELECT pg_try_advisory_lock(1)", &[]).await?;
    assert!(!free.get::<_, bool>(0));
    alive.execute("SELECT pg_terminate_backend($1)", &[&pid]).await?;
    alive.batch_execute("SELECT pg_advisory_lock(1)").await?;

    app.link().up()?;
    // What was sent into the void does not come later, and the lock is another's.
    let again = session(&app).await?;
    assert!(again.query("SELECT n FROM t", &[]).await?.is_empty());
    let free = again.query_one("SELECT pg_try_advisory_lock(1)", &[]).await?;
    assert!(!free.get::<_, bool>(0));
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_client_that_only_waits_learns_by_keepalive(
    db: Node,
    app: Node,
    context: TestContext,
) -> TestResult {
    postgres::start(&db, &context, &[]).await?;
    let (holder, waiter) = (session(&db).await?, session(&app).await?);
    holder.batch_execute("SELECT pg_advisory_lock(1)").await?;
    let pid: i32 = waiter.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let waits =
        app.spawn_async(async move { waiter.batch_execute("SELECT pg_advisory_lock(1)").await });
    let blocked = "SELECT cardinality(pg_blocking_pids($1))";
    while holder.query_one(blocked, &[&pid]).await?.get::<_, i32>(0) == 0 {}
    app.link().down()?;
    let error = waits.await?.unwrap_err();
    assert!(gave_up(&error), "{error:?}");
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_transaction_whose_connection_is_reset_is_undone(
    db: Node,
    app: Node,
    context: TestContext,
) -> TestResult {
    postgres::start(&db, &context, &[]).await?;
    let mut writer = session(&app).await?;
    writer.batch_execute("CREATE TABLE t (n int PRIMARY KEY)").await?;
    let transaction = writer.transaction().await?;
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await?;
    assert_eq!(db.kill_connections(5432)?, 1);
    let error = transaction.commit().await.unwrap_err();
    assert!(error.is_closed() || kind(&error) == Some(ErrorKind::ConnectionReset), "{error:?}");
    let again = session(&app).await?;
    // Waits until the first is undone, where that is not done yet.
    assert_eq!(again.execute("INSERT INTO t VALUES (1)", &[]).await?, 1);
    Ok(())
}
