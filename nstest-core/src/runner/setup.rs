//! What is done between clone and exec, as data: the steps that turn a fresh
//! set of namespaces into a machine of the test's own.
//!
//! [`Host`] says what the machine looks like, [`plan`] is a pure function of it,
//! `sys::step` carries it out. The file system of the test is the host's, but
//! for what would let the host's network in: see namespaces(7).

use std::ffi::CString;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;

use super::host::{EtcFile, Host};
use super::identity::Identity;
use crate::layout::{ETC, LOCALHOST, NETNS, NODE, TMP_DIR};
use crate::sys::namespaces;
use crate::sys::spawn::Act;
use crate::sys::step::{Mount, Step, c_string};
use crate::uplink::{self, Uplink};

fn own(name: &str) -> String {
    format!("{ETC}/{name}")
}

/// What a test has that others do not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extras<'a> {
    /// `netns = "NAME"`.
    pub(super) netns: Option<&'a str>,
    /// `uplink`.
    pub(super) uplink: Option<&'a Uplink>,
}

impl Extras<'_> {
    /// The namespaces that such a test is born in.
    pub(super) fn namespaces(self) -> i32 {
        match self.netns {
            None => namespaces::EVERY,
            Some(_) => namespaces::EVERY & !(libc::CLONE_NEWUSER | libc::CLONE_NEWNET),
        }
    }
}

/// One step of the plan, with the words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) step: Step,
    /// The operation and its object.
    pub(super) what: &'static str,
    /// What the test has to do without if the step fails; none: the test fails.
    pub(super) without: Option<&'static str>,
}

impl Planned {
    pub(super) fn act(&self) -> Act {
        Act { step: self.step.clone(), required: self.without.is_none() }
    }
}

/// The descriptors that the body gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptors {
    /// For records.
    pub(super) report: RawFd,
    /// What shall be standard output once the body begins.
    pub(super) stdout: RawFd,
    /// Through which the parent is asked for what only it can do, if anything is:
    /// the child's end, and the parent's.
    pub(super) channel: Option<(RawFd, RawFd)>,
    /// Standard error, unless it stays what it is.
    pub(super) stderr: Option<RawFd>,
    /// Whether the body reads the parent's standard input, and writes to its
    /// standard output from the start.
    pub(super) inherit: bool,
}

/// All steps, in order.
pub(super) fn plan(
    host: &Host,
    identity: &Identity,
    fds: Descriptors,
    extras: Extras<'_>,
) -> Vec<Planned> {
    let mut plan = Plan::default();
    plan.must("reset signals", Step::DefaultSignals);
    plan.must("tie the test's life to the runner's", Step::DieWithParent);
    plan.must("leave the runner's process group", Step::OwnProcessGroup);
    plan.must("leave the runner's terminal", Step::LeaveTerminal);
    let channel = fds.channel.map(|(channel, helper)| {
        plan.must("leave the parent its end of the channel", Step::Close(helper));
        channel
    });
    identity.plan(channel, &mut plan);
    plan.network(extras);
    plan.must("make mounts private", mount(None, "/", None, libc::MS_REC | libc::MS_PRIVATE));
    plan.kernel_file_systems(identity.maps_real_root());
    plan.run(host);
    plan.etc(host, extras);
    plan.uplink(channel, extras);
    plan.descriptors(fds);
    identity.plan_rights(&mut plan);
    plan.0
}

#[derive(Debug, Default)]
pub(super) struct Plan(Vec<Planned>);

const PRIVATE: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

impl Plan {
    /// A step that the test cannot do without.
    pub(super) fn must(&mut self, what: &'static str, step: Step) {
        self.0.push(Planned { step, what, without: None });
    }

    /// A step that the test can do without, and what it is told then.
    pub(super) fn may(&mut self, what: &'static str, step: Step, without: &'static str) {
        self.0.push(Planned { step, what, without: Some(without) });
    }

    fn network(&mut self, extras: Extras<'_>) {
        match extras.netns {
            None => self.must("bring up `lo`", Step::LoopbackUp),
            // And nothing is changed in it: it belongs to whoever made it.
            Some(name) => self.must(
                "join the named network namespace",
                Step::Join { path: c_path(&Path::new(NETNS).join(name)), kind: libc::CLONE_NEWNET },
            ),
        }
        self.must("set the hostname", Step::Hostname(c_string(NODE)));
    }

