//! Does for the child, between clone and exec, what the child may not do itself.
//!
//! The child is in a new user namespace, in which it has no rights outside. So a thread of
//! the parent writes the child's id maps and connects its uplink. The child writes a byte
//! into a socket to ask for the next of the two, and reads an `errno`, 0 for success.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use nix::libc;

use super::refusal::descriptor_error;
use super::setup::identity::Identity;
use crate::error::Result;
use crate::sync::{ignore_poison, lock};
use crate::sys::spawn::ChildPid;
use crate::uplink::{Connected, Uplink};

/// What the child will ask for, in this order.
#[derive(Debug)]
pub(super) struct ParentHelper<'a> {
    /// The user and group id map.
    maps: Option<(&'a str, &'a str)>,
    uplink: Option<&'a Uplink>,
    /// How connecting the uplink ended; the child gets only an `errno`.
    connected: Mutex<Option<Result<Connected>>>,
    /// Why an answer could not be sent. The child only sees that there is none.
    unanswered: Mutex<Option<io::Error>>,
}

impl<'a> ParentHelper<'a> {
    pub(super) fn new(identity: &'a Identity, uplink: Option<&'a Uplink>) -> Self {
        let maps = match identity {
            Identity::All { uid_map, gid_map } => Some((uid_map.as_str(), gid_map.as_str())),
            Identity::One { .. } | Identity::Callers => None,
        };
        Self { maps, uplink, connected: Mutex::new(None), unanswered: Mutex::new(None) }
    }

    /// The parent's and the child's end of the socket, if the child needs anything.
    pub(super) fn channel(&self) -> Result<Option<(UnixStream, UnixStream)>> {
        if self.maps.is_none() && self.uplink.is_none() {
            return Ok(None);
        }
        UnixStream::pair()
            .map(Some)
            .map_err(descriptor_error("make a socket pair for the child's requests", "socketpair"))
    }

    /// Serves the child's requests. A child that dies closes its end of the channel, and
    /// this returns. If this returns early, the child does not wait for answers any more.
    pub(super) fn serve(&self, channel: &UnixStream, pid: ChildPid<'_>) {
        let _open = Open(channel);
        if let Some((uid_map, gid_map)) = self.maps {
            if !requested(channel) {
                return;
            }
            let written = pid().and_then(|pid| write_maps(pid, uid_map, gid_map));
            let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EIO);
            self.answer(channel, written.map_or_else(errno, |()| 0));
        }
        let Some(uplink) = self.uplink.filter(|_| requested(channel)) else { return };
        let connected = match pid() {
            Ok(pid) => uplink.connect(&pid.to_string()),
            Err(error) => Err(descriptor_error("read the PID of the test's init", "open")(error)),
        };
        let errno = if connected.is_ok() { 0 } else { libc::ECANCELED };
        *lock(&self.connected) = Some(connected);
        self.answer(channel, errno);
    }

    fn answer(&self, mut channel: &UnixStream, errno: i32) {
        // With EPIPE the child is dead, which the parent learns from its pidfd.
        match channel.write_all(&errno.to_ne_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                *lock(&self.unanswered) = Some(error);
            }
            _ => {}
        }
    }

    /// The error if an answer could not be sent, of which the child could not know.
    pub(super) fn unanswered(&self) -> Result<()> {
        let refused = descriptor_error("answer a request of the child", "sendto");
        lock(&self.unanswered).take().map_or(Ok(()), |error| Err(refused(error)))
    }

    /// The uplink. Called once the child has exec'd or is dead.
    pub(super) fn connected(self) -> Result<Option<Connected>> {
        ignore_poison(self.connected.into_inner()).transpose()
    }
}

/// Ends both directions of the channel when it is dropped, also in a panic. The descriptor itself
/// outlives the child.
struct Open<'a>(&'a UnixStream);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // It fails if the child has closed its end.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Waits for the child's next request; false: the child is dead.
fn requested(mut channel: &UnixStream) -> bool {
    channel.read_exact(&mut [0]).is_ok()
}

fn write_maps(pid: libc::pid_t, uid_map: &str, gid_map: &str) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/uid_map"), uid_map)?;
    fs::write(format!("/proc/{pid}/gid_map"), gid_map)
}
