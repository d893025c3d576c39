//! Durations as people write them: `30s`, `1m 30s`, `1.5s`, `250ms`. Plans have the same units.

use std::time::Duration;

/// The forms that a duration may have, for messages.
pub(crate) const FORMS: &str = "numbers with units (`ns`, `us`, `ms`, `s`, `m` or `min`, `h`), such as \"250ms\", \"1.5s\" or \"1m 30s\"";

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
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) =
            split(after.trim_start(), |c| !c.is_ascii_digit() && !c.is_whitespace());
        if number.is_empty() {
            return Err(format!("`{unit}` has no number before it"));
        }
        if unit.is_empty() {
            return Err(format!("`{number}` has no unit"));
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
        total = total.checked_add(nanos(number, scale)?).ok_or(TOO_LONG)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_nanos(total))
}

const TOO_LONG: &str = "it is longer than 584 years";

/// A number of units in nanoseconds.
fn nanos(number: &str, scale: u64) -> Result<u64, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(format!("`{number}` is not a number"));
    }
    let mut nanos: u64 =
        whole.parse().ok().and_then(|whole: u64| whole.checked_mul(scale)).ok_or(TOO_LONG)?;
    let mut place = scale;
    for digit in fraction.trim_end_matches('0').bytes() {
        if place % 10 != 0 {
            return Err(format!("`{number}` of this unit is not a whole number of nanoseconds"));
        }
        place /= 10;
        nanos = nanos.checked_add(u64::from(digit - b'0') * place).ok_or(TOO_LONG)?;
    }
    Ok(nanos)
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
            ("1.5s", 1_500_000_000),
            ("0.25 ms", 250_000),
            ("1m 0.5s", 60_500_000_000),
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
            ("s", "`s` has no number before it"),
            ("-5s", "`-` has no number before it"),
            ("1.5.s", "`1.5.` is not a number"),
            (".5s", "`.5` is not a number"),
            ("1.5ns", "`1.5` of this unit is not a whole number of nanoseconds"),
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
