//! All processes of a test are dead when it has ended.
#![expect(clippy::zombie_processes, reason = "the tests are about processes that are left behind")]

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use nstest::netns_test;
use nstest_tests::driver::{Run, failure, passes_silently};
use nstest_tests::marks::{self, eventually};
use nstest_tests::raw;

#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
fn hangs() {
    Command::new("sleep").arg("1000").spawn().unwrap();
    marks::hang();
}

/// Every `Run` asserts that no process survives.
#[test]
fn a_hang_is_a_timeout_that_shows_what_hangs() {
    expect![[r#"
        nstest[timeout]: the test did not end within 2s; it was killed; processes alive then:
          PID 2 (sleeping, 2 threads): BINARY --exact processes::hangs --include-ignored --nocapture --test-threads=1 -q
          PID 4 (sleeping): sleep 1000
          help: allow more with #[netns_test(timeout = "…")], or for all tests with NSTEST_TIMEOUT=3 (a factor, or `none`)
    "#]].assert_eq(&failure("processes::hangs"));
}

/// Starts a shell script, and waits until it prints `ready`.
fn script(text: &str) {
    let mut shell = Command::new("sh").arg("-c").arg(text).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
}

const STUBBORN: &str = "trap '' TERM HUP INT; exec setsid sh -c \
    'trap \"\" TERM HUP INT; (trap \"\" TERM; sleep 1000) & echo ready; while :; do sleep 1000; done'";

#[netns_test]
#[ignore = "fixture of another test"]
fn leaves_a_stubborn_tree() {
    script(STUBBORN);
}

#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
fn hangs_with_a_stubborn_tree() {
    script(STUBBORN);
    marks::hang();
}

#[test]
fn a_tree_that_ignores_signals_in_its_own_session_dies() {
    passes_silently("processes::leaves_a_stubborn_tree");
    let hangs = Run::of(&["processes::hangs_with_a_stubborn_tree"]).run();
    assert_eq!(hangs.status.code(), Some(101));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn leaves_a_daemon_that_holds_the_output() {
    // It has the test's standard output and error.
    Command::new("sleep").arg("1000").spawn().unwrap();
}

/// If the parent waited for the end of the pipe, the run would last as long as the daemon.
#[test]
fn a_daemon_that_holds_the_pipe_does_not_delay_the_end() {
    for arguments in [&[][..], &["--nocapture"]] {
        let fixture = "processes::leaves_a_daemon_that_holds_the_output";
        Run::of(&[fixture]).args(arguments).run().passed_silently(fixture);
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn leaves_a_daemon() {
    // Forks, and its child becomes init's.
    let status = Command::new("setsid").args(["-f", "sleep", "1000"]).status().unwrap();
    assert!(status.success());
    eventually("the daemon", || {
        std::fs::read_to_string("/proc/1/task/1/children")
            .is_ok_and(|children| children.split_whitespace().count() == 2)
            .then_some(())
    });
}

#[test]
fn a_daemon_dies() {
    passes_silently("processes::leaves_a_daemon");
}

/// The number of processes that a fork bomb may have. The kernel counts them by user and
/// user namespace, so other tests do not count. The limit does not apply to real root, which
/// starts the bomb as another user.
const BOMB_LIMIT: usize = 60;

fn drop_a_fork_bomb() {
    let limit = format!("--nproc={BOMB_LIMIT}");
    let bomb = ["prlimit", &limit, "sh", "-c", "b() { b | b & }; b"];
    let mut command = Command::new("setpriv");
    if nstest_tests::machine_root() {
        command.args(["--reuid=65534", "--clear-groups"]);
    }
    // Its shells complain that they cannot fork.
    command.args(bomb).stderr(Stdio::null());
    let mut bomb = command.spawn().unwrap();
    eventually("half of the bomb", || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let processes = entries
            .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
            .count();
        // A shell that cannot fork ends, and all of them may do so at the same time. Then only
        // init and this process are left.
        let is_over = bomb.try_wait().unwrap().is_some() && processes <= 2;
        if is_over {
            bomb = command.spawn().unwrap();
        }
        (processes > BOMB_LIMIT / 2).then_some(())
    });
}

#[netns_test]
#[ignore = "fixture of another test"]
fn leaves_a_fork_bomb() {
    drop_a_fork_bomb();
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
fn hangs_with_a_fork_bomb() {
    drop_a_fork_bomb();
    marks::hang();
}

#[test]
fn a_fork_bomb_dies() {
    passes_silently("processes::leaves_a_fork_bomb");
    let hangs = Run::of(&["processes::hangs_with_a_fork_bomb"]).run();
    assert_eq!(hangs.status.code(), Some(101));
    assert!(hangs.text().contains("nstest[timeout]"), "{}", hangs.text());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn kills_init() {
    let init = Pid::from_raw(1);
    for signal in [Signal::SIGKILL, Signal::SIGSTOP, Signal::SIGTERM, Signal::SIGSEGV] {
        kill(init, signal).unwrap();
    }
}

#[test]
fn init_cannot_be_killed_from_inside() {
    passes_silently("processes::kills_init");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn kills_everybody() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    kill(Pid::from_raw(-1), Signal::SIGKILL).unwrap();
    assert!(!child.wait().unwrap().success());
    marks::set("killed");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn stays_beside_a_killer() {
    marks::set("beside");
    marks::wait("killed");
}

#[test]
fn kill_of_all_processes_stays_in_the_namespace() {
    let fixtures = ["processes::kills_everybody", "processes::stays_beside_a_killer"];
    let outcome = Run::of(&fixtures).args(["--test-threads=2"]).run();
    assert!(outcome.status.success(), "{}", outcome.text());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn terminates_its_group() {
    marks::wait("beside");
    let _ = getuid();
    kill(Pid::from_raw(0), Signal::SIGTERM).unwrap();
    marks::hang();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn stays_beside_a_group() {
    marks::set("beside");
    marks::wait("go");
}

#[test]
fn a_signal_to_the_group_ends_this_test_only() {
    let fixtures = ["processes::stays_beside_a_group", "processes::terminates_its_group"];
    let running = Run::of(&fixtures).args(["--test-threads=2"]).start();
    running.wait_for("beside");
    eventually("the end of the one", || {
        running.text().contains("terminates_its_group ... FAILED").then_some(())
    });
    running.set("go");
    let outcome = running.end();
    expect![[r#"
        test processes::terminates_its_group ... FAILED
        test processes::stays_beside_a_group ... ok

        ---- processes::terminates_its_group stdout ----
        nstest[signal]: the test's process was killed by SIGTERM (signal 15) before the test ended
          help: see the output above, which is what the test printed before
    "#]]
    .assert_eq(&outcome.shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn becomes_another_program() {
    panic!("{}", Command::new("sh").args(["-c", "echo another; exit 7"]).exec());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn becomes_a_program_that_succeeds() {
    panic!("{}", Command::new("true").exec());
}

/// An exit status is no verdict: a test passes only if its function returns.
#[test]
fn exec_is_an_exit() {
    expect![[r#"
        another
        nstest[early-exit]: the test's process exited with status 7 before the test ended
          help: exit, _exit and exec end the test function without a verdict; return from it instead
    "#]]
    .assert_eq(&failure("processes::becomes_another_program"));
    expect![[r#"
        nstest[early-exit]: the test's process exited with status 0 before the test ended
          help: exit, _exit and exec end the test function without a verdict; return from it instead
    "#]]
    .assert_eq(&failure("processes::becomes_a_program_that_succeeds"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn uses_the_thread_of_a_constructor() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    raw::write_by_constructor(writer.as_fd(), "a line").expect("a thread").unwrap();
    drop(writer);
    let mut line = String::new();
    reader.read_to_string(&mut line).unwrap();
    assert_eq!(line, "a line");
    // The process has the arguments, and its orphans are reaped, as in every test.
    assert!(std::env::args().any(|argument| argument == "--exact"));
    assert!(Command::new("setsid").args(["-f", "true"]).status().unwrap().success());
    eventually("the end of the orphan", || {
        let children = std::fs::read_to_string("/proc/1/task/1/children").unwrap();
        (children.split_whitespace().count() == 1).then_some(())
    });
}

/// A thread that a constructor starts, such as the writer of a log, is in the test's process,
/// whether the constructor runs before nstest's or after it.
#[test]
fn threads_of_constructors_are_in_the_body() {
    let fixture = "processes::uses_the_thread_of_a_constructor";
    for constructor in ["first", "later"] {
        let run = Run::of(&[fixture]).env(raw::CONSTRUCTOR, constructor).run();
        run.passed_silently(fixture);
    }
}
