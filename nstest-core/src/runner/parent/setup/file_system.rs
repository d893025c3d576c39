//! The test's file system: the host's, except for what would lead to the host's network
//! (namespaces(7)).

use std::path::Path;

use nix::libc;

use super::Extras;
use super::host::{EtcFile, Host};
use super::steps::{StepList, c_path, mount, mount_arguments};
use crate::layout::{ETC, LOCALHOST, NETNS, NODE, SHM_DIR, TMP_DIR};
use crate::sys::call::c_string;
use crate::sys::step::{Mount, Step};
use crate::uplink::Uplink;

const PRIVATE: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

/// Adds the steps for /run, /dev/shm and the files in /etc.
pub(super) fn add_run_and_etc(steps: &mut StepList, host: &Host, extras: Extras<'_>) {
    run(steps, host, extras.tmpfs_size);
    if let Some(path) = &host.shm {
        shared_memory(steps, path);
    }
    etc(steps, host, extras.uplink);
}

/// Adds the steps for /proc and /sys, which make no file. The old /proc shows the host's
/// processes, the old /sys its interfaces.
pub(super) fn add_proc_and_sys(steps: &mut StepList, real_root: bool) {
    steps.may(
        "mount a fresh /proc",
        mount(Some("proc"), "/proc", Some("proc"), PRIVATE),
        "/proc shows the processes of the machine, not only those of the test (the kernel allows a fresh one only where nothing is mounted over parts of /proc)",
    );
    if real_root {
        // The files in /proc/sys belong to root, and file permissions ignore user
        // namespaces: the test could change the whole machine's settings. The bind is
        // recursive, since in a test within a test the outer one's mounts there are
        // locked to each other (mount_namespaces(7)).
        let read_only = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY;
        let bind = libc::MS_BIND | libc::MS_REC;
        steps.must("bind /proc/sys", mount(Some("/proc/sys"), "/proc/sys", None, bind));
        steps.must("make /proc/sys read-only", mount(None, "/proc/sys", None, read_only | PRIVATE));
        // In a sandbox, something else may be mounted over /proc/sys.
        for (source, flags) in
            [(Some("/proc/sys/net"), bind), (None, libc::MS_BIND | libc::MS_REMOUNT | PRIVATE)]
        {
            steps.may(
                "make /proc/sys/net writable",
                mount(source, "/proc/sys/net", None, flags),
                "network settings keep the kernel's defaults",
            );
        }
    }
    steps.may(
        "mount a fresh /sys",
        mount(Some("sysfs"), "/sys", Some("sysfs"), PRIVATE | libc::MS_RDONLY),
        "/sys/class/net does not show the interfaces of the test",
    );
}

/// A /run of the test's own. Through the sockets in the host's, names would be looked up
/// (nscd, resolved, D-Bus) and containers started outside.
fn run(steps: &mut StepList, host: &Host, size: &str) {
    let what = "make the test's own /run";
    for (slot, path) in host.run_dirs.iter().enumerate() {
        steps.must(what, Step::Hold { path: c_path(path), slot });
    }
    let tmpfs = Mount {
        data: Some(c_string(format!("mode=755,size={size}"))),
        ..mount_arguments(Some("tmpfs"), "/run", Some("tmpfs"), libc::MS_NOSUID | libc::MS_NODEV)
    };
    steps.must("mount a fresh /run", Step::Mount(tmpfs));
    for (path, mode) in [
        (NETNS, 0o755),
        ("/run/lock", 0o1777),
        ("/run/nstest", 0o755),
        (ETC, 0o755),
        (TMP_DIR, 0o1777),
    ] {
        steps.must(what, Step::MakeDir { path: c_string(path), mode });
    }
    for (slot, path) in host.run_dirs.iter().enumerate() {
        steps.must(what, Step::MakeDir { path: c_path(path), mode: 0o755 });
        steps.must(what, Step::BindHeld { slot, target: c_path(path) });
    }
    if host.apart {
        steps.must(what, mount(Some("/run"), "/var/run", None, libc::MS_BIND | libc::MS_REC));
    }
    for (path, target) in &host.run_links {
        steps.must(what, Step::Symlink { target: c_path(target), path: c_path(path) });
    }
    if let Some(path) = &host.user_runtime {
        directories(steps, path.parent());
        steps.must(what, Step::MakeDir { path: c_path(path), mode: 0o700 });
    }
}

