//! Programs in a node that are awaited: what `tokio::process::Command` does, in the node.

use std::io::ErrorKind;
use std::process::{Output, Stdio};
use std::time::Duration;

use expect_test::expect;
use nstest::{Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;
use nstest_tests::programs::need;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
async fn it_sees_its_node(peer: Node) -> TestResult {
    need(&["ip"]);
    let script = "hostname; ls /sys/class/net; ip -oneline -4 address show eth0";
    let mut command = peer.command("sh");
    command.args(["-c", script]);
    for round in 0..2 {
        let seen = text(&command.output_async().await?);
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!(lines[..3], ["peer", "eth0", "lo"], "in round {round}: {seen}");
        assert!(lines[3].contains("10.0.2.2/24"), "{seen}");
    }
    // The same command, by both ways; what `output` chose is forgotten.
    assert_eq!(text(&command.output()?).lines().next(), Some("peer"));
    assert!(command.stdout(Stdio::null()).status_async().await?.success());
    Ok(())
}

#[netns_test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_runtime_of_several_threads_too(peer: Node) -> TestResult {
    let tasks = (0..20).map(|nth| {
        let mut command = peer.command("sh");
        command.args(["-c", &format!("hostname; exit {nth}")]);
        tokio::spawn(async move { command.output_async().await })
    });
    for (nth, task) in tasks.collect::<Vec<_>>().into_iter().enumerate() {
        let output = task.await.expect("no panic")?;
        assert_eq!((text(&output).trim(), output.status.code()), ("peer", Some(nth as i32)));
    }
    Ok(())
}

/// From a task that lives in one node to a program in another.
#[netns_test]
async fn from_a_task_in_a_node(a: Node, b: Node) -> TestResult {
    let task = a.spawn_async(async move { b.command("hostname").output_async().await });
    assert_eq!(text(&task.await.expect("no panic")?), "b\n");
    Ok(())
}

/// The runtime of the test is one thread, which must not wait for the program.
#[netns_test]
async fn it_talks_while_it_runs(peer: Node) -> TestResult {
    let mut cat = peer.command("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn_async()?;
    let mut input = cat.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(cat.stdout.take().expect("a pipe")).lines();
    for line in ["one", "two"] {
        input.write_all(format!("{line}\n").as_bytes()).await?;
        assert_eq!(lines.next_line().await?.as_deref(), Some(line));
    }
    assert!(cat.try_wait()?.is_none());
    drop(input);
    assert!(cat.wait().await?.success());
    Ok(())
}

#[netns_test]
async fn its_end_is_reported(peer: Node) -> TestResult {
    let status = peer.command("sh").args(["-c", "exit 7"]).status_async().await?;
    assert_eq!(status.code(), Some(7));
    // It is not kept by pipes that no process reads or writes.
    let mut yes = peer.command("yes");
    let status = yes.stdin(Stdio::piped()).stdout(Stdio::piped()).status_async().await?;
    assert_eq!(status.code(), None, "SIGPIPE");
    let mut sleep = peer.command("sleep").arg("1000").spawn_async()?;
    assert!(tokio::time::timeout(Duration::from_millis(5), sleep.wait()).await.is_err());
    sleep.kill().await?;
    assert_eq!(sleep.wait().await?.code(), None);
    Ok(())
}

#[netns_test]
async fn one_that_is_dropped_goes_on_unless_that_was_asked_for(peer: Node) -> TestResult {
    for kill in [false, true] {
        let mut command = peer.command("sh");
        command.args(["-c", "echo begun; read line; echo $line"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(kill);
        let mut child = command.spawn_async()?;
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut String::new()).await?;
        drop(child);
        if !kill {
            input.write_all(b"done\n").await?;
        }
        // Its end closes the pipe.
        let mut rest = String::new();
        output.read_to_string(&mut rest).await?;
        assert_eq!(rest, if kill { "" } else { "done\n" });
    }
    Ok(())
}

#[netns_test]
async fn one_that_does_not_exist_is_named_with_its_node(peer: Node) {
    let mut command = peer.command("/no/such-program");
    let error = command.spawn_async().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    expect!["start /no/such-program in node peer: No such file or directory (os error 2)"]
        .assert_eq(&error.to_string());
    for error in
        [command.output_async().await.unwrap_err(), command.status_async().await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[netns_test]
fn without_a_runtime_it_is_an_error(peer: Node) -> TestResult {
    let mut command = peer.command("true");
    let error = command.spawn_async().unwrap_err();
    expect!["start true in node peer: there is no reactor running, must be called from the context of a Tokio 1.x runtime. Call it in an `async fn` test, or use `spawn`"]
        .assert_eq(&error.to_string());
    assert!(command.status()?.success());
    Ok(())
}

/// A runtime without input and output is the caller's mistake: the caller
/// panics, and the thread that lives in the node does not.
#[netns_test]
fn a_panic_of_tokio_is_the_callers(peer: Node) -> TestResult {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut command = peer.command("true");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async { command.spawn_async().map(drop) })
    }));
    let panic = panic.unwrap_err();
    let text = panic.downcast_ref::<String>().map_or_else(
        || panic.downcast_ref::<&str>().map(ToString::to_string).unwrap_or_default(),
        Clone::clone,
    );
    assert!(text.contains("IO is disabled"), "{text}");
    assert!(peer.command("true").status()?.success());
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
async fn leaves_programs_running(peer: Node) -> TestResult {
    peer.command("sleep").arg("1000").spawn_async()?;
    let mut stubborn = peer.command("sh");
    stubborn.args(["-c", "setsid sleep 1000 & trap '' TERM; echo; sleep 1000"]);
    let mut child = stubborn.stdout(Stdio::piped()).spawn_async()?;
    child.stdout.take().expect("a pipe").read_u8().await?;
    marks::set("left");
    Ok(())
}

/// The driver finds no survivor.
#[test]
fn they_end_with_the_test() {
    let outcome = Run::of(&["command_async::leaves_programs_running"]).run();
    assert!(outcome.status.success(), "{}", outcome.text());
}
