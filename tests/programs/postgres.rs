//! PostgreSQL refuses to run as root, so the test is none; its client runs on
//! tokio.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use nstest::{Node, TestContext, TestResult, netns_test};
use tokio_postgres::NoTls;

/// Debian keeps its programs out of the PATH, by version.
fn programs() -> TestResult<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output()?;
    Ok(PathBuf::from(String::from_utf8(told.stdout)?.trim()))
}

#[netns_test(root = false)]
async fn answers_queries_from_another_node(
    db: Node,
    app: Node,
    context: TestContext,
) -> TestResult {
    let (bin, data) = (programs()?, context.tmp_dir().join("data"));
    let made = db
        .command(bin.join("initdb"))
        .args(["--no-sync", "--auth=trust", "--username=postgres", "--pgdata"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()?;
    assert!(made.success());
    std::fs::write(data.join("pg_hba.conf"), "host all all all trust\n")?;
    db.command(bin.join("postgres"))
        .args(["-c", "fsync=off", "-h", "*", "-k", "", "-D"])
        .arg(&data)
        .stderr(Stdio::null())
        .spawn()?;
    db.wait_listening_async(5432).await?;
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
    assert!(app.addrs().contains(&from.parse()?), "{from}");
    Ok(())
}
