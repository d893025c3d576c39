//! `NSTEST_PAUSE`: which tests wait at their end, with their network, to be looked at.

use std::ffi::OsStr;
use std::time::Duration;

/// Which tests pause, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PausePolicy {
    /// Whether a test that passes does, too.
    pub(super) always: bool,
    /// `None` is without limit.
    pub(super) limit: Option<Duration>,
}

impl PausePolicy {
    /// What a value of the variable means. `None` if it is invalid.
    pub(super) fn parse(value: &OsStr) -> Option<Self> {
        let (policy, limit) = match value.to_str()?.split_once(':') {
            Some((policy, limit)) => (policy, Some(duration(limit)?)),
            None => (value.to_str()?, None),
        };
        let always = match policy {
            "failed" => false,
            "always" => true,
            _ => return None,
        };
        Some(Self { always, limit })
    }
}

/// A whole number above 0 with its unit.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..unit].parse::<u64>().ok().filter(|number| *number > 0)?;
    let milliseconds = match &text[unit..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_may_have_a_limit() {
        let policy = |always, limit| Some(PausePolicy { always, limit });
        let of = |text: &str| PausePolicy::parse(text.as_ref());
        assert_eq!(of("failed"), policy(false, None));
        assert_eq!(of("always"), policy(true, None));
        for (text, seconds) in [("2s", 2), ("10m", 600), ("1h", 3600), ("7000ms", 7)] {
            let limit = Some(Duration::from_secs(seconds));
            assert_eq!(of(&format!("failed:{text}")), policy(false, limit));
        }
        for wrong in
            ["", "1", "on", "failed:", "failed:10", "failed:0s", "failed:1d", "always:+1s", "never"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
