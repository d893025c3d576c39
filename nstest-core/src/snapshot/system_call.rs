//! The system call in which a thread waits, as /proc/PID/task/TID/syscall has it
//! (proc_pid_syscall(5)).

use nix::libc::{self, c_long};

/// A system call that a thread has made and that has not returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SystemCall {
    pub(super) name: String,
    pub(super) waits_for: Argument,
}

/// What the arguments of a system call say about what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    Nothing,
    Descriptor(u64),
    /// An epoll instance.
    Epoll(u64),
    /// The address of an array of `struct pollfd`, and its length.
    Poll(u64, u64),
    /// The end of a thread with this number: glibc waits for the kernel to clear it.
    Thread(u64),
    /// The end of a process with this number.
    Process(u64),
}

/// What a thread does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Activity {
    Runs,
    /// It waits, but not in a system call: it has a page fault, or is traced.
    Elsewhere,
    Waits(SystemCall),
}

/// How the arguments of a system call are to be understood.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain,
    /// The first argument is a descriptor.
    Fd,
    Epoll,
    Poll,
    Futex,
    Wait4,
    Waitid,
}

/// Calls that exist on every architecture.
const CALLS: &[(c_long, &str, Shape)] = &[
    (libc::SYS_connect, "connect", Shape::Fd),
    (libc::SYS_accept, "accept", Shape::Fd),
    (libc::SYS_accept4, "accept4", Shape::Fd),
    (libc::SYS_recvfrom, "recvfrom", Shape::Fd),
    (libc::SYS_recvmsg, "recvmsg", Shape::Fd),
    (libc::SYS_recvmmsg, "recvmmsg", Shape::Fd),
    (libc::SYS_sendto, "sendto", Shape::Fd),
    (libc::SYS_sendmsg, "sendmsg", Shape::Fd),
    (libc::SYS_sendmmsg, "sendmmsg", Shape::Fd),
    (libc::SYS_read, "read", Shape::Fd),
    (libc::SYS_readv, "readv", Shape::Fd),
    (libc::SYS_pread64, "pread64", Shape::Fd),
    (libc::SYS_write, "write", Shape::Fd),
    (libc::SYS_writev, "writev", Shape::Fd),
    (libc::SYS_pwrite64, "pwrite64", Shape::Fd),
    (libc::SYS_sendfile, "sendfile", Shape::Fd),
    (libc::SYS_splice, "splice", Shape::Fd),
    (libc::SYS_fsync, "fsync", Shape::Fd),
    (libc::SYS_flock, "flock", Shape::Fd),
    (libc::SYS_fcntl, "fcntl", Shape::Fd),
    (libc::SYS_ioctl, "ioctl", Shape::Fd),
    (libc::SYS_openat, "openat", Shape::Plain),
    (libc::SYS_close, "close", Shape::Fd),
    (libc::SYS_epoll_pwait, "epoll_pwait", Shape::Epoll),
    (libc::SYS_epoll_pwait2, "epoll_pwait2", Shape::Epoll),
    (libc::SYS_ppoll, "ppoll", Shape::Poll),
    (libc::SYS_pselect6, "pselect6", Shape::Plain),
    (libc::SYS_io_uring_enter, "io_uring_enter", Shape::Plain),
    (libc::SYS_futex, "futex", Shape::Futex),
    (libc::SYS_nanosleep, "nanosleep", Shape::Plain),
    (libc::SYS_clock_nanosleep, "clock_nanosleep", Shape::Plain),
    (libc::SYS_wait4, "wait4", Shape::Wait4),
    (libc::SYS_waitid, "waitid", Shape::Waitid),
    (libc::SYS_rt_sigsuspend, "rt_sigsuspend", Shape::Plain),
    (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait", Shape::Plain),
    (libc::SYS_restart_syscall, "restart_syscall", Shape::Plain),
];

/// Older calls, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[(c_long, &str, Shape)] = &[
    (libc::SYS_epoll_wait, "epoll_wait", Shape::Epoll),
    (libc::SYS_poll, "poll", Shape::Poll),
    (libc::SYS_select, "select", Shape::Plain),
    (libc::SYS_pause, "pause", Shape::Plain),
    (libc::SYS_open, "open", Shape::Plain),
    (libc::SYS_vfork, "vfork", Shape::Plain),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[(c_long, &str, Shape)] = &[];

impl Activity {
    /// `None` if it is not what the kernel writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let number: c_long = match words.next()? {
            "running" => return Some(Self::Runs),
            number => number.parse().ok()?,
        };
        if number < 0 {
            return Some(Self::Elsewhere);
        }
        let mut argument = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
        let arguments = [argument()?, argument()?, argument()?];
        let mut known = CALLS.iter().chain(OLD_CALLS);
        let Some((_, name, shape)) = known.find(|call| call.0 == number) else {
            let name = format!("system call {number}");
            return Some(Self::Waits(SystemCall { name, waits_for: Argument::Nothing }));
        };
        let waits_for = shape.argument(arguments);
        Some(Self::Waits(SystemCall { name: (*name).to_owned(), waits_for }))
    }
}

