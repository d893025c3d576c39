//! Frames that a packet socket cannot pass on: what is left to do for them has no name there.

use crate::sys::packet::Offloads;

/// Whether `struct virtio_net_hdr` can describe how a frame is to be cut into segments.
/// That is so for TCP and UDP on IP and Ethernet. The kernel drops all others.
pub(super) fn can_be_described(offloads: Offloads, frame: &[u8]) -> bool {
    let Some(kind) = offloads.cut_as() else { return true };
    let tags =
        frame[12..].chunks_exact(4).take_while(|tag| matches!(tag[..2], [0x81, 0] | [0x88, 0xa8]));
    let at = 12 + 4 * tags.count();
    let byte = |offset: usize| frame.get(at + offset).copied();
    match (byte(0), byte(1)) {
        (Some(8), Some(0)) => byte(2 + 9) == Some(kind),
        // There may be an extension header between; a tunnel's header is IPv4, IPv6, GRE or
        // UDP.
        (Some(0x86), Some(0xdd)) => match byte(2 + 6) {
            Some(4 | 41 | 47 | 132) => false,
            Some(17) => kind == 17,
            _ => true,
        },
        _ => false,
    }
}
