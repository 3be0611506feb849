//! Times, durations, sizes and bytes as people read and write them.

use std::fmt;

const NANOSECONDS: [(&str, u64); 5] =
    [("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

/// A point in time since the recording began, in nanoseconds: `1.204512s`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0 / 1000;
        write!(f, "{}.{:06}s", microseconds / 1_000_000, microseconds % 1_000_000)
    }
}

/// A duration in nanoseconds, in three digits or a few more: `12.3µs`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Duration(pub(super) u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In hundredths of the unit.
        let (unit, amount) = match self.0 {
            0..1_000 => return f.pad(&format!("{}ns", self.0)),
            1_000..1_000_000 => ("µs", self.0 / 10),
            1_000_000..1_000_000_000 => ("ms", self.0 / 10_000),
            _ => ("s", self.0 / 10_000_000),
        };
        let (whole, hundredths) = (amount / 100, amount % 100);
        let text = match whole {
            0..10 => format!("{whole}.{hundredths:02}{unit}"),
            10..100 => format!("{whole}.{}{unit}", hundredths / 10),
            _ => format!("{whole}{unit}"),
        };
        f.pad(&text)
    }
}

/// Reads a duration such as `1.5s`, `200ms` or `30us`; without a unit it is seconds.
pub(super) fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" => "s",
        unit => unit,
    };
    let scale = NANOSECONDS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let parsed = number.parse::<f64>().ok().filter(|number| number.is_finite());
    match (parsed, scale) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from float saturates")]
        #[expect(clippy::cast_precision_loss, reason = "scales are powers of ten that floats hold")]
        (Some(number), Some(scale)) => Some((number * scale as f64).round() as u64),
        _ => None,
    }
}

/// Reads a number, hexadecimal after `0x`.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A date in UTC, from nanoseconds of the Unix epoch: `2026-11-21 10:46:08 UTC`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Date(pub(super) u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let (mut days, second) = (seconds / 86_400, seconds % 86_400);
        let mut year = 1970_u64;
        let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        loop {
            let length = if is_leap(year) { 366 } else { 365 };
            let Some(left) = days.checked_sub(length) else { break };
            (days, year) = (left, year.saturating_add(1));
        }
        let february = if is_leap(year) { 29 } else { 28 };
        let mut month = 1_u32;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            let Some(left) = days.checked_sub(length) else { break };
            (days, month) = (left, month.saturating_add(1));
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02} UTC", days.saturating_add(1))
    }
}

/// Appends bytes in hexadecimal, in groups of four: `03022307 00000100`.
pub(super) fn push_hex(text: &mut String, bytes: &[u8]) {
    for (index, group) in bytes.chunks(4).enumerate() {
        if index > 0 {
            text.push(' ');
        }
        push_digits(text, group);
    }
}

/// Appends bytes in hexadecimal.
pub(super) fn push_digits(text: &mut String, bytes: &[u8]) {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('?');
    text.reserve(bytes.len().saturating_mul(2));
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let check = |ns, expected: &str| assert_eq!(Duration(ns).to_string(), expected);
        check(0, "0ns");
        check(999, "999ns");
        check(1_000, "1.00µs");
        check(12_345, "12.3µs");
        check(999_999, "999µs");
        check(1_234_567, "1.23ms");
        check(3_600_000_000_000, "3600s");
        assert_eq!(format!("{:>8}", Duration(12_345)), "  12.3µs");
    }

    #[test]
    fn times_are_read() {
        let check = |text, expected| assert_eq!(parse_duration(text), Some(expected), "{text}");
        check("1.5s", 1_500_000_000);
        check("200ms", 200_000_000);
        check("30 us", 30_000);
        check("7µs", 7_000);
        check("5ns", 5);
        check("2", 2_000_000_000);
        for wrong in ["", "s", "1.2.3s", "3 weeks", "-1s", "1e3s"] {
            assert!(parse_duration(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_read() {
        assert_eq!(parse_number("18"), Some(18));
        assert_eq!(parse_number("0x12"), Some(18));
        assert_eq!(parse_number("0xffffffffffffffff"), Some(u64::MAX));
        assert!(parse_number("12h").is_none());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |seconds: u64, expected: &str| assert_eq!(Date(seconds * 1_000_000_000).to_string(), expected);
        check(0, "1970-01-01 00:00:00 UTC");
        check(951_782_400, "2000-02-29 00:00:00 UTC");
        check(951_868_800, "2000-03-01 00:00:00 UTC");
        check(1_735_689_599, "2024-12-31 23:59:59 UTC");
    }
}
