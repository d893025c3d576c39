//! How the delay varies.

use std::fmt;
use std::time::Duration;

use super::{random, span};

/// By how much each packet's delay differs from the condition's, at random.
///
/// Packets whose delays differ overtake each other, as with netem (tc-netem(8)).
/// Where that must not be, set no jitter.
///
/// ```
/// use nstest::{Condition, Jitter};
/// use std::time::Duration;
///
/// const ROUGH: Condition = Condition::new()
///     .delay(Duration::from_millis(40))
///     .jitter(Jitter::normal(Duration::from_millis(5)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Jitter {
    pub(crate) amount: Duration,
    pub(crate) shape: Shape,
}

/// The distribution of a jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    Uniform,
    Normal,
    Pareto,
}

impl Shape {
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("uniform", Self::Uniform), ("normal", Self::Normal), ("pareto", Self::Pareto)];
}

impl Jitter {
    /// Evenly distributed, by up to `amount` in either direction.
    #[must_use]
    pub const fn uniform(amount: Duration) -> Self {
        Self { amount, shape: Shape::Uniform }
    }

    /// Normally distributed, with `deviation` as the standard deviation. A delay
    /// never gets below 0: keep it at several deviations.
    #[must_use]
    pub const fn normal(deviation: Duration) -> Self {
        Self { amount: deviation, shape: Shape::Normal }
    }

    /// Added to the delay, `mean` on average, mostly less and sometimes much more:
    /// Pareto's distribution of the second kind (Lomax) with shape 3, cut off at
    /// a hundred times the mean.
    #[must_use]
    pub const fn pareto(mean: Duration) -> Self {
        Self { amount: mean, shape: Shape::Pareto }
    }

    /// `delay`, varied by a draw.
    pub(crate) fn vary(self, delay: Duration, bits: u64) -> Duration {
        let factor = match self.shape {
            Shape::Uniform => random::symmetric(bits),
            Shape::Normal => random::normal(bits),
            Shape::Pareto => random::pareto(bits),
        };
        // Whole nanoseconds: a conversion to an integer truncates, everywhere.
        let by = (self.amount.as_nanos() as f64 * factor) as i64;
        let by_ns = Duration::from_nanos(by.unsigned_abs());
        if by < 0 { delay.saturating_sub(by_ns) } else { delay.saturating_add(by_ns) }
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&span::text(self.amount))?;
        match Shape::WORDS.iter().find(|(_, shape)| *shape == self.shape) {
            Some((word, Shape::Normal | Shape::Pareto)) => write!(f, " {word}"),
            _ => Ok(()),
        }
    }
}
