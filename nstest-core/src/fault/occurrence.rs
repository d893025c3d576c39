//! Selects some of the packets that match, by their number.

use std::fmt;
use std::num::NonZeroU64;

/// Which of the matching packets a fault affects. They are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Occurrence {
    /// All of them.
    #[default]
    Every,
    /// Only the nth.
    Nth(NonZeroU64),
    /// Every nth: the nth, the 2nth, and so on.
    EveryNth(NonZeroU64),
    /// The first n.
    First(NonZeroU64),
    /// All after the first n.
    After(NonZeroU64),
}

impl Occurrence {
    /// Only the `n`th.
    ///
    /// # Panics
    /// If `n` is 0: packets are counted from 1.
    #[must_use]
    #[track_caller]
    pub const fn nth(n: u64) -> Self {
        Self::Nth(count(n))
    }

    /// Every `n`th: the `n`th, the `2n`th, and so on.
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
    /// If `n` is 0: the fault would have no effect.
    #[must_use]
    #[track_caller]
    pub const fn first(n: u64) -> Self {
        Self::First(count(n))
    }

    /// All after the first `n`.
    ///
    /// # Panics
    /// If `n` is 0: use [`Every`](Self::Every).
    #[must_use]
    #[track_caller]
    pub const fn after(n: u64) -> Self {
        Self::After(count(n))
    }

    /// Whether the `n`th matching packet is among them.
    pub(crate) fn includes(self, n: u64) -> bool {
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
