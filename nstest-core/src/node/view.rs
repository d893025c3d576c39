//! What a thread that lives in a node sees besides the network: `/sys` and the
//! hostname. The test's own `/etc/hosts` and `/etc/resolv.conf` serve every node.
//!
//! A thread can have mounts and a hostname of its own once it no longer shares
//! its root and working directory with the others (`CLONE_FS`); threads and
//! programs that it starts inherit them. See mount_namespaces(7),
//! uts_namespaces(7).

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::sethostname;

use crate::error::{Error, ErrorCode, Result};

/// What is particular about a node's view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) hostname: String,
}

impl View {
    /// Gives it to the calling thread, which is in the node's network already.
    pub(super) fn take(&self) -> Result<()> {
        let none = None::<&str>;
        let refused = |what: String| {
            let node = self.hostname.clone();
            move |errno: nix::errno::Errno| {
                Error::new(
                    ErrorCode::Namespace,
                    format!("{what} for threads and programs in node {node}"),
                )
                .source(errno)
            }
        };
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)
            .map_err(refused("make mounts and a hostname of their own".into()))?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
            .map_err(refused("make mounts private".into()))?;
        let flags =
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        // Refused where the test itself could not have a fresh /sys; it was told.
        let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), flags, none);
        sethostname(&self.hostname).map_err(refused("set the hostname".into()))
    }
}
