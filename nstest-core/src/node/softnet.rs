//! Packets that the kernel has queued and not delivered yet.
//!
//! What is sent on a veth waits in a queue of the processor (`softnet_data`,
//! net/core/dev.c). Usually the sender empties it before its system call returns. When other
//! threads wait for the processor, the kernel leaves that to its thread `ksoftirqd`, which
//! belongs to no process of the test. `/proc/net/softnet_stat` has a line for each processor,
//! with the numbers of packets that were delivered and that wait.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How many queues a packet passes on its way, at most: one on each link, and those of
/// routers and switches between the links.
const HOPS: usize = 16;

/// Waits until the packets that wait on any processor are delivered, or have passed
/// [`HOPS`] queues. Calls `pause` while there is nothing to do but to wait.
///
/// The queues are first in, first out. So packets of other tests, which are in the same
/// queues, do not prolong this. Before Linux 5.10 the kernel does not say what waits, and this
/// returns at once.
pub(crate) fn flush(mut pause: impl FnMut()) {
    // A packet that is between two queues is in neither. It is in the next one, or
    // delivered, before the next look.
    let Ok(file) = File::open("/proc/net/softnet_stat") else { return };
    let queues = || read(&file).unwrap_or_default();
    let mut empty = 0;
    for _ in 0..HOPS {
        let before = queues();
        empty = if before.iter().all(|queue| queue.waiting == 0) { empty + 1 } else { 0 };
        if empty == 2 {
            return;
        }
        while !queues().iter().zip(&before).all(|(now, before)| now.has_delivered(before)) {
            pause();
        }
    }
}

/// The queue of one processor.
#[derive(Debug, PartialEq, Eq)]
struct Queue {
    /// How many packets have been delivered, modulo 2^32.
    delivered: u32,
    waiting: u32,
}

impl Queue {
    /// Whether all that waited `before` has been delivered.
    fn has_delivered(&self, before: &Self) -> bool {
        self.waiting == 0 || self.delivered.wrapping_sub(before.delivered) >= before.waiting
    }
}

/// The queues now.
fn read(file: &File) -> io::Result<Vec<Queue>> {
    let (mut text, mut length) = (vec![0; 4096], 0);
    loop {
        match file.read_at(&mut text[length..], length as u64)? {
            0 => break,
            more => length += more,
        }
        if length == text.len() {
            text.resize(2 * length, 0);
        }
    }
    text.truncate(length);
    Ok(String::from_utf8_lossy(&text).lines().filter_map(queue).collect())
}

/// Columns 1 and 12 (`softnet_seq_show`, net/core/net-procfs.c), in hexadecimal.
fn queue(line: &str) -> Option<Queue> {
    let mut columns = line.split(' ').map(|column| u32::from_str_radix(column, 16));
    let delivered = columns.next()?.ok()?;
    let waiting = columns.nth(10)?.ok()?;
    Some(Queue { delivered, waiting })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_softnet_stat_is_read() {
        let line = "fffffffe 00000000 00000002 00000000 00000000 00000000 00000000 00000000 \
                    00000000 00000000 00000000 00000003 00000001 00000000 00000003";
        let before = queue(line).unwrap();
        assert_eq!(before, Queue { delivered: u32::MAX - 1, waiting: 3 });
        assert!(!Queue { delivered: 0, waiting: 9 }.has_delivered(&before));
        assert!(Queue { delivered: 1, waiting: 9 }.has_delivered(&before));
        assert!(Queue { delivered: u32::MAX, waiting: 0 }.has_delivered(&before));
        assert_eq!(queue("00000001 00000000 00000000"), None);
    }
}
