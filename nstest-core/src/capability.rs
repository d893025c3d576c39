//! The capabilities of this process, as bits: capabilities(7).
//!
//! A capability is valid for what belongs to the user namespace of the process. Root of a
//! container has it for what was made in the container, not for the machine.

use std::fs;

pub(crate) const SETUID: u64 = 1 << 7;
pub(crate) const NET_ADMIN: u64 = 1 << 12;
pub(crate) const NET_RAW: u64 = 1 << 13;
pub(crate) const SYS_ADMIN: u64 = 1 << 21;
pub(crate) const SETFCAP: u64 = 1 << 31;

/// Whether all of these capabilities are in the effective set of the calling thread.
pub(crate) fn has(bits: u64) -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    effective(&status).is_some_and(|effective| effective & bits == bits)
}

fn effective(status: &str) -> Option<u64> {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(bits.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_read() {
        let status = "CapPrm:\t000001ffffffffff\nCapEff:\t0000000000201000\n";
        assert_eq!(effective(status), Some(NET_ADMIN | SYS_ADMIN));
        assert_eq!(effective("Name:\tx\n"), None);
    }
}
