//! Containers of Docker, Podman, Kubernetes and GitHub Actions.

use expect_test::expect;
use nix::errno::Errno;

use super::super::probe::Filter;
use super::super::refusal::Operation;
use super::{ROOT_IN_CONTAINER, RecordedMachine, clone, id_map, mount, refusal, sysctl};

/// A container of Docker with `seccomp=unconfined`.
fn unfiltered() -> RecordedMachine {
    RecordedMachine::docker().probes(|probes| probes.mount_filter = Filter::Passes)
}

impl RecordedMachine {
    /// The same, started by Podman.
    fn by_podman(self) -> Self {
        self.without(".dockerenv").file("run/.containerenv", "")
    }

    /// The same, started by Kubernetes.
    fn by_kubernetes(self) -> Self {
        self.without(".dockerenv").env("KUBERNETES_SERVICE_HOST")
    }
}

#[test]
fn docker_filters_clone() {
    RecordedMachine::docker().says(&clone(Errno::EPERM), expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: a seccomp filter answers this system call with EPERM, as Docker's default profile does
          help: docker run --security-opt seccomp=unconfined …
            in a compose file: security_opt: ["seccomp=unconfined"]"#]]);
}

/// Docker's profile before 20.10.10, which knows no clone3.
#[test]
fn docker_filters_clone3() {
    let thread = refusal("start a thread", "clone", Errno::EPERM, Operation::Thread);
    unfiltered()
        .probes(|probes| probes.clone3_filter = Filter::Answers(Errno::EPERM))
        .says(&thread, expect![[r#"
            nstest[seccomp]: start a thread: clone: EPERM
              cause: a seccomp filter answers clone3 with EPERM in place of ENOSYS, so that the C library starts no threads
              help: update Docker to 20.10.10 or later, or Podman, and libseccomp; or
                docker run --security-opt seccomp=unconfined …
                in a compose file: security_opt: ["seccomp=unconfined"]"#]]);
}

/// Docker's profile has another errno.
#[test]
fn docker_with_another_filter() {
    RecordedMachine::docker()
        .probes(|probes| probes.mount_filter = Filter::Answers(Errno::ENOSYS))
        .says(
            &mount("/", Errno::ENOSYS),
            expect![[r#"
            nstest[seccomp]: mount a fresh /: mount("/"): ENOSYS
              cause: a seccomp filter answers this system call with ENOSYS
              help: docker run --security-opt seccomp=unconfined …
                in a compose file: security_opt: ["seccomp=unconfined"]"#]],
        );
}

#[test]
fn github_job_in_a_container() {
    RecordedMachine::docker().env("GITHUB_ACTIONS").says(&clone(Errno::EPERM), expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: a seccomp filter answers this system call with EPERM, as Docker's default profile does
          help: docker run --security-opt seccomp=unconfined …
            in a compose file: security_opt: ["seccomp=unconfined"]
            in a GitHub job: container: {image: …, options: --security-opt seccomp=unconfined}"#]]);
}

#[test]
fn podman_filters_clone() {
    RecordedMachine::docker().by_podman().says(&clone(Errno::ENOSYS), expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSYS
          cause: a seccomp filter answers this system call with EPERM, as Podman's default profile does
          help: podman run --security-opt seccomp=unconfined …"#]]);
}

#[test]
fn kubernetes_filters_clone() {
    RecordedMachine::docker().by_kubernetes().says(&clone(Errno::EPERM), expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: a seccomp filter answers this system call with EPERM, as the profile RuntimeDefault does
          help: set in the container's spec: securityContext: {seccompProfile: {type: Unconfined}}"#]]);
}

/// Root with all capabilities dropped.
#[test]
fn kubernetes_drops_all() {
    RecordedMachine::laptop()
        .by_kubernetes()
        .file(
            "proc/thread-self/status",
            &ROOT_IN_CONTAINER.replace("00000000a80425fb", "0000000000000000"),
        )
        .says(&id_map(Errno::EPERM), expect![[r#"
            nstest[setfcap]: map the test's user id: write("/proc/self/uid_map"): EPERM
              cause: this process is root without the capability CAP_SETFCAP, which mapping user id 0 into a new user namespace needs
              help: set in the container's spec: securityContext: {runAsUser: 1000}, or {capabilities: {add: [SETFCAP]}}"#]]);
}

#[test]
fn the_host_of_a_container_has_no_user_namespaces() {
    RecordedMachine::docker()
        .probes(|probes| probes.clone_filter = Filter::Passes)
        .file("proc/sys/user/max_user_namespaces", "0\n")
        .says(&clone(Errno::ENOSPC), expect![[r#"
            nstest[userns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: this machine allows no user namespaces (user.max_user_namespaces = 0)
              help: sudo sysctl -w user.max_user_namespaces=28633    # on the host, not in the container"#]]);
}

/// `seccomp=unconfined` alone: AppArmor still denies mounts.
#[test]
fn docker_denies_mounts() {
    unfiltered().says(
        &mount("/proc", Errno::EACCES),
        expect![[r#"
            nstest[apparmor]: mount a fresh /proc: mount("/proc"): EACCES
              cause: the AppArmor profile of this process, `docker-default (enforce)`, does not allow this
              help: docker run --security-opt apparmor=unconfined …
                in a compose file: security_opt: ["apparmor=unconfined"]"#]],
    );
}

/// `seccomp=unconfined` and `apparmor=unconfined`.
#[test]
fn docker_masks_proc() {
    let machine = || unfiltered().file("proc/thread-self/attr/apparmor/current", "unconfined\n");
    machine().says(&mount("/proc", Errno::EPERM), expect![[r#"
        nstest[proc-masked]: mount a fresh /proc: mount("/proc"): EPERM
          cause: /proc is partly hidden by mounts on /proc/bus, /proc/sys, /proc/acpi, …, and the kernel then refuses to mount a fresh one, which would show more
          help: docker run --security-opt systempaths=unconfined …
            in a compose file: security_opt: ["systempaths=unconfined"]"#]]);
    machine().says(&mount("/sys", Errno::EPERM), expect![[r#"
        nstest[proc-masked]: mount a fresh /sys: mount("/sys"): EPERM
          cause: /sys is partly hidden by mounts on /sys/firmware, and the kernel then refuses to mount a fresh one, which would show more
          help: docker run --security-opt systempaths=unconfined …
            in a compose file: security_opt: ["systempaths=unconfined"]"#]]);
    machine().says(
        &sysctl(Errno::EROFS),
        expect![[r#"
        nstest[proc-sys-read-only]: set net.ipv4.ip_forward: open: EROFS
          cause: /proc/sys is mounted read-only
          help: docker run --security-opt systempaths=unconfined …
            in a compose file: security_opt: ["systempaths=unconfined"]"#]],
    );
}

/// nstest's own mounts, whatever the container around it is.
#[test]
fn a_test_masks_proc() {
    unfiltered()
        .file("proc/1/comm", "nstest-init\n")
        .says(&mount("/proc", Errno::EPERM), expect![[r#"
            nstest[proc-masked]: mount a fresh /proc: mount("/proc"): EPERM
              cause: /proc is partly hidden by mounts on /proc/bus, /proc/sys, /proc/acpi, …, and the kernel then refuses to mount a fresh one, which would show more
              help: nstest made these mounts for the test, or the program of `nstest run`, in which this runs; run the tests outside of it"#]]);
}

/// nstest mounts nothing below /sys, so it was the container. A mount on a directory that is made
/// for one hides nothing, nor does one on another mount.
#[test]
fn a_test_in_a_container_that_masks_sys() {
    let mounts = "\
601 500 0:60 / / rw,relatime - overlay overlay rw
602 601 0:63 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
607 601 0:66 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
608 607 0:67 / /sys/fs/cgroup rw - tmpfs tmpfs rw
609 608 0:68 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw
610 607 0:69 / /sys/kernel/debug rw - debugfs debugfs rw
611 610 0:70 / /sys/kernel/debug/tracing rw - tracefs tracefs rw
612 607 0:71 / /sys/kernel/security rw - securityfs securityfs rw
613 607 0:72 / /sys/firmware ro,relatime - tmpfs tmpfs ro
614 613 0:73 / /sys/firmware/acpi ro,relatime - tmpfs tmpfs ro
";
    unfiltered()
        .file("proc/1/comm", "nstest-init\n")
        .file("proc/thread-self/mountinfo", mounts)
        .says(&mount("/sys", Errno::EPERM), expect![[r#"
            nstest[proc-masked]: mount a fresh /sys: mount("/sys"): EPERM
              cause: /sys is partly hidden by mounts on /sys/firmware, and the kernel then refuses to mount a fresh one, which would show more
              help: docker run --security-opt systempaths=unconfined …
                in a compose file: security_opt: ["systempaths=unconfined"]"#]]);
}

#[test]
fn podman_masks_proc() {
    unfiltered().by_podman().says(&mount("/proc", Errno::EPERM), expect![[r#"
        nstest[proc-masked]: mount a fresh /proc: mount("/proc"): EPERM
          cause: /proc is partly hidden by mounts on /proc/bus, /proc/sys, /proc/acpi, …, and the kernel then refuses to mount a fresh one, which would show more
          help: podman run --security-opt unmask=ALL …"#]]);
}

#[test]
fn kubernetes_masks_proc() {
    unfiltered().by_kubernetes().says(&mount("/proc", Errno::EPERM), expect![[r#"
        nstest[proc-masked]: mount a fresh /proc: mount("/proc"): EPERM
          cause: /proc is partly hidden by mounts on /proc/bus, /proc/sys, /proc/acpi, …, and the kernel then refuses to mount a fresh one, which would show more
          help: set in the pod's spec: hostUsers: false, and in the container's: securityContext: {procMount: Unmasked}"#]]);
}

/// Fedora's podman with its default label.
#[test]
fn selinux_in_podman() {
    RecordedMachine::laptop().by_podman().file("sys/fs/selinux/enforce", "1").says(
        &clone(Errno::EACCES),
        expect![[r#"
            nstest[selinux]: create the test's namespaces: clone(CLONE_NEWUSER|…): EACCES
              cause: SELinux is enforcing, and its policy denies this to the domain of this process
              help: podman run --security-opt label=disable …"#]],
    );
}
