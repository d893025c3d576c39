//! Completes a checksum that the kernel has left to the device.

use crate::frame::checksum::Sum;
use crate::sys::packet::{OFFLOADS, Offloads};

/// The frame with its checksum completed. `None` if there is nothing to complete, or if
/// the frame is still to be cut into segments.
pub(super) fn complete(offloads: Offloads, frame: &[u8]) -> Option<Vec<u8>> {
    let Offloads(header) = offloads;
    if !offloads.pending() || offloads.cuts() {
        return None;
    }
    let field = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    let (start, offset) = (field(OFFLOADS - 4), field(OFFLOADS - 2));
    let mut frame = frame.to_vec();
    // The checksum field holds the sum of the pseudo-header.
    let sum = Sum::default().add(frame.get(start..)?).finish();
    // In UDP, 0 means that there is no checksum (RFC 768). TCP accepts both.
    let sum = if sum == 0 { 0xffff } else { sum };
    frame.get_mut(start + offset..start + offset + 2)?.copy_from_slice(&sum.to_be_bytes());
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_includes_the_sum_of_the_pseudo_header() {
        // RFC 1071, section 3: 0001 f203 f4f5 f6f7 add up to ddf2.
        let frame = [9, 9, 0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7];
        let mut header = [0; OFFLOADS];
        header[0] = 1;
        header[6..8].copy_from_slice(&2_u16.to_ne_bytes());
        let completed = complete(Offloads(header), &frame).unwrap();
        assert_eq!(completed[2..4], (!0xddf2_u16).to_be_bytes());
        assert_eq!((&completed[..2], &completed[4..]), (&frame[..2], &frame[4..]));
        assert_eq!(complete(Offloads::default(), &frame), None);
        header[1] = 1;
        assert_eq!(complete(Offloads(header), &frame), None);
    }
}
