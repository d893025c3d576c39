//! PostgreSQL, and the lost answer to a commit.

use std::process::Stdio;

use nstest::{Net, Node, TestContext, TestResult, netns_test};
use tokio_postgres::{Client, NoTls};

/// Starts PostgreSQL in a node, from the directory of its programs. It ends with the test.
async fn start(db: &Node, context: &TestContext) -> TestResult {
    let data = context.tmp_dir().join("data");
    let initdb = program("initdb");
    let made = db
        .command(&initdb)
        .args(["--no-sync", "--auth=trust", "--username=postgres", "--pgdata"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()?;
    assert!(made.success());
    std::fs::write(data.join("pg_hba.conf"), "host all all all trust\n")?;
    db.command(initdb.with_file_name("postgres"))
        .args(["-c", "fsync=off", "-h", "*", "-k", "", "-D"])
        .arg(&data)
        .stderr(Stdio::null())
        .spawn()?;
    Ok(db.wait_listening_async(5432).await?)
}

/// Debian has PostgreSQL's programs where no PATH leads.
fn program(name: &str) -> std::path::PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name));
    found.max().unwrap_or_else(|| name.into())
}

/// Connects. PostgreSQL listens before it is ready, and then answers with an error.
async fn connect() -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = loop {
        match tokio_postgres::connect("host=db user=postgres", NoTls).await {
            Err(error) if error.as_db_error().is_some() => tokio::task::yield_now().await,
            other => break other?,
        }
    };
    tokio::spawn(connection);
    Ok(client)
}

/// Your code: moves money, in a transaction with a number. If the connection fails, the caller
/// does not know whether it was committed, and calls it again.
async fn transfer(client: &mut Client, number: i32) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let insert = "INSERT INTO transfers VALUES ($1) ON CONFLICT DO NOTHING";
    if transaction.execute(insert, &[&number]).await? == 1 {
        transaction.execute("UPDATE accounts SET balance = balance - 10", &[]).await?;
    }
    transaction.commit().await
}

async fn balance(client: &Client) -> Result<i32, tokio_postgres::Error> {
    Ok(client.query_one("SELECT balance FROM accounts", &[]).await?.get(0))
}

/// PostgreSQL refuses to run as root.
#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs initdb; run ./check test")]
async fn a_transfer_whose_commit_is_in_doubt(
    db: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    start(&db, &context).await?;
    let mut client = connect().await?;
    client
        .batch_execute(
            "CREATE TABLE transfers (number int PRIMARY KEY);
             CREATE TABLE accounts (balance int);
             INSERT INTO accounts VALUES (1000)",
        )
        .await?;

    // Loses the first packet of the server, in the next transfer the second one, and so on, up
    // to the answer to COMMIT.
    for number in 1.. {
        let lost = format!("db egress tcp sport 5432 data nth {number}: reset optional");
        let lost = net.inject(lost.parse()?)?;
        let result = transfer(&mut client, number).await;
        lost.end()?;
        if lost.affected() == 0 {
            result?;
            assert_eq!(balance(&client).await?, 1000 - 10 * number);
            return Ok(());
        }
        client = connect().await?;
        transfer(&mut client, number).await?;
    }
    unreachable!()
}
