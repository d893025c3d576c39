//! The rounds of benchmarks: how many, in which order, and quantiles of their times.

use std::str::FromStr;

/// Whether this is a benchmark. Under `cargo test --benches` it only has to work.
#[must_use]
pub fn is_benchmark() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// How many rounds: `--rounds N`, or else so many of a benchmark, or so many of a test of it.
///
/// # Panics
/// If N is no number.
#[must_use]
pub fn rounds(of_benchmark: usize, of_test: usize) -> usize {
    option("--rounds").unwrap_or(if is_benchmark() { of_benchmark } else { of_test })
}

/// The argument after this one.
///
/// # Panics
/// If there is none, or if it is not of that kind.
#[must_use]
pub fn option<T: FromStr>(name: &str) -> Option<T> {
    let mut rest = std::env::args().skip_while(|argument| argument != name);
    rest.next()?;
    let value = rest.next().unwrap_or_else(|| panic!("{name} has a value"));
    Some(value.parse().unwrap_or_else(|_| panic!("{name} {value}: not of that kind")))
}

/// The indices below a number, in a new order each time. Every run has the same orders.
#[derive(Debug)]
pub struct Shuffled {
    order: Vec<usize>,
    state: u64,
}

impl Shuffled {
    /// The indices from 0 to `count` - 1.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { order: (0..count).collect(), state: 1 }
    }

    /// The next order, by the Fisher–Yates shuffle and Knuth's MMIX generator.
    #[expect(
        clippy::should_implement_trait,
        reason = "it returns a borrow, which an iterator cannot"
    )]
    pub fn next(&mut self) -> &[usize] {
        for last in (1..self.order.len()).rev() {
            self.state = self
                .state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.order.swap(last, (self.state >> 33) as usize % (last + 1));
        }
        &self.order
    }
}

/// A quantile of the times. 0.5 is the median.
///
/// # Panics
/// If there are no times.
#[must_use]
pub fn quantile_of(times: &[f64], quantile: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * quantile).round() as usize]
}
