//! Rates in bits per second.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::decimal;
use crate::error::{Error, ErrorCode};

/// The bandwidth of a link in bits per second. A frame counts from its Ethernet header on,
/// without checksum, preamble and gap, as in tc-tbf(8).
///
/// With a rate of 0, no packet passes.
///
/// ```
/// use nstest::Rate;
///
/// assert_eq!(Rate::mbit(10).bits_per_second(), 10_000_000);
/// assert_eq!("1.6mbit".parse::<Rate>()?, Rate::kbit(1600));
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u64);

/// The units, powers of ten as tc(8) has them, the largest first.
const UNITS: [(&str, u32); 4] = [("gbit", 9), ("mbit", 6), ("kbit", 3), ("bit", 0)];

pub(super) const HELP: &str = "write a number and a unit: `500bit`, `64kbit`, `1.6mbit`, `10gbit`";

impl Rate {
    /// No packet passes.
    pub const ZERO: Self = Self(0);

    /// Bits per second.
    #[must_use]
    pub const fn bit(value: u64) -> Self {
        Self(value)
    }

    /// Thousands of bits per second.
    ///
    /// # Panics
    /// If the number of bits per second does not fit into 64 bits.
    #[must_use]
    #[track_caller]
    pub const fn kbit(value: u64) -> Self {
        Self::of(value, 1_000)
    }

    /// Millions of bits per second.
    ///
    /// # Panics
    /// As [`kbit`](Self::kbit).
    #[must_use]
    #[track_caller]
    pub const fn mbit(value: u64) -> Self {
        Self::of(value, 1_000_000)
    }

    /// Thousands of millions of bits per second.
    ///
    /// # Panics
    /// As [`kbit`](Self::kbit).
    #[must_use]
    #[track_caller]
    pub const fn gbit(value: u64) -> Self {
        Self::of(value, 1_000_000_000)
    }

    #[track_caller]
    const fn of(value: u64, unit: u64) -> Self {
        match value.checked_mul(unit) {
            Some(bits) => Self(bits),
            None => panic!("a rate is a number of bits per second of at most 64 bits"),
        }
    }

    /// The value, in bits per second.
    #[must_use]
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// How long a number of bytes takes; `None` if they never pass.
    pub(crate) fn time_for(self, octets: usize) -> Option<Duration> {
        let nanos = (octets as u128 * 8_000_000_000).checked_div(u128::from(self.0))?;
        // More than 64 bits of nanoseconds are five centuries.
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    pub(super) fn read(text: &str) -> Result<Self, String> {
        let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = (text[..at].trim_end(), text[at..].to_ascii_lowercase());
        let Some((_, places)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{text}` is not a rate"));
        };
        let bits = decimal::scaled(number, *places).and_then(|bits| u64::try_from(bits).ok());
        bits.map(Self).ok_or_else(|| format!("`{text}` is not a whole number of bits per second"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |places: &u32| self.0 != 0 && self.0 % 10u64.pow(*places) == 0;
        let (unit, places) = UNITS.iter().find(|(_, places)| exact(places)).unwrap_or(&UNITS[3]);
        write!(f, "{}{unit}", self.0 / 10u64.pow(*places))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text).map_err(|why| {
            Error::new(ErrorCode::Fault, format!("read the rate `{text}`")).source(why).help(HELP)
        })
    }
}
