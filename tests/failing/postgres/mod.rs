//! PostgreSQL sessions that one end believes to exist and the other does not. PostgreSQL
//! refuses to run as root, so these tests do not run as root.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use nstest::{Node, TestContext, TestResult, netns_test};
use nstest_tests::postgres;
use tokio_postgres::{Client, Config, NoTls};

mod black_hole;

/// A session of a program in this node. Its TCP is configured to detect that the other end is
/// gone: by missing acknowledgements, or by keepalive probes while it waits.
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
        // It listens before it is ready, and reports that with 57P03.
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

/// Whether the TCP of the client has given up, now or before.
fn gave_up(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || kind(error) == Some(ErrorKind::TimedOut)
}

/// The kind of the I/O error that caused a client's error.
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

/// The client detects it, but its server does not: it keeps the lock of the lost client until
/// another client terminates the session.
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
    // The lost packets do not arrive later, and another client has the lock.
    let again = session(&app).await?;
    assert!(again.query("SELECT n FROM t", &[]).await?.is_empty());
    let free = again.query_one("SELECT pg_try_advisory_lock(1)", &[]).await?;
    assert!(!free.get::<_, bool>(0));
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_waiting_client_detects_the_loss_by_keepalive(
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
async fn a_transaction_is_undone_if_its_connection_is_reset(
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
    // Waits until the first transaction is undone.
    assert_eq!(again.execute("INSERT INTO t VALUES (1)", &[]).await?, 1);
    Ok(())
}
