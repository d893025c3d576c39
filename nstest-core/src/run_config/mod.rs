//! What the parent tells a test's body to do with its network, and what the body found.
//!
//! A [`RunConfig`] is passed to the body when it starts, as text in its environment, so it
//! contains no NUL. [`Findings`] come back as bytes, on the pipe for events.

mod findings;

pub use findings::{Findings, FoundPoint, PlanOutcome};

/// The seed of a test for which none is configured.
pub(crate) const DEFAULT_SEED: u64 = 1;

/// What the body of a test is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunConfig {
    /// Determines everything random in the test's network.
    pub seed: u64,
    /// The faults to inject, as the text of a fault plan.
    pub plan: Option<String>,
    /// Whether to record every point at which a fault could be injected.
    pub census: bool,
}

/// Reads a seed, decimal or hexadecimal.
pub(crate) fn read_seed(text: &str) -> Option<u64> {
    // The parsers accept a sign, too.
    match text.strip_prefix("0x") {
        _ if text.contains('+') => None,
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { seed: DEFAULT_SEED, plan: None, census: false }
    }
}

impl RunConfig {
    /// `seed:census:length:plan`. `census` is `c` or `-`; `length` is that of the plan in
    /// bytes, or `-` without a plan.
    pub(crate) fn encode(&self) -> String {
        let census = if self.census { 'c' } else { '-' };
        match &self.plan {
            Some(plan) => format!("{}:{census}:{}:{plan}", self.seed, plan.len()),
            None => format!("{}:{census}:-:", self.seed),
        }
    }

    /// The `RunConfig` at the beginning of `text`, and the rest of the text.
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
    fn a_run_config_is_decoded_as_it_was_encoded() {
        for plan in [None, Some(""), Some("a > b: tcp data 3: reset\n")] {
            for (seed, census) in [(0, true), (u64::MAX, false)] {
                let run_config = RunConfig { seed, plan: plan.map(str::to_owned), census };
                let text = run_config.encode() + ":a::b";
                assert_eq!(RunConfig::decode(&text), Some((run_config, ":a::b")));
            }
        }
    }

    #[test]
    fn a_malformed_run_config_is_refused() {
        for forged in
            ["", "1", "1:c", "1:x:-:", "-1:c:-:", "1:c:4:abc", "1:c:x:abc", "1:c:1:ä", "1:-:-"]
        {
            assert_eq!(RunConfig::decode(forged), None, "{forged}");
        }
    }
}
