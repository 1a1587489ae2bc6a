//! What a scalar of YAML is: text, number, truth, nothing or a date, as compose files have always been read. `yes` and `on` are texts
//! here; only places that want true or false take them as such.

use super::super::node::{Time, Value};

/// How a scalar is written.
#[derive(Debug, Clone, Copy)]
pub enum Scalar<'a> {
    Untagged { quoted: bool },
    Tagged { tag: &'a str, quoted: bool },
}

const CORE: &str = "tag:yaml.org,2002:";

pub fn value(text: &str, scalar: Scalar<'_>) -> Result<Value, String> {
    let (tag, quoted) = match scalar {
        Scalar::Untagged { quoted: true } => return Ok(Value::Text(text.to_owned())),
        Scalar::Untagged { quoted: false } => return Ok(plain(text, true)),
        Scalar::Tagged { tag, quoted } => (tag, quoted),
    };
    let Some(core) = tag.strip_prefix(CORE) else { return Ok(Value::Text(text.to_owned())) };
    let found = match core {
        "str" => return Ok(Value::Text(text.to_owned())),
        "binary" => return binary(text),
        "bool" | "int" | "float" | "null" => plain(text, false),
        "timestamp" => plain(text, true),
        _ => return Ok(Value::Text(text.to_owned())),
    };
    let _ = quoted;
    match (core, found) {
        ("bool", value @ Value::Bool(_))
        | ("int", value @ Value::Int(_))
        | ("float", value @ Value::Float(_))
        | ("null", value @ Value::Null)
        | ("timestamp", value @ Value::Time(_)) => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "that is what the tag asks for")]
        ("float", Value::Int(int)) => Ok(Value::Float(int as f64)),
        _ => Err(format!("`{text}` is no !!{core}")),
    }
}

fn binary(text: &str) -> Result<Value, String> {
    use base64::Engine as _;
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|_| "!!binary takes base64".to_owned())?;
    Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

fn plain(text: &str, dates: bool) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        "-0" | "-0.0" => return Value::Float(-0.0),
        _ => {}
    }
    let as_text = || Value::Text(text.to_owned());
    match text.as_bytes()[0] {
        b'.' => decimal(text).map_or_else(as_text, Value::Float),
        b'0'..=b'9' | b'+' | b'-' => {
            if dates && let Some(time) = time(text) {
                return Value::Time(Box::new(time));
            }
            let digits = text.replace('_', "");
            if let Some(int) = integer(&digits) {
                return int;
            }
            if looks_decimal(&digits) {
                return decimal(&digits).map_or_else(as_text, Value::Float);
            }
            as_text()
        }
        _ => as_text(),
    }
}

fn decimal(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

/// With the prefixes `0x`, `0o`, `0b`, and `0` for octal.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let int = if negative { -magnitude } else { magnitude };
    if let Ok(int) = i64::try_from(int) {
        return Some(Value::Int(int));
    }
    u64::try_from(int).ok().filter(|_| text.as_bytes()[0] != b'+').map(Value::Big)
}

/// `[-+]` digits `.` digits `e` digits, where one of the digits is there.
fn looks_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_good = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_good && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

/// A date, or a date with a time of day and possibly an offset.
fn time(text: &str) -> Option<Time> {
    let rest = text;
    let (year, rest) = number(rest, 4, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 1, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > days {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.is_empty() {
        return Some(Time { shown: format!("{date} 00:00:00 +0000 UTC"), json: format!("{date}T00:00:00Z") });
    }
    let zoned = rest.starts_with(['T', 't']);
    let (hour, rest) = number(rest.strip_prefix(['T', 't', ' '])?, 1, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 1, 2)?;
    let (second, mut rest) = number(rest.strip_prefix(':')?, 1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut fraction = String::new();
    if let Some(after) = rest.strip_prefix(['.', ',']) {
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return None;
        }
        let digits = after[..length.min(9)].trim_end_matches('0');
        if !digits.is_empty() {
            fraction = format!(".{digits}");
        }
        rest = &after[length..];
    }
    let (shown, json) = match (zoned, rest) {
        (false, "") | (true, "Z" | "+00:00" | "-00:00") => ("+0000 UTC".to_owned(), "Z".to_owned()),
        (true, offset) if offset.len() == 6 && offset.starts_with(['+', '-']) => {
            let (hours, after) = number(&offset[1..], 2, 2)?;
            let (minutes, end) = number(after.strip_prefix(':')?, 2, 2)?;
            if !end.is_empty() || hours > 24 || minutes > 59 {
                return None;
            }
            let plain = offset.replace(':', "");
            (format!("{plain} {plain}"), offset.to_owned())
        }
        _ => return None,
    };
    let clock = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    Some(Time { shown: format!("{date} {clock} {shown}"), json: format!("{date}T{clock}{json}") })
}

fn number(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if length < least {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        value(text, Scalar::Untagged { quoted: false }).unwrap()
    }

    #[test]
    fn plain_scalars() {
        assert_eq!(read("0755"), Value::Int(493));
        assert_eq!(read("0o755"), Value::Int(493));
        assert_eq!(read("0x1F"), Value::Int(31));
        assert_eq!(read("1_000"), Value::Int(1000));
        assert_eq!(read("08"), Value::Float(8.0));
        assert_eq!(read("1e3"), Value::Float(1000.0));
        assert_eq!(read(".5"), Value::Float(0.5));
        assert_eq!(read("~"), Value::Null);
        for text in ["yes", "No", "on", "8080:80", "1.2.3", "12:30", "-", "+", "0x", "1e", ".", "2001-13-01", "NaN"] {
            assert_eq!(read(text), Value::Text(text.into()), "{text}");
        }
    }

    #[test]
    fn dates() {
        let shown = |text| match read(text) {
            Value::Time(time) => time.shown,
            other => panic!("{other:?}"),
        };
        assert_eq!(shown("2001-01-01"), "2001-01-01 00:00:00 +0000 UTC");
        assert_eq!(shown("2001-12-14t21:59:43.10-05:00"), "2001-12-14 21:59:43.1 -0500 -0500");
    }

    #[test]
    fn tags_decide() {
        let tagged = |tag: &str, text| value(text, Scalar::Tagged { tag, quoted: false });
        assert_eq!(tagged("tag:yaml.org,2002:str", "5"), Ok(Value::Text("5".into())));
        assert_eq!(tagged("tag:yaml.org,2002:float", "5"), Ok(Value::Float(5.0)));
        assert!(tagged("tag:yaml.org,2002:int", "five").is_err());
        assert_eq!(tagged("!mine", "5"), Ok(Value::Text("5".into())));
    }
}
