//! The way of an ordinary user: a program between a tap interface in the test
//! and sockets outside.
//!
//! The program needs the machine's network for its sockets, and rights over the
//! test's for the interface; so it goes into the test's *user* namespace, and
//! not into its network. The traps:
//! - It must die with the test, whatever happens. pasta survives its target and
//!   PR_SET_PDEATHSIG (its change of credentials clears it, prctl(2)). So it is
//!   born in the test's *PID* namespace, and the kernel kills it with init.
//! - It goes into the background when it is ready, with which its start ends;
//!   there init adopts it.
//! - It gives up CAP_SYS_PTRACE, and then `/proc/PID/ns/net` of a process with
//!   more rights is EACCES (ptrace(2)); newer versions close inherited
//!   descriptors. So the namespace is bound to a path that only it sees.
//! - `--no-map-gw` and `-t none -u none -T none -U none` keep the machine's
//!   loopback closed: passt(1). For slirp4netns it is `--disable-host-loopback`.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::pipe2;

use super::machine::Machine;
use super::{DEVICE, GATEWAY, GATEWAY6, GUEST, GUEST6, LENGTH, MTU, RESOLVER, RESOLVER6, refused};
use crate::error::{Error, Result};
use crate::sys::call::c_string;
use crate::sys::spawn::{Act, Image, Refused, spawn};
use crate::sys::step::{Mount, Step};

/// A program that relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relay {
    Pasta(PathBuf),
    Slirp4netns(PathBuf),
}

/// Where the program finds the test's network namespace, in mounts of its own.
const NETNS: &str = "/tmp/netns";

impl Relay {
    fn path(&self) -> &Path {
        match self {
            Relay::Pasta(path) | Relay::Slirp4netns(path) => path,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Relay::Pasta(_) => "pasta",
            Relay::Slirp4netns(_) => "slirp4netns",
        }
    }

    /// `ready` is the descriptor through which slirp4netns says that it is.
    fn arguments(&self, machine: &Machine, ready: i32) -> Vec<String> {
        let mut arguments = vec![self.name().to_owned()];
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|w| (*w).to_owned()));
        match self {
            Relay::Pasta(_) => {
                add(&["--quiet", "--netns-only", "--no-map-gw"]);
                add(&["-t", "none", "-u", "none", "-T", "none", "-U", "none"]);
                add(&["--no-dhcp", "--no-dhcpv6", "--no-ra", "--mtu", &MTU.to_string()]);
                if machine.v4 {
                    add(&["--address", &GUEST.to_string(), "--netmask", &LENGTH.to_string()]);
                    add(&["--gateway", &GATEWAY.to_string()]);
                    add(&["--dns-forward", &RESOLVER.to_string()]);
                } else {
                    add(&["--ipv6-only"]);
                }
                if machine.v6 {
                    add(&["--address", &GUEST6.to_string(), "--gateway", &GATEWAY6.to_string()]);
                    add(&["--dns-forward", &RESOLVER6.to_string()]);
                } else {
                    add(&["--ipv4-only"]);
                }
                add(&["--ns-ifname", DEVICE, "--netns", NETNS]);
            }
            Relay::Slirp4netns(_) => {
                // Of this range the guest has .100, the gateway .2, the resolver .3.
                add(&["--cidr=198.18.0.0/24", "--disable-host-loopback", "--netns-type=path"]);
                add(&[&format!("--mtu={MTU}"), &format!("--ready-fd={ready}"), NETNS, DEVICE]);
            }
        }
        arguments
    }

    /// Starts the program for the test whose init is `pid`, and waits until it is ready.
    pub(super) fn attach(&self, machine: &Machine, pid: &str) -> Result<()> {
        let failed = |errno: Errno| self.failed(errno);
        // A pipe that nobody reads any more would kill the program when it complains.
        let complaints = memfd_create(c"complaints", MFdFlags::MFD_CLOEXEC).map_err(failed)?;
        let (ready, ready_end) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
        let acts = self.acts(pid, &complaints, &ready_end);
        let arguments = self.arguments(machine, ready_end.as_raw_fd());
        let image = Image::new(
            c_string(self.path().as_os_str().as_bytes()),
            arguments.iter().map(|word| c_string(word.as_bytes())).collect(),
            vec![c_string(b"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")],
        );
        let spawned = spawn(0, &acts, &image, None).map_err(|refused| {
            let (what, errno) = match refused {
                Refused::Clone(errno) => ("clone".to_owned(), errno),
                Refused::Step(index, errno) => (acts[index].step.call(), errno),
                Refused::Exec(errno) => ("execve".to_owned(), errno),
            };
            self.failed(format!("{what}: {:?}", Errno::from_raw(errno)))
        })?;
        drop(ready_end);
        let status = spawned.process.exit_status();
        let is_ready = match self {
            Relay::Pasta(_) => status == Some(0),
            Relay::Slirp4netns(_) => File::from(ready).read(&mut [0]).is_ok_and(|n| n == 1),
        };
        if is_ready { Ok(()) } else { Err(self.failed(said(complaints, status))) }
    }

    fn acts(&self, pid: &str, complaints: &OwnedFd, ready: &OwnedFd) -> Vec<Act> {
        let of = |kind: &str| c_string(format!("/proc/{pid}/ns/{kind}").as_bytes());
        let mount = |kind: Option<&str>, target: &str, flags| {
            Step::Mount(Mount {
                source: kind.map(|kind| c_string(kind.as_bytes())),
                target: c_string(target.as_bytes()),
                kind: kind.map(|kind| c_string(kind.as_bytes())),
                flags,
                data: None,
            })
        };
        let null = |flags, to| Step::Open { path: c_string(b"/dev/null"), flags, to };
        // pasta ends when it is in the background; slirp4netns stays, and says when it is ready.
        let wait = matches!(self, Relay::Pasta(_));
        let steps = [
            Step::DefaultSignals,
            Step::Join { path: of("user"), kind: libc::CLONE_NEWUSER },
            Step::Join { path: of("pid"), kind: libc::CLONE_NEWPID },
            Step::Fork { wait },
            Step::OwnProcessGroup,
            Step::LeaveTerminal,
            Step::Hold { path: of("net"), slot: 0 },
            Step::OwnMounts,
            mount(None, "/", libc::MS_REC | libc::MS_PRIVATE),
            mount(Some("tmpfs"), "/tmp", libc::MS_NOSUID | libc::MS_NODEV),
            Step::Create { path: c_string(NETNS.as_bytes()), text: Vec::new() },
            Step::BindHeld { slot: 0, target: c_string(NETNS.as_bytes()) },
            null(libc::O_RDONLY, 0),
            null(libc::O_WRONLY, 1),
            Step::Duplicate { from: complaints.as_raw_fd(), to: 2 },
            Step::KeepOnly(vec![ready.as_raw_fd()]),
        ];
        steps.into_iter().map(|step| Act { step, required: true }).collect()
    }

    fn failed(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        refused().source(why).help(format!(
            "{} is what serves it: {} (an AppArmor profile of it may refuse what it is asked for here: see `journalctl -k`)",
            self.name(),
            self.path().display()
        ))
    }
}

/// What the program wrote before it gave up.
fn said(complaints: OwnedFd, status: Option<i32>) -> String {
    let mut file = File::from(complaints);
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    let text = read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    // pasta's attempts to reach a system log that most containers lack.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.contains("to syslog"))
        .collect();
    match (lines.as_slice(), status) {
        ([], Some(status)) => format!("the program ended with status {status} and said nothing"),
        ([], None) => "the program was killed and said nothing".to_owned(),
        (lines, _) => lines.join("\n"),
    }
}
