//! Which instance of proc the settings of a namespace are written through.
//!
//! The kernel keeps the entries of all network namespaces in one directory, /proc/sys/net. A
//! look-up of `ipv4` there compares those of all namespaces, one by one (`proc_sys_compare`,
//! fs/proc/proc_sysctl.c). With 500 namespaces that is half of a node's cost. So only some
//! namespaces share an instance of proc. The first ones share /proc; for more, detached
//! instances are mounted, one after the other.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::sync::lock;
use crate::sys::proc_mount;

/// How many namespaces share an instance. A mount costs about as much as a look-up among a
/// hundred namespaces.
const NAMESPACES: usize = 32;

static PRESENT: Mutex<Instance> = Mutex::new(Instance { users: 0, net: None });

/// An instance, and its directory sys/net.
struct Instance {
    users: usize,
    /// `None` is /proc/sys/net.
    net: Option<Arc<OwnedFd>>,
}

/// The directory for the settings of one more namespace; `None` is /proc/sys/net.
pub(super) fn for_namespace() -> Option<Arc<OwnedFd>> {
    let mut present = lock(&PRESENT);
    if present.users == NAMESPACES {
        // If it is refused, what there is serves more namespaces.
        if let Some(net) = mount() {
            present.net = Some(Arc::new(net));
        }
        present.users = 0;
    }
    present.users += 1;
    present.net.clone()
}

fn mount() -> Option<OwnedFd> {
    let proc = proc_mount::detached().ok()?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(&proc, "sys/net", flags, Mode::empty()).ok()
}
