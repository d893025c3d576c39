//! Durations as people write them: `30s`, `1m 30s`, `250ms`.

use std::time::Duration;

/// The forms that a duration may have, for messages.
pub(crate) const FORMS: &str = "whole numbers with units (`ns`, `us`, `ms`, `s`, `m` or `min`, `h`), such as \"250ms\", \"30s\" or \"1m 30s\"";

/// From the largest to the smallest, the order in which a duration has them.
const UNITS: &[(&str, u64)] = &[
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a duration; the error says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut total: u64 = 0;
    let mut previous: Option<(&str, u64)> = None;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) =
            split(after.trim_start(), |c| !c.is_ascii_digit() && !c.is_whitespace());
        if number.is_empty() {
            return Err(format!("`{unit}` has no whole number before it"));
        }
        if unit.is_empty() {
            return Err(format!("`{number}` has no unit"));
        }
        if unit.starts_with('.') {
            return Err(format!("`{number}.` begins a fraction, instead of a smaller unit"));
        }
        let Some(&(_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{unit}` is not a unit"));
        };
        if let Some((before, larger)) = previous {
            if larger == scale {
                return Err(format!("`{unit}` and `{before}` are the same unit"));
            }
            if larger < scale {
                return Err(format!("`{unit}` must come before `{before}`"));
            }
        }
        previous = Some((unit, scale));
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(scale))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| "it is longer than 584 years".to_owned())?;
        rest = after.trim_start();
    }
    Ok(Duration::from_nanos(total))
}

/// The leading characters that satisfy `belongs`, and the rest.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_their_sums() {
        for (text, nanos) in [
            ("7ns", 7),
            ("7us", 7_000),
            ("250ms", 250_000_000),
            ("30s", 30_000_000_000),
            ("2m", 120_000_000_000),
            ("2min", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            (" 1m 30s ", 90_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1 s 5 ms", 1_005_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("", "it is empty"),
            ("30", "`30` has no unit"),
            ("1m 30", "`30` has no unit"),
            ("s", "`s` has no whole number before it"),
            ("-5s", "`-` has no whole number before it"),
            ("1.5s", "`1.` begins a fraction, instead of a smaller unit"),
            ("30 seconds", "`seconds` is not a unit"),
            ("30S", "`S` is not a unit"),
            ("30s 1m", "`m` must come before `s`"),
            ("1m 1min", "`min` and `m` are the same unit"),
            ("99999999999h", "it is longer than 584 years"),
            ("99999999999999999999s", "it is longer than 584 years"),
        ] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text}");
        }
    }
}
