//! The values that arguments can have: names, references, quantities, URLs, variables.
//!
//! Invariant: an error tells the right form and never repeats what was typed, since that may be a secret.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::sensitive::{sensitive, sensitive_value};

const NAME_FORM: &str = "a project's name is 1–40 characters of a–z, 0–9 and -, a letter first";

/// A new project's name.
pub fn project_name(s: &str) -> Result<String, String> {
    let fits = (1..=40).contains(&s.len())
        && s.starts_with(|c: char| c.is_ascii_lowercase())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits.then(|| s.to_owned()).ok_or_else(|| NAME_FORM.to_owned())
}

/// A project that exists: its name, or `owner/name`.
pub fn project_ref(s: &str) -> Result<String, String> {
    let (owner, name) = match s.rsplit_once('/') {
        Some((owner, name)) => (Some(owner), name),
        None => (None, s),
    };
    project_name(name)?;
    if let Some(owner) = owner {
        let owner = owner.strip_prefix('@').unwrap_or(owner);
        let fits = !owner.is_empty()
            && owner.len() <= 100
            && !owner.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control() || c == '@')
            && !owner.starts_with('-');
        if !fits {
            return Err("a project of somebody else is named owner/name".to_owned());
        }
    }
    Ok(s.to_owned())
}

/// A cluster's name.
pub fn cluster_name(s: &str) -> Result<String, String> {
    project_name(s).map_err(|_| "a cluster's name is 1–40 characters of a–z, 0–9 and -, a letter first".to_owned())
}

/// A release's, a workload's or a catalogue file's name: what the objects of a cluster can be called after.
pub fn release_name(s: &str) -> Result<String, String> {
    project_name(s)
        .ok()
        .filter(|s| !s.ends_with('-'))
        .ok_or_else(|| "the name is 1–40 characters of a–z, 0–9 and -, a letter first and no - last".to_owned())
}

pub fn workload_name(s: &str) -> Result<String, String> {
    label(s).ok_or_else(|| "a workload is named as `/service status` shows it".to_owned())
}

pub fn namespace(s: &str) -> Result<String, String> {
    label(s).ok_or_else(|| "a namespace's name is 1–63 characters of a–z, 0–9 and -, no - first or last".to_owned())
}

fn label(s: &str) -> Option<String> {
    let fits = (1..=63).contains(&s.len())
        && !s.starts_with('-')
        && !s.ends_with('-')
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits.then(|| s.to_owned())
}

pub fn tag(s: &str) -> Result<String, String> {
    let fits = (1..=40).contains(&s.len())
        && s.starts_with(|c: char| c.is_ascii_alphanumeric())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b))
        && !sensitive_value(s);
    fits.then(|| s.to_owned()).ok_or_else(|| "a tag is 1–40 of A–Z, a–z, 0–9, -, _, ., : and /, as production".to_owned())
}

/// A name that others gave, which may have spaces.
pub fn plain_words(s: &str) -> Result<String, String> {
    let text = s.trim();
    let fits = (1..=120).contains(&text.chars().count())
        && !text.starts_with('-')
        && !text.contains(char::is_control)
        && !sensitive_value(text);
    fits.then(|| text.to_owned()).ok_or_else(|| "it is 1–120 characters on one line".to_owned())
}

/// A service of a compose file, as `shop:web`, or a whole file.
pub fn service_ref(s: &str) -> Result<String, String> {
    let part = |part: &str| {
        !part.is_empty()
            && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let fits = s.len() <= 200 && s.split(':').count() <= 2 && s.split(':').all(part);
    fits.then(|| s.to_owned()).ok_or_else(|| "a service is named file:service, as `/service catalogue` shows it".to_owned())
}

pub fn health_path(s: &str) -> Result<String, String> {
    let fits = s.starts_with('/') && s.len() <= 500 && s.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| s.to_owned()).ok_or_else(|| "a path begins with /, as /healthz".to_owned())
}

/// Where a compose file is. Credentials in it would end up in replies.
pub fn compose_url(s: &str) -> Result<String, String> {
    let rest = s.strip_prefix("https://").filter(|rest| !rest.starts_with('/') && !rest.is_empty());
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let fits = !host.is_empty() && !host.contains('@') && s.len() <= 2_000 && s.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| s.to_owned())
        .ok_or_else(|| "a compose file's address begins with https:// and has no user or password in it".to_owned())
}

/// A session, as s12 or 12.
pub fn session_ref(s: &str) -> Result<u64, String> {
    numbered(s, 's').ok_or_else(|| "a session is named as s12; `/session list` shows them".to_owned())
}

/// A turn, as t34 or 34.
pub fn turn_ref(s: &str) -> Result<u64, String> {
    numbered(s, 't').ok_or_else(|| "a turn is named as t34".to_owned())
}

/// An approval, as a7 or 7.
pub fn approval_ref(s: &str) -> Result<u64, String> {
    numbered(s, 'a').ok_or_else(|| "an approval is named as a7; `/approval list` shows them".to_owned())
}

