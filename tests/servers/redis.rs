//! redis-server and the crate `redis`.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nstest::{TestContext, TestResult, eventually, netns_test};
use nstest_tests::programs::find;
use redis::{Connection, TypedCommands};

/// Starts a server on its standard port, and connects to it as soon as it answers.
fn server(context: &TestContext) -> TestResult<(Child, Connection)> {
    let child = Command::new(find("redis-server"))
        .args(["--save", "", "--dir"])
        .arg(context.tmp_dir())
        .stdout(Stdio::null())
        .spawn()?;
    let client = redis::Client::open("redis://127.0.0.1/")?;
    let connection = eventually(Duration::from_secs(30), || client.get_connection())?;
    Ok((child, connection))
}

/// Every test writes the same keys, and finds none that another test wrote.
fn counts(context: &TestContext, to: usize) -> TestResult {
    let (_server, mut connection) = server(context)?;
    assert_eq!(connection.get("name")?, None);
    connection.set("name", context.name())?;
    for n in 1..=to {
        assert_eq!(connection.incr("count", 1)?, isize::try_from(n)?);
    }
    assert_eq!(connection.get("name")?.as_deref(), Some(context.name()));
    // The server ends with the test.
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

/// A server that does not run as root.
#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn counts_without_root(context: TestContext) -> TestResult {
    counts(&context, 3)
}