impl Shape {
    fn argument(self, [first, second, third]: [u64; 3]) -> Argument {
        match self {
            Shape::Plain => Argument::Nothing,
            Shape::Fd => Argument::Descriptor(first & 0xffff_ffff),
            Shape::Epoll => Argument::Epoll(first & 0xffff_ffff),
            Shape::Poll => Argument::Poll(first, second),
            // pthread_join(3) of glibc waits until the kernel clears the number of the thread,
            // which it does with a futex that is not private.
            Shape::Futex if second & PRIVATE == 0 && second & OPERATION == WAIT_BITSET => {
                Argument::Thread(third & 0xffff_ffff)
            }
            Shape::Futex => Argument::Nothing,
            Shape::Wait4 => process(first),
            Shape::Waitid if first == libc::P_PID.into() => process(second),
            Shape::Waitid if first == libc::P_PIDFD.into() => {
                Argument::Descriptor(second & 0xffff_ffff)
            }
            Shape::Waitid => Argument::Nothing,
        }
    }
}

const OPERATION: u64 = 0x7f;
const PRIVATE: u64 = libc::FUTEX_PRIVATE_FLAG as u64;
const WAIT_BITSET: u64 = libc::FUTEX_WAIT_BITSET as u64;

/// A number that is not positive stands for any process, or any of a group.
fn process(number: u64) -> Argument {
    match number as i32 {
        ..1 => Argument::Nothing,
        _ => Argument::Process(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(name: &str, waits_for: Argument) -> Option<Activity> {
        Some(Activity::Waits(SystemCall { name: name.to_owned(), waits_for }))
    }

    fn line(number: c_long, arguments: &str) -> Option<Activity> {
        Activity::parse(&format!(
            "{number} {arguments} 0x0 0x0 0x0 0x7ffc9f138b68 0x7f049dbff2ad\n"
        ))
    }

    #[test]
    fn a_call_is_named_with_what_it_waits_for() {
        assert_eq!(
            line(libc::SYS_connect, "0x4 0x7f 0x10"),
            waits("connect", Argument::Descriptor(4))
        );
        assert_eq!(line(libc::SYS_read, "0x3 0x7f 0x10"), waits("read", Argument::Descriptor(3)));
        assert_eq!(
            line(libc::SYS_epoll_pwait, "0x5 0x7f 0x10"),
            waits("epoll_pwait", Argument::Epoll(5))
        );
        assert_eq!(line(libc::SYS_ppoll, "0x7f 0x2 0x0"), waits("ppoll", Argument::Poll(0x7f, 2)));
        assert_eq!(line(libc::SYS_wait4, "0x11 0x0 0x0"), waits("wait4", Argument::Process(17)));
        assert_eq!(line(libc::SYS_wait4, "0xffffffff 0x0 0x0"), waits("wait4", Argument::Nothing));
        let any = "0xffffffffffffffff 0x0 0x0";
        assert_eq!(line(libc::SYS_wait4, any), waits("wait4", Argument::Nothing));
        assert_eq!(line(9999, "0x0 0x0 0x0"), waits("system call 9999", Argument::Nothing));
    }

    #[test]
    fn a_futex_that_the_end_of_a_thread_wakes_is_recognised() {
        assert_eq!(line(libc::SYS_futex, "0x7f 0x109 0x2a"), waits("futex", Argument::Thread(42)));
        // FUTEX_WAIT_BITSET_PRIVATE and FUTEX_WAIT_PRIVATE: a mutex, a channel, a parked thread.
        assert_eq!(line(libc::SYS_futex, "0x7f 0x189 0x2a"), waits("futex", Argument::Nothing));
        assert_eq!(line(libc::SYS_futex, "0x7f 0x80 0x2"), waits("futex", Argument::Nothing));
    }

    #[test]
    fn a_thread_may_wait_in_no_call() {
        assert_eq!(Activity::parse("running\n"), Some(Activity::Runs));
        assert_eq!(
            Activity::parse("-1 0x7ffc9f138b68 0x7f049dbff2ad\n"),
            Some(Activity::Elsewhere)
        );
        assert_eq!(Activity::parse(""), None);
        assert_eq!(Activity::parse("0 0x3"), None);
    }
}
