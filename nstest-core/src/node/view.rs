//! The mounts and the hostname of a thread that lives in a node.
//!
//! Such a thread has its own `/sys` and `/proc/net`, which show the network of the node, and
//! its own hostname. All nodes share the test's `/etc/hosts` and `/etc/resolv.conf`. A thread can have
//! its own mounts and hostname if it does not share its root and working directory with other
//! threads (`CLONE_FS`). Threads and programs that it starts inherit all of this. See
//! mount_namespaces(7) and uts_namespaces(7).

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::sethostname;

use crate::error::Result;
use crate::layout::TMP_DIR;
use crate::preflight::{self, Operation, Refusal};

/// The properties in which the view of a node differs from that of the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) hostname: String,
}

impl View {
    /// Applies the view to the calling thread, which is in the node's network already.
    pub(crate) fn take(&self) -> Result<()> {
        let none = None::<&str>;
        let refused = |what: &str, call: &str, kind: Operation| {
            let step = format!("{what} for threads and programs in node {}", self.hostname);
            let call = call.to_owned();
            move |errno: Errno| {
                preflight::explain(Refusal { step, call, errno: errno as i32, kind })
            }
        };
        let kind = Operation::FurtherNamespaces { kinds: &["mnt", "uts"] };
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)
            .map_err(refused(
                "create a mount and a UTS namespace",
                "unshare(CLONE_NEWNS | CLONE_NEWUTS)",
                kind,
            ))?;
        let kind = Operation::Mount { target: "/".to_owned() };
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(refused(
            "make mounts private",
            "mount(/)",
            kind,
        ))?;
        sysfs();
        // /proc/net is /proc/self/net, and that is the network of the process's first thread,
        // the test's. The calling thread lives as long as there are threads of the node.
        let _ =
            mount(Some("/proc/thread-self/net"), "/proc/self/net", none, MsFlags::MS_BIND, none);
        sethostname(&self.hostname).map_err(refused(
            "set the hostname",
            "sethostname",
            Operation::Hostname,
        ))
    }
}

/// Mounts a `/sys` that shows the interfaces of the node.
///
/// Below it comes another file system, since `ip netns exec` removes the upper mount and
/// mounts the `/sys` of the other namespace in its place. The kernel refuses a mount directly
/// over one of the same file system (EBUSY, `do_add_mount`), and the next one below is the
/// test's.
fn sysfs() {
    let none = None::<&str>;
    let below = mount(Some(TMP_DIR), "/sys", none, MsFlags::MS_BIND, none);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    // Fails if the test itself could not mount a fresh /sys. That was reported before.
    let mounted = mount(Some("sysfs"), "/sys", Some("sysfs"), flags, none);
    if below.is_ok() && mounted.is_err() {
        let _ = umount2("/sys", MntFlags::MNT_DETACH);
    }
}
