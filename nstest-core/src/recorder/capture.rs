//! The body's side: packet sockets in the fabric, which see what all nodes send and receive.
//!
//! A node's frames come in at its link end, and those for it go out there. Packet sockets see
//! what comes in before the filters of the wire do, and what goes out after them
//! (`__netif_receive_skb_core` and `dev_hard_start_xmit`, net/core/dev.c). So a frame is
//! recorded as the node has sent it, and as the other node gets it.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::libc::{self, sock_filter};

use super::channel::{self, Content};
use crate::sys::packet::{Blocks, PacketSocket};

/// 2 MiB: some 1,300 full frames, or ten times as many that are short.
pub(super) const RING: Blocks =
    Blocks { size: 128 << 10, count: 16, retire: Duration::from_millis(100) };

/// A frame up to this length is kept whole.
pub(super) const WHOLE: u32 = 2048;

/// The bytes that are kept of a longer one: its headers.
const HEADERS: u32 = 192;

/// Records in the calling thread's network namespace, if the parent wants that: every frame
/// after this call. `first_hidden`: the index of the first device of which nothing is
/// recorded.
///
/// There are two sockets. The first one captures at once. The other one is to get a ring,
/// for which the kernel waits 12 ms or more, so the parent does that for tests with traffic.
pub(crate) fn start(first_hidden: u32) -> nix::Result<()> {
    capture(&mut program(first_hidden), Content::Packets)
}

/// Records `lo` in the calling thread's network namespace, which is that of the test's own node.
pub(super) fn start_loopback() -> nix::Result<()> {
    capture(&mut loopback_program(), Content::Loopback)
}

fn capture(program: &mut [sock_filter], content: Content) -> nix::Result<()> {
    let Some(sender) = channel::sender() else { return Ok(()) };
    let (early, other) = (PacketSocket::open()?, PacketSocket::open()?);
    for socket in [&early, &other] {
        socket.attach(program)?;
    }
    early.annotate()?;
    early.bind()?;
    sender.send(content, &[early.as_fd(), other.as_fd()])
}

fn code(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(how: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { jt, jf, ..code(libc::BPF_JMP | how | libc::BPF_K, k) }
}

/// Loads what the kernel knows about a packet beside its bytes.
fn load(what: libc::c_int) -> sock_filter {
    code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (libc::SKF_AD_OFF + what) as u32)
}

/// Accepts short frames whole, and the headers of others.
fn accept() -> [sock_filter; 5] {
    [
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_LEN, 0),
        jump(libc::BPF_JGT, WHOLE, 1, 0),
        code(libc::BPF_RET | libc::BPF_K, WHOLE),
        code(libc::BPF_RET | libc::BPF_K, HEADERS),
        code(libc::BPF_RET | libc::BPF_K, 0),
    ]
}

/// A filter for `lo`, the first device of each namespace. Each frame passes it twice: it is
/// sent, and it comes in.
fn loopback_program() -> Vec<sock_filter> {
    const LO: u32 = 1;
    [&[load(libc::SKF_AD_IFINDEX), jump(libc::BPF_JEQ, LO, 0, 4)][..], &accept()].concat()
}

/// A filter for what comes in at link ends from their nodes, and for what goes out there. What
/// the wire has sent comes in once more, with a mark.
fn program(first_hidden: u32) -> Vec<sock_filter> {
    let chosen = [
        load(libc::SKF_AD_IFINDEX),
        jump(libc::BPF_JGE, first_hidden, 8, 0),
        load(libc::SKF_AD_PKTTYPE),
        jump(libc::BPF_JEQ, libc::PACKET_OUTGOING.into(), 2, 0),
        load(libc::SKF_AD_MARK),
        jump(libc::BPF_JEQ, 0, 0, 4),
    ];
    [&chosen[..], &accept()].concat()
}
