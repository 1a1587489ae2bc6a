//! Credentials from the fields of a form: a server, with a token or with a client's certificate and key.
//!
//! Invariant: an error names the field that is wrong and repeats nothing of it.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use super::certificate::Form;
use super::credentials::{Credentials, Given, Parts};
use super::refused::{Place, Refused, refuse};
use crate::model::Timestamp;

/// As they were typed or attached. Empty is absent.
#[derive(Clone, Default)]
pub struct Fields {
    /// `https://host[:port][/path]`, or `host:port`.
    pub server: String,
    pub token: Option<SecretString>,
    /// PEM, or base64 of it, like the two below.
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<SecretString>,
    pub namespace: Option<String>,
    /// Whom the server's certificate has to name, if not the host.
    pub tls_server_name: Option<String>,
    /// Whether the server's certificate shall not be verified.
    pub insecure: bool,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}

/// Checks the fields; `insecure` tells whether unverified TLS may be asked for.
pub fn from_fields(fields: Fields, insecure: bool) -> Result<Credentials, Refused> {
    let text = |value: Option<String>, name: &'static str| {
        value.filter(|value| !value.trim().is_empty()).map(|value| Given { value, place: Place::Field(name) })
    };
    let secret = |value: Option<SecretString>, name: &'static str| {
        value.filter(|value| !value.expose_secret().trim().is_empty()).map(|value| Given { value, place: Place::Field(name) })
    };
    let token = secret(fields.token, "token");
    let certificate = text(fields.cert, "cert");
    let key = secret(fields.key, "key");
    if token.is_some()
        && let Some(beside) = certificate.as_ref().map(|given| given.place).or(key.as_ref().map(|given| given.place))
    {
        return refuse(beside, "there is a token too; give the token, or certificate and key, not both");
    }
    let parts = Parts {
        server: Given { value: fields.server, place: Place::Field("server") },
        ca: text(fields.ca, "ca"),
        token,
        certificate,
        key,
        insecure: fields.insecure.then_some(Place::Field("insecure")),
        tls_server_name: text(fields.tls_server_name, "tls_server_name"),
        namespace: text(fields.namespace, "namespace"),
        form: Form::Either,
        without: Place::Field("token"),
    };
    parts.check(insecure, Timestamp::now())
}

#[cfg(test)]
mod tests;
