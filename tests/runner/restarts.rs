//! Tests that start their own binary again: the new process is in the test's network, and
//! runs the test function.

use std::ffi::OsStr;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};

use nstest::{ErrorCode, Net, Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::executable;

const ROLE: &str = "NSTESTS_RESTARTED_AS";

/// The role of this process, if a test has started it.
fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// This binary, to run the test `name` of this module.
fn again(mut command: Command, name: &str, role: impl AsRef<OsStr>) -> Command {
    command.args(["--exact", &format!("restarts::{name}"), "--include-ignored", "--nocapture"]);
    command.env(ROLE, role);
    command
}

fn program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

#[track_caller]
fn passes(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = text(&output);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    text
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

#[netns_test]
fn it_finds_what_the_test_has_opened() -> TestResult {
    if role().is_some() {
        TcpStream::connect("127.0.0.1:80")?.write_all(b"x")?;
        return Ok(());
    }
    let listener = TcpListener::bind("127.0.0.1:80")?;
    passes(again(program(), "it_finds_what_the_test_has_opened", "client"));
    listener.set_nonblocking(true)?;
    listener.accept()?;
    Ok(())
}

#[netns_test]
async fn an_asynchronous_one_does_too() -> TestResult {
    if role().is_some() {
        tokio::net::TcpStream::connect("127.0.0.1:80").await?;
        return Ok(());
    }
    let _listener = TcpListener::bind("127.0.0.1:80")?;
    passes(again(program(), "an_asynchronous_one_does_too", "client"));
    Ok(())
}

#[netns_test(root = false)]
fn it_needs_no_privilege_and_no_environment() -> TestResult {
    if role().is_some() {
        TcpStream::connect("127.0.0.1:8080")?;
        return Ok(());
    }
    let _listener = TcpListener::bind("127.0.0.1:8080")?;
    let mut bare = program();
    bare.env_clear();
    passes(again(bare, "it_needs_no_privilege_and_no_environment", "client"));
    Ok(())
}

#[netns_test]
fn it_needs_not_be_the_user_of_the_test() -> TestResult {
    if role().is_some() {
        TcpStream::connect("127.0.0.1:80")?;
        return Ok(());
    }
    let _listener = TcpListener::bind("127.0.0.1:80")?;
    if nix::unistd::User::from_uid(65534.into())?.is_none() || !many_users() {
        return Ok(());
    }
    let mut other = program();
    other.uid(65534);
    passes(again(other, "it_needs_not_be_the_user_of_the_test", "client"));
    Ok(())
}

/// Whether the test's user namespace has other users than root.
fn many_users() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().nth(2).is_some_and(|count| count != "1")
}

#[netns_test]
fn its_parameters_are_the_nodes_of_the_test(server: Node, other: Node, net: Net) -> TestResult {
    let ip = server.ip();
    if role().is_some() {
        TcpStream::connect((ip, 80))?;
        let taken = server.run(|| TcpListener::bind((ip, 80))).unwrap_err();
        assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
        other.spawn(move || TcpStream::connect((ip, 80)).unwrap()).join().unwrap();
        net.local().wait_reachable(other.ip())?;
        assert_eq!(nstest::net().node("other")?.ip(), other.ip());
        return Ok(());
    }
    let _listener = server.run(|| TcpListener::bind((ip, 80)))?;
    passes(again(program(), "its_parameters_are_the_nodes_of_the_test", "client"));
    // The nodes have survived that process.
    other.run(|| TcpStream::connect((ip, 80)))?;
    Ok(())
}

#[netns_test]
fn a_node_can_start_it(server: Node, client: Node) -> TestResult {
    if role().is_some() {
        let _here = TcpListener::bind((server.ip(), 80))?;
        client.run(|| TcpStream::connect((server.ip(), 80)))?;
        return Ok(());
    }
    let mut command = server.command(std::env::current_exe()?);
    command.args(["--exact", "restarts::a_node_can_start_it", "--nocapture"]);
    let output = command.env(ROLE, "server").output()?;
    assert!(output.status.success(), "{}", text(&output));
    Ok(())
}

#[netns_test(peers = 1)]
fn it_builds_the_network_if_the_test_has_not() -> TestResult {
    if role().is_some() {
        let net = nstest::net();
        let peer = net.node("peer1")?;
        net.add_node("later").join(&net.add_lan("lan").build()?).build()?;
        peer.link().condition(nstest::Condition::LTE)?;
        peer.wait_reachable(net.local().ip())?;
        return Ok(());
    }
    passes(again(program(), "it_builds_the_network_if_the_test_has_not", "builder"));
    Ok(())
}

#[netns_test(peers = 1)]
fn one_that_crashes_leaves_the_network_to_the_next() -> TestResult {
    if role().is_some() {
        let net = nstest::net();
        net.node("peer1")?.wait_reachable(net.local().ip())?;
        std::process::abort();
    }
    for _ in 0..5 {
        let name = "one_that_crashes_leaves_the_network_to_the_next";
        let output = again(program(), name, "crashes").output()?;
        assert_eq!(output.status.signal(), Some(6), "{}", text(&output));
    }
    Ok(())
}

#[netns_test]
fn it_does_not_change_the_network_of_the_test(server: Node, net: Net) -> TestResult {
    if role().is_some() {
        let refused = [
            net.add_lan("lan").build().map(drop),
            server.link().down().map(drop),
            server.link().condition(nstest::Condition::LTE).map(drop),
            net.isolate(&server).map(drop),
            server.set_default_route(nstest::DefaultRoute::Blackhole),
        ];
        for result in refused {
            assert_eq!(result.unwrap_err().code(), ErrorCode::InUse);
        }
        return Ok(());
    }
    passes(again(program(), "it_does_not_change_the_network_of_the_test", "changer"));
    server.wait_reachable(net.local().ip())?;
    Ok(())
}

#[netns_test]
fn its_failures_are_those_of_an_ordinary_test() -> TestResult {
    match role().as_deref() {
        None => {}
        Some("panics") => panic!("as expected"),
        Some(_) => return Err("an error".into()),
    }
    for (role, complaint) in [("panics", "as expected"), ("returns", "an error")] {
        let name = "its_failures_are_those_of_an_ordinary_test";
        let output = again(program(), name, role).output()?;
        let text = text(&output);
        assert_eq!(output.status.code(), Some(101), "{text}");
        assert!(text.contains(complaint) && !text.contains("nstest["), "{text}");
    }
    Ok(())
}

#[netns_test]
#[should_panic(expected = "here and there")]
fn a_panic_is_expected_of_it_too() {
    if role().is_none() {
        passes(again(program(), "a_panic_is_expected_of_it_too", "panics"));
    }
    panic!("here and there");
}

#[netns_test]
#[should_panic(expected = "in the test")]
fn a_missing_panic_is_noticed_there() {
    if role().is_some() {
        return;
    }
    let output = again(program(), "a_missing_panic_is_noticed_there", "passes").output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert!(text.contains("test did not panic as expected"), "{text}");
    panic!("in the test");
}

#[netns_test]
fn another_test_has_a_network_of_its_own() -> TestResult {
    let _listener = TcpListener::bind("127.0.0.1:80")?;
    passes(again(program(), "binds_port_80", "stranger"));
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn binds_port_80() {
    TcpListener::bind("127.0.0.1:80").unwrap();
}

#[test]
fn another_binary_has_a_network_of_its_own() {
    Run::of(&["restarts::starts_a_copy"]).run().passed_silently("restarts::starts_a_copy");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn starts_a_copy() -> TestResult {
    let _listener = TcpListener::bind("127.0.0.1:80")?;
    if role().is_some() {
        return Ok(());
    }
    let copy = executable::copy_of_this(std::env::temp_dir().join("copy"));
    passes(again(Command::new(copy), "starts_a_copy", "copy"));
    Ok(())
}
