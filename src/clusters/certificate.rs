//! Certificates and keys as they are given: PEM, or base64 of PEM; whether they fit, until when they are good, what they are known by.
//!
//! Invariant: an error tells what is wrong with the text and repeats none of it.

use base64::Engine as _;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as Tls, InconsistentKeys, RootCertStore};
use sha2::{Digest as _, Sha256};

/// The longest text of certificates or of a key.
const LONGEST: usize = 256 * 1024;

/// How PEM may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As kubeconfigs have it.
    Base64,
    /// As a form may have it: either.
    Either,
}

/// The PEM text of what was given.
pub fn pem(text: &str, form: Form) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > LONGEST {
        return Err("it is too long for a certificate or a key");
    }
    if text.starts_with("-----BEGIN") || text.contains("-----BEGIN ") {
        return match form {
            Form::Either => Ok(text.to_owned()),
            Form::Base64 => Err("this is PEM as it is; write base64 of it in one line (`base64 -w0 FILE`)"),
        };
    }
    let not = match form {
        Form::Either => "neither PEM (`-----BEGIN …`) nor base64 of it",
        Form::Base64 => "not base64; write base64 of a PEM file in one line (`base64 -w0 FILE`)",
    };
    let packed: String = text.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|_| not)?;
    match String::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") => Ok(text.trim().to_owned()),
        _ => Err("base64, but not of PEM (`-----BEGIN …`); write base64 of a PEM file (`base64 -w0 FILE`)"),
    }
}

/// All certificates of a PEM text.
fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|_| "PEM that is cut off or damaged; give the whole file")?;
    if found.is_empty() {
        return Err("PEM without a certificate (`-----BEGIN CERTIFICATE-----`)");
    }
    Ok(found)
}

fn holds_key(pem: &str) -> bool {
    pem.contains("PRIVATE KEY-----")
}

/// Of those who may have signed the server's certificate.
pub fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    if holds_key(pem) {
        return Err("a private key stands where the authority's certificate belongs; give the certificate alone");
    }
    let found = chain(pem)?;
    let mut store = RootCertStore::empty();
    for certificate in &found {
        store
            .add(certificate.clone())
            .map_err(|_| "PEM of what is no certificate that can be read; give the authority's certificate")?;
    }
    Ok(found)
}

/// The certificates that stand for the client, its own first.
pub fn identity(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    if holds_key(pem) {
        return Err("a private key stands where the client's certificate belongs; give both apart");
    }
    let found = chain(pem)?;
    match found.first().map(|first| validity(first)) {
        Some(Some(_)) => Ok(found),
        _ => Err("PEM of what is no certificate that can be read; give the client's certificate"),
    }
}

pub fn key(pem: &str) -> Result<PrivateKeyDer<'static>, &'static str> {
    if pem.contains("ENCRYPTED") {
        return Err("the key is locked with a passphrase; give it without (`openssl pkey -in FILE`)");
    }
    if !holds_key(pem) {
        return Err("PEM without a private key (`-----BEGIN PRIVATE KEY-----`)");
    }
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| "PEM of a key that is cut off or damaged; give the whole file")
}

/// Whether the key is that of the certificate.
pub fn fits(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), &'static str> {
    match CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(Tls::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err("the key does not belong to the certificate; give the pair")
        }
        Err(Tls::InvalidCertificate(_)) => Err("the certificate cannot be read; give the client's certificate"),
        Err(_) => Err("a kind of key that cannot be used here; RSA (2048 bits or more), ECDSA (P-256, P-384) and Ed25519 can"),
    }
}

/// Until when the certificate is good.
pub fn expires(certificate: &[u8]) -> Option<Timestamp> {
    validity(certificate)
}

/// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` writes it.
pub fn fingerprint(certificate: &[u8]) -> String {
    let bytes = Sha256::digest(certificate);
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("SHA256:{}", hex.join(":"))
}

/// `notAfter` of a certificate (RFC 5280, 4.1).
fn validity(certificate: &[u8]) -> Option<Timestamp> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, mut fields, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, _, after_first) = element(validity)?;
    let (tag, text, _) = element(after_first)?;
    moment(tag, std::str::from_utf8(text).ok()?)
}

/// The first element of DER: its tag, its content, what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year: i16 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let two = |at: usize| rest[at..at + 2].parse::<i8>().ok();
    let date = Date::new(year, two(0)?, two(2)?).ok()?;
    let time = Time::new(two(4)?, two(6)?, two(8)?, 0).ok()?;
    match date.to_datetime(time).to_zoned(TimeZone::UTC) {
        Ok(zoned) => Some(zoned.timestamp()),
        // "No end" is written as the last second of the year 9999, which is past the last moment that can be told.
        Err(_) => Some(Timestamp::MAX),
    }
}