/// A /dev/shm of the test's own, a directory of its /run. POSIX shared memory and semaphores
/// (shm_overview(7)) are files there, and so they are not in the IPC namespace. A test that is
/// killed would leave them on the machine.
fn shared_memory(steps: &mut StepList, path: &Path) {
    let (what, mode) = ("make the test's own /dev/shm", 0o1777);
    if path.starts_with("/run") {
        return steps.must(what, Step::MakeDir { path: c_path(path), mode });
    }
    steps.must(what, Step::MakeDir { path: c_string(SHM_DIR), mode });
    let target = path.to_string_lossy();
    steps.may(
        what,
        mount(Some(SHM_DIR), &target, None, libc::MS_BIND),
        "/dev/shm is that of the machine: tests that use the same name there collide",
    );
}

/// Makes a directory below /run, and those above it.
fn directories(steps: &mut StepList, path: Option<&Path>) {
    let below = path.into_iter().flat_map(Path::ancestors).filter(|path| path.starts_with("/run/"));
    let mut missing: Vec<&Path> = below.filter(|path| *path != Path::new("/run")).collect();
    missing.reverse();
    for path in missing {
        steps.must("make the test's own /run", Step::MakeDir { path: c_path(path), mode: 0o755 });
    }
}

/// Names are looked up in the test's own hosts file and by DNS, and no other service is
/// asked (nsswitch.conf(5)). The DNS server is on the test's own loopback, where nothing
/// listens, so an unknown name fails at once.
fn etc(steps: &mut StepList, host: &Host, uplink: Option<&Uplink>) {
    let what = "make the test's own files in /etc";
    let hosts = format!("{LOCALHOST}127.0.1.1 {NODE}\n");
    let none = "# nstest: no name server\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
    let resolv = uplink.map_or_else(|| none.to_owned(), Uplink::resolv_conf);
    let files = [
        ("hosts", &host.hosts, hosts),
        ("resolv.conf", &host.resolv_conf, resolv),
        ("nsswitch.conf", &host.nsswitch, host.name_services.clone()),
    ];
    for (name, _, text) in &files {
        let text = text.as_bytes().into();
        steps.must(what, Step::Create { path: c_string(own(name)), text });
    }
    // The overlay hides what is mounted in /etc, so it comes first.
    let missing = files.iter().filter(|(_, file, _)| **file == EtcFile::Missing);
    let missing: Vec<&str> = missing.map(|(name, ..)| *name).collect();
    if !missing.is_empty() {
        overlay_etc(steps, &missing);
    }
    for (name, file, _) in files {
        match file {
            EtcFile::Missing => {}
            EtcFile::Present => {
                let file = format!("/etc/{name}");
                steps.must(what, mount(Some(&own(name)), &file, None, libc::MS_BIND));
            }
            EtcFile::BelowRun(path) => {
                directories(steps, path.parent());
                let target = c_string(own(name));
                steps.must(what, Step::Symlink { target, path: c_path(path) });
            }
        }
    }
}

/// A file can only be mounted over a file. An overlay adds those that are missing.
fn overlay_etc(steps: &mut StepList, names: &[&str]) {
    let what = "overlay /etc with the test's own files";
    let (upper, work) = (own("upper"), own("work"));
    for path in [&upper, &work] {
        steps.must(what, Step::MakeDir { path: c_string(path.as_str()), mode: 0o755 });
    }
    for name in names {
        let path = c_string(format!("{upper}/{name}"));
        steps.must(what, Step::Symlink { target: c_string(own(name)), path });
    }
    let options = format!("lowerdir=/etc,upperdir={upper},workdir={work},userxattr");
    let overlay = mount_arguments(Some("overlay"), "/etc", Some("overlay"), 0);
    let overlay = Mount { data: Some(c_string(options)), ..overlay };
    steps.may(what, Step::Mount(overlay), without_names(names));
}

/// What a test cannot do that has none of these files in /etc.
fn without_names(missing: &[&str]) -> String {
    let without = |name, effect: &'static str| missing.contains(&name).then_some(effect);
    let effects = [
        without("hosts", "the names of nodes do not resolve"),
        without("resolv.conf", "programs do not find the DNS servers of the test"),
        without("nsswitch.conf", "glibc looks names up as it does by default"),
    ];
    let effects: Vec<&str> = effects.into_iter().flatten().collect();
    let paths: Vec<String> = missing.iter().map(|name| format!("/etc/{name}")).collect();
    format!("missing as on the machine: {}; {}", paths.join(", "), effects.join(", "))
}

/// The path of one of the test's own files for /etc.
fn own(name: &str) -> String {
    format!("{ETC}/{name}")
}
