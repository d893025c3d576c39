//! PostgreSQL in a node, as Debian packages it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use nstest::{Node, TestContext, TestResult};

/// Debian keeps its programs out of the PATH, by version.
fn programs() -> TestResult<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output()?;
    Ok(PathBuf::from(String::from_utf8(told.stdout)?.trim()))
}

/// Starts a server for everybody, with these settings too, and waits until it
/// listens: it serves a little later, and says so (57P03). It refuses to be root.
///
/// # Errors
/// Where it cannot be started.
///
/// # Panics
/// If its data directory cannot be made.
pub async fn start(db: &Node, context: &TestContext, settings: &[&str]) -> TestResult {
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
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stderr(Stdio::null())
        .spawn()?;
    db.wait_listening_async(5432).await?;
    Ok(())
}
