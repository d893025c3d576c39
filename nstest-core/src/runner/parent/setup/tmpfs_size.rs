//! The size of the tmpfs on a test's `/run`, to which its `TMPDIR` belongs.

use std::ffi::OsStr;

use crate::error::{Error, ErrorCode, Result};

pub(in super::super) const VARIABLE: &str = "NSTEST_TMPFS_SIZE";

/// The kernel's default, half of the memory, is more than a memory cgroup may have. It would
/// kill the runner, which is in the same cgroup, and the results of all tests would be lost.
const DEFAULT: &str = "256m";

/// Reads the value of [`VARIABLE`] as tmpfs(5) does: a number, with `k`, `m` or `g` for larger
/// units, or with `%` for a part of the memory.
///
/// # Errors
/// For all other values. The kernel would take 0 for "without limit".
pub(in super::super) fn parse(value: Option<&OsStr>) -> Result<String> {
    let Some(value) = value else { return Ok(DEFAULT.to_owned()) };
    let text = value.to_str().unwrap_or_default();
    let number = text.strip_suffix(['k', 'm', 'g', 'K', 'M', 'G', '%']).unwrap_or(text);
    match number.parse::<u64>() {
        Ok(1..) if number.bytes().all(|b| b.is_ascii_digit()) => Ok(text.to_owned()),
        _ => Err(Error::new(
            ErrorCode::Config,
            format!("read the environment variable {VARIABLE}={value:?}"),
        )
        .help("set it to a size such as `256m` (the default), `2g` or `50%`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_tmpfs() {
        assert_eq!(parse(None).unwrap(), "256m");
        for size in ["1", "4096", "64k", "300m", "2G", "50%"] {
            assert_eq!(parse(Some(size.as_ref())).unwrap(), size);
        }
        for wrong in ["", "0", "0%", "m", "-1", "+1m", "1t", "1mm", "1m,mode=777", "half"] {
            assert_eq!(parse(Some(wrong.as_ref())).unwrap_err().code(), ErrorCode::Config);
        }
    }
}
