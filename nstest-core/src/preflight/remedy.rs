//! Remedies to paste, for the environment of the process: a laptop, a container, a CI service.
//!
//! Sources: the reference of `docker run` and the profiles of moby (`seccomp=`, `systempaths=`,
//! `apparmor=`); podman-run(1) (`unmask=`); Kubernetes, "Configure a Security
//! Context" (`seccompProfile`, `procMount`, `hostUsers`); Ubuntu's announcement of
//! its restriction of user namespaces; Microsoft's list of `wsl` commands.
//! docs/src/troubleshooting.md explains each remedy in full.

use nix::sys::signal::Signal;

use super::caller::Caller;
use super::facts::{Container, Facts};

/// The name of a call that an error does not name.
pub(crate) const UNNAMED_CALL: &str = "a system call";

pub(crate) const REPORT: &str = "report this message as an issue of nstest";

pub(super) fn out_of_chroot(caller: Caller) -> String {
    format!(
        "enter the tree with pivot_root(2), which needs no privilege, not with chroot(2):\n\
         bwrap --bind TREE / --dev-bind /dev /dev --proc /proc {}",
        caller.command()
    )
}

pub(super) fn apparmor_sysctl(caller: Caller) -> String {
    let binary = match caller {
        Caller::Tests => "the test binaries",
        Caller::Command => caller.binary(),
    };
    format!(
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n\
         or give {binary} an AppArmor profile with `userns,`: docs/src/troubleshooting.md#apparmor"
    )
}

