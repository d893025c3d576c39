//! Trials in a world as a test has it: this process is the body of one.

use std::ffi::CStr;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::socket::sockopt::ReuseAddr;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, accept4, bind, connect,
    getsockname, listen, setsockopt, socket,
};

use super::network;
use super::report::{CheckStatus, Problem};
use super::trial::{TrialResult, attempt, attempt_or, errno_of};
use crate::error::ErrorCode;
use crate::layout::{HOSTS, RESOLV_CONF};
use crate::own_pid;
use crate::preflight::{self, Operation};
use crate::runner;
use crate::runner::Options;
use crate::sys::tap;
use crate::uplink::tap_refused;

/// Takes the place of a test's path. No function can have this name.
const DOCTOR: &str = "doctor()";

/// Where trials mount something: in the test's own /run.
const MOUNT_POINT: &str = "/run/nstest";

/// Makes all trials. In the first process, which makes the world, it does not return.
pub(super) fn all() {
    let made = attempt("world", || enter(DOCTOR, Options::DEFAULT));
    if !made {
        return;
    }
    attempt("loopback", loopback);
    attempt_or("fresh-proc", CheckStatus::Replaced, fresh_proc);
    attempt_or("fresh-sys", CheckStatus::Replaced, fresh_sys);
    attempt("names", names); // before a mount hides these files
    attempt("tmpfs", tmpfs);
    attempt("sysctl", setting);
    attempt("ipv6", ipv6);
    network::all();
    attempt("tun", tun);
}

/// Makes the world of a test.
pub(super) fn enter(name: &str, options: Options) -> TrialResult {
    runner::enter_as(name, options).map(|()| None).map_err(|error| Problem::of(&error, ""))
}

/// Connects to a listener of its own. The error is the call that was refused, call by call as the
/// standard library makes them.
fn exchange(address: SocketAddr) -> Result<(), (String, Errno)> {
    let (family, name) = match address {
        SocketAddr::V4(_) => (AddressFamily::Inet, "AF_INET"),
        SocketAddr::V6(_) => (AddressFamily::Inet6, "AF_INET6"),
    };
    let refused = |call: &str| {
        let call = call.to_owned();
        move |errno| (call, errno)
    };
    let opened = || {
        socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
            .map_err(refused(&format!("socket({name})")))
    };
    let listener = opened()?;
    setsockopt(&listener, ReuseAddr, &true).map_err(refused("setsockopt(SO_REUSEADDR)"))?;
    let number = listener.as_raw_fd();
    bind(number, &SockaddrStorage::from(address)).map_err(refused("bind"))?;
    listen(&listener, Backlog::MAXCONN).map_err(refused("listen"))?;
    let bound: SockaddrStorage = getsockname(number).map_err(refused("getsockname"))?;
    let near = opened()?;
    connect(near.as_raw_fd(), &bound).map_err(refused("connect"))?;
    let far = accept4(number, SockFlag::SOCK_CLOEXEC).map_err(refused("accept4"))?;
    // It is closed with the process, which ends soon.
    let _: RawFd = far;
    Ok(())
}

fn loopback() -> TrialResult {
    const STEP: &str = "connect to 127.0.0.1";
    exchange((Ipv4Addr::LOCALHOST, 0).into()).map(|()| None).map_err(|(call, errno)| {
        match preflight::no_socket(STEP, &call, errno) {
            Some(error) => Problem::of(&error, ""),
            None => {
                let cause = format!("{call}: {errno}");
                Problem::new(ErrorCode::Setup, STEP, cause, "sudo ip link set lo up")
            }
        }
    })
}

/// Whether /proc shows the processes of the test. If not, the same mount again says why.
fn fresh_proc() -> TrialResult {
    if own_pid::proc_is_own() {
        return Ok(None);
    }
    mount_on("/proc", "proc", READ_ONLY, "mount a fresh /proc")
}

/// Whether /sys shows the interfaces of the test.
fn fresh_sys() -> TrialResult {
    let names =
        |entries: fs::ReadDir| entries.flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
    if fs::read_dir("/sys/class/net").is_ok_and(|entries| names(entries) == ["lo"]) {
        return Ok(None);
    }
    mount_on("/sys", "sysfs", READ_ONLY, "mount a fresh /sys")
}

/// Whether names are looked up in the test's own files. If not, another overlay says why.
fn names() -> TrialResult {
    let identity = |path: &str| fs::metadata(path).map(|at| (at.dev(), at.ino())).ok();
    let files = [("/etc/hosts", HOSTS), ("/etc/resolv.conf", RESOLV_CONF)];
    if files.into_iter().all(|(path, own)| identity(path) == identity(own)) {
        return Ok(None);
    }
    mount_on("/etc", "overlay", READ_ONLY, "overlay /etc with the test's own files")
}

fn tmpfs() -> TrialResult {
    mount_on(MOUNT_POINT, "tmpfs", MsFlags::empty(), "mount a tmpfs in the test")
}

/// How a test has /proc and /sys.
const READ_ONLY: MsFlags =
    MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC).union(MsFlags::MS_RDONLY);

fn mount_on(target: &str, kind: &str, flags: MsFlags, step: &str) -> TrialResult {
    mount(Some(kind), target, Some(kind), flags, None::<&str>).map(|()| None).map_err(|errno| {
        let operation = Operation::Mount { target: target.to_owned() };
        Problem::of_refusal(step, &format!("mount({kind}, {target})"), errno, operation)
    })
}

/// A router needs this setting.
fn setting() -> TrialResult {
    const PATH: &str = "/proc/sys/net/ipv4/ip_forward";
    fs::write(PATH, "1").map(|()| None).map_err(|error| {
        let operation = Operation::Sysctl { path: PATH.to_owned() };
        let step = "set the sysctl net.ipv4.ip_forward";
        Problem::of_refusal(step, &format!("write({PATH})"), errno_of(&error), operation)
    })
}

fn ipv6() -> TrialResult {
    exchange((Ipv6Addr::LOCALHOST, 0).into()).map(|()| None).map_err(|(call, errno)| {
        Problem::of(&preflight::no_ipv6("connect to ::1", &call, errno), "")
    })
}

fn tun() -> TrialResult {
    const NAME: &CStr = c"trial-tap";
    const INDEX: i32 = 900;
    tap::persistent(NAME, INDEX).map(|()| None).map_err(|errno| {
        let errno = Errno::from_raw(errno);
        let what = "make a TUN device".to_owned();
        Problem { what, ..Problem::of(&tap_refused(errno), "") }
    })
}
