//! Checksum and segmentation offload of a frame.

use nix::libc;

/// The length of `struct virtio_net_hdr`, which precedes each frame.
pub(crate) const OFFLOADS: usize = 10;

/// What is left to do for a frame: its checksum, and cutting it into segments
/// (`struct virtio_net_hdr`, include/uapi/linux/virtio_net.h). All zeroes: nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Offloads(pub(crate) [u8; OFFLOADS]);

impl Offloads {
    /// Whether anything is left to do.
    pub(crate) fn pending(self) -> bool {
        const NEEDS_CSUM: u8 = 1;
        self.0[0] & NEEDS_CSUM != 0 || self.cuts()
    }

    /// The protocol (of IP) whose segments the frame is to be cut into.
    pub(crate) fn cut_as(self) -> Option<u8> {
        const ECN: u8 = 0x80;
        match self.0[1] & !ECN {
            0 => None,
            1 | 4 => Some(libc::IPPROTO_TCP as u8),
            _ => Some(libc::IPPROTO_UDP as u8),
        }
    }

    /// Whether the frame is to be cut into segments.
    pub(crate) fn cuts(self) -> bool {
        self.0[1] != 0
    }

    /// The bytes of data in each segment, if the frame is to be cut.
    pub(crate) fn segment_len(self) -> Option<u16> {
        self.cuts().then(|| u16::from_ne_bytes([self.0[4], self.0[5]]))
    }

    /// The same for a frame with this many bytes inserted behind its addresses.
    pub(crate) fn moved(mut self, bytes: u16) -> Self {
        // Header length and start of the checksum; both zero where unused.
        for at in [2, 6] {
            let value = u16::from_ne_bytes([self.0[at], self.0[at + 1]]);
            if self.pending() && value != 0 {
                self.0[at..at + 2].copy_from_slice(&(value + bytes).to_ne_bytes());
            }
        }
        self
    }
}
