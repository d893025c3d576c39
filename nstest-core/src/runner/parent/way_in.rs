//! The commands that enter the nodes of a test from another shell of the same user.

use std::fs;
#[cfg(feature = "cli")]
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

#[cfg(feature = "cli")]
use super::process_tree;
use crate::layout::{NETNS, NODE, PAUSED};
use crate::runner::test::Options;

/// More nodes than these are counted and not listed.
const LISTED: usize = 40;

/// The processes with the namespaces that are entered, by their PIDs here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryPoint {
    pub(crate) init: i32,
    pub(super) body: Option<i32>,
    pub(super) root: bool,
    /// Whether the test is in a network namespace that existed before, and so in the user
    /// namespace of this process, which nsenter(1) refuses to enter.
    pub(crate) joined: bool,
}

impl EntryPoint {
    pub(super) fn new(init: i32, body: Option<i32>, options: &Options) -> Self {
        Self { init, body, root: options.root, joined: options.netns.is_some() }
    }

    /// A path in the mounts of the test.
    fn path(self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// Has `nstest shell` find the test while it is paused. If that fails, the commands that are
    /// printed still enter it.
    pub(super) fn mark_paused(self, test: &str) {
        let flag = |set, flag| if set { flag } else { "-" };
        let how = format!("{}{}", flag(self.root, "r"), flag(self.joined, "j"));
        let _ = symlink(format!("{how} {test}"), self.path(PAUSED));
    }

    pub(super) fn mark_running(self) {
        let _ = fs::remove_file(self.path(PAUSED)); // it fails if the test is dead
    }

    /// The test of an init, with its name, if it is paused.
    ///
    /// # Errors
    /// If its mark cannot be read.
    #[cfg(feature = "cli")]
    pub(crate) fn of_paused(init: i32) -> io::Result<Option<(Self, String)>> {
        let entry = Self { init, body: None, root: false, joined: false };
        let mark = match fs::read_link(entry.path(PAUSED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            mark => mark?,
        };
        let Some((how, test)) = mark.to_str().and_then(|mark| mark.split_once(' ')) else {
            return Ok(None);
        };
        let [root, joined] = ['r', 'j'].map(|flag| how.contains(flag));
        Ok(Some((Self { body: process_tree::body(init), root, joined, ..entry }, test.to_owned())))
    }

    /// A command for the test's own node, and one for each other node.
    pub(super) fn describe(self) -> String {
        self.commands(&self.nodes())
    }

    /// The nodes beside the test's own, with the targets of their links in /run/netns.
    fn nodes(self) -> Vec<(String, Option<String>)> {
        // Its mounts have it: the links in it lead nowhere from here.
        let directory = self.path(NETNS);
        let read = |name: &str| fs::read_link(directory.join(name)).ok();
        let mut nodes: Vec<(String, Option<String>)> = fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name != NODE)
            .map(|name| {
                let target =
                    read(&name).and_then(|target| target.into_os_string().into_string().ok());
                (name, target)
            })
            .collect();
        nodes.sort_unstable();
        nodes
    }

    /// All nodes, each with the path of its network namespace from here.
    #[cfg(feature = "cli")]
    pub(crate) fn networks(self) -> Vec<(String, PathBuf)> {
        let own = (NODE.to_owned(), PathBuf::from(format!("/proc/{}/ns/net", self.init)));
        let others = self.nodes().into_iter().filter_map(|(name, target)| {
            let target = target?;
            let (_, fd) = target.rsplit_once("/fd/")?;
            Some((name, PathBuf::from(format!("/proc/{}/fd/{fd}", self.body?))))
        });
        [own].into_iter().chain(others).collect()
    }

    /// For nodes with the targets of their links in /run/netns.
    fn commands(self, nodes: &[(String, Option<String>)]) -> String {
        let Self { init, root, joined, .. } = self;
        let user = if joined { "" } else { " -U --preserve-credentials" };
        let enter = format!("nsenter -t {init}{user} -m -u -i -p");
        let widest = nodes.iter().map(|(name, _)| name.len()).chain([NODE.len()]).max();
        let width = widest.unwrap_or_default();
        let mut text = format!("  {NODE:width$}  {enter} -n sh\n");
        for (name, target) in nodes.iter().take(LISTED) {
            // `ip netns exec` also gives the program the /sys of the node, which needs rights
            // that only root of the test has.
            let descriptor = target.as_deref().and_then(|target| target.rsplit_once("/fd/"));
            let command = match (self.body, descriptor) {
                (Some(body), Some((_, fd))) if !root => {
                    format!("{enter} --net=/proc/{body}/fd/{fd} sh")
                }
                _ => format!("{enter} -n ip netns exec {name} sh"),
            };
            text.push_str(&format!("  {name:width$}  {command}\n"));
        }
        if let Some(more @ 1..) = nodes.len().checked_sub(LISTED) {
            text.push_str(&format!("  and {more} more: `ip netns list` in `{NODE}` lists them\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_depend_on_what_the_test_may_do() {
        let of = |root, joined| {
            let entry = EntryPoint { init: 7, body: Some(8), root, joined };
            entry.commands(&[("server".to_owned(), Some("/proc/2/fd/9".to_owned()))])
        };
        assert_eq!(
            of(true, false),
            "  test    nsenter -t 7 -U --preserve-credentials -m -u -i -p -n sh\n  server  nsenter -t 7 -U --preserve-credentials -m -u -i -p -n ip netns exec server sh\n"
        );
        assert_eq!(
            of(false, true),
            "  test    nsenter -t 7 -m -u -i -p -n sh\n  server  nsenter -t 7 -m -u -i -p --net=/proc/8/fd/9 sh\n"
        );
    }
}