fn numbered(s: &str, letter: char) -> Option<u64> {
    let digits = s.strip_prefix(letter).or_else(|| s.strip_prefix(letter.to_ascii_uppercase())).unwrap_or(s);
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
    number.filter(|n| *n > 0)
}

/// A person, as @ann, ann or surface:id.
pub fn person(s: &str) -> Result<String, String> {
    let name = s.strip_prefix('@').unwrap_or(s);
    let fits = !name.is_empty()
        && name.chars().count() <= 100
        && !name.starts_with(['@', '-'])
        && !name.contains(|c: char| c.is_whitespace() || c.is_control());
    fits.then(|| name.to_owned()).ok_or_else(|| "a person is named as @ann, without spaces".to_owned())
}

/// The name of an environment variable.
pub fn variable_name(s: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&s.len())
        && !s.starts_with(|c: char| c.is_ascii_digit())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then(|| s.to_owned())
        .ok_or_else(|| "a variable's name is 1–64 characters of A–Z, a–z, 0–9 and _, no digit first".to_owned())
}

/// A name that a provider gives, as gpt-4o or anthropic/claude.
pub fn model_name(s: &str) -> Result<String, String> {
    let fits = (1..=200).contains(&s.len()) && !s.starts_with('-') && !s.contains(|c: char| c.is_whitespace() || c.is_control());
    fits.then(|| s.to_owned()).ok_or_else(|| "a model or provider is 1–200 characters without spaces".to_owned())
}

/// A session's title.
pub fn title(s: &str) -> Result<String, String> {
    let title = s.trim();
    let fits = (1..=200).contains(&title.chars().count()) && !title.contains(char::is_control);
    fits.then(|| title.to_owned()).ok_or_else(|| "a title is 1–200 characters on one line".to_owned())
}

/// Why something was denied.
pub fn reason(s: &str) -> Result<String, String> {
    let reason = s.trim();
    let fits =
        (1..=2_000).contains(&reason.chars().count()) && !reason.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
    fits.then(|| reason.to_owned()).ok_or_else(|| "a reason is 1–2000 characters".to_owned())
}

/// What is asked: any text that is not blank.
pub fn message(s: &str) -> Result<String, String> {
    (!s.trim().is_empty()).then(|| s.to_owned()).ok_or_else(|| "there is nothing to ask".to_owned())
}

/// `K=V`, a variable that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    pub name: String,
    pub value: String,
}

impl FromStr for EnvVar {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (name, value) = s.split_once('=').ok_or("a variable is given as NAME=VALUE")?;
        let name = variable_name(name)?;
        if sensitive(&name, value) {
            return Err("this looks like a secret: use `/project secret set NAME KEY`, which asks for its value".to_owned());
        }
        if value.contains(|c: char| c.is_control() && c != '\n' && c != '\t') || value.len() > 32_768 {
            return Err("a variable's value is at most 32 KiB, without control characters".to_owned());
        }
        Ok(Self { name, value: value.to_owned() })
    }
}

impl fmt::Display for EnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// `K=V`, a variable of a service that is no secret. A value that is one is asked for in a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainVar {
    pub name: String,
    pub value: String,
}

impl FromStr for PlainVar {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (name, value) = s.split_once('=').ok_or("a variable is given as NAME=VALUE")?;
        let name = variable_name(name)?;
        if sensitive(&name, value) {
            return Err("this looks like a secret: give it as `--secret NAME`, and its value is asked for".to_owned());
        }
        if value.contains(|c: char| c.is_control() && c != '\n' && c != '\t') || value.len() > 32_768 {
            return Err("a variable's value is at most 32 KiB, without control characters".to_owned());
        }
        Ok(Self { name, value: value.to_owned() })
    }
}

impl fmt::Display for PlainVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// A positive Kubernetes quantity, in the form in which it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

const SUFFIXES: &[(&str, f64)] = &[
    ("", 1.0),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

impl Quantity {
    /// The quantity in units: cores or bytes.
    pub fn value(&self) -> f64 {
        amount(&self.0).unwrap_or(0.0)
    }
}

fn amount(s: &str) -> Option<f64> {
    let end = s.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(s.len());
    let (number, suffix) = s.split_at(end);
    let fits = s.len() <= 24 && number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
    let factor = SUFFIXES.iter().find(|(known, _)| *known == suffix)?.1;
    let value = number.parse::<f64>().ok()? * factor;
    (fits && value > 0.0 && value.is_finite()).then_some(value)
}

impl FromStr for Quantity {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        amount(s)
            .map(|_| Self(s.to_owned()))
            .ok_or_else(|| "a quantity is a positive number, as 500m, 2, 512Mi or 2Gi".to_owned())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A length of time in whole seconds, as 90s, 10m, 2h or 1d; several units stand from the largest to the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Period(pub u64);

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl FromStr for Period {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        period(s).map(Self).ok_or_else(|| "a period is given as 90s, 10m, 2h or 1d".to_owned())
    }
}

fn period(s: &str) -> Option<u64> {
    let (mut rest, mut total, mut units) = (s, 0_u64, UNITS.iter());
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let unit = after.chars().next()?;
        let (_, seconds) = units.find(|(letter, _)| *letter == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
        rest = &after[1..];
    }
    (total > 0).then_some(total)
}

impl fmt::Display for Period {
    /// In the largest unit of which it is a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, seconds) = UNITS.into_iter().find(|(_, seconds)| self.0.is_multiple_of(*seconds)).unwrap_or(('s', 1));
        write!(f, "{}{letter}", self.0 / seconds)
    }
}

