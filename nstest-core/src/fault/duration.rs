//! Durations in the plan grammar: `40ms`.

use std::time::Duration;

use super::decimal;

/// Nanoseconds in a unit, the largest first. The attribute of a test has the same units.
const UNITS: [(&str, u64); 7] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

pub(super) const HELP: &str = "write a number and a unit: `250us`, `40ms`, `1.5s`, `1m30s`";

/// `40ms`, `1.5s`, `1m30s`: numbers with units, the largest unit first.
pub(crate) fn read(text: &str) -> Result<Duration, String> {
    let (mut rest, mut larger, mut sum) = (text, u64::MAX, 0_u128);
    loop {
        let (number, after) = split(rest, |c| !c.is_ascii_alphabetic());
        let (name, after) = split(after, |c| c.is_ascii_alphabetic());
        let unit = UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, nanos)| *nanos);
        let Some(unit) = unit.filter(|unit| *unit < larger && is_decimal(number)) else {
            return Err(format!("`{text}` is not a duration"));
        };
        let part = nanos(number, unit)
            .ok_or_else(|| format!("`{text}` is not a whole number of nanoseconds"))?;
        sum = sum.saturating_add(part);
        if after.is_empty() {
            break;
        }
        (rest, larger) = (after, unit);
    }
    let nanos = u64::try_from(sum).map_err(|_| format!("`{text}` is longer than 584 years"))?;
    Ok(Duration::from_nanos(nanos))
}

/// The leading characters that satisfy `belongs`, and the rest.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// Whether it has digits, and digits on both sides of a point, if it has one.
fn is_decimal(number: &str) -> bool {
    let mut parts = number.splitn(2, '.');
    parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// A decimal number of units in nanoseconds; `None` if that is not a whole number. It saturates.
fn nanos(number: &str, unit: u64) -> Option<u128> {
    const PLACES: u32 = 9; // decimal places of the unit
    let fraction = number.split_once('.').map_or("", |(_, fraction)| fraction);
    if fraction.trim_end_matches('0').len() > PLACES as usize {
        return None;
    }
    let scaled = decimal::scaled(number, PLACES).and_then(|it| it.checked_mul(unit.into()));
    match scaled {
        None => Some(u128::MAX), // it has too many digits
        Some(scaled) => (scaled % 1_000_000_000 == 0).then_some(scaled / 1_000_000_000),
    }
}

/// The text in the largest unit that gives a whole number.
pub(super) fn text(span: Duration) -> String {
    let nanos = span.as_nanos();
    let exact = |unit: u64| nanos != 0 && nanos % u128::from(unit) == 0;
    let (name, unit) = UNITS.iter().find(|(_, unit)| exact(*unit)).unwrap_or(&("s", 1_000_000_000));
    format!("{}{name}", nanos / u128::from(*unit))
}
