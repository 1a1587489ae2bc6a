//! Durations and sizes as compose files write them, and durations as the canonical form shows them.

/// Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(pub i64);

const UNITS: [(&str, i64); 10] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("d", 24 * 3600 * SECOND),
    ("w", 168 * 3600 * SECOND),
];
const SECOND: i64 = 1_000_000_000;

impl Duration {
    /// Numbers with units, one after another: `1h30m`, `1.5s`, `2d`.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text),
        };
        if rest == "0" {
            return Some(Self(0));
        }
        if rest.is_empty() {
            return None;
        }
        let mut total: i64 = 0;
        while !rest.is_empty() {
            let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
            let whole_length = digits(rest);
            let whole: i64 = if whole_length == 0 { 0 } else { rest[..whole_length].parse().ok()? };
            rest = &rest[whole_length..];
            let mut fraction = "";
            if let Some(after) = rest.strip_prefix('.') {
                let length = digits(after);
                fraction = &after[..length];
                rest = &after[length..];
            }
            if whole_length == 0 && fraction.is_empty() {
                return None;
            }
            let length = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..length])?;
            rest = &rest[length..];
            let mut part = whole.checked_mul(*unit)?;
            // More digits than these are no nanoseconds any more.
            let kept = &fraction[..fraction.len().min(18)];
            if !kept.is_empty() {
                let value: i64 = kept.parse().ok()?;
                let scale = 10f64.powi(i32::try_from(kept.len()).ok()?);
                #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "below one unit")]
                let nanoseconds = (value as f64 * (*unit as f64 / scale)) as i64;
                part = part.checked_add(nanoseconds)?;
            }
            total = total.checked_add(part)?;
        }
        Some(Self(if negative { -total } else { total }))
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanoseconds = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let second = SECOND.unsigned_abs();
        // A unit's worth of nanoseconds, with as many decimals as are needed.
        let with = |f: &mut std::fmt::Formatter<'_>, value: u64, unit: u64, name: &str| {
            let (whole, rest) = (value / unit, value % unit);
            if rest == 0 {
                return write!(f, "{whole}{name}");
            }
            let width = unit.ilog10() as usize;
            let decimals = format!("{rest:0width$}");
            write!(f, "{whole}.{}{name}", decimals.trim_end_matches('0'))
        };
        match nanoseconds {
            0 => f.write_str("0s"),
            n if n < 1_000 => write!(f, "{n}ns"),
            n if n < 1_000_000 => with(f, n, 1_000, "µs"),
            n if n < second => with(f, n, 1_000_000, "ms"),
            n => {
                let (hours, minutes) = (n / (3600 * second), n / (60 * second) % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                with(f, n % (60 * second), second, "s")
            }
        }
    }
}

/// Bytes: a whole number, or a number with one of `b k m g t p`, each possibly followed by `b` or `ib`, in any case.
pub fn bytes(text: &str) -> Option<i64> {
    if let Ok(int) = text.parse::<i64>() {
        return Some(int);
    }
    let last = text.rfind(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' '))?;
    let suffix = text[last + 1..].to_ascii_lowercase();
    let number = if text.as_bytes()[last] == b' ' { &text[..last] } else { &text[..=last] };
    let size: f64 = number.parse().ok().filter(|size: &f64| *size >= 0.0 && size.is_finite())?;
    let factor: f64 = match suffix.as_str() {
        "" | "b" => 1.0,
        _ => {
            let (unit, rest) = suffix.split_at_checked(1)?;
            let power = "kmgtp".find(unit)?;
            if !matches!(rest, "" | "b" | "ib") {
                return None;
            }
            1024f64.powi(i32::try_from(power).ok()? + 1)
        }
    };
    #[expect(clippy::cast_possible_truncation, reason = "parts of a byte are none")]
    Some((size * factor) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let shown = |text| Duration::parse(text).map(|d| d.to_string()).unwrap_or_default();
        let pairs = [
            ("1m30s", "1m30s"),
            ("90s", "1m30s"),
            ("1.5h", "1h30m0s"),
            ("2d", "48h0m0s"),
            ("1w", "168h0m0s"),
            ("100ms", "100ms"),
            ("1.5s", "1.5s"),
            ("1500us", "1.5ms"),
            ("0", "0s"),
            ("-5s", "-5s"),
            ("10", ""),
            ("5 s", ""),
            ("s", ""),
            ("99999999999999999999s", ""),
        ];
        for (text, wanted) in pairs {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn sizes() {
        let pairs = [
            ("50m", 50 << 20),
            ("1GB", 1 << 30),
            ("1.5g", 3 << 29),
            ("64 kb", 64 << 10),
            ("2GiB", 2 << 30),
            ("300b", 300),
            ("-1", -1),
            ("12", 12),
        ];
        for (text, wanted) in pairs {
            assert_eq!(bytes(text), Some(wanted), "{text}");
        }
        for text in ["", "m", "5x", "5gg", "-5m", "five"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