/// The name of a signal, such as `SIGSYS`, or its number if it has no name.
pub(crate) fn signal_name(signal: i32) -> String {
    Signal::try_from(signal)
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

/// Sets a sysctl. `user.*` belong to the user namespace, all others to the machine.
pub(crate) fn sysctl(name: &str, value: &str, facts: &Facts) -> String {
    let setting = format!("sysctl -w {name}={value}");
    if facts.nested() && name.starts_with("user.") {
        let runs = facts.caller.runs();
        format!("{setting}    # as root of the user namespace that {runs} in")
    } else if facts.container.is_some() {
        format!("sudo {setting}    # on the host, not in the container")
    } else {
        format!("sudo {setting}")
    }
}

/// Allows the calls that make namespaces, and this one, if it is one.
pub(super) fn seccomp(call: &str, facts: &Facts) -> String {
    match facts.container {
        Some(Container::Docker) => docker("seccomp=unconfined", facts),
        Some(Container::Podman) => podman("seccomp=unconfined"),
        Some(Container::Kubernetes) => {
            "set in the container's spec: securityContext: {seccompProfile: {type: Unconfined}}"
                .to_owned()
        }
        Some(Container::Other) | None => {
            let another = match call.split('(').next() {
                None | Some("clone" | "unshare" | "setns" | "mount") => String::new(),
                Some(name) if name.contains(' ') => String::new(),
                Some(name) => format!("{name}, "),
            };
            format!(
                "allow {another}clone, clone3, unshare, setns, mount and umount2 in the filter; in a \
                 systemd unit: RestrictNamespaces=no and SystemCallFilter=@system-service @mount"
            )
        }
    }
}

/// Lets the C library start threads. Docker answers clone3 with ENOSYS since 20.10.10.
pub(super) fn clone3(facts: &Facts) -> String {
    match facts.container {
        Some(Container::Docker | Container::Podman) => format!(
            "update Docker to 20.10.10 or later, or Podman, and libseccomp; or\n{}",
            seccomp("clone3", facts)
        ),
        Some(Container::Kubernetes) => {
            format!("update containerd or CRI-O, and libseccomp; or {}", seccomp("clone3", facts))
        }
        Some(Container::Other) | None => {
            "allow clone3 in the filter, or have it answer clone3 with ENOSYS".to_owned()
        }
    }
}

/// Allows the sockets that nstest and its tests open.
pub(super) const ADDRESS_FAMILIES: &str = "allow socket(2) for these families in the filter; in a systemd unit: \
     RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET";

/// Makes `/proc` and `/sys` complete and writable, since something at `path` was refused. nstest
/// itself mounts only below `/proc`.
pub(super) fn system_paths(path: &str, facts: &Facts) -> String {
    if facts.proc_is_of_test && path.starts_with("/proc") {
        return format!(
            "nstest made these mounts for the test, or the program of `nstest run`, in which this \
             runs; run {} outside of it",
            facts.caller.name()
        );
    }
    match facts.container {
        Some(Container::Docker) => docker("systempaths=unconfined", facts),
        Some(Container::Podman) => podman("unmask=ALL"),
        Some(Container::Kubernetes) => {
            "set in the pod's spec: hostUsers: false, and in the container's: \
             securityContext: {procMount: Unmasked}"
                .to_owned()
        }
        Some(Container::Other) | None => format!(
            "run {} where /proc and /sys are complete and writable; this shows their mounts:\n\
             findmnt -R /proc; findmnt -R /sys",
            facts.caller.name()
        ),
    }
}

/// Makes `/etc`. A file system in memory has what an overlay needs.
pub(super) const ETC_DIRECTORY: &str = "sudo mkdir /etc && sudo touch /etc/hosts /etc/resolv.conf /etc/nsswitch.conf\n\
     or, under bubblewrap: bwrap --dir /etc …";

/// Mounts a sysfs on `/sys`, which is there.
pub(super) const SYSFS: &str =
    "sudo mount -t sysfs sysfs /sys\nor, under bubblewrap: bwrap --ro-bind /sys /sys …";

/// The same, with a directory for it.
pub(super) const SYS_DIRECTORY: &str = "sudo mkdir /sys && sudo mount -t sysfs sysfs /sys\n\
     or, under bubblewrap: bwrap --ro-bind /sys /sys …";

/// Makes `/run`.
pub(super) fn run_directory(facts: &Facts) -> String {
    match facts.container {
        Some(Container::Docker) => "docker run --tmpfs /run …".to_owned(),
        Some(Container::Podman) => "podman run --tmpfs /run …".to_owned(),
        Some(Container::Kubernetes) => {
            "mount an emptyDir volume at /run, in the container's spec: volumeMounts".to_owned()
        }
        Some(Container::Other) | None => {
            "sudo mkdir /run\nor, under bubblewrap: bwrap --tmpfs /run …".to_owned()
        }
    }
}

pub(super) fn apparmor_profile(label: &str, container: Option<Container>) -> String {
    match container {
        Some(Container::Docker) => docker("apparmor=unconfined", &Facts::default()),
        Some(Container::Podman) => podman("apparmor=unconfined"),
        Some(Container::Kubernetes) => {
            "set in the container's spec: securityContext: {appArmorProfile: {type: Unconfined}}"
                .to_owned()
        }
        Some(Container::Other) | None => {
            let name = label.split(" (").next().unwrap_or(label);
            format!(
                "add `userns,`, `capability,` and `mount,` to the profile `{name}`, and load it again"
            )
        }
    }
}

pub(super) fn setfcap(facts: &Facts) -> String {
    match facts.container {
        Some(Container::Docker) => "docker run --cap-add SETFCAP …, or --user 1000:1000".to_owned(),
        Some(Container::Podman) => "podman run --cap-add SETFCAP …, or --user 1000:1000".to_owned(),
        Some(Container::Kubernetes) => {
            "set in the container's spec: securityContext: {runAsUser: 1000}, \
             or {capabilities: {add: [SETFCAP]}}"
                .to_owned()
        }
        Some(Container::Other) | None => {
            format!("run {} as an ordinary user, or keep CAP_SETFCAP", facts.caller.name())
        }
    }
}

pub(super) fn selinux(container: Option<Container>) -> String {
    match container {
        Some(Container::Docker) => docker("label=disable", &Facts::default()),
        Some(Container::Podman) => podman("label=disable"),
        Some(Container::Kubernetes) | Some(Container::Other) | None => {
            "allow on the machine itself what was denied:\n\
             sudo ausearch -m AVC -ts recent | audit2allow -M nstest-userns\n\
             sudo semodule -i nstest-userns.pp"
                .to_owned()
        }
    }
}

/// Allows a process larger files.
pub(crate) fn file_size(caller: Caller) -> String {
    format!("ulimit -f unlimited    # {}", caller.shell())
}

/// Allows a process more open files.
pub(crate) fn open_files(facts: &Facts) -> String {
    let limit = raised(facts.open_files.limit);
    let run = match facts.container {
        Some(Container::Docker) => "docker run",
        Some(Container::Podman) => "podman run",
        Some(Container::Kubernetes | Container::Other) | None => {
            return at_most("-n", limit, facts.caller);
        }
    };
    let shell = facts.caller.shell();
    format!("ulimit -n {limit}    # {shell}; the hard limit: {run} --ulimit nofile={limit} …")
}

/// Allows a user more processes and threads.
pub(crate) fn processes(facts: &Facts) -> String {
    at_most("-u", raised(facts.processes.limit), facts.caller)
}

fn at_most(option: &str, limit: u64, caller: Caller) -> String {
    let shell = caller.shell();
    format!("ulimit {option} {limit}    # {shell}; the hard limit is in /etc/security/limits.conf")
}

/// A limit that is not reached as soon as the present one.
fn raised(limit: Option<u64>) -> u64 {
    limit.unwrap_or_default().saturating_mul(4).max(4096)
}

pub(crate) fn pids(facts: &Facts) -> String {
    match facts.container {
        Some(Container::Docker) => "docker run --pids-limit 4096 …".to_owned(),
        Some(Container::Podman) => "podman run --pids-limit 4096 …".to_owned(),
        Some(Container::Kubernetes) => {
            "raise podPidsLimit in the node's kubelet configuration".to_owned()
        }
        Some(Container::Other) | None => facts.caller.or_fewer_at_a_time(format!(
            "systemd-run --user --scope -p TasksMax=4096 {}",
            facts.caller.command()
        )),
    }
}

fn docker(option: &str, facts: &Facts) -> String {
    let mut text = format!(
        "docker run --security-opt {option} …\n\
         in a compose file: security_opt: [\"{option}\"]"
    );
    if facts.github_actions {
        text.push_str(&format!(
            "\nin a GitHub job: container: {{image: …, options: --security-opt {option}}}"
        ));
    }
    text
}

fn podman(option: &str) -> String {
    format!("podman run --security-opt {option} …")
}
