//! Makes rings in threads of their own.
//!
//! The kernel fills the memory of a ring with zeroes, and then waits until every processor has
//! passed a point without RCU readers (`packet_set_ring`, net/packet/af_packet.c): 1 to 3 ms,
//! and 8 to 20. The second wait takes 0.1 ms if any thread of the machine holds RTNL when it
//! begins (`synchronize_net`, net/core/dev.c). So the caller goes on, and may see to that.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::errno::Errno;

use crate::sys::packet::{Geometry, PacketSocket, Ring};
use crate::sys::thread::spawn;

/// A packet socket that has no ring yet.
#[derive(Debug)]
pub(crate) struct RinglessSocket {
    pub(super) socket: PacketSocket,
    pub(super) geometry: Geometry,
}

/// A ring that is being made.
#[derive(Debug)]
pub(super) struct NewRing {
    pub(super) socket: Arc<PacketSocket>,
    is_given: Arc<AtomicBool>,
    thread: JoinHandle<nix::Result<Ring>>,
}

impl RinglessSocket {
    /// Begins to make the ring. The socket captures as soon as it has it. The thread stays in
    /// the network namespace of the caller, which should be the one of its process.
    pub(super) fn make(self) -> io::Result<NewRing> {
        let Self { socket, geometry } = self;
        let (socket, is_given) = (Arc::new(socket), Arc::<AtomicBool>::default());
        let (its_socket, its_flag) = (Arc::clone(&socket), Arc::clone(&is_given));
        let thread = spawn("nstest ring", move || {
            let given = geometry.request(&its_socket);
            its_flag.store(true, Ordering::Release);
            given?;
            let ring = Ring::map(&its_socket, geometry)?;
            its_socket.bind()?;
            Ok(ring)
        })?;
        Ok(NewRing { socket, is_given, thread })
    }
}

impl NewRing {
    /// Whether the kernel has given the socket its ring, or has refused it.
    pub(super) fn is_given(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }

    /// Waits for it.
    pub(super) fn wait(self) -> nix::Result<(Arc<PacketSocket>, Ring)> {
        let ring = self.thread.join().unwrap_or(Err(Errno::UnknownErrno))?;
        Ok((self.socket, ring))
    }
}