    /// The old /proc shows the host's processes, the old /sys its interfaces.
    fn kernel_file_systems(&mut self, real_root: bool) {
        self.may(
            "mount a fresh /proc",
            mount(Some("proc"), "/proc", Some("proc"), PRIVATE),
            "/proc shows the processes of the machine, not only those of the test (the kernel allows a fresh one only where nothing is mounted over parts of /proc; in a container: --security-opt systempaths=unconfined)",
        );
        if real_root {
            // Its files belong to root, and file permissions do not ask for the
            // user namespace: the test could change the whole machine's settings.
            // Recursively: in a test within a test, the outer one's mounts there
            // are locked to each other (mount_namespaces(7)).
            let read_only = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY;
            let bind = libc::MS_BIND | libc::MS_REC;
            self.must("bind /proc/sys", mount(Some("/proc/sys"), "/proc/sys", None, bind));
            self.must(
                "make /proc/sys read-only",
                mount(None, "/proc/sys", None, read_only | PRIVATE),
            );
            self.must(
                "bind /proc/sys/net",
                mount(Some("/proc/sys/net"), "/proc/sys/net", None, bind),
            );
            self.may(
                "make /proc/sys/net writable",
                mount(None, "/proc/sys/net", None, libc::MS_BIND | libc::MS_REMOUNT | PRIVATE),
                "settings of the network stay as the kernel makes them (/proc/sys is read-only, as in a Docker container)",
            );
        }
        self.may(
            "mount a fresh /sys",
            mount(Some("sysfs"), "/sys", Some("sysfs"), PRIVATE | libc::MS_RDONLY),
            "/sys/class/net shows the interfaces of the machine, not those of the test",
        );
    }

    /// A /run of the test's own: through the sockets in the host's, names would
    /// be looked up (nscd, resolved, D-Bus) and containers started outside.
    fn run(&mut self, host: &Host) {
        let what = "make a /run of the test's own";
        for (slot, path) in host.run_dirs.iter().enumerate() {
            self.must(what, Step::Hold { path: c_path(path), slot });
        }
        let tmpfs = Mount {
            data: Some(c_string("mode=755")),
            ..mount_of(Some("tmpfs"), "/run", Some("tmpfs"), libc::MS_NOSUID | libc::MS_NODEV)
        };
        self.must("mount a fresh /run", Step::Mount(tmpfs));
        for (path, mode) in [
            (NETNS, 0o755),
            ("/run/lock", 0o1777),
            ("/run/nstest", 0o755),
            (ETC, 0o755),
            (TMP_DIR, 0o1777),
        ] {
            self.must(what, Step::MakeDir { path: c_string(path), mode });
        }
        for (slot, path) in host.run_dirs.iter().enumerate() {
            self.must(what, Step::MakeDir { path: c_path(path), mode: 0o755 });
            self.must(what, Step::BindHeld { slot, target: c_path(path) });
        }
        if host.apart {
            self.must(what, mount(Some("/run"), "/var/run", None, libc::MS_BIND | libc::MS_REC));
        }
        for (path, target) in &host.run_links {
            self.must(what, Step::Symlink { target: c_path(target), path: c_path(path) });
        }
        if let Some(path) = &host.user_runtime {
            self.directories(path.parent());
            self.must(what, Step::MakeDir { path: c_path(path), mode: 0o700 });
        }
    }

    fn directories(&mut self, path: Option<&Path>) {
        let below =
            path.into_iter().flat_map(Path::ancestors).filter(|path| path.starts_with("/run/"));
        let mut missing: Vec<&Path> = below.filter(|path| *path != Path::new("/run")).collect();
        missing.reverse();
        for path in missing {
            self.must(
                "make a /run of the test's own",
                Step::MakeDir { path: c_path(path), mode: 0o755 },
            );
        }
    }

