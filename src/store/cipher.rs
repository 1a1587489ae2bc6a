//! Secrets at rest. The key lies beside the database (0600) or comes from `GAGGLE_SECRET_KEY`; it is never in the database.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use chacha20poly1305::aead::{Aead as _, AeadInOut as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::open::OpenError;

pub const KEY_FILE: &str = "secret.key";
const NONCE: usize = 24;
const TAG: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    File,
    Environment,
}

pub struct Cipher {
    aead: XChaCha20Poly1305,
    mac: Hmac<Sha256>,
    pub source: KeySource,
}

impl Cipher {
    /// The key from the environment if it is given there, else from the file, which is made if there is none.
    pub fn load(dir: &Path, given: Option<&SecretString>) -> Result<Self, OpenError> {
        let path = dir.join(KEY_FILE);
        let (key, source) = match given {
            Some(text) => (
                parse(text.expose_secret()).ok_or_else(|| {
                    OpenError::new(
                        Path::new("GAGGLE_SECRET_KEY"),
                        "it is no base64 of 32 bytes",
                        "make one with `openssl rand -base64 32`",
                    )
                })?,
                KeySource::Environment,
            ),
            None => (Self::from_file(&path)?, KeySource::File),
        };
        let mac = Hmac::<Sha256>::new_from_slice(&key)
            .map_err(|e| OpenError::new(&path, e.to_string(), "bring back the file"))?
            .chain_update(b"gaggle derived key ");
        Ok(Self { aead: XChaCha20Poly1305::new(&key.into()), mac, source })
    }

    fn from_file(path: &Path) -> Result<[u8; 32], OpenError> {
        let fault = |e: std::io::Error| OpenError::new(path, format!("the key cannot be used ({e})"), "mend its permissions");
        match std::fs::read_to_string(path) {
            Ok(text) => parse(&text).ok_or_else(|| {
                OpenError::new(
                    path,
                    "it is no base64 of 32 bytes",
                    "bring back the file; without it the stored secrets cannot be read",
                )
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(|e| fault(std::io::Error::other(e.to_string())))?;
                // Written whole or not at all: half a key would lock the secrets away.
                let temporary = path.with_extension("new");
                let _ = std::fs::remove_file(&temporary);
                let mut options = std::fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(&temporary).map_err(fault)?;
                writeln!(file, "{}", BASE64.encode(key)).and_then(|()| file.sync_all()).map_err(fault)?;
                std::fs::rename(&temporary, path).map_err(fault)?;
                Ok(key)
            }
            Err(e) => Err(fault(e)),
        }
    }

    /// `place` (table and key) is bound to the value, so that it cannot be moved to another place.
    pub fn seal(&self, place: &str, secret: &SecretString) -> anyhow::Result<String> {
        let mut sealed = String::new();
        self.seal_onto(&mut sealed, place, secret.expose_secret())?;
        Ok(sealed)
    }

    /// The same, behind what `text` holds.
    pub fn seal_onto(&self, text: &mut String, place: &str, secret: &str) -> anyhow::Result<()> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).context("no randomness")?;
        let mut bytes = Vec::with_capacity(NONCE + secret.len() + TAG);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(secret.as_bytes());
        let sealed = self.aead.encrypt_inout_detached(&XNonce::from(nonce), place.as_bytes(), bytes[NONCE..].as_mut().into());
        let tag = sealed.map_err(|_| anyhow::anyhow!("encryption failed"))?;
        bytes.extend_from_slice(&tag);
        BASE64.encode_string(&bytes, text);
        Ok(())
    }

    /// `None`: sealed with another key or for another place.
    pub fn open(&self, place: &str, sealed: &str) -> Option<SecretString> {
        let bytes = BASE64.decode(sealed).ok()?;
        let (nonce, body) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let clear = self.aead.decrypt(&XNonce::from(nonce), Payload { msg: body, aad: place.as_bytes() }).ok()?;
        String::from_utf8(clear).ok().map(SecretString::from)
    }

    /// A key for one purpose, always the same for the same purpose, telling nothing of any other.
    pub fn derive(&self, purpose: &str) -> SecretString {
        let mut mac = self.mac.clone();
        mac.update(purpose.as_bytes());
        SecretString::from(mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect::<String>())
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_with_its_key_and_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let cipher = Cipher::load(dir.path(), None).unwrap();
        let sealed = cipher.seal("a", &SecretString::from("hunter2")).unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(cipher.open("a", &sealed).unwrap().expose_secret(), "hunter2");
        assert!(cipher.open("b", &sealed).is_none());
        let again = Cipher::load(dir.path(), None).unwrap();
        assert_eq!(again.open("a", &sealed).unwrap().expose_secret(), "hunter2");
        let other = Cipher::load(tempfile::tempdir().unwrap().path(), None).unwrap();
        assert!(other.open("a", &sealed).is_none());
        assert_eq!(cipher.derive("x").expose_secret(), again.derive("x").expose_secret());
        assert_ne!(cipher.derive("x").expose_secret(), cipher.derive("y").expose_secret());
    }
}