/// How far back somebody looks.
pub fn since(s: &str) -> Result<Period, String> {
    const MOST: Period = Period(366 * 86_400);
    s.parse::<Period>()
        .ok()
        .filter(|p| *p <= MOST)
        .ok_or_else(|| "a period is given as 90s, 10m, 2h or 1d, up to 366d".to_owned())
}

/// How long a command may take.
pub fn timeout(s: &str) -> Result<Period, String> {
    const MOST: Period = Period(3_600);
    s.parse::<Period>().ok().filter(|p| *p <= MOST).ok_or_else(|| "a timeout is given as 90s or 10m, up to 1h".to_owned())
}

/// A CPU limit. One with a size's suffix was meant for memory.
pub fn cpu(s: &str) -> Result<Quantity, String> {
    s.parse::<Quantity>()
        .ok()
        .filter(|q| (0.001..=1_024.0).contains(&q.value()) && !s.ends_with('i'))
        .ok_or_else(|| "a CPU limit is a number of cores, as 500m (half a core) or 2".to_owned())
}

/// The size of a disk.
pub fn disk(s: &str) -> Result<Quantity, String> {
    s.parse::<Quantity>()
        .ok()
        .filter(|q| q.value() >= 1_048_576.0)
        .ok_or_else(|| "a disk is a size of at least 1Mi, as 500Mi or 10Gi".to_owned())
}

/// A container image, as `ghcr.io/acme/goose:1.2` or with a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageRef(pub String);

impl FromStr for ImageRef {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let (name, digest) = s.split_once('@').map_or((s, None), |(name, digest)| (name, Some(digest)));
        let fits = s.len() <= 255
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:".contains(&b))
            && !name.contains("//")
            && digest.is_none_or(is_digest);
        fits.then(|| Self(s.to_owned()))
            .ok_or_else(|| "an image is named as ghcr.io/acme/goose:1.2, without a scheme and without spaces".to_owned())
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As `sha256:` and its digits.
fn is_digest(s: &str) -> bool {
    s.split_once(':').is_some_and(|(kind, digits)| {
        !kind.is_empty()
            && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && digits.len() >= 32
            && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// A memory limit. One of less than a mebibyte has lost its suffix.
pub fn memory(s: &str) -> Result<Quantity, String> {
    s.parse::<Quantity>()
        .ok()
        .filter(|q| q.value() >= 1_048_576.0)
        .ok_or_else(|| "a memory limit is a size of at least 1Mi, as 512Mi or 2Gi".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        let digest = "0123456789abcdef".repeat(4);
        let pinned = [format!("goose@sha256:{digest}"), format!("ghcr.io/acme/goose:1.2@sha256:{digest}")];
        for image in ["goose", "acme/goose", "ghcr.io/aaif-goose/goose:v1.2", "localhost:5000/a/b_c:x_", "a.b/c-d"]
            .into_iter()
            .chain(pinned.iter().map(String::as_str))
        {
            assert_eq!(image.parse::<ImageRef>().unwrap().to_string(), image);
        }
        let long = "a".repeat(256);
        for image in [
            "",
            " ",
            "-a",
            ".a",
            "a/",
            "a:",
            "a//b",
            "a b",
            "docker://a",
            "http://a/b",
            "a@",
            "a@b",
            "a@sha256:12",
            "u:p@host/a",
            "ä",
            "$(x)",
            &long,
        ] {
            assert!(image.parse::<ImageRef>().is_err(), "{image}");
        }
    }

    #[test]
    fn periods() {
        for (text, seconds, shown) in [
            ("90s", 90, "90s"),
            ("10m", 600, "10m"),
            ("2h", 7_200, "2h"),
            ("1d", 86_400, "1d"),
            ("1h30m", 5_400, "90m"),
            ("01s", 1, "1s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.0, period.to_string().as_str()), (seconds, shown));
        }
        for text in [
            "",
            "0s",
            "10",
            "s",
            "-1s",
            "1.5h",
            "1w",
            "1m1h",
            "1m1m",
            "1h 3m",
            "1ß",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        assert!(since("366d").is_ok() && since("367d").is_err());
        assert!(timeout("1h").is_ok() && timeout("60m1s").is_err());
    }

    #[test]
    fn disks() {
        for size in ["1Mi", "10Gi", "1.5Ti", "2000000", "5G"] {
            assert_eq!(disk(size).unwrap().to_string(), size);
        }
        for size in ["", "0", "10", "1m", "1048575", "1Ki", "-1Gi", "1GB", "1 Gi", "Gi"] {
            assert!(disk(size).is_err(), "{size}");
        }
    }
}
