//! The uplink of an ordinary user: a program that connects a tap interface in the test with
//! sockets on the machine.
//!
//! The program needs the machine's network for its sockets, and privileges in the test's
//! network for the interface. So it joins the test's *user* namespace, but not its network
//! namespace. The traps:
//! - The program must end with the test. pasta continues after the end of its target, and its
//!   change of credentials clears PR_SET_PDEATHSIG (prctl(2)). So it is started in the test's
//!   *PID* namespace, and the kernel kills it with the namespace's init.
//! - pasta goes into the background when it is ready: the started process ends, and its child
//!   continues.
//! - pasta gives up CAP_SYS_PTRACE. Then opening `/proc/PID/ns/net` of a process with more
//!   privileges fails with EACCES (ptrace(2)). Newer versions close inherited descriptors. So
//!   the namespace is bound to a path in a mount namespace of the program.
//! - The machine's loopback stays unreachable by `--no-map-gw` and
//!   `-t none -u none -T none -U none` (passt(1)), and `--disable-host-loopback` for
//!   slirp4netns.

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

/// The program that relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relay {
    Pasta(PathBuf),
    Slirp4netns(PathBuf),
}

/// The path of the test's network namespace in the mount namespace of the program.
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

    /// slirp4netns writes to the descriptor `ready` when it is ready.
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
                // It uses .100 for the guest, .2 for the gateway, and .3 for the resolver.
                add(&["--cidr=198.18.0.0/24", "--disable-host-loopback", "--netns-type=path"]);
                add(&[&format!("--mtu={MTU}"), &format!("--ready-fd={ready}"), NETNS, DEVICE]);
            }
        }
        arguments
    }

    /// Starts the program for the test whose init is `pid`, and waits until it is ready.
    pub(super) fn attach(&self, machine: &Machine, pid: &str) -> Result<()> {
        let failed = |errno: Errno| self.failed(errno);
        // A file, not a pipe: a write to a pipe without reader would kill the program (SIGPIPE).
        let stderr = memfd_create(c"stderr", MFdFlags::MFD_CLOEXEC).map_err(failed)?;
        let (ready, ready_end) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
        let acts = self.acts(pid, &stderr, &ready_end);
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
        if is_ready { Ok(()) } else { Err(self.failed(error_output(stderr, status))) }
    }

    fn acts(&self, pid: &str, stderr: &OwnedFd, ready: &OwnedFd) -> Vec<Act> {
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
        // The started process of pasta ends when pasta is ready. That of slirp4netns does not.
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
            Step::Null { flags: libc::O_RDONLY, to: 0 },
            Step::Null { flags: libc::O_WRONLY, to: 1 },
            Step::Duplicate { from: stderr.as_raw_fd(), to: 2 },
            Step::KeepOnly(vec![ready.as_raw_fd()]),
        ];
        steps.into_iter().map(|step| Act { step, required: true }).collect()
    }

    fn failed(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        refused().source(why).help(format!(
            "{} failed. If `journalctl -k` shows that AppArmor denied it something, change its profile",
            self.path().display()
        ))
    }
}

/// What a program that failed has written to its standard error.
fn error_output(stderr: OwnedFd, status: Option<i32>) -> String {
    let mut file = File::from(stderr);
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    let text = read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    // pasta reports that it cannot reach the system log, as in most containers.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.contains("to syslog"))
        .collect();
    match (lines.as_slice(), status) {
        ([], Some(status)) => {
            format!("the program ended with exit status {status}, without a message")
        }
        ([], None) => "a signal killed the program, and it wrote no message".to_owned(),
        (lines, _) => lines.join("\n"),
    }
}
