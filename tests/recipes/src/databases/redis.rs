//! Redis, and lost answers to commands.

use std::process::Stdio;
use std::time::Duration;

use nstest::{Net, Node, TestContext, TestResult, netns_test};
use redis::{Client, Connection, RedisResult, TypedCommands};

/// Starts redis-server in a node. It ends with the test.
fn start(db: &Node, context: &TestContext) -> TestResult {
    db.command("redis-server")
        .args(["--save", "", "--protected-mode", "no", "--bind", "0.0.0.0", "--dir"])
        .arg(context.tmp_dir())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(db.wait_listening(6379)?)
}

fn connect() -> RedisResult<Connection> {
    let connection = Client::open("redis://db/")?.get_connection()?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(connection)
}

/// Your code: if the connection fails, connects again and repeats the command.
fn deposit(connection: &mut Connection, amount: u32) -> RedisResult<()> {
    if connection.incr("balance", amount).is_err() {
        *connection = connect()?;
        connection.incr("balance", amount)?;
    }
    Ok(())
}

/// Your better code: each deposit has a number, and is made once.
fn deposit_once(connection: &mut Connection, number: u32, amount: u32) -> RedisResult<()> {
    let script = "if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then
                      redis.call('INCRBY', KEYS[2], ARGV[2])
                  end";
    let mut eval = redis::cmd("EVAL");
    eval.arg(script).arg(2).arg("deposits").arg("balance").arg(number).arg(amount);
    if eval.exec(connection).is_err() {
        *connection = connect()?;
        eval.exec(connection)?;
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn a_deposit_whose_answer_is_lost_is_made_twice(
    db: Node,
    net: Net,
    context: TestContext,
) -> TestResult {
    start(&db, &context)?;
    let mut connection = connect()?;
    let lost = net.inject("db egress tcp sport 6379 data nth 1: reset".parse()?)?;
    deposit(&mut connection, 10)?;
    assert!(lost.affected() > 0);
    assert_eq!(connection.get_int("balance")?, Some(20));
    Ok(())
}

/// Repeats the test with a reset at each packet, one after the other.
#[netns_test(explore(reset))]
#[cfg_attr(not(feature = "programs"), ignore = "needs redis-server; run ./check test")]
fn a_deposit_with_a_number_is_made_once(db: Node, context: TestContext) -> TestResult {
    start(&db, &context)?;
    let mut connection = connect().or_else(|_| connect())?;
    deposit_once(&mut connection, 1, 10)?;
    deposit_once(&mut connection, 2, 10)?;
    let balance = connection.get_int("balance").or_else(|_| connect()?.get_int("balance"))?;
    assert_eq!(balance, Some(20));
    Ok(())
}
