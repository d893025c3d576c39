//! Init as a copy of its parent, without an exec, for a program that is not this binary.
//!
//! The test binary is exec'd as [init](super::init), because its own `main` continues there.
//! A program of its own needs only an init that reaps. A copy of the parent's memory costs
//! less than the start of a Rust program, if the parent is small, as the command `nstest` is.
//!
//! The child has no memory in common with the parent, so it writes what fails into a pipe:
//! pairs of the index of the step and an `errno`. The number of steps stands for the exec of the
//! program: 0 is written before it, since init may be killed the moment after, and then the `errno`
//! if it fails. Without either, init was killed before.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;

use super::call::{Errno, check, errno, pointers};
use super::capset;
use super::early_signals::{self, CLONED, Noting};
use super::init::{NAME, await_body, parent_is_gone, report_not_started, set_name};
use super::process::{Process, exit_now};
use super::spawn::{
    Act, BlockedSignals, Helper, Image, Refused, Spawned, Stack, pid_of, unblock_signals,
};
use super::step::HeldDirs;

/// What init needs, in memory that it copies.
struct InitJob<'a> {
    acts: &'a [Act],
    path: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    /// Where init puts the process that becomes the program.
    program_stack: &'a Stack,
    /// The write end of the pipe for what fails.
    failures: RawFd,
    /// The write end of the pipe for init's reports.
    report: RawFd,
}

impl InitJob<'_> {
    /// The number of steps stands for the exec of the program.
    fn note(&self, index: usize, errno: Errno) {
        let pair = [index as c_int, errno];
        // SAFETY: the buffer is as long as stated. It fails if the parent is dead.
        unsafe { libc::write(self.failures, pair.as_ptr().cast(), size_of_val(&pair)) };
    }
}

/// As [`spawn`](super::spawn::spawn), and the child becomes init, which starts `program` as PID 2
/// and reports its end into `report`. The program is looked for in PATH.
pub(crate) fn spawn_program(
    flags: c_int,
    acts: &[Act],
    program: &Image,
    report: RawFd,
    helper: Option<Helper<'_>>,
) -> Result<Spawned, Refused> {
    let (failures, failures_end) =
        pipe2(OFlag::O_CLOEXEC).map_err(|errno| Refused::Clone(errno as Errno))?;
    let (arguments, environment) = (pointers(&program.arguments), pointers(&program.environment));
    let program_stack = Stack::new().map_err(Refused::Clone)?;
    let job = InitJob {
        acts,
        path: program.path.as_ptr(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        program_stack: &program_stack,
        failures: failures_end.as_raw_fd(),
        report,
    };
    let (pid, pidfd) = clone_init(flags, &job).map_err(Refused::Clone)?;
    let process = Process::new(pid, pidfd);
    drop(failures_end);
    if let Some(Helper { serve, channel }) = helper {
        drop(channel); // so that it sees the end of a child that has died
        serve(&|| pid_of(process.as_fd().as_raw_fd()));
    }
    // Awake for each pair, this process would keep the child from its processor.
    let _ = poll(&mut [PollFd::new(failures.as_fd(), PollFlags::empty())], PollTimeout::NONE);
    let mut pairs = Vec::new();
    // An error would be that of a pipe that is broken; then the child is not heard, and its end is
    // seen on the pidfd.
    let _ = File::from(failures).read_to_end(&mut pairs);
    let word = |bytes: &[u8]| c_int::from_ne_bytes(bytes.try_into().unwrap_or_default());
    let (mut tolerated, mut executed) = (Vec::new(), None);
    for pair in pairs.chunks_exact(8) {
        let (index, errno) = (word(&pair[..4]) as usize, word(&pair[4..]));
        match acts.get(index) {
            Some(act) if act.required => {
                process.reap();
                return Err(Refused::Step(index, errno));
            }
            Some(_) => tolerated.push((index, errno)),
            None => executed = Some(if errno == 0 { Ok(()) } else { Err(errno) }),
        }
    }
    Ok(Spawned { process, tolerated, executed })
}

/// The PID and the pidfd of init.
fn clone_init(flags: c_int, job: &InitJob<'_>) -> Result<(libc::pid_t, OwnedFd), Errno> {
    let stack = Stack::new()?;
    let _blocked = BlockedSignals::new()?;
    let _noting = Noting::begin();
    // SAFETY: the child has a copy of all memory, and so of the stack, which is large enough, and
    // of `job` and all that it points to; `init` obeys the rules of `step`, since other
    // threads of this process may hold locks.
    let pid = check(unsafe {
        libc::clone(
            init,
            stack.top(),
            flags | libc::CLONE_PIDFD,
            ptr::from_ref(job).cast_mut().cast(),
            CLONED.as_ptr(),
        )
    })?;
    // SAFETY: the clone succeeded, so the kernel stored a new descriptor there, which no
    // other code owns.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(CLONED.load(Relaxed)) }))
}

/// All signals stay blocked, except at the clone: then it notes those of the terminal for the
/// program.
extern "C" fn init(job: *mut c_void) -> c_int {
    let _blocked = BlockedSignals::new(); // it fails only if its arguments are wrong
    // SAFETY: it is the copy of the job of `spawn_program`.
    let job = unsafe { &*job.cast::<InitJob<'_>>() };
    let mut held = HeldDirs::new();
    for (index, act) in job.acts.iter().enumerate() {
        if let Err(errno) = act.step.perform(&mut held) {
            job.note(index, errno);
            if act.required {
                exit_now(1);
            }
        }
    }
    set_name(NAME.to_bytes_with_nul());
    if parent_is_gone(job.report) {
        exit_now(1);
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let argument = ptr::from_ref(job).cast_mut().cast();
    let noting = Noting::begin();
    // SAFETY: the stack is unused and large enough; `job` outlives the child's use of it, since
    // CLONE_VFORK suspends this process; `program` obeys the rules of `step`.
    let cloned = check(unsafe { libc::clone(program, job.program_stack.top(), flags, argument) });
    drop(noting);
    match cloned {
        // The program has its copies of what it is to have.
        Ok(program) => {
            early_signals::pass_on(program);
            close_all_but(job.report);
            await_body(c_long::from(program), c_long::from(job.report))
        }
        Err(errno) => report_not_started(c_long::from(job.report), errno),
    }
}

/// Becomes the program, in the memory of init until the exec.
extern "C" fn program(job: *mut c_void) -> c_int {
    // SAFETY: it is the job of init, which is suspended.
    let job = unsafe { &*job.cast::<InitJob<'_>>() };
    early_signals::child_exists();
    capset::clear_ambient();
    job.note(job.acts.len(), 0);
    unblock_signals();
    // SAFETY: the name ends in NUL, and both arrays of such strings end in null. The C libraries
    // of Linux look for it in PATH without allocating.
    unsafe { libc::execvpe(job.path, job.arguments, job.environment) };
    job.note(job.acts.len(), errno());
    exit_now(127)
}

/// Closes what the copy has of the parent's descriptors, except for standard streams and one
/// other.
fn close_all_but(kept: RawFd) {
    for (first, last) in [(3, kept - 1), (kept + 1, RawFd::MAX)] {
        // SAFETY: close_range(2) takes numbers; nothing uses these descriptors any more. It
        // fails if the range is empty.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}
