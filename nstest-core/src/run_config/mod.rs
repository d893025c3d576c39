//! What the parent of a test run_config its body to do with the network, and what
//! the body found, as values and as what travels between the two processes.
//!
//! RunConfig go with the start of the body, as text in its environment, so they
//! hold no NUL; findings come back on the pipe for records, as bytes.

mod findings;

pub use findings::{Findings, FoundPoint, PlanOutcome};

/// The seed of a test for which none was chosen.
pub(crate) const DEFAULT_SEED: u64 = 1;

/// What the body of a test is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunConfig {
    /// From which everything random in the test's network follows.
    pub seed: u64,
    /// Faults to inject, as text; the world reads it.
    pub plan: Option<String>,
    /// Whether to write down every point at which a fault could be injected.
    pub census: bool,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { seed: DEFAULT_SEED, plan: None, census: false }
    }
}

impl RunConfig {
    /// `seed:c:` or `seed:-:` and then the plan, led by its length in bytes and a
    /// colon, or `-` where there is none.
    pub(crate) fn encode(&self) -> String {
        let census = if self.census { 'c' } else { '-' };
        match &self.plan {
            Some(plan) => format!("{}:{census}:{}:{plan}", self.seed, plan.len()),
            None => format!("{}:{census}:-:", self.seed),
        }
    }

    /// The run_config with which `text` begins, and what follows them.
    pub(crate) fn decode(text: &str) -> Option<(Self, &str)> {
        let mut fields = text.splitn(4, ':');
        let seed = fields.next()?.parse().ok()?;
        let census = match fields.next()? {
            "c" => true,
            "-" => false,
            _ => return None,
        };
        let (length, rest) = (fields.next()?, fields.next()?);
        if length == "-" {
            return Some((Self { seed, plan: None, census }, rest));
        }
        let (plan, rest) = rest.split_at_checked(length.parse().ok()?)?;
        Some((Self { seed, plan: Some(plan.to_owned()), census }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_the_way_and_leave_what_follows() {
        for plan in [None, Some(""), Some("a > b: tcp data 3: reset\n")] {
            for (seed, census) in [(0, true), (u64::MAX, false)] {
                let run_config = RunConfig { seed, plan: plan.map(str::to_owned), census };
                let text = run_config.encode() + ":a::b";
                assert_eq!(RunConfig::decode(&text), Some((run_config, ":a::b")));
            }
        }
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for forged in
            ["", "1", "1:c", "1:x:-:", "-1:c:-:", "1:c:4:abc", "1:c:x:abc", "1:c:1:ä", "1:-:-"]
        {
            assert_eq!(RunConfig::decode(forged), None, "{forged}");
        }
    }
}
