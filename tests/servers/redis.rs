//! redis-server (Debian's package), and the client from crates.io.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nstest::{TestContext, TestResult, netns_test};
use nstest_tests::programs::find;
use redis::{Connection, TypedCommands};

/// Starts it on its standard port, and connects as soon as it answers.
fn server(context: &TestContext) -> TestResult<(Child, Connection)> {
    let child = Command::new(find("redis-server"))
        .args(["--save", "", "--dir"])
        .arg(context.tmp_dir())
        .stdout(Stdio::null())
        .spawn()?;
    let client = redis::Client::open("redis://127.0.0.1/")?;
    let start = Instant::now();
    loop {
        match client.get_connection() {
            Ok(connection) => return Ok((child, connection)),
            Err(error) if start.elapsed() > Duration::from_secs(30) => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Every test writes the same keys, and finds none of another's.
fn counts(context: &TestContext, to: usize) -> TestResult {
    let (_server, mut connection) = server(context)?;
    assert_eq!(connection.get("name")?, None);
    connection.set("name", context.name())?;
    for n in 1..=to {
        assert_eq!(connection.incr("count", 1)?, n.try_into()?);
    }
    assert_eq!(connection.get("name")?.as_deref(), Some(context.name()));
    // The server goes on; it ends with the test.
    Ok(())
}

macro_rules! tests {
    ($($name:ident $to:literal)*) => {
        $(
            #[netns_test]
            #[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
            fn $name(context: TestContext) -> TestResult {
                counts(&context, $to)
            }
        )*
    };
}

tests! {
    counts_to_1 1 counts_to_2 2 counts_to_3 3 counts_to_5 5 counts_to_8 8 counts_to_13 13
    counts_to_21 21 counts_to_34 34 counts_to_55 55 counts_to_89 89
}

/// Servers that refuse root's rights, or are given another user's, bind as well.
#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn not_as_root(context: TestContext) -> TestResult {
    counts(&context, 3)
}
