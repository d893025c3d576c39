//! Which of the packets that match.

use std::fmt;
use std::num::NonZeroU64;

/// Which of the matching packets a fault takes, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Occurrence {
    /// Each of them.
    #[default]
    Every,
    /// One only.
    Nth(NonZeroU64),
    /// The nth, the 2nth, the 3nth and so on.
    EveryNth(NonZeroU64),
    /// So many at the beginning.
    First(NonZeroU64),
    /// All that come after so many.
    After(NonZeroU64),
}

impl Occurrence {
    /// The `n`th only.
    ///
    /// # Panics
    /// If `n` is 0: the first is 1. So do the others here.
    #[must_use]
    #[track_caller]
    pub const fn nth(n: u64) -> Self {
        Self::Nth(count(n))
    }

    /// The `n`th, the `2n`th and so on.
    ///
    /// # Panics
    /// If `n` is 0.
    #[must_use]
    #[track_caller]
    pub const fn every_nth(n: u64) -> Self {
        Self::EveryNth(count(n))
    }

    /// The first `n`.
    ///
    /// # Panics
    /// If `n` is 0: a fault that takes nothing is none.
    #[must_use]
    #[track_caller]
    pub const fn first(n: u64) -> Self {
        Self::First(count(n))
    }

    /// All after the first `n`.
    ///
    /// # Panics
    /// If `n` is 0: that is [`Every`](Self::Every).
    #[must_use]
    #[track_caller]
    pub const fn after(n: u64) -> Self {
        Self::After(count(n))
    }

    /// Whether it takes the `n`th packet that matches.
    pub(crate) fn takes(self, n: u64) -> bool {
        match self {
            Self::Every => true,
            Self::Nth(nth) => n == nth.get(),
            Self::EveryNth(nth) => n % nth == 0,
            Self::First(first) => n <= first.get(),
            Self::After(after) => n > after.get(),
        }
    }
}

#[track_caller]
const fn count(n: u64) -> NonZeroU64 {
    match NonZeroU64::new(n) {
        Some(n) => n,
        None => panic!("packets are counted from 1"),
    }
}

impl fmt::Display for Occurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("each"),
            Self::Nth(n) => write!(f, "nth {n}"),
            Self::EveryNth(n) => write!(f, "every-nth {n}"),
            Self::First(n) => write!(f, "first {n}"),
            Self::After(n) => write!(f, "after {n}"),
        }
    }
}
