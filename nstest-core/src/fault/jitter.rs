//! Jitter: the random part of a delay.

use std::fmt;
use std::time::Duration;

use super::{duration, random};

/// The random difference of each packet's delay from that of the condition.
///
/// Packets with different delays can overtake each other, as with netem (tc-netem(8)). If
/// the order must be kept, set no jitter.
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
    pub(crate) distribution: Distribution,
}

/// The distribution of a jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Distribution {
    Uniform,
    Normal,
    Pareto,
}

impl Distribution {
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("uniform", Self::Uniform), ("normal", Self::Normal), ("pareto", Self::Pareto)];
}

impl Jitter {
    /// Uniformly distributed, from `-amount` to `amount`.
    #[must_use]
    pub const fn uniform(amount: Duration) -> Self {
        Self { amount, distribution: Distribution::Uniform }
    }

    /// Normally distributed, with `deviation` as the standard deviation. A delay that would
    /// be negative is 0, so choose a delay of several deviations.
    #[must_use]
    pub const fn normal(deviation: Duration) -> Self {
        Self { amount: deviation, distribution: Distribution::Normal }
    }

    /// Added to the delay: `mean` on average, usually less, rarely much more. It is the
    /// Pareto distribution of the second kind (Lomax) with shape 3, limited to a hundred
    /// times the mean.
    #[must_use]
    pub const fn pareto(mean: Duration) -> Self {
        Self { amount: mean, distribution: Distribution::Pareto }
    }

    /// The delay of a packet, by a random number.
    pub(crate) fn vary(self, delay: Duration, bits: u64) -> Duration {
        let factor = match self.distribution {
            Distribution::Uniform => random::symmetric(bits),
            Distribution::Normal => random::normal(bits),
            Distribution::Pareto => random::pareto(bits),
        };
        // The conversion truncates to whole nanoseconds on every platform.
        let by = (self.amount.as_nanos() as f64 * factor) as i64;
        let by_ns = Duration::from_nanos(by.unsigned_abs());
        if by < 0 { delay.saturating_sub(by_ns) } else { delay.saturating_add(by_ns) }
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::text(self.amount))?;
        match Distribution::WORDS
            .iter()
            .find(|(_, distribution)| *distribution == self.distribution)
        {
            Some((word, Distribution::Normal | Distribution::Pareto)) => write!(f, " {word}"),
            _ => Ok(()),
        }
    }
}
