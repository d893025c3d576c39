//! Laptops, servers and CI machines.

use expect_test::{Expect, expect};
use nix::errno::Errno;
use nix::libc;

use super::super::probe::Filter;
use super::super::{Refusal, Step};
use super::{Machine, STATUS, clone, exec, id_map, mount, refusal};

/// RHEL 7 shipped so.
#[test]
fn no_user_namespaces() {
    Machine::laptop()
        .file("proc/sys/user/max_user_namespaces", "0\n")
        .refuses("user", Errno::ENOSPC)
        .says(
            &clone(Errno::ENOSPC),
            expect![[r#"
            nstest[userns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: this machine allows 0 user namespaces (user.max_user_namespaces = 0)
              help: sudo sysctl -w user.max_user_namespaces=28633"#]],
        );
}

#[test]
fn user_namespaces_in_use() {
    Machine::laptop()
        .refuses("user", Errno::ENOSPC)
        .says(&clone(Errno::ENOSPC), expect![[r#"
            nstest[userns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: this machine allows a user 63239 user namespaces (user.max_user_namespaces = 63239), and they are in use
              help: sudo sysctl -w user.max_user_namespaces=126478"#]]);
}

#[test]
fn network_namespaces_in_use() {
    Machine::laptop()
        .refuses("net", Errno::ENOSPC)
        .says(&clone(Errno::ENOSPC), expect![[r#"
            nstest[netns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: this machine allows a user 63239 network namespaces (user.max_net_namespaces = 63239), and they are in use
              help: sudo sysctl -w user.max_net_namespaces=126478"#]]);
}

/// As root, who may look at init's root.
fn in_mount_namespace(namespace: &str) -> Machine {
    Machine::laptop()
        .file("proc/1/ns/mnt", "-> mnt:[4026531841]")
        .file("proc/thread-self/ns/mnt", namespace)
        .file("proc/1/root/etc/hostname", "laptop\n")
}

#[test]
fn chroot_onto_a_mount() {
    in_mount_namespace("-> mnt:[4026531841]").says(&clone(Errno::EPERM), expect![[r#"
        nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: this process runs in a chroot, and the kernel makes no user namespace for such a one
          help: enter the tree by pivot_root(2) in place of chroot(2), which needs no privilege:
            bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

/// As an ordinary user, to whom init's root is closed.
#[test]
fn chroot_that_leaves_no_trace() {
    Machine::laptop()
        .refuses("user", Errno::EPERM)
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this process seems to run in a chroot, in which the kernel makes no user namespace: no filter stands before the kernel, and its user and group id are mapped
              help: enter the tree by pivot_root(2) in place of chroot(2), which needs no privilege:
                bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn another_mount_namespace_is_no_chroot() {
    assert!(!in_mount_namespace("-> mnt:[4026532000]").facts().chroot);
}

#[test]
fn group_without_mapping() {
    Machine::laptop()
        .file(
            "proc/thread-self/status",
            &STATUS.replace("Gid:\t1000\t1000", "Gid:\t65534\t65534"),
        )
        .file("proc/thread-self/gid_map", "0 1000 1\n")
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[unmapped-id]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this process's group id has no mapping in the user namespace that it is in (/proc/self/gid_map), and without one it can make no further namespace
              help: map it where the namespace around the tests is made: unshare --user --map-current-user …"#]]);
}

#[test]
fn filter_of_a_systemd_unit() {
    Machine::laptop()
        .probes(|probes| probes.clone_filter = Filter::Answers(Errno::EPERM))
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: a seccomp filter answers this system call with EPERM
              help: let the filter pass clone, clone3, unshare, setns, mount and umount2; in a systemd unit that is RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

fn killed(signal: i32) -> Refusal {
    refusal("mount a fresh /proc", "mount", Errno::UnknownErrno, Step::Killed { signal })
}

#[test]
fn filter_that_kills() {
    Machine::laptop().says(
        &killed(libc::SIGSYS),
        expect![[r#"
            nstest[seccomp-kill]: mount a fresh /proc: mount: SIGSYS
              cause: a seccomp filter kills the process that makes this system call (SIGSYS)
              help: let the filter pass clone, clone3, unshare, setns, mount and umount2; in a systemd unit that is RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]],
    );
}

#[test]
fn processes_of_the_user() {
    Machine::laptop()
        .file(
            "proc/thread-self/limits",
            "Max processes             3          3          processes \n",
        )
        .says(&clone(Errno::EAGAIN), expect![[r#"
            nstest[nproc]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN
              cause: this user may have 3 processes and threads (RLIMIT_NPROC), and of those to be seen 3 run
              help: ulimit -u 4096    # in the shell that runs the tests; the hard limit is in /etc/security/limits.conf
                or fewer tests at a time: cargo test -- --test-threads=1"#]]);
}

#[test]
fn processes_of_the_cgroup() {
    Machine::laptop()
        .file("sys/fs/cgroup/user.slice/pids.max", "100\n")
        .file("sys/fs/cgroup/user.slice/pids.current", "100\n")
        .says(
            &clone(Errno::EAGAIN),
            expect![[r#"
            nstest[pids-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN
              cause: the cgroup of this process may have 100 processes, and has them (pids.max)
              help: systemd-run --user --scope -p TasksMax=4096 cargo test
                or fewer tests at a time: cargo test -- --test-threads=1"#]],
        );
}

#[test]
fn processes_of_the_machine() {
    Machine::laptop().says(
        &clone(Errno::EAGAIN),
        expect![[r#"
        nstest[pids-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN
          cause: the machine has no process id left (kernel.pid_max, kernel.threads-max)
          help: sudo sysctl -w kernel.pid_max=4194304 kernel.threads-max=500000"#]],
    );
}

#[test]
fn debian_before_11() {
    Machine::laptop()
        .file("proc/sys/kernel/unprivileged_userns_clone", "0\n")
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[userns-clone-sysctl]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this machine lets only root make user namespaces (kernel.unprivileged_userns_clone = 0)
              help: sudo sysctl -w kernel.unprivileged_userns_clone=1"#]]);
}

fn ubuntu() -> Machine {
    Machine::laptop()
        .file("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
        .file("proc/sys/kernel/unprivileged_userns_clone", "1\n")
}

/// 24.04, and the runners of GitHub.
fn ubuntu_with_profile() -> Machine {
    let label = "unprivileged_userns (enforce)".to_owned();
    ubuntu().probes(|probes| probes.label = Some(label))
}

#[test]
fn ubuntu_at_the_map() {
    ubuntu_with_profile().says(&id_map(Errno::EPERM), expect![[r#"
        nstest[apparmor]: map the test's user id: write("/proc/self/uid_map"): EPERM
          cause: AppArmor takes all capabilities from unprivileged programs in user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1), as Ubuntu does from 23.10 on
          help: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
            or give the test binaries an AppArmor profile with `userns,`: docs/src/troubleshooting.md#apparmor"#]]);
}

/// The first line is another, all others are those above.
fn says_as_at_the_map(ubuntu: Machine, refusal: &Refusal, expected: Expect) {
    let (text, above) = (ubuntu.text(refusal), ubuntu_with_profile().text(&id_map(Errno::EPERM)));
    let (first, rest) = text.split_once('\n').unwrap();
    expected.assert_eq(first);
    assert_eq!(rest, above.split_once('\n').unwrap().1);
}

#[test]
fn ubuntu_at_later_steps() {
    let loopback = refusal("bring up `lo`", "ioctl(SIOCSIFFLAGS)", Errno::EPERM, Step::Loopback);
    let expected = expect!["nstest[apparmor]: bring up `lo`: ioctl(SIOCSIFFLAGS): EPERM"];
    says_as_at_the_map(ubuntu_with_profile(), &loopback, expected);
    let expected = expect![[r#"nstest[apparmor]: mount a fresh /proc: mount("/proc"): EACCES"#]];
    says_as_at_the_map(ubuntu_with_profile(), &mount("/proc", Errno::EACCES), expected);
}

/// 23.10, or where that profile is not loaded: the namespace itself is refused.
#[test]
fn ubuntu_at_the_clone() {
    says_as_at_the_map(
        ubuntu(),
        &clone(Errno::EACCES),
        expect!["nstest[apparmor]: create the test's namespaces: clone(CLONE_NEWUSER|…): EACCES"],
    );
}

#[test]
fn wsl_1() {
    Machine::laptop()
        .file("proc/sys/kernel/osrelease", "4.4.0-22621-Microsoft\n")
        .says(&clone(Errno::EINVAL), expect![[r#"
            nstest[wsl1]: create the test's namespaces: clone(CLONE_NEWUSER|…): EINVAL
              cause: this is WSL 1 (kernel 4.4.0-22621-Microsoft), which has no namespaces
              help: in PowerShell, with the name that `wsl --list` shows: wsl --set-version NAME 2"#]]);
}

#[test]
fn wsl_2_is_not_wsl_1() {
    Machine::laptop()
        .file(
            "proc/sys/kernel/osrelease",
            "5.15.167.4-microsoft-standard-WSL2\n",
        )
        .refuses("user", Errno::EINVAL)
        .says(&clone(Errno::EINVAL), expect![[r#"
            nstest[no-namespaces]: create the test's namespaces: clone(CLONE_NEWUSER|…): EINVAL
              cause: the kernel 5.15.167.4-microsoft-standard-WSL2 was built without CONFIG_USER_NS
              help: run the tests on a kernel with CONFIG_USER_NS=y, as every large distribution's is"#]]);
}

#[test]
fn a_kernel_without_network_namespaces() {
    Machine::laptop()
        .refuses("net", Errno::EINVAL)
        .says(&clone(Errno::EINVAL), expect![[r#"
            nstest[no-namespaces]: create the test's namespaces: clone(CLONE_NEWUSER|…): EINVAL
              cause: the kernel 6.12.48-generic was built without CONFIG_NET_NS
              help: run the tests on a kernel with CONFIG_NET_NS=y, as every large distribution's is"#]]);
}

#[test]
fn selinux() {
    Machine::laptop()
        .file("sys/fs/selinux/enforce", "1")
        .says(&clone(Errno::EACCES), expect![[r#"
            nstest[selinux]: create the test's namespaces: clone(CLONE_NEWUSER|…): EACCES
              cause: SELinux is enforcing, and its policy does not allow this to the domain of this process
              help: allow what was denied, on the machine itself:
                sudo ausearch -m AVC -ts recent | audit2allow -M nstest-userns
                sudo semodule -i nstest-userns.pp"#]]);
}

#[test]
fn no_proc() {
    Machine::laptop().without("proc/").says(
        &refusal("forbid setgroups", "open", Errno::ENOENT, Step::SetGroups),
        expect![[r#"
            nstest[no-proc]: forbid setgroups: open: ENOENT
              cause: no procfs that shows this process is mounted on /proc
              help: sudo mount -t proc proc /proc"#]],
    );
}

#[test]
fn descriptors() {
    let pipe = |errno| refusal("make a pipe for the output", "pipe2", errno, Step::Pipe);
    Machine::laptop().says(&pipe(Errno::EMFILE), expect![[r#"
        nstest[open-files]: make a pipe for the output: pipe2: EMFILE
          cause: this process may open no more files: its limit is 1024 (RLIMIT_NOFILE), and 2 are open
          help: ulimit -n 4096    # in the shell that runs the tests
            or fewer tests at a time: cargo test -- --test-threads=1"#]]);
    Machine::laptop().says(
        &pipe(Errno::ENFILE),
        expect![[r#"
        nstest[open-files]: make a pipe for the output: pipe2: ENFILE
          cause: the whole machine has as many files open as it may (fs.file-max)
          help: sudo sysctl -w fs.file-max=1000000"#]],
    );
}

#[test]
fn exec_of_the_binary() {
    Machine::laptop().says(&exec(Errno::E2BIG), expect![[r#"
        nstest[env-too-big]: start the test's process: execve("/proc/self/exe"): E2BIG
          cause: the environment is too big for a new process: one variable may have 128 KiB, all together and the arguments a quarter of the stack's limit (execve(2))
          help: find the big variables, and unset them for the tests:
            env -0 | awk -v RS='\0' -F= '{ print length($0), $1 }' | sort -n | tail -3"#]]);
    Machine::laptop().says(&exec(Errno::EACCES), expect![[r#"
        nstest[exec]: start the test's process: execve("/proc/self/exe"): EACCES
          cause: the test binary may not be executed by this user: a directory above it is closed to them, or its file system is mounted noexec
          help: put the build where this user may execute it:
            CARGO_TARGET_DIR=/var/tmp/target cargo test"#]]);
    Machine::laptop().says(
        &exec(Errno::ENOENT),
        expect![[r#"
        nstest[exec]: start the test's process: execve("/proc/self/exe"): ENOENT
          cause: the test binary, or the dynamic loader that it names, is not there any more
          help: build again while no test runs: cargo test --no-run"#]],
    );
}

fn host_name() -> Refusal {
    refusal("set the host name", "sethostname", Errno::EPERM, Step::Hostname)
}

#[test]
fn no_cause_known() {
    Machine::laptop().says(&host_name(), expect![[r#"
        nstest[setup]: set the host name: sethostname: EPERM
          cause: none of the known causes fits; this is what was found:
            kernel: 6.12.48-generic
            uid: Some(1000), capabilities Some(0)
            container: None, nested false
            limits: {"ipc": 63239, "mnt": 63239, "net": 63239, "pid": 63239, "user": 63239, "uts": 63239}
            seccomp: Some(false), clone Passes, mount Passes
            AppArmor: None, in a user namespace None
            SELinux enforcing: false
            a process: Allowed
            with a user namespace: Allowed
            with pid: Allowed
            with mnt: Allowed
            with uts: Allowed
            with ipc: Allowed
            with net: Allowed
            with all: Allowed
            setgroups, uid_map: Allowed, Allowed
          help: report this text as an issue of nstest, please"#]]);
}

#[test]
fn killed_by_something_else() {
    let [killed, refused] =
        [killed(libc::SIGKILL), host_name()].map(|refusal| Machine::laptop().text(&refusal));
    let (first, found) = killed.split_at(killed.find("    kernel: ").unwrap());
    expect![[r#"
        nstest[setup]: mount a fresh /proc: mount: SIGKILL
          cause: none of the known causes fits; this is what was found:
            killed by: SIGKILL
    "#]]
    .assert_eq(first);
    // The rest is as above.
    assert!(refused.ends_with(found), "{killed}");
}
