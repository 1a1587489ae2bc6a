//! The application's public key, and what was signed under it.
//!
//! Invariant: a key under which anybody could sign is none.

use std::fmt;
use std::str::FromStr;

use serenity::interactions_endpoint::Verifier;

/// In Discord's Developer Portal, under *General Information*.
#[derive(Clone)]
pub struct PublicKey(Verifier);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not the public key of a Discord application: it has 64 hexadecimal digits and stands in the Developer Portal (your application → General Information → Public Key)"
)]
pub struct InvalidKey;

/// The points of small order, without their sign: under one of them, such as 64 zeros, a signature can be had without a secret.
const ANYBODYS: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

/// As it was sent, in bytes: the same one can be written in several ways.
pub type Signature = [u8; 64];

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let key = bytes(text.trim()).ok_or(InvalidKey)?;
        if is_anybodys(key) {
            return Err(InvalidKey);
        }
        Verifier::try_new(key).map(Self).map_err(|_| InvalidKey)
    }
}

impl PublicKey {
    pub fn has_signed(&self, signature: &Signature, time: &str, body: &[u8]) -> bool {
        self.0.verify(&text(signature), time, body).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}

pub fn signature(text: &str) -> Option<Signature> {
    bytes(text)
}

fn is_anybodys(mut key: [u8; 32]) -> bool {
    key[31] &= 0x7f;
    ANYBODYS.iter().any(|text| bytes(text) == Some(key))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

fn text(signature: &Signature) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    signature.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_64_hexadecimal_digits() {
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert!(key.parse::<PublicKey>().is_ok() && format!(" {}\n", key.to_uppercase()).parse::<PublicKey>().is_ok());
        for wrong in ["", &key[1..], &format!("{key}0"), &key.replace('d', "g"), &key.replacen("d7", "+7", 1), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<PublicKey>().err(), Some(InvalidKey), "{wrong}");
        }
    }

    #[test]
    fn a_key_under_which_anybody_could_sign_is_none() {
        // The identity, and nothing: it fits every eighth text at least.
        let mut nobodys = [0; 64];
        nobodys[0] = 1;
        for text in ANYBODYS {
            let key = Verifier::try_new(bytes(text).unwrap()).map(PublicKey).unwrap();
            assert!((0..64_u8).any(|number| key.has_signed(&nobodys, "", &[number])), "{text}");
            let mut key: [u8; 32] = bytes(text).unwrap();
            assert!(is_anybodys(key));
            key[31] |= 0x80;
            assert!(is_anybodys(key));
            assert_eq!(text.parse::<PublicKey>().err(), Some(InvalidKey));
        }
    }

    #[test]
    fn a_signature_is_its_bytes() {
        let lower = "0fab".repeat(32);
        assert_eq!(signature(&lower), signature(&lower.to_uppercase()));
        assert_eq!(text(&signature(&lower).unwrap()), lower);
        assert_eq!(signature(&lower.replacen("0f", "+f", 1)), None);
    }
}
