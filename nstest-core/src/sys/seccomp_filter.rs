//! A seccomp filter like the one that containers have by default, for tests.
//!
//! seccomp(2); the masked comparison is that of Docker's default profile: `clone`
//! passes if it asks for no namespace.

use nix::errno::Errno;
use nix::libc;

/// The `CLONE_NEW*` flags, as Docker's profile masks them.
const NAMESPACE_FLAGS: u32 = 0x7E02_0000;

/// What the filter does about a `clone` that asks for a namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FilterAnswer {
    Errno(Errno),
    Kill,
}

/// Puts the filter on this thread and the children that it makes from now on.
pub(crate) fn refuse_namespaces(answer: FilterAnswer) {
    let answered = match answer {
        FilterAnswer::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
        FilterAnswer::Kill => libc::SECCOMP_RET_KILL_PROCESS,
    };
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    // struct seccomp_data: the number of the call at 0, its first argument at 16.
    let low_half = if cfg!(target_endian = "little") { 16 } else { 20 };
    let mut program = [
        op(load, 0, 0, 0),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, libc::SYS_clone as u32),
        op(load, 0, 0, low_half),
        op(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, NAMESPACE_FLAGS),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, answered),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: sets a flag of this thread; no memory is involved.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    Errno::result(done).expect("no_new_privs");
    // SAFETY: `program` and the array that it points to live across the call, which copies them.
    let done =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    Errno::result(done).expect("install a seccomp filter");
}
