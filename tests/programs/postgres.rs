//! PostgreSQL refuses to run as root, so the test does not run as root. The client runs on
//! tokio.

use nstest::{Node, TestContext, TestResult, netns_test};
use nstest_tests::postgres;
use tokio_postgres::NoTls;

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn answers_queries_from_another_node(
    db: Node,
    app: Node,
    context: TestContext,
) -> TestResult {
    postgres::start(&db, &context, &[]).await?;
    // It listens before it is ready to serve, and says so: 57P03.
    let seen = app.spawn_async(async {
        let (client, connection) = loop {
            match tokio_postgres::connect("host=db user=postgres", NoTls).await {
                Err(error) if error.as_db_error().is_some() => tokio::task::yield_now().await,
                other => break other?,
            }
        };
        tokio::spawn(connection);
        client.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (40), (2)").await?;
        let sum: i64 = client.query_one("SELECT sum(n) FROM t", &[]).await?.get(0);
        let row = client.query_one("SELECT host(inet_client_addr())", &[]).await?;
        Ok::<(i64, String), tokio_postgres::Error>((sum, row.get(0)))
    });
    let (sum, from) = seen.await??;
    assert_eq!(sum, 42);
    assert!(app.ips().contains(&from.parse()?), "{from}");
    Ok(())
}
