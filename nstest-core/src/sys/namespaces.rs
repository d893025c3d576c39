//! Sets of namespaces, as the `CLONE_NEW…` flags of clone(2).

use nix::libc::{self, c_int};

/// User, network, PID, mount, UTS and IPC namespaces.
pub(crate) const EVERY: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC;
