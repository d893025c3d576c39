//! Shuffles the rounds of benchmarks, and computes quantiles.

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
