//! Reads single frames from a packet socket without a ring.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, UnknownCmsg, recvmsg};
use nix::sys::time::TimeSpec;

use super::block_ring::Captured;
use super::socket::PacketSocket;

impl PacketSocket {
    /// Has each frame come with its time, its length and its VLAN tag, for
    /// [`receive`](Self::receive). Asks for a receive buffer as large as the kernel grants
    /// (rmem_max).
    ///
    /// Frames get their time when they arrive as soon as any socket of the machine has asked
    /// for that, some 0.1 ms after the first one (`net_enable_timestamp`, net/core/dev.c), and
    /// until then when they are read.
    pub(crate) fn annotate(&self) -> nix::Result<()> {
        self.set(libc::PACKET_AUXDATA, &1_i32)?;
        self.option(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)?;
        self.option(libc::SOL_SOCKET, libc::SO_RCVBUF, &(1_i32 << 23))
    }

    /// The oldest frame that was not read. `None` if there is none.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<Captured<'a>> {
        let mut space = nix::cmsg_space!(libc::timespec, [u8; AUXILIARY]);
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.as_fd().as_raw_fd();
        let message =
            recvmsg::<LinkAddr>(fd, &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT).ok()?;
        let address = message.address?;
        let (mut time, mut length, mut tag) = (Duration::ZERO, message.bytes, None);
        for control in message.cmsgs().ok()? {
            match control {
                ControlMessageOwned::ScmTimestampns(at) => time = since_epoch(at),
                ControlMessageOwned::Unknown(UnknownCmsg { data_bytes, .. }) => {
                    (length, tag) = auxiliary(&data_bytes).unwrap_or((length, tag));
                }
                _ => {}
            }
        }
        let read = message.bytes;
        Some(Captured {
            device: u32::try_from(address.ifindex()).unwrap_or_default(),
            sent: address.pkttype() == libc::PACKET_OUTGOING,
            time,
            length,
            tag,
            frame: &buffer[..read],
        })
    }
}

/// The size of `struct tpacket_auxdata` (linux/if_packet.h).
const AUXILIARY: usize = 20;

/// The length of the frame before it was cut off, and its VLAN tag.
fn auxiliary(bytes: &[u8]) -> Option<(usize, Option<(u16, u16)>)> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let short = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let tagged = word(0)? & libc::TP_STATUS_VLAN_VALID != 0;
    let tag = (short(18)?, short(16)?);
    Some((word(4)? as usize, tagged.then_some(tag)))
}

fn since_epoch(time: TimeSpec) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec()).unwrap_or_default())
}
