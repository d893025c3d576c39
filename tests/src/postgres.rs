//! Starts PostgreSQL in a node.

use std::process::Stdio;

use nstest::{Node, TestContext, TestResult};

use crate::programs::find;

/// Starts a server with these settings that accepts every client, and waits until it
/// listens. It refuses queries with error 57P03 until it is ready a little later. It
/// does not run as root.
///
/// # Errors
/// If the server does not start.
///
/// # Panics
/// If PostgreSQL is not installed, or its data directory cannot be made.
pub async fn start(db: &Node, context: &TestContext, settings: &[&str]) -> TestResult {
    let (initdb, data) = (find("initdb"), context.tmp_dir().join("data"));
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
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stderr(Stdio::null())
        .spawn()?;
    db.wait_listening_async(5432).await?;
    Ok(())
}
