//! Ports of the host that a program can connect to: `nstest run --host-port N`.
//!
//! The body listens at the port in its own network, and hands the socket to this process, which is
//! in the network of the host. A thread accepts, connects to the same port of the host, and each
//! connection has a thread that copies.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::MsgFlags;

use super::refusal::descriptor_error;
use super::relay::{relay, reset_when_closed};
use crate::error::Result;
use crate::preflight;
use crate::sync::lock;
use crate::sys::{descriptors, thread};

/// How long a program that has ended keeps its connections, for what it has sent.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait, where there is no descriptor for a connection, until one ends.
const NO_DESCRIPTOR: Duration = Duration::from_millis(100);

/// The ports, as long as the program runs.
#[derive(Debug)]
pub(crate) struct HostPorts {
    thread: JoinHandle<()>,
    /// Closed when the program has ended.
    end: UnixStream,
    sending: Arc<Sending>,
}

/// How many connections have not sent everything that the program wrote.
#[derive(Debug, Default)]
struct Sending {
    count: Mutex<usize>,
    changed: Condvar,
}

/// Counts as one connection.
struct Counted(Arc<Sending>);

impl HostPorts {
    /// Serves the listeners that arrive through this socket.
    ///
    /// # Errors
    /// If there is no thread or no descriptor.
    pub(crate) fn serve(listeners: OwnedFd) -> Result<Self> {
        const WHAT: &str = "let the ports of the host in";
        let (end, ended) = UnixStream::pair().map_err(descriptor_error(WHAT, "socketpair"))?;
        let sending = Arc::new(Sending::default());
        let counted = Arc::clone(&sending);
        let thread = thread::spawn("host-ports", move || accept_all(&listeners, &ended, &counted))
            .map_err(|error| preflight::no_thread(WHAT, &error))?;
        Ok(Self { thread, end, sending })
    }

    /// Called when the program is dead. What it has sent goes to the host.
    pub(crate) fn finish(self) {
        drop(self.end);
        if self.thread.join().is_err() {
            return; // the panic was printed
        }
        let count = lock(&self.sending.count);
        drop(self.sending.changed.wait_timeout_while(count, GRACE, |count| *count > 0));
    }
}

impl Sending {
    fn begin(self: &Arc<Self>) -> Counted {
        *lock(&self.count) += 1;
        Counted(Arc::clone(self))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *lock(&self.0.count) -= 1;
        self.0.changed.notify_all();
    }
}

/// Accepts until the program has ended, and then what has come until then.
fn accept_all(listeners: &OwnedFd, ended: &UnixStream, sending: &Arc<Sending>) {
    let mut accepting = Vec::new();
    // The last message has none.
    let next = || descriptors::receive(listeners.as_fd(), MsgFlags::empty());
    while let Some((_, fds)) = next().ok().flatten().filter(|(_, fds)| !fds.is_empty()) {
        accepting.extend(fds.into_iter().map(TcpListener::from));
    }
    accepting.retain(|listener| listener.set_nonblocking(true).is_ok());
    let mut is_over = false;
    while !is_over {
        let watched = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![watched(ended.as_fd())];
        fds.extend(accepting.iter().map(|listener| watched(listener.as_fd())));
        if poll(&mut fds, PollTimeout::NONE).is_err() {
            continue; // interrupted by a signal
        }
        is_over = fds[0].any() == Some(true);
        for listener in &accepting {
            accept_waiting(listener, sending);
        }
    }
}

fn accept_waiting(listener: &TcpListener, sending: &Arc<Sending>) {
    loop {
        match listener.accept() {
            Ok((near, _)) => connect(near, sending),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return,
                ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                _ => {
                    let count = lock(&sending.count);
                    drop(sending.changed.wait_timeout(count, NO_DESCRIPTOR));
                    return;
                }
            },
        }
    }
}

/// Connects to the host in a thread, and copies. If it refuses, the program sees a reset.
fn connect(near: TcpStream, sending: &Arc<Sending>) {
    // Until there is a connection to the host.
    reset_when_closed(&near, true);
    let counted = sending.begin();
    let Ok(at) = near.local_addr() else { return };
    // Without a thread, the connection is reset.
    let _ = thread::spawn("host-port", move || {
        if let Ok(far) = connect_to_host(at) {
            reset_when_closed(&near, false);
            relay(near, far, counted);
        }
    });
}

/// Connects to the same address, or to the same port of the other loopback address.
fn connect_to_host(at: SocketAddr) -> io::Result<TcpStream> {
    let other = match at.ip() {
        IpAddr::V4(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let other = SocketAddr::new(other, at.port());
    TcpStream::connect(at).or_else(|error| TcpStream::connect(other).map_err(|_| error))
}
