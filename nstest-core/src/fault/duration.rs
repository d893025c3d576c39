//! Durations in the plan grammar: `40ms`.

use std::time::Duration;

use super::decimal;

/// Nanoseconds in a unit, the largest first.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

pub(super) const HELP: &str = "write a number and a unit: `250us`, `40ms`, `1.5s`, `2m`";

/// `40ms`, `1.5s`: a number and one unit.
pub(super) fn read(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, name) = text.split_at(at);
    let Some((_, unit)) = UNITS.iter().find(|(unit, _)| *unit == name) else {
        return Err(format!("`{text}` is not a duration"));
    };
    // Nine decimal places of the unit; parts of a nanosecond are refused.
    let scaled = decimal::scaled(number, 9).and_then(|value| value.checked_mul((*unit).into()));
    let nanos =
        scaled.filter(|value| value % 1_000_000_000 == 0).map(|value| value / 1_000_000_000);
    match nanos.map(u64::try_from) {
        Some(Ok(nanos)) => Ok(Duration::from_nanos(nanos)),
        _ => Err(format!("`{text}` is not a whole number of nanoseconds")),
    }
}

/// The text in the largest unit that gives a whole number.
pub(super) fn text(span: Duration) -> String {
    let nanos = span.as_nanos();
    let exact = |unit: u64| nanos != 0 && nanos % u128::from(unit) == 0;
    let (name, unit) = UNITS.iter().find(|(_, unit)| exact(*unit)).unwrap_or(&("s", 1_000_000_000));
    format!("{}{name}", nanos / u128::from(*unit))
}
