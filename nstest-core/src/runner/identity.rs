//! Who the test is, in its user namespace: user_namespaces(7).
//!
//! An ordinary user may map one id, its own; the test then is root in its
//! namespace, or keeps its id (`root = false`). Real root maps every id to
//! itself, because with a single one it could not even read a user's home.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use nix::libc;
use nix::unistd::{getegid, geteuid};

use super::setup::Plan;
use crate::capability;
use crate::sys::step::{Step, c_string};

/// Inside, a test with `root = false` that real root started: servers refuse
/// uid 0, and look the name of any other up. This one is in every passwd(5).
const NOBODY: u32 = 65534;

/// The id maps of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Every id is itself. Only whoever has CAP_SETUID outside can write such a
    /// map: the parent, from a thread beside the one that waits for the child.
    All { uid_map: String, gid_map: String },
    /// One id inside stands for the caller's outside.
    One { inside: (u32, u32), outside: (u32, u32) },
    /// There is no user namespace, and no inside: the test joins a network that
    /// belongs to the caller's, where only the caller's rights count.
    Callers,
}

impl Identity {
    pub(super) fn of_caller(root: bool) -> Self {
        let outside = (geteuid().as_raw(), getegid().as_raw());
        let full = if root && outside.0 == 0 { full_maps() } else { None };
        match full.cloned() {
            Some((uid_map, gid_map)) => Identity::All { uid_map, gid_map },
            None => Identity::One { inside: inside(root, outside), outside },
        }
    }

    /// Whether root inside is the machine's root, as far as files know.
    pub(super) fn maps_real_root(&self) -> bool {
        matches!(self, Identity::All { .. } | Identity::Callers)
    }

    /// The first steps: until they are done, the child has no id. Through
    /// `channel` the child asks the parent to write its maps.
    pub(super) fn plan(&self, channel: Option<RawFd>, plan: &mut Plan) {
        match self {
            Identity::Callers => {}
            Identity::All { .. } => {
                let channel = channel.unwrap_or(-1);
                plan.must("map every id to itself", Step::AwaitIdMap { channel });
            }
            Identity::One { inside, outside } => {
                let write = |path, text: String| Step::Write {
                    path: c_string(path),
                    text: text.into_bytes(),
                };
                plan.must("give up setgroups", write("/proc/self/setgroups", "deny".into()));
                plan.must(
                    "map the user id",
                    write("/proc/self/uid_map", format!("{} {} 1", inside.0, outside.0)),
                );
                plan.must(
                    "map the group id",
                    write("/proc/self/gid_map", format!("{} {} 1", inside.1, outside.1)),
                );
            }
        }
    }

    /// The last steps: what a test keeps that is not root.
    pub(super) fn plan_rights(&self, plan: &mut Plan) {
        let Identity::One { inside: (uid, gid), .. } = self else { return };
        if *uid == 0 {
            return;
        }
        for (path, text) in [
            ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0".to_owned()),
            ("/proc/sys/net/ipv4/ping_group_range", format!("{gid} {gid}")),
        ] {
            plan.may(
                "let a test that is not root bind low ports and ping",
                Step::Write { path: c_string(path), text: text.into_bytes() },
                "programs that the test starts can neither bind ports below 1024 nor ping (in a container: --security-opt systempaths=unconfined)",
            );
        }
        plan.must(
            "keep the rights over the test's own network",
            Step::KeepCapabilities(
                capability::NET_ADMIN | capability::NET_RAW | capability::SYS_ADMIN,
            ),
        );
    }
}

fn inside(root: bool, outside: (u32, u32)) -> (u32, u32) {
    match (root, outside.0) {
        (true, _) => (0, 0),
        (false, 0) => (NOBODY, NOBODY),
        (false, _) => outside,
    }
}

/// The maps of every id to itself, if real root can have them. Asked once: the
/// kernel makes the text anew at each read, which a start would feel, and neither
/// its namespace nor its bounds change under a test binary.
fn full_maps() -> Option<&'static (String, String)> {
    static MAPS: OnceLock<Option<(String, String)>> = OnceLock::new();
    MAPS.get_or_init(|| {
        let maps = Some((identity("/proc/self/uid_map")?, identity("/proc/self/gid_map")?));
        maps.filter(|_| capability::has(capability::SETUID))
    })
    .as_ref()
}

/// The identity map over the ids of this namespace, if there are several.
fn identity(path: &str) -> Option<String> {
    identity_over(&fs::read_to_string(path).ok()?)
}

fn identity_over(map: &str) -> Option<String> {
    let mut lines = String::new();
    let mut ids = 0u64;
    for line in map.lines() {
        let mut fields = line.split_whitespace();
        let first: u32 = fields.next()?.parse().ok()?;
        let count: u32 = fields.nth(1)?.parse().ok()?;
        ids += u64::from(count);
        lines.push_str(&format!("{first} {first} {count}\n"));
    }
    (ids > 1).then_some(lines)
}

/// Waits until the child asks for its maps, writes them, and tells the child
/// how that went (an `errno`, or 0). It runs beside the thread that sleeps in
/// the clone; a child that dies first closes the channel.
pub(super) fn write_maps(
    mut channel: &UnixStream,
    pidfd: &dyn Fn() -> i32,
    uid_map: &str,
    gid_map: &str,
) {
    if channel.read_exact(&mut [0]).is_err() {
        return;
    }
    let write = || -> std::io::Result<()> {
        let pid = pid_of(pidfd())?;
        fs::write(format!("/proc/{pid}/uid_map"), uid_map)?;
        fs::write(format!("/proc/{pid}/gid_map"), gid_map)
    };
    let errno = write().map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0);
    // If the child is gone, nobody waits for the answer.
    let _ = channel.write_all(&errno.to_ne_bytes());
}

/// The child does not know its PID outside, and the clone has not returned yet.
pub(super) fn pid_of(pidfd: i32) -> std::io::Result<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{pidfd}"))?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    Ok(pid.unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_covers_what_there_is() {
        assert_eq!(
            identity_over("         0          0 4294967295\n").as_deref(),
            Some("0 0 4294967295\n")
        );
        assert_eq!(
            identity_over("0 1000 1\n1 100000 65536\n").as_deref(),
            Some("0 0 1\n1 1 65536\n")
        );
        assert_eq!(identity_over("0 1000 1\n"), None, "one id is what everybody can map");
    }

    #[test]
    fn real_root_becomes_nobody_where_root_is_not_wanted() {
        assert_eq!(inside(true, (0, 0)), (0, 0));
        assert_eq!(inside(true, (1000, 100)), (0, 0));
        assert_eq!(inside(false, (1000, 100)), (1000, 100));
        assert_eq!(inside(false, (0, 0)), (NOBODY, NOBODY));
    }
}
