//! Laptops, servers and CI machines.

use expect_test::{Expect, expect};
use nix::errno::Errno;
use nix::libc;

use super::super::probe::Filter;
use super::super::refusal::{Operation, Refusal};
use super::{RecordedMachine, STATUS, clone, exec, id_map, mount, refusal};

/// The default of RHEL 7.
#[test]
fn no_user_namespaces() {
    RecordedMachine::laptop()
        .file("proc/sys/user/max_user_namespaces", "0\n")
        .refuses("user", Errno::ENOSPC)
        .says(
            &clone(Errno::ENOSPC),
            expect![[r#"
                nstest[userns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
                  cause: this machine allows no user namespaces (user.max_user_namespaces = 0)
                  help: sudo sysctl -w user.max_user_namespaces=28633"#]],
        );
}

#[test]
fn user_namespaces_in_use() {
    RecordedMachine::laptop()
        .refuses("user", Errno::ENOSPC)
        .says(&clone(Errno::ENOSPC), expect![[r#"
            nstest[userns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: all user namespaces that this machine allows a user are in use (user.max_user_namespaces = 63239)
              help: sudo sysctl -w user.max_user_namespaces=126478"#]]);
}

#[test]
fn network_namespaces_in_use() {
    RecordedMachine::laptop()
        .refuses("net", Errno::ENOSPC)
        .says(&clone(Errno::ENOSPC), expect![[r#"
            nstest[netns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: all network namespaces that this machine allows a user are in use (user.max_net_namespaces = 63239)
              help: sudo sysctl -w user.max_net_namespaces=126478"#]]);
}

/// As root, which may read the root directory of init.
fn in_mount_namespace(namespace: &str) -> RecordedMachine {
    RecordedMachine::laptop()
        .file("proc/1/ns/mnt", "-> mnt:[4026531841]")
        .file("proc/thread-self/ns/mnt", namespace)
        .file("proc/1/root/etc/hostname", "laptop\n")
}

#[test]
fn chroot_onto_a_mount() {
    in_mount_namespace("-> mnt:[4026531841]").says(
        &clone(Errno::EPERM),
        expect![[r#"
        nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: this process runs in a chroot, and the kernel creates no user namespace in a chroot
          help: enter the tree with pivot_root(2), which needs no privilege, not with chroot(2):
            bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]],
    );
}

/// As an ordinary user, which may not read the root directory of init.
#[test]
fn chroot_that_leaves_no_trace() {
    RecordedMachine::laptop()
        .refuses("user", Errno::EPERM)
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this process seems to run in a chroot, in which the kernel creates no user namespace: no filter intercepts the call, and its user and group ids are mapped
              help: enter the tree with pivot_root(2), which needs no privilege, not with chroot(2):
                bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn another_mount_namespace_is_no_chroot() {
    assert!(!in_mount_namespace("-> mnt:[4026532000]").facts().chroot);
}

#[test]
fn group_without_mapping() {
    RecordedMachine::laptop()
        .file(
            "proc/thread-self/status",
            &STATUS.replace("Gid:\t1000\t1000", "Gid:\t65534\t65534"),
        )
        .file("proc/thread-self/gid_map", "0 1000 1\n")
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[unmapped-id]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: the group id of this process is not mapped in its user namespace (/proc/self/gid_map), so it cannot create namespaces
              help: map it when you create the user namespace around the tests: unshare --user --map-current-user …"#]]);
}

#[test]
fn filter_of_a_systemd_unit() {
    RecordedMachine::laptop()
        .probes(|probes| probes.clone_filter = Filter::Answers(Errno::EPERM))
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: a seccomp filter answers this system call with EPERM
              help: allow clone, clone3, unshare, setns, mount and umount2 in the filter; in a systemd unit: RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

fn killed(signal: i32) -> Refusal {
    refusal("mount a fresh /proc", "mount", Errno::UnknownErrno, Operation::Killed { signal })
}

#[test]
fn filter_that_kills() {
    RecordedMachine::laptop().says(
        &killed(libc::SIGSYS),
        expect![[r#"
            nstest[seccomp-kill]: mount a fresh /proc: mount: SIGSYS
              cause: a seccomp filter kills the process that makes this system call (SIGSYS)
              help: allow clone, clone3, unshare, setns, mount and umount2 in the filter; in a systemd unit: RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]],
    );
}

#[test]
fn processes_of_the_user() {
    RecordedMachine::laptop()
        .file(
            "proc/thread-self/limits",
            "Max processes             3          3          processes \n",
        )
        .says(&clone(Errno::EAGAIN), expect![[r#"
            nstest[nproc]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN
              cause: this user may have 3 processes and threads (RLIMIT_NPROC), and at least 3 exist
              help: ulimit -u 4096    # in the shell that runs the tests; the hard limit is in /etc/security/limits.conf
                or run fewer tests at a time: cargo test -- --test-threads=1"#]]);
}

#[test]
fn processes_of_the_cgroup() {
    RecordedMachine::laptop()
        .file("sys/fs/cgroup/user.slice/pids.max", "100\n")
        .file("sys/fs/cgroup/user.slice/pids.current", "100\n")
        .says(
            &clone(Errno::EAGAIN),
            expect![[r#"
                nstest[pids-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN
                  cause: the cgroup of this process has reached its limit of 100 processes (pids.max)
                  help: systemd-run --user --scope -p TasksMax=4096 cargo test
                    or run fewer tests at a time: cargo test -- --test-threads=1"#]],
        );
}

#[test]
fn processes_of_the_machine() {
    RecordedMachine::laptop().says(
        &clone(Errno::EAGAIN),
        expect![[r#"
            nstest[pids-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN
              cause: the machine has no free process id (kernel.pid_max, kernel.threads-max)
              help: sudo sysctl -w kernel.pid_max=4194304 kernel.threads-max=500000"#]],
    );
}

#[test]
fn debian_before_11() {
    RecordedMachine::laptop()
        .file("proc/sys/kernel/unprivileged_userns_clone", "0\n")
        .says(&clone(Errno::EPERM), expect![[r#"
            nstest[userns-clone-sysctl]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this machine lets only root create user namespaces (kernel.unprivileged_userns_clone = 0)
              help: sudo sysctl -w kernel.unprivileged_userns_clone=1"#]]);
}

fn ubuntu() -> RecordedMachine {
    RecordedMachine::laptop()
        .file("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
        .file("proc/sys/kernel/unprivileged_userns_clone", "1\n")
}

/// Ubuntu 24.04, also on the runners of GitHub.
fn ubuntu_with_profile() -> RecordedMachine {
    let label = "unprivileged_userns (enforce)".to_owned();
    ubuntu().probes(|probes| probes.label = Some(label))
}

#[test]
fn ubuntu_at_the_map() {
    ubuntu_with_profile().says(&id_map(Errno::EPERM), expect![[r#"
        nstest[apparmor]: map the test's user id: write("/proc/self/uid_map"): EPERM
          cause: AppArmor denies all capabilities to unprivileged programs in user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1), the default since Ubuntu 23.10
          help: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
            or give the test binaries an AppArmor profile with `userns,`: docs/src/troubleshooting.md#apparmor"#]]);
}

/// Only the first line differs from the message at the id map.
fn says_as_at_the_map(ubuntu: RecordedMachine, refusal: &Refusal, expected: Expect) {
    let (text, above) = (ubuntu.text(refusal), ubuntu_with_profile().text(&id_map(Errno::EPERM)));
    let (first, rest) = text.split_once('\n').unwrap();
    expected.assert_eq(first);
    assert_eq!(rest, above.split_once('\n').unwrap().1);
}

#[test]
fn ubuntu_at_later_steps() {
    let loopback =
        refusal("bring up `lo`", "ioctl(SIOCSIFFLAGS)", Errno::EPERM, Operation::Loopback);
    let expected = expect!["nstest[apparmor]: bring up `lo`: ioctl(SIOCSIFFLAGS): EPERM"];
    says_as_at_the_map(ubuntu_with_profile(), &loopback, expected);
    let expected = expect![[r#"nstest[apparmor]: mount a fresh /proc: mount("/proc"): EACCES"#]];
    says_as_at_the_map(ubuntu_with_profile(), &mount("/proc", Errno::EACCES), expected);
}

/// Ubuntu 23.10, or if the profile is not loaded: the namespace itself is refused.
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
    RecordedMachine::laptop()
        .file("proc/sys/kernel/osrelease", "4.4.0-22621-Microsoft\n")
        .says(&clone(Errno::EINVAL), expect![[r#"
            nstest[wsl1]: create the test's namespaces: clone(CLONE_NEWUSER|…): EINVAL
              cause: this is WSL 1 (kernel 4.4.0-22621-Microsoft), which has no namespaces
              help: run in PowerShell, with the NAME that `wsl --list` shows: wsl --set-version NAME 2"#]]);
}

#[test]
fn wsl_2_is_not_wsl_1() {
    RecordedMachine::laptop()
        .file(
            "proc/sys/kernel/osrelease",
            "5.15.167.4-microsoft-standard-WSL2\n",
        )
        .refuses("user", Errno::EINVAL)
        .says(&clone(Errno::EINVAL), expect![[r#"
            nstest[no-namespaces]: create the test's namespaces: clone(CLONE_NEWUSER|…): EINVAL
              cause: the kernel 5.15.167.4-microsoft-standard-WSL2 was built without CONFIG_USER_NS
              help: run the tests on a kernel with CONFIG_USER_NS=y, such as that of any large distribution"#]]);
}

#[test]
fn a_kernel_without_network_namespaces() {
    RecordedMachine::laptop()
        .refuses("net", Errno::EINVAL)
        .says(&clone(Errno::EINVAL), expect![[r#"
            nstest[no-namespaces]: create the test's namespaces: clone(CLONE_NEWUSER|…): EINVAL
              cause: the kernel 6.12.48-generic was built without CONFIG_NET_NS
              help: run the tests on a kernel with CONFIG_NET_NS=y, such as that of any large distribution"#]]);
}

#[test]
fn selinux() {
    RecordedMachine::laptop().file("sys/fs/selinux/enforce", "1").says(
        &clone(Errno::EACCES),
        expect![[r#"
            nstest[selinux]: create the test's namespaces: clone(CLONE_NEWUSER|…): EACCES
              cause: SELinux is enforcing, and its policy denies this to the domain of this process
              help: allow on the machine itself what was denied:
                sudo ausearch -m AVC -ts recent | audit2allow -M nstest-userns
                sudo semodule -i nstest-userns.pp"#]],
    );
}

#[test]
fn no_proc() {
    RecordedMachine::laptop().without("proc/").says(
        &refusal("forbid setgroups", "open", Errno::ENOENT, Operation::SetGroups),
        expect![[r#"
            nstest[no-proc]: forbid setgroups: open: ENOENT
              cause: no procfs that shows this process is mounted on /proc
              help: sudo mount -t proc proc /proc"#]],
    );
}

#[test]
fn descriptors() {
    let pipe = |errno| refusal("make a pipe for the output", "pipe2", errno, Operation::Pipe);
    RecordedMachine::laptop().says(&pipe(Errno::EMFILE), expect![[r#"
        nstest[open-files]: make a pipe for the output: pipe2: EMFILE
          cause: this process has reached its limit of open files, 1024 (RLIMIT_NOFILE); 2 are open now
          help: ulimit -n 4096    # in the shell that runs the tests; the hard limit is in /etc/security/limits.conf
            or run fewer tests at a time: cargo test -- --test-threads=1"#]]);
    RecordedMachine::laptop().says(
        &pipe(Errno::ENFILE),
        expect![[r#"
            nstest[open-files]: make a pipe for the output: pipe2: ENFILE
              cause: the machine has reached its limit of open files (fs.file-max)
              help: allow the machine more open files: sudo sysctl -w fs.file-max=1000000"#]],
    );
}

#[test]
fn exec_of_the_binary() {
    RecordedMachine::laptop().says(&exec(Errno::E2BIG), expect![[r#"
        nstest[env-too-big]: start the test's process: execve("/proc/self/exe"): E2BIG
          cause: the environment is too big for a new process: one variable can have 128 KiB, all variables and arguments together a quarter of the stack limit (execve(2))
          help: find the big variables and unset them for the tests:
            env -0 | awk -v RS='\0' -F= '{ print length($0), $1 }' | sort -n | tail -3"#]]);
    RecordedMachine::laptop().says(&exec(Errno::EACCES), expect![[r#"
        nstest[exec]: start the test's process: execve("/proc/self/exe"): EACCES
          cause: this user may not execute the test binary: a directory above it is not accessible, or its file system is mounted noexec
          help: build where this user may execute files:
            CARGO_TARGET_DIR=/var/tmp/target cargo test"#]]);
    RecordedMachine::laptop().says(
        &exec(Errno::ENOENT),
        expect![[r#"
            nstest[exec]: start the test's process: execve("/proc/self/exe"): ENOENT
              cause: the test binary, or the dynamic loader that it names, no longer exists
              help: build again while no test runs: cargo test --no-run"#]],
    );
}

fn host_name() -> Refusal {
    refusal("set the host name", "sethostname", Errno::EPERM, Operation::Hostname)
}

#[test]
fn no_cause_known() {
    RecordedMachine::laptop().says(
        &host_name(),
        expect![[r#"
        nstest[setup]: set the host name: sethostname: EPERM
          cause: no known cause fits. What was found out:
            kernel: 6.12.48-generic
            user id: 1000
            capabilities: 0x0
            container: none
            user namespace: the first
            limits of namespaces: ipc 63239, mnt 63239, net 63239, pid 63239, user 63239, uts 63239
            seccomp filter: no
            a clone with wrong arguments: reaches the kernel
            a mount with wrong arguments: reaches the kernel
            AppArmor profile: none
            AppArmor profile in a user namespace: none
            SELinux enforcing: no
            clone: works
            clone with user: works
            clone with user, pid: works
            clone with user, mnt: works
            clone with user, uts: works
            clone with user, ipc: works
            clone with user, net: works
            clone with all: works
            write to setgroups: works
            write to uid_map: works
          help: report this message as an issue of nstest"#]],
    );
}

#[test]
fn killed_by_something_else() {
    let [killed, refused] = [killed(libc::SIGKILL), host_name()]
        .map(|refusal| RecordedMachine::laptop().text(&refusal));
    let (first, found) = killed.split_at(killed.find("    kernel: ").unwrap());
    expect![[r#"
        nstest[setup]: mount a fresh /proc: mount: SIGKILL
          cause: no known cause fits. What was found out:
            killed by: SIGKILL
    "#]]
    .assert_eq(first);
    // The rest is as in the test above.
    assert!(refused.ends_with(found), "{killed}");
}
