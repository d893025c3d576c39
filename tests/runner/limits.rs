//! A machine that refuses what a test needs: the error names it, and the test neither
//! passes nor hangs.

use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use expect_test::expect;
use nstest::netns_test;
use nstest_tests::directory::Directory;
use nstest_tests::driver::Run;
use nstest_tests::executable;
use nstest_tests::marks::DEADLINE;
use nstest_tests::raw;

#[netns_test]
#[ignore = "fixture of another test"]
fn passes() {}

/// A run in a user namespace whose own limit on namespaces is zero: see
/// `user.max_net_namespaces` in namespaces(7).
pub(crate) fn without_namespaces(fixtures: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" \"$@\"";
    command.args(["--user", "--map-root-user", "sh", "-c", script]);
    Run::under(command, fixtures)
}

/// A run in a user namespace whose limit of one network namespace is reached.
fn with_no_further_namespace(fixtures: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    let script = "echo 1 > /proc/sys/user/max_net_namespaces && exec unshare --net \"$0\" \"$@\"";
    command.args(["--user", "--map-root-user", "sh", "-c", script]);
    Run::under(command, fixtures)
}

/// Asserts that the fixture passes under the higher limits, and fails with these texts
/// under the lower ones.
#[track_caller]
fn passes_or_fails_with(limits: Range<u32>, run: impl Fn(u32) -> Run, words: [&str; 3]) {
    let (mut passed, mut refused) = (0, 0);
    for limit in limits {
        let outcome = run(limit).run();
        let text = outcome.text();
        if outcome.status.success() {
            assert!(text.contains("1 passed"), "with {limit}: {text}");
            passed += 1;
        } else {
            let named = words.iter().all(|words| text.contains(words));
            assert!(named, "with {limit}, {words:?}: {text}");
            refused += 1;
        }
        assert!(outcome.took < DEADLINE);
    }
    assert!(passed > 0, "the highest is enough");
    assert!(refused > 0, "the lowest is not");
}

/// With fewer and fewer descriptors.
#[test]
fn too_few_descriptors_are_named() {
    let run = |limit| {
        let mut command = Command::new("prlimit");
        command.args([&format!("--nofile={limit}"), "--"]);
        Run::under(command, &["limits::passes"])
    };
    let words = ["nstest[open-files]: ", ": EMFILE\n", "has reached its limit of open files"];
    passes_or_fails_with(4..21, run, words);
}

/// The limit does not apply to real root. Then another user runs the fixture, from a copy
/// of the binary that this user can read.
#[test]
fn too_many_processes_are_named() {
    let directory = Directory::new("nproc");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), mode).unwrap();
    let copy = executable::copy_of_this(directory.path().join("runner"));

    let run = |fixture: &'static str, limit| {
        let mut command = Command::new("unshare");
        // In a user namespace of its own the count begins with this process.
        command.args(["--user", "--map-root-user", "prlimit"]).arg(format!("--nproc={limit}"));
        command.arg("--").arg(&copy).args(["--ignored", "--exact", fixture]);
        if nstest_tests::machine_root() {
            command.uid(65534).gid(65534);
        }
        Run::in_front(command)
    };
    let words = ["nstest[nproc]: ", ": EAGAIN\n", "RLIMIT_NPROC"];
    passes_or_fails_with(0..8, |limit| run("limits::passes", limit), words);
    // The last ones are refused in the test, which starts two threads.
    passes_or_fails_with(0..12, |limit| run("limits::lives_in_a_node", limit), words);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_a_node(_node: nstest::Node) {}

