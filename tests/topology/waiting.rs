//! Waits that are not successful say what was missing.

use std::net::TcpListener;
use std::time::Duration;

use nstest::{Node, TestResult, eventually, eventually_async, netns_test};
use nstest_tests::driver::{Run, failure};

const LONG: Duration = Duration::from_secs(60);

#[netns_test]
#[ignore = "fixture of another test"]
fn waits_for_a_server_that_panicked(server: Node) -> nstest::Result<()> {
    server.spawn(|| panic!("no configuration"));
    server.wait_listening(80)
}

#[test]
fn a_wait_for_a_listener_reports_the_panic_of_its_server() {
    let text = failure("waiting::waits_for_a_server_that_panicked");
    let cause = "cause: no program listens on a TCP port there\n    \
                 a thread or task of the node has panicked: no configuration";
    assert!(text.contains(cause), "{text}");
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
async fn waits_for_a_task_that_returned(server: Node) -> nstest::Result<()> {
    server.spawn_async(async { tokio::net::TcpListener::bind("10.9.9.9:80").await.map(drop) });
    server.wait_listening_async(80).await
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
fn waits_for_a_thread_that_returned(server: Node) -> nstest::Result<()> {
    let _joined = server.spawn(|| "joined").join();
    let _kept = server.spawn(|| TcpListener::bind("10.9.9.9:80").map(drop));
    server.wait_listening(80)
}

#[test]
fn a_wait_for_a_listener_reports_threads_and_tasks_that_returned() {
    let cause = "cause: no program listens on a TCP port there\n    \
                 a thread or task of the node has returned an error: \
                 Cannot assign requested address (os error 99)\n";
    for fixture in ["waits_for_a_task_that_returned", "waits_for_a_thread_that_returned"] {
        let text = failure(&format!("waiting::{fixture}"));
        assert!(text.contains(cause), "{text}");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn waits_for_programs_that_ended(server: Node) -> nstest::TestResult {
    server.command("true").status()?;
    let _running = server.command("sleep").arg("60").spawn()?;
    let _killed = server.command("sh").args(["-c", "kill -9 $$"]).spawn()?;
    let _ended = server.command("sh").args(["-c", "exit 3"]).spawn()?;
    server.wait_listening(80)?;
    Ok(())
}

#[test]
fn a_wait_for_a_listener_reports_programs_that_ended() {
    let text = failure("waiting::waits_for_programs_that_ended");
    let cause = "cause: no program listens on a TCP port there\n    \
                 the program sh has ended: killed by SIGKILL\n    \
                 the program sh has ended: exit status 3\n";
    assert!(text.contains(cause), "{text}");
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
fn waits_for_another_port(server: Node) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    server.wait_listening(7001)?;
    Ok(())
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
async fn awaits_another_port(server: Node) -> TestResult {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    server.wait_listening_async(7001).await?;
    Ok(())
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
fn waits_for_an_answer(server: Node) -> TestResult {
    server.link().down()?;
    server.wait_reachable([10, 0, 2, 1])?;
    Ok(())
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
fn waits_for_what_does_not_come() -> TestResult {
    eventually(LONG, || None::<()>)?;
    Ok(())
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
async fn awaits_what_does_not_come() -> TestResult {
    eventually_async(LONG, async || std::future::pending::<Option<()>>().await).await?;
    Ok(())
}

#[test]
fn a_wait_ends_before_the_time_limit_of_its_test() {
    let names = [
        "waiting::waits_for_another_port",
        "waiting::awaits_another_port",
        "waiting::waits_for_an_answer",
        "waiting::waits_for_what_does_not_come",
        "waiting::awaits_what_does_not_come",
    ];
    let text = Run::of(&names).run().text();
    assert_eq!(text.matches(": the test's time limit is 4s\n").count(), names.len(), "{text}");
    assert!(!text.contains("did not end within"), "{text}");
    for (cause, count) in [
        ("programs listen on these TCP ports there: [7000]", 2),
        ("there was none", 1),
        ("the last call of the closure did not return", 1),
    ] {
        assert_eq!(text.matches(&format!("cause: {cause}")).count(), count, "{cause}: {text}");
    }
}
