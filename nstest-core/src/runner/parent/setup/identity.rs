//! The user and group ids of a test: user_namespaces(7).
//!
//! An ordinary user may map one id, its own. The test then is root in its namespace, or
//! keeps its id (`root = false`). Real root maps every id to itself, because with a single
//! one it could not even read a user's home.

use std::fs;
use std::os::fd::RawFd;
use std::sync::OnceLock;

use nix::unistd::{getegid, geteuid};

use super::steps::StepList;
use crate::capability;
use crate::sys::call::c_string;
use crate::sys::step::Step;

/// The id, inside, of a test with `root = false` that real root started. Servers refuse
/// uid 0 and look up the name of any other id; this one is in every passwd(5).
const NOBODY: u32 = 65534;

/// What the parent's helper does for a child that asks for its id maps.
pub(crate) const WRITE_ID_MAPS: &str = "write(/proc/PID/uid_map)";

/// The id maps of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Every id is itself. Only a process that has CAP_SETUID and CAP_SETGID outside can write
    /// such maps: the parent does, in its [helper](crate::runner::parent::helper).
    All { uid_map: String, gid_map: String },
    /// One id inside stands for the caller's outside.
    One { inside: (u32, u32), outside: (u32, u32) },
    /// The caller's, without a user namespace: the test joins a network namespace that
    /// belongs to the caller's user namespace, and needs the caller's rights there.
    Callers,
}

impl Identity {
    pub(crate) fn of_caller(root: bool) -> Self {
        let outside = (geteuid().as_raw(), getegid().as_raw());
        let full = if root && outside.0 == 0 { full_maps() } else { None };
        match full.cloned() {
            Some((uid_map, gid_map)) => Identity::All { uid_map, gid_map },
            None => Identity::One { inside: inside(root, outside), outside },
        }
    }

    /// Whether root inside is the machine's root for the permissions of files.
    pub(super) fn maps_real_root(&self) -> bool {
        matches!(self, Identity::All { .. } | Identity::Callers)
    }

    /// Adds the first steps. Through `channel` the child asks the parent to write its maps.
    pub(super) fn begin_maps(&self, channel: Option<RawFd>, steps: &mut StepList) {
        match self {
            Identity::Callers => {}
            Identity::All { .. } => {
                let channel = channel.unwrap_or(-1);
                steps.must("ask for id maps", Step::AskHelper { channel });
            }
            Identity::One { inside, outside } => {
                let write = |path, text: String| Step::Write {
                    path: c_string(path),
                    text: text.into_bytes(),
                };
                steps.must("give up setgroups", write("/proc/self/setgroups", "deny".into()));
                steps.must(
                    "map the user id",
                    write("/proc/self/uid_map", format!("{} {} 1", inside.0, outside.0)),
                );
                steps.must(
                    "map the group id",
                    write("/proc/self/gid_map", format!("{} {} 1", inside.1, outside.1)),
                );
            }
        }
    }

    /// Adds the step after which the child has ids: before, it can make no file. What needs
    /// none comes before, while the parent writes the maps.
    pub(super) fn finish_maps(&self, channel: Option<RawFd>, steps: &mut StepList) {
        if let Identity::All { .. } = self {
            let channel = channel.unwrap_or(-1);
            steps
                .must("map every id to itself", Step::AwaitHelper { channel, call: WRITE_ID_MAPS });
        }
    }

    /// Adds the last steps: the rights of a test that is not root.
    pub(super) fn add_rights(&self, steps: &mut StepList) {
        let Identity::One { inside: (uid, gid), .. } = self else { return };
        if *uid == 0 {
            return;
        }
        for (path, text) in [
            ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0".to_owned()),
            ("/proc/sys/net/ipv4/ping_group_range", format!("{gid} {gid}")),
        ] {
            steps.may(
                "let a test that is not root bind low ports and ping",
                Step::Write { path: c_string(path), text: text.into_bytes() },
                "programs that the test starts can neither bind ports below 1024 nor ping",
            );
        }
        let kept = capability::NET_ADMIN | capability::NET_RAW | capability::SYS_ADMIN;
        for step in [Step::KeepCapabilities(kept), Step::AmbientCapabilities(kept)] {
            steps.must("keep the rights over the test's own network", step);
        }
    }
}

fn inside(root: bool, outside: (u32, u32)) -> (u32, u32) {
    match (root, outside.0) {
        (true, _) => (0, 0),
        (false, 0) => (NOBODY, NOBODY),
        (false, _) => outside,
    }
}

/// The maps of every id to itself, if this process may write them. Read once: they do not
/// change while a test binary runs, and the kernel takes noticeable time for each read.
fn full_maps() -> Option<&'static (String, String)> {
    static MAPS: OnceLock<Option<(String, String)>> = OnceLock::new();
    MAPS.get_or_init(|| {
        let maps = Some((identity("/proc/self/uid_map")?, identity("/proc/self/gid_map")?));
        maps.filter(|_| capability::has(capability::SETUID | capability::SETGID))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_map_covers_all_ids_of_the_namespace() {
        assert_eq!(
            identity_over("         0          0 4294967295\n").as_deref(),
            Some("0 0 4294967295\n")
        );
        assert_eq!(
            identity_over("0 1000 1\n1 100000 65536\n").as_deref(),
            Some("0 0 1\n1 1 65536\n")
        );
        assert_eq!(identity_over("0 1000 1\n"), None, "any user can map one id");
    }

    #[test]
    fn real_root_becomes_nobody_without_root() {
        assert_eq!(inside(true, (0, 0)), (0, 0));
        assert_eq!(inside(true, (1000, 100)), (0, 0));
        assert_eq!(inside(false, (1000, 100)), (1000, 100));
        assert_eq!(inside(false, (0, 0)), (NOBODY, NOBODY));
    }
}