/// The machine may refuse inside of a test what it refuses at its start.
#[test]
fn a_limit_that_a_node_meets_is_named() {
    let mut command = Command::new("unshare");
    let script = "echo 1 > /proc/sys/user/max_net_namespaces && exec \"$0\" \"$@\"";
    command.args(["--user", "--map-root-user", "sh", "-c", script]);
    let text = Run::under(command, &["limits::has_a_node"]).run().text();
    assert!(text.contains("nstest[netns-limit]: create a network namespace for "), "{text}");
    assert!(text.contains("an outer user namespace allows no further network namespace"), "{text}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn lives_in_a_node(node: nstest::Node) {
    node.spawn(|| ()).join().unwrap();
}

/// A thread in a node has a mount and a UTS namespace of its own.
#[test]
fn a_limit_that_a_thread_meets_is_named() {
    for (kind, word) in [("mnt", "mount"), ("uts", "uts")] {
        let mut command = Command::new("unshare");
        let script = format!("echo 1 > /proc/sys/user/max_{kind}_namespaces && exec \"$0\" \"$@\"");
        command.args(["--user", "--map-root-user", "sh", "-c", &script]);
        let text = Run::under(command, &["limits::lives_in_a_node"]).run().text();
        let named = [
            "nstest[namespace-limit]: create a mount and a UTS namespace for ",
            &format!("allows no further {word} namespace: user.max_{kind}_namespaces"),
        ];
        assert!(named.iter().all(|it| text.contains(it)), "{text}");
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_named() {
    // The driver reads from a file, which cat writes.
    let mut command = Command::new("sh");
    command.args(["-c", "prlimit --fsize=0 -- \"$0\" \"$@\" 2>&1 | cat"]);
    let text = Run::under(command, &["limits::passes"]).run().text();
    assert!(text.contains("nstest[resource-limit]: "), "{text}");
    assert!(text.contains("ulimit -f unlimited"), "{text}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn fills_its_directory() {
    let path = std::env::temp_dir().join("file");
    let written = std::fs::write(&path, vec![0; 2 << 20]);
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    std::fs::write(&path, vec![0; 512 << 10]).unwrap();
}

/// In a memory cgroup, a test that fills it would have the runner killed.
#[test]
fn the_size_of_the_temporary_directory_is_limited() {
    let run = |size| Run::of(&["limits::fills_its_directory"]).env("NSTEST_TMPFS_SIZE", size).run();
    run("1m").passed_silently("limits::fills_its_directory");
    let text = run("0").text();
    assert!(text.contains("nstest[config]: ") && text.contains("NSTEST_TMPFS_SIZE"), "{text}");
}

/// Real root may write these files all the same.
#[test]
fn a_process_that_is_not_dumpable_is_named() {
    let run = Run::of(&["limits::passes"]).env(raw::CONSTRUCTOR, "is not dumpable").run();
    let text = run.text();
    if !nstest_tests::machine_root() {
        assert!(
            text.contains("nstest[not-dumpable]: ") && text.contains("PR_SET_DUMPABLE"),
            "{text}"
        );
    }
}

#[test]
fn an_exploration_without_a_temporary_directory_is_refused() {
    let text = Run::of(&["exploration::passes"]).env("TMPDIR", "/nonexistent").run().text();
    assert!(
        text.contains("nstest[config]: ") && text.contains("/nonexistent is no directory"),
        "{text}"
    );
}

/// Without the variable nothing is skipped; with it, the skipped test is printed.
#[test]
fn a_test_is_skipped_only_on_request_and_visibly() {
    let with = |policy: &str, fixture: &str| {
        without_namespaces(&[fixture]).env("NSTEST_UNSUPPORTED", policy).args(["--show-output"])
    };
    let skipped = with("skip", "limits::passes").run();
    expect![[r#"
        nstest: SKIPPED limits::passes: nstest[netns-limit]: create the test's namespaces: clone: ENOSPC
          cause: this machine allows no network namespaces (user.max_net_namespaces = 0)
          help: sysctl -w user.max_net_namespaces=28633    # as root of the user namespace that the tests run in
        test limits::passes ... ok

        successes:

        successes:
            limits::passes
    "#]].assert_eq(&skipped.shown());
    assert!(skipped.status.success());
    // It is as if the test had not been: what should panic, too.
    expect![[r#"
        nstest: SKIPPED should_panic::matches_anything: nstest[netns-limit]: create the test's namespaces: clone: ENOSPC
          cause: this machine allows no network namespaces (user.max_net_namespaces = 0)
          help: sysctl -w user.max_net_namespaces=28633    # as root of the user namespace that the tests run in
        test should_panic::matches_anything - should panic ... ok

        successes:

        successes:
            should_panic::matches_anything
    "#]].assert_eq(&with("skip", "should_panic::matches_anything").run().shown());
    for policy in ["fail", "SKIP", "1", ""] {
        assert_eq!(with(policy, "limits::passes").run().status.code(), Some(101), "{policy}");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics() {
    panic!("the test fails");
}

/// Another test may have reached the limit, so a failing test must not look like one that
/// this machine cannot run.
#[test]
fn what_is_in_use_is_never_skipped() {
    for fixture in ["limits::panics", "should_panic::matches_anything"] {
        let run = with_no_further_namespace(&[fixture]).env("NSTEST_UNSUPPORTED", "skip");
        let outcome = run.run();
        let text = outcome.text();
        assert_eq!(outcome.status.code(), Some(101), "{text}");
        assert!(text.contains("are in use (user.max_net_namespaces = 1)"), "{text}");
        assert!(!text.contains("SKIPPED"), "{text}");
    }
}

/// What an outer user namespace allows, or has in use, cannot be known.
#[test]
fn what_is_in_use_further_out_is_never_skipped() {
    let mut command = Command::new("unshare");
    let script = "echo 1 > /proc/sys/user/max_user_namespaces && exec unshare -Ur \"$0\" \"$@\"";
    command.args(["--user", "--map-root-user", "sh", "-c", script]);
    let run = Run::under(command, &["limits::panics"]).env("NSTEST_UNSUPPORTED", "skip");
    let outcome = run.run();
    let text = outcome.text();
    assert_eq!(outcome.status.code(), Some(101), "{text}");
    assert!(text.contains("nstest[userns-depth]") && !text.contains("SKIPPED"), "{text}");
}
