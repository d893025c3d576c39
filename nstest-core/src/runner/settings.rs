//! The environment variables that a user may set.
//!
//! A value that means nothing is an error: a misspelt timeout must not be the
//! default one.

use std::ffi::OsStr;
use std::time::Duration;

use super::Timeout;
use crate::error::{Code, Error, Result};

/// How long a test may take that says nothing else.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

const TIMEOUT: &str = "NSTEST_TIMEOUT";
const INLINE: &str = "NSTEST_INLINE";

/// Whether `NSTEST_INLINE` asks for the body in this very process.
pub(super) fn inline() -> bool {
    std::env::var_os(INLINE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The time that a test gets: what it asked for, scaled by `NSTEST_TIMEOUT`.
/// `None` is for ever.
pub(super) fn timeout(asked: Timeout) -> Result<Option<Duration>> {
    let scale = std::env::var_os(TIMEOUT);
    scaled(asked, scale.as_deref())
}

fn scaled(asked: Timeout, scale: Option<&OsStr>) -> Result<Option<Duration>> {
    let asked = match asked {
        Timeout::Default => Some(DEFAULT_TIMEOUT),
        Timeout::After(time) => Some(time),
        Timeout::Never => None,
    };
    let Some(value) = scale else { return Ok(asked) };
    if value == "none" {
        return Ok(None);
    }
    let factor = value
        .to_str()
        .map(|text| text.strip_suffix('x').unwrap_or(text))
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|factor| factor.is_finite() && *factor > 0.0)
        .ok_or_else(|| {
            Error::new(Code::Config, format!("read {TIMEOUT}={}", value.to_string_lossy()))
                .help("it multiplies every timeout: a number above 0 such as 3 or 0.5, or `none` for no timeouts")
        })?;
    Ok(asked.map(|time| {
        Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_scales_every_timeout() {
        let ten = Timeout::After(Duration::from_secs(10));
        let of = |asked, value: &str| scaled(asked, Some(value.as_ref())).unwrap();
        assert_eq!(scaled(Timeout::Default, None).unwrap(), Some(DEFAULT_TIMEOUT));
        assert_eq!(of(ten, "2"), Some(Duration::from_secs(20)));
        assert_eq!(of(ten, "0.5x"), Some(Duration::from_secs(5)));
        assert_eq!(of(ten, "1e300"), Some(Duration::MAX));
        assert_eq!(of(ten, "none"), None);
        assert_eq!(of(Timeout::Never, "2"), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for value in ["", "0", "-1", "x", "inf", "NaN", "30s"] {
            let error = scaled(Timeout::Default, Some(value.as_ref())).unwrap_err();
            assert_eq!(error.code(), Code::Config, "{value}");
        }
    }
}
