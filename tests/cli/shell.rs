//! `nstest shell`: enters tests that are paused, and no others.

use std::net::TcpListener;
use std::process::Command;

use nix::libc;
use nstest::{Node, netns_test};
use nstest_tests::terminal::OnTerminal;
use nstest_tests::{machine_root, raw};

use crate::command::{Ended, nstest};
use crate::doctor::World;
use crate::starters::pid_of_init;

#[netns_test]
#[ignore = "fixture of another test"]
fn is_entered(server: Node) {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:7000")).unwrap();
    panic!("the reason");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_a_shell(_server: Node) {
    panic!("the reason");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn is_paused_twice(_server: Node) {
    panic!("the reason");
}

#[netns_test(root = false)]
#[ignore = "fixture of another test"]
fn has_no_root(_server: Node) {
    panic!("the reason");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn is_not_entered(_server: Node) {
    panic!("the reason");
}

/// A fixture that is paused, on a terminal.
fn paused(fixture: &str) -> OnTerminal {
    let mut test = OnTerminal::paused(&format!("shell::{fixture}"), "failed");
    test.wait_for_pause();
    test
}

/// Runs a command in a node of a paused test.
fn within(target: &str, command: &str) -> Ended {
    Ended::of(nstest(&["shell", target, "--", "sh", "-c", command]))
}

#[track_caller]
fn output(target: &str, command: &str) -> String {
    let ended = within(target, command);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    ended.stdout
}

#[test]
fn a_command_runs_in_a_node() {
    let mut test = paused("is_entered");
    let server = "shell::is_entered/server";
    let seen = output(server, "hostname; cat /proc/net/tcp; ls /sys/class/net; id -u; pwd");
    assert!(seen.starts_with("server\n") && seen.contains(":1B58"), "{seen}"); // 7000
    let directory = std::env::current_dir().unwrap();
    assert!(seen.ends_with(&format!("eth0\nlo\n0\n{}\n", directory.display())), "{seen}");
    // Its processes are those of the test.
    assert_eq!(output(server, "cat /proc/1/comm"), "nstest-init\n");
    assert_eq!(output("shell::is_entered", "hostname"), "test\n");
    for (script, status) in [("exit 7", 7), ("kill -TERM $$", 143)] {
        let ended = within(server, script);
        assert_eq!(ended.status, Some(status), "{ended:?}");
    }
    for (program, status) in [("./missing", 127), ("/etc/passwd", 126)] {
        let ended = Ended::of(nstest(&["shell", server, "--", program]));
        assert_eq!(ended.status, Some(status), "{ended:?}");
        assert!(ended.stderr.starts_with("nstest: cannot execute "), "{ended:?}");
    }
    let wrong = within("shell::is_entered/sever", "true");
    assert_eq!((wrong.status, wrong.stdout.as_str()), (Some(125), ""));
    let has = "nstest: shell::is_entered has no node `sever`; it has: test, server\n";
    assert_eq!(wrong.stderr, has);
    test.type_in("\n");
    let (status, shown) = test.end();
    assert_eq!(status, Some(101), "{shown}");
    // It is not paused any more.
    let gone = within("shell::is_entered/server", "true");
    assert_eq!(gone.status, Some(125), "{gone:?}");
}

#[test]
fn a_test_that_is_not_root_is_entered() {
    let mut test = paused("has_no_root");
    let seen = output("shell::has_no_root/server", "hostname; ls /sys/class/net");
    assert_eq!(seen, "server\neth0\nlo\n");
    test.type_in("\n");
    let _ = test.end();
}

#[test]
fn a_shell_says_where_it_is_and_ends_with_the_test() {
    let mut test = paused("has_a_shell");
    let pid = pid_of_init(&test.shown());
    let start = nstest(&["shell", &format!("{pid}/server")]);
    let words = [start.get_program()].into_iter().chain(start.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
    let mut shell = OnTerminal::run(&words.join(" "), []);
    shell.wait_for("nstest: in node server of shell::has_a_shell; `exit` leaves it\r\n");
    shell.wait_for("nstest:server# ");
    shell.type_in("cat\n");
    shell.type_in("typed\n");
    shell.wait_for("typed\r\ntyped\r\n");
    // Ctrl-C is for the program in the shell.
    shell.type_in("\x03");
    shell.wait_for("nstest:server# ");
    shell.type_in("echo in $(hostname)\n");
    shell.wait_for("in server\r\n");
    test.type_in("\n");
    let _ = test.end();
    let (status, shown) = shell.end();
    assert_eq!(status, Some(137), "{shown}");
    assert!(shown.contains("nstest: the test went on, which ended the shell"), "{shown}");
}

#[test]
fn several_are_listed_and_none_is_an_error() {
    let mut tests = [paused("is_paused_twice"), paused("is_paused_twice")];
    let pids = tests.each_ref().map(|test| pid_of_init(&test.shown()));
    let which = within("shell::is_paused_twice", "true");
    assert_eq!((which.status, which.stdout.as_str()), (Some(125), ""), "{which:?}");
    assert!(which.stderr.starts_with("nstest: which one? "), "{which:?}");
    for pid in &pids {
        let line = format!("  {pid}  shell::is_paused_twice  (nodes: test, server)\n");
        assert!(which.stderr.contains(&line), "{which:?}");
        assert_eq!(output(&format!("{pid}/server"), "hostname"), "server\n");
    }
    let unknown = within("no_such_test", "true");
    assert_eq!(unknown.status, Some(125), "{unknown:?}");
    assert!(
        unknown.stderr.contains("no paused test has `no_such_test` in its name"),
        "{unknown:?}"
    );
    assert!(unknown.stderr.contains(&format!("  {}  ", pids[0])), "{unknown:?}");
    for test in &mut tests {
        test.type_in("\n");
    }
    // In another PID namespace, there are no tests.
    let start = nstest(&["shell"]);
    let mut alone = Command::new("unshare");
    alone.args(["-Urpf", "--mount-proc"]).arg(start.get_program()).args(start.get_args());
    let none = Ended::of(alone);
    assert_eq!((none.status, none.stdout.as_str()), (Some(125), ""), "{none:?}");
    assert!(none.stderr.starts_with("nstest: no test of this user is paused; run one with "));
    for arguments in [&["shell", "a", "b"][..], &["shell", "--wrong"]] {
        Ended::of(nstest(arguments)).is_refused();
    }
}

#[test]
fn what_keeps_a_shell_out_is_named() {
    let mut test = paused("is_not_entered");
    let pid = pid_of_init(&test.shown());
    let target = pid.to_string();
    let enter = ["shell", &target, "--", "true"];
    let starts_with = |ended: Ended, begin: &str| {
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(125), ""), "{ended:?}");
        assert!(ended.stderr.starts_with(begin), "{begin}: {ended:?}");
        assert!(!ended.stderr.contains("the user who started"), "{ended:?}");
        ended
    };
    let step = "enter node test of test shell::is_not_entered";
    for (errno, name) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS")] {
        let mut filtered = nstest(&enter);
        raw::refuse_in(&mut filtered, libc::SYS_setns, errno, None);
        let begin = format!("nstest[seccomp]: {step}: setns(CLONE_NEWUSER): {name}\n  cause: ");
        starts_with(Ended::of(filtered), &begin);
    }
    let through = |command| World::within(command).nstest(&enter);
    // Enough to find the test, too few for its namespaces; too few to look for tests.
    let begin = format!("nstest[open-files]: {step}: open(/proc/{pid}/ns/");
    starts_with(through("prlimit --nofile=8"), &begin);
    let begin = "nstest[open-files]: look for paused tests: open: EMFILE\n";
    starts_with(through("prlimit --nofile=4"), begin);
    let hidden = World::within("unshare -Urm").after("mount -t tmpfs none /proc");
    let begin = "nstest[no-proc]: look for paused tests\n  cause: no procfs ";
    starts_with(hidden.nstest(&enter), begin);
    let hidden = through("unshare -Ur");
    assert!(hidden.stderr.contains(" of another user or user namespace)"), "{hidden:?}");
    if machine_root() {
        let begin = format!("nstest[namespace]: {step}: setns(CLONE_NEWPID): EINVAL\n  cause: ");
        let ended = starts_with(through("unshare -fp"), &begin);
        assert!(ended.stderr.contains("help: run `nstest shell` where the test was started"));
    }
    test.type_in("\n");
    let _ = test.end();
}
