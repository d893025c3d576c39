//! Programs in a node: `Command` does what `std::process::Command` does, in the node.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Stdio;

use expect_test::expect;
use nstest::{Net, Node, TestContext, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;
use nstest_tests::programs::{find, need};

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn a_program_sees_its_node(peer: Node) -> TestResult {
    need(&["ip"]);
    let script = "hostname; ls /sys/class/net; getent hosts test; ip -oneline -4 address show eth0";
    let seen = text(&peer.command("sh").args(["-c", script]).output()?);
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[..3], ["peer", "eth0", "lo"], "{seen}");
    assert!(lines[3].ends_with("test") && lines[4].contains("10.0.2.2/24"), "{seen}");
    Ok(())
}

#[netns_test]
fn its_environment_is_the_tests_and_what_was_said(peer: Node) -> TestResult {
    let mut command = peer.command("env");
    command.env("ADDED", "1").env("REMOVED", "2").env_remove("REMOVED").envs([("MORE", "3")]);
    let seen = text(&command.output()?);
    assert!(seen.contains("ADDED=1\n") && seen.contains("MORE=3\n") && seen.contains("PATH="));
    assert!(!seen.contains("REMOVED="));
    let bare = peer.command("/usr/bin/env").env_clear().env("ONLY", "x").output()?;
    assert_eq!(text(&bare), "ONLY=x\n");
    Ok(())
}

#[netns_test]
fn its_directory_is_the_tests_of_the_moment(peer: Node, context: TestContext) -> TestResult {
    let mut command = peer.command("pwd");
    let here = std::env::current_dir()?;
    assert_eq!(text(&command.output()?).trim(), here.to_str().unwrap());
    let tmp = context.tmp_dir();
    std::fs::create_dir(tmp.join("inner"))?;
    std::env::set_current_dir(tmp)?;
    assert_eq!(Path::new(text(&command.output()?).trim()), tmp, "the same command, later");
    let mut relative = peer.command("pwd");
    relative.current_dir("inner");
    assert_eq!(Path::new(text(&relative.output()?).trim()), tmp.join("inner"));
    std::env::set_current_dir("/")?;
    assert_eq!(text(&peer.command("pwd").output()?), "/\n");
    // A program by a path from there, too.
    std::env::set_current_dir("/usr")?;
    assert_eq!(text(&peer.command("bin/pwd").output()?), "/usr\n");
    Ok(())
}

#[netns_test]
fn its_streams_are_those_that_were_chosen(peer: Node) -> TestResult {
    let mut cat = peer.command("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    cat.stdin.take().expect("a pipe").write_all(b"through")?;
    assert_eq!(text(&cat.wait_with_output()?), "through");
    let mut quiet = peer.command("echo");
    quiet.arg("x").stdout(Stdio::null());
    assert_eq!(text(&quiet.output()?), "", "`output` collects what was not sent elsewhere");
    // As with std, `output` gives no input, and chooses nothing for later.
    let mut reader = peer.command("sh");
    reader.args(["-c", "cat; test -p /dev/stdout && echo pipe"]);
    assert_eq!(text(&reader.output()?), "pipe\n");
    let mut spawned = reader.stdin(Stdio::null()).spawn()?;
    assert!(spawned.stdout.is_none());
    spawned.wait()?;
    Ok(())
}

#[netns_test]
fn its_status_is_reported(peer: Node) -> TestResult {
    assert!(peer.command("true").status()?.success());
    assert_eq!(peer.command("sh").args(["-c", "exit 7"]).status()?.code(), Some(7));
    let mut child = peer.command("sleep").arg("1000").spawn()?;
    child.kill()?;
    assert_eq!(child.wait()?.code(), None);
    Ok(())
}

#[netns_test]
fn one_that_does_not_exist_is_named_with_its_node(peer: Node) {
    let error = peer.command("/no/such-program").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    expect!["start /no/such-program in node peer: No such file or directory (os error 2)"]
        .assert_eq(&error.to_string());
    let error = peer.command("/etc/hosts").status().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    // It is the directory that does not exist.
    let error = peer.command("true").current_dir("/no/such/directory").status().unwrap_err();
    expect!["start true in node peer, in the directory /no/such/directory: No such file or directory (os error 2)"]
        .assert_eq(&error.to_string());
}

/// Between each two of three namespaces: from the test, from a node, and nested.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn ip_netns_exec_leads_from_every_node_to_every_node(a: Node, b: Node, net: Net) -> TestResult {
    need(&["ip"]);
    let ip = find("ip");
    let names = ["test", "a", "b"];
    for from in [&net.local(), &a, &b] {
        for first in names {
            for second in names {
                let mut command = from.command(&ip);
                command.args(["netns", "exec", first]).arg(&ip).args(["netns", "exec", second]);
                let out = command.args(["cat", "/sys/class/net/eth0/address"]).output()?;
                let (text, error) =
                    (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
                let (number, way) = (
                    1 + names.iter().position(|name| *name == second).unwrap_or(0),
                    (first, second),
                );
                assert_eq!(
                    text.trim(),
                    format!("02:6e:73:00:0{number}:00"),
                    "from {from:?} by {way:?}: {error}"
                );
            }
        }
    }
    Ok(())
}

#[netns_test]
fn many_run_at_once(peer: Node) -> TestResult {
    // Each waits for the next, so starting one must not wait for the end of another.
    let mut children = Vec::new();
    for _ in 0..20 {
        children.push(peer.command("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
    }
    for child in children.iter_mut().rev() {
        drop(child.stdin.take());
        assert!(child.wait()?.success());
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(peer.command("true").status().unwrap().success()));
        }
    });
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn leaves_programs_running(peer: Node) -> TestResult {
    peer.command("sleep").arg("1000").spawn()?;
    peer.command("sh").args(["-c", "setsid sleep 1000 & trap '' TERM; sleep 1000"]).spawn()?;
    marks::set("left");
    Ok(())
}

/// The driver finds no survivor.
#[test]
fn programs_end_with_the_test() {
    let outcome = Run::of(&["command::leaves_programs_running"]).run();
    assert!(outcome.status.success(), "{}", outcome.text());
}
