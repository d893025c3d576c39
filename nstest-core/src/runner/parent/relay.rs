//! Copies the bytes of one TCP connection to another, in both directions.
//!
//! The end of a direction is passed on as such, since protocols wait for it; a reset ends both.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

/// The bytes of a direction that are on their way.
const BUFFER: usize = 64 << 10;

/// Returns when both directions have ended, or one of the connections was reset; then both are.
/// `sent` is dropped when all that the first one sends has arrived at the second one.
pub(super) fn relay<G>(first: TcpStream, second: TcpStream, sent: G) {
    let (ends, mut sent) = ([first, second], Some(sent));
    if copy(&ends, || drop(sent.take())).is_err() {
        ends.iter().for_each(|end| reset_when_closed(end, true));
    }
}

/// Whether this connection is reset when it is closed.
pub(super) fn reset_when_closed(stream: &TcpStream, reset: bool) {
    let linger = libc::linger { l_onoff: reset.into(), l_linger: 0 };
    // It fails only for what is no socket.
    let _ = setsockopt(stream, sockopt::Linger, &linger);
}

/// One direction.
struct RelayDirection {
    from: usize,
    to: usize,
    buffer: Vec<u8>,
    /// What of the buffer is to be written.
    start: usize,
    end: usize,
    has_ended: bool,
}

impl RelayDirection {
    fn of(from: usize, to: usize) -> Self {
        Self { from, to, buffer: vec![0; BUFFER], start: 0, end: 0, has_ended: false }
    }

    fn is_full(&self) -> bool {
        self.start < self.end
    }

    /// What it waits for at one end.
    fn waits_for(&self, end: usize) -> PollFlags {
        if self.is_full() && end == self.to {
            PollFlags::POLLOUT
        } else if !self.is_full() && !self.has_ended && end == self.from {
            PollFlags::POLLIN
        } else {
            PollFlags::empty()
        }
    }

    /// Copies what is there.
    fn advance(&mut self, ends: &[TcpStream; 2]) -> io::Result<()> {
        let (mut from, mut to) = (&ends[self.from], &ends[self.to]);
        if !self.is_full() && !self.has_ended {
            match ready(from.read(&mut self.buffer))? {
                Some(0) => {
                    self.has_ended = true;
                    to.shutdown(Shutdown::Write)?;
                }
                read => (self.start, self.end) = (0, read.unwrap_or(0)),
            }
        }
        if self.is_full() {
            let written = ready(to.write(&self.buffer[self.start..self.end]))?;
            self.start += written.unwrap_or(0);
        }
        Ok(())
    }
}

/// `None` if it has to wait.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        result => result.map(Some),
    }
}

/// `first_ended` may be called several times.
fn copy(ends: &[TcpStream; 2], mut first_ended: impl FnMut()) -> io::Result<()> {
    for end in ends {
        end.set_nonblocking(true)?;
        end.set_nodelay(true)?;
    }
    let mut directions = [RelayDirection::of(0, 1), RelayDirection::of(1, 0)];
    loop {
        for direction in &mut directions {
            direction.advance(ends)?;
        }
        if directions[0].has_ended {
            first_ended();
        }
        if directions.iter().all(|direction| direction.has_ended) {
            return Ok(());
        }
        let flags = [0, 1].map(|end| directions[0].waits_for(end) | directions[1].waits_for(end));
        // An end that is not to be read now is not watched: what it has waits, and a reset, too.
        let is_read_up = |end: usize| directions[end].has_ended;
        let watched: Vec<usize> =
            (0..2).filter(|end| !flags[*end].is_empty() || is_read_up(*end)).collect();
        let mut fds: Vec<PollFd<'_>> =
            watched.iter().map(|end| PollFd::new(ends[*end].as_fd(), flags[*end])).collect();
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            continue; // interrupted by a signal
        }
        let broken = PollFlags::POLLERR | PollFlags::POLLHUP;
        for (end, fd) in watched.iter().zip(&fds) {
            let events = fd.revents().unwrap_or(PollFlags::empty());
            if is_read_up(*end) && events.intersects(broken) {
                return Err(ErrorKind::ConnectionReset.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Both outer ends of two connections that a thread relays.
    fn relayed() -> (TcpStream, TcpStream, thread::JoinHandle<()>) {
        let pair = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        };
        let ((near, first), (far, second)) = (pair(), pair());
        (near, far, thread::spawn(move || relay(first, second, ())))
    }

    #[test]
    fn each_direction_is_copied_and_ends_by_itself() {
        let (mut near, mut far, thread) = relayed();
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                (&near).write_all(&sent).unwrap();
                near.shutdown(Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            (&far).read_to_end(&mut received).unwrap();
            assert!(received == sent);
        });
        far.write_all(b"answer").unwrap();
        drop(far);
        let mut answer = String::new();
        near.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        thread.join().unwrap();
    }

    #[test]
    fn a_reset_is_passed_on() {
        for half_closed in [false, true] {
            let (near, mut far, thread) = relayed();
            if half_closed {
                far.shutdown(Shutdown::Write).unwrap();
                assert_eq!((&near).read(&mut [0]).unwrap(), 0);
            }
            reset_when_closed(&near, true);
            drop(near);
            let error = far.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{half_closed}");
            thread.join().unwrap();
        }
    }
}
