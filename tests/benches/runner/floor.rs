//! The minimum: what the kernel and libtest cost without nstest.
//!
//! It starts a child in new namespaces by the fewest system calls: no message, no pipe, no
//! timeout, no init, no clean environment. It uses nothing of nstest. The id maps are as
//! with nstest. Root maps every id to itself; a thread outside of the user namespace writes
//! the maps. It is started once and waits on a futex, which is the cheapest way. All others
//! map one id, and the child writes the map.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::libc;
use nix::unistd::{getegid, geteuid};

/// Which namespaces and mounts the child gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// User and network namespace, `lo` up.
    Network,
    /// All six, and fresh /proc and /sys; the program is PID 1.
    Machine,
}

impl Kind {
    fn namespaces(self) -> c_int {
        let network = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
        match self {
            Kind::Network => network,
            Kind::Machine => {
                network
                    | libc::CLONE_NEWPID
                    | libc::CLONE_NEWNS
                    | libc::CLONE_NEWUTS
                    | libc::CLONE_NEWIPC
            }
        }
    }
}

/// All that the child needs, made before the clone and used again for the next.
pub(crate) struct Floor {
    kind: Kind,
    maps: Maps,
    arguments: Vec<CString>,
    stack: Vec<Page>,
}

/// For its alignment, which covers that of a stack.
#[derive(Clone)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

enum Maps {
    /// The child writes its own: setgroups, uid_map, gid_map.
    One(Vec<(&'static CStr, Vec<u8>)>),
    All(Arc<Outside>),
}

/// What the child and the outside thread share.
#[derive(Default)]
struct Outside {
    /// The kernel writes the child's PID here before the child runs.
    pid: AtomicI32,
    asked: AtomicU32,
    answered: AtomicU32,
}

struct Job<'a> {
    floor: &'a Floor,
    arguments: *const *const c_char,
    errno: AtomicI32,
}

impl Floor {
    /// It runs this binary with `arguments`, including argv[0].
    pub(crate) fn new(kind: Kind, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|text| CString::new(*text).unwrap()).collect();
        Self { kind, maps: Maps::new(), arguments, stack: vec![Page([0; 4096]); 16] }
    }

    /// Runs it once, to the end; it must succeed.
    pub(crate) fn run(&mut self) {
        let arguments: Vec<_> =
            self.arguments.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        let top = self.stack.as_mut_ptr_range().end;
        let job = Job { floor: self, arguments: arguments.as_ptr(), errno: AtomicI32::new(0) };
        let unused = AtomicI32::new(0);
        let pid_slot = match &self.maps {
            Maps::One(_) => &unused,
            Maps::All(outside) => &outside.pid,
        };
        let flags = self.kind.namespaces()
            | libc::CLONE_VM
            | libc::CLONE_VFORK
            | libc::CLONE_PARENT_SETTID
            | libc::SIGCHLD;
        // SAFETY: the stack is 64 KiB, which the child's few calls do not fill; it
        // and `job` outlive the child's use of them, since CLONE_VFORK suspends
        // this thread until the child has exec'd or exited; no handler of this
        // process runs on signals that can come here.
        let pid = unsafe {
            libc::clone(
                child,
                top.cast(),
                flags,
                (&raw const job).cast_mut().cast::<c_void>(),
                pid_slot.as_ptr(),
            )
        };
        assert!(pid > 0, "clone: {}", std::io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: the pointer is valid, the child ours.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        let errno = std::io::Error::from_raw_os_error(job.errno.load(Ordering::Relaxed));
        assert!(waited == pid && status == 0, "wait status {status}; set-up: {errno}");
    }
}

impl Maps {
    fn new() -> Self {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let identities = (identity("/proc/self/uid_map"), identity("/proc/self/gid_map"));
        if let (0, (Some(uid_map), Some(gid_map))) = (uid, identities) {
            let outside = Arc::new(Outside::default());
            let shared = Arc::clone(&outside);
            std::thread::spawn(move || shared.write_maps(&uid_map, &gid_map));
            return Maps::All(outside);
        }
        Maps::One(vec![
            (c"/proc/self/setgroups", b"deny".to_vec()),
            (c"/proc/self/uid_map", format!("0 {uid} 1").into_bytes()),
            (c"/proc/self/gid_map", format!("0 {gid} 1").into_bytes()),
        ])
    }
}

/// Every id that is mapped here to itself, if there are several.
fn identity(path: &str) -> Option<String> {
    let map = fs::read_to_string(path).ok()?;
    let lines = map.lines().map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        format!("{0} {0} {1}\n", fields[0], fields[2])
    });
    let lines: String = lines.collect();
    (lines.trim() != "0 0 1").then_some(lines)
}

impl Outside {
    /// The outside thread, for as long as the process lives.
    fn write_maps(&self, uid_map: &str, gid_map: &str) {
        loop {
            take(&self.asked);
            let pid = self.pid.load(Ordering::Relaxed);
            fs::write(format!("/proc/{pid}/uid_map"), uid_map).unwrap();
            fs::write(format!("/proc/{pid}/gid_map"), gid_map).unwrap();
            give(&self.answered);
        }
    }
}

/// futex(2): sets a flag and wakes the threads that wait for it.
fn give(flag: &AtomicU32) {
    flag.store(1, Ordering::Release);
    let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the address is that of a living atomic.
    unsafe { libc::syscall(libc::SYS_futex, flag.as_ptr(), wake, 1) };
}

/// Waits until a flag is set, and takes it back.
fn take(flag: &AtomicU32) {
    let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    while flag.swap(0, Ordering::Acquire) == 0 {
        let forever = ptr::null::<libc::timespec>();
        // SAFETY: the address is that of a living atomic; no timeout.
        unsafe { libc::syscall(libc::SYS_futex, flag.as_ptr(), wait, 0, forever) };
    }
}

extern "C" fn child(job: *mut c_void) -> c_int {
    // SAFETY: it is the job of `run`, which is suspended.
    let job = unsafe { &*job.cast::<Job<'_>>() };
    if prepare(job.floor) {
        // SAFETY: the path ends in NUL, the array of such strings in null.
        unsafe { libc::execv(c"/proc/self/exe".as_ptr(), job.arguments) };
    }
    let errno = std::io::Error::last_os_error().raw_os_error();
    job.errno.store(errno.unwrap_or(0), Ordering::Relaxed);
    // SAFETY: _exit(2) runs no handler of the parent's.
    unsafe { libc::_exit(1) }
}

fn prepare(floor: &Floor) -> bool {
    let mapped = match &floor.maps {
        Maps::One(files) => files.iter().all(|(path, text)| write(path, text)),
        Maps::All(outside) => {
            give(&outside.asked);
            take(&outside.answered);
            true
        }
    };
    mapped
        && loopback_up()
        && (floor.kind == Kind::Network || mount(c"proc", c"/proc") && mount(c"sysfs", c"/sys"))
}

/// The descriptors are left to the exec, which closes them.
fn write(path: &CStr, text: &[u8]) -> bool {
    // SAFETY: the path ends in NUL.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    // SAFETY: the buffer is as long as stated.
    fd >= 0 && unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) } > 0
}

fn loopback_up() -> bool {
    // SAFETY: socket(2) takes numbers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[..2].copy_from_slice(&[b'l' as c_char, b'o' as c_char]);
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads the ifreq that it is given.
    unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw const request) == 0 }
}

/// The child's mounts are copies that do not propagate back: mount_namespaces(7).
fn mount(kind: &CStr, target: &CStr) -> bool {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: all strings end in NUL; there is no data.
    unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, ptr::null()) == 0 }
}
