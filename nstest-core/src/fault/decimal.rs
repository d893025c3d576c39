//! Reads and prints decimal numbers without rounding.

/// `text` times 10^`places`, if that is a whole number.
pub(super) fn scaled(text: &str, places: u32) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    if text.contains('.') && fraction.is_empty() {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = places.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let below = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let below = below.checked_mul(10u128.checked_pow(missing)?)?;
    whole.parse::<u128>().ok()?.checked_mul(10u128.checked_pow(places)?)?.checked_add(below)
}

/// `value` divided by 10^`places`.
pub(super) fn text(value: u64, places: u32) -> String {
    let unit = 10u64.pow(places);
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let fraction = format!("{rest:0width$}", width = places as usize);
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}
