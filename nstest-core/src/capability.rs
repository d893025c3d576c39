//! The capabilities of this process, as bits: capabilities(7).
//!
//! A capability is valid for what belongs to the user namespace of the process. Root of a
//! container has it for what was made in the container, not for the machine.

use crate::sys::capset;

pub(crate) const SETGID: u64 = 1 << 6;
pub(crate) const SETUID: u64 = 1 << 7;
pub(crate) const NET_ADMIN: u64 = 1 << 12;
pub(crate) const NET_RAW: u64 = 1 << 13;
pub(crate) const SYS_ADMIN: u64 = 1 << 21;
pub(crate) const SETFCAP: u64 = 1 << 31;

/// Whether all of these capabilities are in the effective set of the calling thread.
pub(crate) fn has(bits: u64) -> bool {
    capset::effective().is_ok_and(|effective| effective & bits == bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_that_of_the_status() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let shown = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
        let shown = u64::from_str_radix(shown.trim(), 16).unwrap();
        assert_eq!(capset::effective(), Ok(shown));
        assert!(has(shown));
        assert!((0..64).filter(|bit| shown >> bit & 1 == 0).all(|bit| !has(1 << bit)));
    }
}
