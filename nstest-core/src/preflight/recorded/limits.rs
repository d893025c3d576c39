//! Limits of processes, memory and files, and kernels that are too old.

use nix::errno::Errno;

use super::super::refusal::Operation;
use super::{RecordedMachine, clone, exec, refusal};

/// What had used the processes may have ended when the machine is looked at.
#[test]
fn processes_of_the_cgroup_that_have_ended() {
    let text = RecordedMachine::laptop()
        .file("sys/fs/cgroup/user.slice/pids.max", "100\n")
        .file("sys/fs/cgroup/user.slice/pids.current", "7\n")
        .file("proc/thread-self/limits", "Max processes             385460  385460  processes \n")
        .text(&clone(Errno::EAGAIN));
    assert!(text.contains("[pids-limit]") && text.contains("100 processes (pids.max)"), "{text}");
}

#[test]
fn processes_of_a_cgroup_that_cannot_be_seen() {
    let text = RecordedMachine::laptop()
        .file("proc/thread-self/limits", "Max processes             385460  385460  processes \n")
        .text(&clone(Errno::EAGAIN));
    assert!(text.contains("[pids-limit]") && text.contains("cannot be seen here"), "{text}");
}

/// Each directory that is hidden is named once.
#[test]
fn mounts_on_one_directory() {
    let mount = "28 22 0:40 / /proc/sys ro,relatime - tmpfs tmpfs ro\n";
    let mounts = format!("{}{mount}{mount}", super::MOUNTS);
    let text = RecordedMachine::laptop()
        .file("proc/thread-self/mountinfo", &mounts)
        .text(&super::mount("/proc", Errno::EPERM));
    assert!(text.contains("by mounts on /proc/sys, and"), "{text}");
}

/// No limit is reached then.
#[test]
fn a_policy_without_children() {
    let stat = |policy: u32| format!("7 (a) b) R {}{policy} 0 0 0\n", "0 ".repeat(37));
    for (policy, code) in [(6, "[resource-limit]"), (0, "[pids-limit]")] {
        let text = RecordedMachine::laptop()
            .file("proc/thread-self/stat", &stat(policy))
            .text(&clone(Errno::EAGAIN));
        assert!(text.contains(code), "{text}");
        assert_eq!(text.contains("SCHED_DEADLINE"), policy == 6, "{text}");
    }
}

#[test]
fn limits_on_memory() {
    for (limit, remedy) in [("address space", "ulimit -v"), ("data size    ", "ulimit -d")] {
        let limits = format!(
            "Max processes             385460  385460  processes \n\
             Max {limit}         50000000  50000000  bytes \n"
        );
        for errno in [Errno::ENOMEM, Errno::EAGAIN] {
            let machine = RecordedMachine::laptop().file("proc/thread-self/limits", &limits);
            let text = machine.text(&refusal("start a thread", "clone", errno, Operation::Thread));
            assert!(text.contains("[resource-limit]") && text.contains(remedy), "{text}");
        }
    }
}

/// Linux 5.4 has no close_range(2), 5.10 not the flag, and a filter may refuse it anywhere.
#[test]
fn kernels_without_close_range() {
    let close_range =
        |errno| refusal("hand over descriptors", "close_range", errno, Operation::Other);
    let kernel = |version| RecordedMachine::laptop().file("proc/sys/kernel/osrelease", version);
    for (version, errno) in
        [("5.4.0-150-generic\n", Errno::ENOSYS), ("5.10.0-28-amd64\n", Errno::EINVAL)]
    {
        let text = kernel(version).text(&close_range(errno));
        assert!(text.contains("[old-kernel]") && text.contains("Linux 5.11 or later"), "{text}");
    }
    for (version, errno) in [("5.11.0\n", Errno::EPERM), ("6.12.1\n", Errno::ENOSYS)] {
        let filtered = kernel(version).file(STATUS_FILE, FILTERED);
        let text = filtered.text(&close_range(errno));
        assert!(text.contains("[seccomp]") && text.contains("allow close_range, clone"), "{text}");
    }
}

const STATUS_FILE: &str = "proc/thread-self/status";
const FILTERED: &str = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nSeccomp:\t2\n";
const WITHOUT_RIGHTS: &str = "Uid:\t5\t5\t5\t5\nCapEff:\t0000000000000000\nSeccomp:\t2\n";

/// No filter is blamed where there is none, or where something else is known to refuse the call.
#[test]
fn a_filter_by_elimination() {
    let setns = |errno| refusal("enter b", "setns(CLONE_NEWNET)", errno, Operation::Enter);
    let within = |status| RecordedMachine::laptop().file(STATUS_FILE, status);
    for (status, errno, code) in [
        (FILTERED, Errno::EPERM, "[seccomp]"),
        (FILTERED, Errno::ENOSYS, "[seccomp]"),
        (FILTERED, Errno::EINVAL, "[setup]"),
        (WITHOUT_RIGHTS, Errno::EPERM, "[namespace]"),
        (super::STATUS, Errno::ENOSYS, "[setup]"),
    ] {
        let text = within(status).text(&setns(errno));
        assert!(text.contains(code), "{errno}, {code}: {text}");
    }
}

