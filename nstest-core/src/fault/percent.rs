//! Percentages from 0 to 100.

use std::fmt;
use std::str::FromStr;

use super::decimal;
use crate::error::{Error, ErrorCode};

/// A chance in per cent, from 0 to 100, in steps of 0.0000001.
///
/// 100 % means always, and 0 % never. In text, the sign may be left out: `2.5` is `2.5%`.
///
/// ```
/// use nstest::Percent;
///
/// const LOSS: Percent = Percent::new(2.5); // in a constant, a value above 100 does not compile
/// assert_eq!(LOSS.to_string(), "2.5%");
/// assert_eq!("2.5%".parse::<Percent>()?, LOSS);
/// assert_eq!("2.5".parse::<Percent>()?, LOSS);
/// assert!(Percent::try_new(101.0).is_err());
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u32);

/// Decimal places of one per cent.
const PLACES: u32 = 7;
const ONE: u32 = 10u32.pow(PLACES);

impl Percent {
    /// Never.
    pub const ZERO: Self = Self(0);
    /// Always.
    pub const ALL: Self = Self(100 * ONE);

    /// `value` per cent.
    ///
    /// # Panics
    /// If it is not from 0 to 100, or so small that it would be rounded to 0. In a `const`,
    /// this is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn new(value: f64) -> Self {
        match Self::checked(value) {
            Some(percent) => percent,
            None => panic!(
                "a percentage is a number from 0 to 100; for computed values, call `Percent::try_new`"
            ),
        }
    }

    /// `value` per cent.
    ///
    /// # Errors
    /// `fault`, if it is not from 0 to 100, or so small that it would be rounded to 0.
    pub fn try_new(value: f64) -> Result<Self, Error> {
        Self::checked(value).ok_or_else(|| {
            Error::new(ErrorCode::Fault, format!("use `{value}` as a percentage")).help(HELP)
        })
    }

    const fn checked(value: f64) -> Option<Self> {
        if !(value >= 0.0 && value <= 100.0) {
            return None;
        }
        // It fits into the type: it is at most 100 * ONE.
        let parts = (value * ONE as f64 + 0.5) as u32;
        if parts == 0 && value > 0.0 { None } else { Some(Self(parts)) }
    }

    /// The value, from 0 to 100.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// Whether the event happens, by 64 random bits.
    pub(crate) const fn hits(self, draw: u64) -> bool {
        (draw as u128 * Self::ALL.0 as u128) >> 64 < self.0 as u128
    }

    /// Whether the outcome is random: neither never nor always.
    pub(crate) const fn is_chance(self) -> bool {
        self.0 != 0 && self.0 != Self::ALL.0
    }

    pub(super) fn read(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim_end();
        let Some(parts) = decimal::scaled(number, PLACES) else {
            return Err(format!("`{text}` is not a percentage"));
        };
        match u32::try_from(parts) {
            Ok(parts) if parts <= Self::ALL.0 => Ok(Self(parts)),
            _ => Err(format!("`{text}` is more than 100%")),
        }
    }
}

pub(super) const HELP: &str = "write a number from 0 to 100: `2.5%`";

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", decimal::text(self.0.into(), PLACES))
    }
}

impl fmt::Debug for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Percent {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text).map_err(|why| {
            Error::new(ErrorCode::Fault, format!("read the percentage `{text}`"))
                .source(why)
                .help(HELP)
        })
    }
}
