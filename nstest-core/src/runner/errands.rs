//! What a thread of the parent does for the child between clone and exec, at
//! its request: the child is in a user namespace that has no rights outside.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use nix::libc;

use super::identity::{Identity, pid_of, write_maps};
use super::parent::system;
use crate::error::Result;
use crate::sync::{ignore_poison, lock};
use crate::uplink::{Connected, Uplink};

/// In the order in which the child asks.
#[derive(Debug)]
pub(super) struct Errands<'a> {
    maps: Option<(&'a str, &'a str)>,
    uplink: Option<&'a Uplink>,
    /// An errno is all that the child can be told.
    connected: Mutex<Option<Result<Connected>>>,
}

impl<'a> Errands<'a> {
    pub(super) fn new(identity: &'a Identity, uplink: Option<&'a Uplink>) -> Self {
        let maps = match identity {
            Identity::All { uid_map, gid_map } => Some((uid_map.as_str(), gid_map.as_str())),
            Identity::One { .. } | Identity::Callers => None,
        };
        Self { maps, uplink, connected: Mutex::new(None) }
    }

    /// The parent's end of the channel and the child's, if there is anything to do.
    pub(super) fn channel(&self) -> Result<Option<(UnixStream, UnixStream)>> {
        if self.maps.is_none() && self.uplink.is_none() {
            return Ok(None);
        }
        UnixStream::pair()
            .map(Some)
            .map_err(system("make a socket pair for the child's requests", "socketpair"))
    }

    pub(super) fn serve(&self, mut channel: &UnixStream, pidfd: &dyn Fn() -> i32) {
        if let Some((uid_map, gid_map)) = self.maps {
            write_maps(channel, pidfd, uid_map, gid_map);
        }
        let Some(uplink) = self.uplink else { return };
        if channel.read_exact(&mut [0]).is_err() {
            return; // it came to grief earlier
        }
        let connected = match pid_of(pidfd()) {
            Ok(pid) => uplink.connect(&pid),
            Err(error) => Err(system("look at the pidfd of the test's init", "open")(error)),
        };
        let errno = if connected.is_ok() { 0 } else { libc::ECANCELED };
        *lock(&self.connected) = Some(connected);
        // If the child is gone, nobody waits for the answer.
        let _ = channel.write_all(&errno.to_ne_bytes());
    }

    /// The uplink, once the child has exec'd.
    pub(super) fn connected(self) -> Result<Option<Connected>> {
        ignore_poison(self.connected.into_inner()).transpose()
    }
}