/// Of two kinds that one call makes, it is the one that is refused still, or the one with the
/// lowest limit.
#[test]
fn a_limit_that_a_test_meets() {
    let unshare = Operation::FurtherNamespaces { kinds: &["mnt", "uts"] };
    let text = RecordedMachine::laptop()
        .file("proc/sys/user/max_uts_namespaces", "1\n")
        .text(&refusal("create namespaces for node b", "unshare", Errno::ENOSPC, unshare));
    assert!(text.contains("[namespace-limit]"), "{text}");
    assert!(text.contains("are in use (user.max_uts_namespaces = 1)"), "{text}");
}

/// The namespaces that were in use are gone when the machine is looked at.
#[test]
fn a_low_limit_that_is_reached_no_more() {
    for (kind, code) in [("user", "[userns-limit]"), ("net", "[netns-limit]")] {
        let path = if kind == "user" { USER_LIMIT } else { NET_LIMIT };
        let text = RecordedMachine::laptop()
            .file(path, "1\n")
            .file("proc/thread-self/uid_map", "0 1000 1\n")
            .text(&clone(Errno::ENOSPC));
        assert!(text.contains(code) && text.contains("_namespaces = 1)"), "{text}");
    }
}

const USER_LIMIT: &str = "proc/sys/user/max_user_namespaces";
const NET_LIMIT: &str = "proc/sys/user/max_net_namespaces";

/// All of /proc is read-only, or only /proc/sys.
#[test]
fn read_only_proc() {
    let rows = |options| format!("22 27 0:21 / /proc {options},nosuid - proc proc rw\n");
    let machine = |options| RecordedMachine::laptop().file(MOUNTS_FILE, &rows(options));
    let set_groups = refusal("give up setgroups", "write", Errno::EROFS, Operation::SetGroups);
    let text = machine("ro").text(&set_groups);
    assert!(text.contains("cause: /proc is mounted read-only"), "{text}");
    let path = "/proc/sys/net/ipv4/ip_forward".to_owned();
    let sysctl = refusal("forward", "open", Errno::EROFS, Operation::Sysctl { path });
    let text = machine("ro").text(&sysctl);
    assert!(text.contains("cause: /proc is mounted read-only"), "{text}");
    let sys_alone = rows("rw") + "23 22 0:21 /sys /proc/sys ro,nosuid - proc proc rw\n";
    let text = RecordedMachine::laptop().file(MOUNTS_FILE, &sys_alone).text(&sysctl);
    assert!(text.contains("cause: /proc/sys is mounted read-only"), "{text}");
}

const MOUNTS_FILE: &str = "proc/thread-self/mountinfo";

/// execve(2) has EAGAIN for one limit only, which need not be reached any more.
#[test]
fn a_limit_of_processes_that_an_exec_meets() {
    let text = RecordedMachine::laptop()
        .file("sys/fs/cgroup/user.slice/pids.max", "100\n")
        .file("proc/thread-self/limits", "Max processes             5000  5000  processes \n")
        .text(&exec(Errno::EAGAIN));
    assert!(text.starts_with("nstest[nproc]: start the test's process: execve("), "{text}");
    let cause =
        "cause: this user may have 5000 processes and threads (RLIMIT_NPROC), and at least 3";
    assert!(
        text.contains(cause) && text.contains("help: ulimit -u 20000    # in the shell"),
        "{text}"
    );
}

/// Descriptors from before the limit was set do not count, nor does the one that lists them.
#[test]
fn no_more_files_are_open_than_the_limit_allows() {
    let open = refusal("make a pipe", "pipe2", Errno::EMFILE, Operation::Pipe);
    let text = RecordedMachine::laptop()
        .file("proc/thread-self/limits", "Max open files            5  5  files \n")
        .file("proc/thread-self/fd/2", "-> /proc/4711/task/4711/fd")
        .file("proc/thread-self/fd/10", "")
        .file("proc/thread-self/fd/11", "")
        .text(&open);
    let cause = "reached its limit of open files, 5 (RLIMIT_NOFILE); 2 are open now";
    assert!(text.contains(cause), "{text}");
}

/// The command `nstest` is not told to run `cargo test` in another way.
#[test]
fn the_help_is_for_what_the_user_has_started() {
    let limits = "Max processes             1  1  processes \n\
                  Max address space         50000000  50000000  bytes \n";
    for refusal in [
        clone(Errno::EAGAIN),
        clone(Errno::EPERM),
        clone(Errno::ENOSPC),
        exec(Errno::ENOENT),
        exec(Errno::EACCES),
        exec(Errno::ETXTBSY),
        exec(Errno::ENOMEM),
        exec(Errno::E2BIG),
        exec(Errno::EAGAIN),
        refusal("make a pipe", "pipe2", Errno::EMFILE, Operation::Pipe),
        refusal("start a thread", "clone", Errno::ENOMEM, Operation::Thread),
        refusal("write", "write", Errno::EFBIG, Operation::Other),
    ] {
        let machine = RecordedMachine::laptop()
            .file("proc/thread-self/limits", limits)
            .file("proc/thread-self/uid_map", "0 1000 1\n")
            .file("proc/sys/user/max_net_namespaces", "0\n");
        let of_tests = machine.text(&refusal);
        let of_command = machine.of_command().text(&refusal);
        let help = of_command.split("  help: ").nth(1).expect("help");
        for word in ["cargo test", "the tests", "test binary", "--test-threads"] {
            assert!(!help.contains(word), "{word}: {of_command}");
        }
        assert_eq!(of_tests.lines().next(), of_command.lines().next());
    }
}
