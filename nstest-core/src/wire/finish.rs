//! Checksums that the kernel has left to do, finished.

use crate::frame::checksum::Sum;
use crate::sys::packet::{OFFLOADS, Offloads};

/// Finishes the checksum of a frame that is not to be cut; or nothing, if it is, or
/// if nothing is left to do.
pub(super) fn finish(offloads: Offloads, frame: &[u8]) -> Option<Vec<u8>> {
    let Offloads(header) = offloads;
    if !offloads.pending() || offloads.cuts() {
        return None;
    }
    let field = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    let (start, offset) = (field(OFFLOADS - 4), field(OFFLOADS - 2));
    let mut frame = frame.to_vec();
    // The place of the checksum holds the sum of the pseudo-header.
    let sum = Sum::default().add(frame.get(start..)?).finish();
    // In UDP, 0 says that there is none (RFC 768); TCP may have either.
    let sum = if sum == 0 { 0xffff } else { sum };
    frame.get_mut(start + offset..start + offset + 2)?.copy_from_slice(&sum.to_be_bytes());
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_finished_over_the_sum_that_it_begins_with() {
        // RFC 1071, section 3: 0001 f203 f4f5 f6f7 sum up to ddf2.
        let frame = [9, 9, 0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7];
        let mut header = [0; OFFLOADS];
        header[0] = 1;
        header[6..8].copy_from_slice(&2_u16.to_ne_bytes());
        let finished = finish(Offloads(header), &frame).unwrap();
        assert_eq!(finished[2..4], (!0xddf2_u16).to_be_bytes());
        assert_eq!((&finished[..2], &finished[4..]), (&frame[..2], &frame[4..]));
        assert_eq!(finish(Offloads::default(), &frame), None);
        header[1] = 1;
        assert_eq!(finish(Offloads(header), &frame), None);
    }
}