    /// Names are looked up in a hosts file of the test's own, and nowhere else: no
    /// other service is asked (nsswitch.conf(5)), and the name server is the test's
    /// own loopback, where none listens, so that an unknown name fails at once.
    fn etc(&mut self, host: &Host, extras: Extras<'_>) {
        let what = "give the test files of its own in /etc";
        let hosts = format!("{LOCALHOST}127.0.1.1 {NODE}\n");
        let none = "# nstest: no name server\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
        let resolv = extras.uplink.map_or_else(|| none.to_owned(), Uplink::resolv_conf);
        let files = [
            ("hosts", &host.hosts, hosts),
            ("resolv.conf", &host.resolv_conf, resolv),
            ("nsswitch.conf", &host.nsswitch, host.name_services.clone()),
        ];
        for (name, _, text) in &files {
            self.must(
                what,
                Step::Create { path: c_string(own(name)), text: text.as_bytes().into() },
            );
        }
        // What is laid over /etc hides what was mounted in it: so that goes first.
        let missing = files.iter().filter(|(_, file, _)| **file == EtcFile::Missing);
        let missing: Vec<&str> = missing.map(|(name, ..)| *name).collect();
        if !missing.is_empty() {
            self.lay_over_etc(&missing);
        }
        for (name, file, _) in files {
            match file {
                EtcFile::Missing => {}
                EtcFile::Present => {
                    self.must(
                        what,
                        mount(Some(&own(name)), &format!("/etc/{name}"), None, libc::MS_BIND),
                    );
                }
                EtcFile::BelowRun(path) => {
                    self.directories(path.parent());
                    self.must(
                        what,
                        Step::Symlink { target: c_string(own(name)), path: c_path(path) },
                    );
                }
            }
        }
    }

    /// Nothing can be mounted where nothing is: an overlay makes the place.
    fn lay_over_etc(&mut self, names: &[&str]) {
        let what = "lay files of the test's own over /etc";
        let (upper, work) = (own("upper"), own("work"));
        for path in [&upper, &work] {
            self.must(what, Step::MakeDir { path: c_string(path.as_str()), mode: 0o755 });
        }
        for name in names {
            let path = c_string(format!("{upper}/{name}"));
            self.must(what, Step::Symlink { target: c_string(own(name)), path });
        }
        let options = format!("lowerdir=/etc,upperdir={upper},workdir={work},userxattr");
        let overlay = mount_of(Some("overlay"), "/etc", Some("overlay"), 0);
        let overlay = Mount { data: Some(c_string(options)), ..overlay };
        self.may(
            what,
            Step::Mount(overlay),
            "/etc/hosts, /etc/resolv.conf or /etc/nsswitch.conf is missing as it is on the host: names of the test may not resolve",
        );
    }

    /// Once the test's files are there: the program that serves an uplink is none
    /// of the runner's, and this waits for it.
    fn uplink(&mut self, channel: Option<RawFd>, extras: Extras<'_>) {
        let Some(uplink) = extras.uplink else { return };
        let text = uplink.description().into_bytes();
        self.must("describe the uplink", Step::Create { path: c_string(uplink::FILE), text });
        if let Some(step) = uplink.interface() {
            self.must("make the uplink's interface", step);
        }
        let channel = channel.unwrap_or(-1);
        self.must("connect the uplink", Step::AwaitUplink { channel });
    }

    fn descriptors(&mut self, fds: Descriptors) {
        let what = "hand over file descriptors";
        if !fds.inherit {
            let null = |flags, to| Step::Open { path: c_string("/dev/null"), flags, to };
            self.must(what, null(libc::O_RDONLY, 0));
            self.must(what, null(libc::O_WRONLY, 1));
        }
        if let Some(stderr) = fds.stderr {
            self.must(what, Step::Duplicate { from: stderr, to: 2 });
        }
        self.must(what, Step::KeepOnly(vec![fds.report, fds.stdout]));
    }
}

fn mount(source: Option<&str>, target: &str, kind: Option<&str>, flags: libc::c_ulong) -> Step {
    Step::Mount(mount_of(source, target, kind, flags))
}

fn mount_of(source: Option<&str>, target: &str, kind: Option<&str>, flags: libc::c_ulong) -> Mount {
    Mount {
        source: source.map(c_string),
        target: c_string(target),
        kind: kind.map(c_string),
        flags,
        data: None,
    }
}

fn c_path(path: &Path) -> CString {
    c_string(path.as_os_str().as_bytes())
}
