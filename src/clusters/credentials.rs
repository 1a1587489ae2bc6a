//! What Gaggle shows to a cluster's server: checked as a whole when it is given, sealed when it is kept.
//!
//! Invariant: no `Debug` and no error shows a credential; the only way out is [`Credentials::seal_text`], for the encrypted store.

use std::fmt;

use base64::Engine as _;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};

use super::certificate::{self, Form};
use super::refused::{Place, Refused, refuse};
use super::{address, token};
use crate::error::Error;
use crate::model::Timestamp;

/// What the server is asked with, and who it has to be.
#[derive(Clone)]
pub struct Credentials {
    /// `https://host[:port][/path]`.
    url: String,
    /// PEM of who signed the server's certificate; without it, whom this machine trusts.
    ca: Option<String>,
    token: Option<SecretString>,
    /// PEM.
    certificate: Option<String>,
    /// PEM.
    key: Option<SecretString>,
    insecure: bool,
    tls_server_name: Option<String>,
    namespace: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("server", &self.server())
            .field("kind", &self.kind())
            .field("insecure", &self.insecure)
            .finish_non_exhaustive()
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Given<T> {
    pub value: T,
    pub place: Place,
}

/// What was given, from wherever.
#[derive(Clone)]
pub(super) struct Parts {
    pub server: Given<String>,
    pub ca: Option<Given<String>>,
    pub token: Option<Given<SecretString>>,
    pub certificate: Option<Given<String>>,
    pub key: Option<Given<SecretString>>,
    /// Asked for, and where.
    pub insecure: Option<Place>,
    pub tls_server_name: Option<Given<String>>,
    pub namespace: Option<Given<String>>,
    pub form: Form,
    /// Where it is told that there are no credentials at all.
    pub without: Place,
}

impl Parts {
    /// Checks everything; `insecure` tells whether unverified TLS may be asked for.
    pub fn check(self, insecure: bool, now: Timestamp) -> Result<Credentials, Refused> {
        let url = address::server(&self.server.value, self.server.place)?;
        if let Some(place) = self.insecure {
            if !insecure {
                return refuse(
                    place,
                    "the server's certificate would not be verified, so anybody on the way could take the credentials; give the \
                     authority's certificate instead, or have an administrator add the cluster with `--insecure-skip-tls-verify`",
                );
            }
            if let Some(ca) = &self.ca {
                return refuse(
                    ca.place,
                    "an authority's certificate, and `insecure-skip-tls-verify` beside it; take one of both out",
                );
            }
        }
        let form = self.form;
        let pem = |given: &Given<String>| certificate::pem(&given.value, form).map_err(|what| Refused::new(given.place, what));
        let ca = self.ca.as_ref().map(pem).transpose()?;
        if let (Some(ca), Some(given)) = (&ca, &self.ca) {
            certificate::roots(ca).map_err(|what| Refused::new(given.place, what))?;
        }
        let token = self.token.as_ref().map(|given| checked_token(given, now)).transpose()?;
        let pair = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(checked_pair(certificate, key, form, now)?),
            (Some(certificate), None) => return refuse(certificate.place, "a client's certificate without its key; give both"),
            (None, Some(key)) => return refuse(key.place, "a client's key without its certificate; give both"),
            (None, None) => None,
        };
        if token.is_none() && pair.is_none() {
            return refuse(self.without, "there are no credentials; give a token, or a client's certificate with its key");
        }
        let tls_server_name = self.tls_server_name.map(checked_name).transpose()?;
        let namespace = self.namespace.map(checked_namespace).transpose()?;
        let (certificate, key) = pair.unzip();
        Ok(Credentials { url, ca, token, certificate, key, insecure: self.insecure.is_some(), tls_server_name, namespace })
    }
}

fn checked_token(given: &Given<SecretString>, now: Timestamp) -> Result<SecretString, Refused> {
    let token = token::read(given.value.expose_secret()).map_err(|what| Refused::new(given.place, what))?;
    match token::expires(&token).filter(|expires| *expires <= now) {
        Some(expired) => refuse(given.place, format!("the token has expired on {}; give a new one", day(expired))),
        None => Ok(token.into()),
    }
}

fn checked_pair(
    certificate: &Given<String>,
    key: &Given<SecretString>,
    form: Form,
    now: Timestamp,
) -> Result<(String, SecretString), Refused> {
    let at = |place: Place| move |what: &'static str| Refused::new(place, what);
    let certificate_pem = certificate::pem(&certificate.value, form).map_err(at(certificate.place))?;
    let chain = certificate::identity(&certificate_pem).map_err(at(certificate.place))?;
    let key_pem = certificate::pem(key.value.expose_secret(), form).map_err(at(key.place))?;
    let key_der = certificate::key(&key_pem).map_err(at(key.place))?;
    let expires = chain.first().and_then(|first| certificate::expires(first));
    certificate::fits(chain, key_der).map_err(at(key.place))?;
    match expires.filter(|expires| *expires <= now) {
        Some(expired) => {
            refuse(certificate.place, format!("the client's certificate has expired on {}; give a new one", day(expired)))
        }
        None => Ok((certificate_pem, key_pem.into())),
    }
}

fn checked_name(given: Given<String>) -> Result<String, Refused> {
    match ServerName::try_from(given.value.clone()) {
        Ok(_) => Ok(given.value),
        Err(_) => {
            refuse(given.place, "not the name of a server; write a name of DNS, such as `kubernetes.default`, or an address")
        }
    }
}

fn checked_namespace(given: Given<String>) -> Result<String, Refused> {
    let name = given.value.trim();
    let is_label = name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !is_label {
        return refuse(given.place, "not the name of a namespace; it is of small letters, digits and `-`, at most 63");
    }
    Ok(name.to_owned())
}

fn day(moment: Timestamp) -> String {
    moment.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// As it is kept, below the store's encryption.
#[derive(serde::Serialize, serde::Deserialize)]
struct Sealed {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    insecure: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
}

impl Credentials {
    /// `certificate`, also where there is a token beside it, since a server takes the certificate first.
    pub fn kind(&self) -> &'static str {
        if self.certificate.is_some() { "certificate" } else { "token" }
    }

    /// `https://host[:port]`.
    pub fn server(&self) -> &str {
        address::shown(&self.url)
    }

    pub fn host(&self) -> &str {
        address::host(&self.url)
    }

    /// Whether the server's certificate is not verified; to be shown wherever the cluster is.
    pub fn insecure(&self) -> bool {
        self.insecure
    }

    /// The namespace that the kubeconfig's context or the form names.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// What they are known by, where that tells nothing of them.
    pub fn fingerprint(&self) -> Option<String> {
        match &self.certificate {
            Some(pem) => certificate::identity(pem).ok()?.first().map(|first| certificate::fingerprint(first)),
            None => token::fingerprint(self.token.as_ref()?.expose_secret()),
        }
    }

    /// When the first of them ends to be good, if they tell.
    pub fn expires(&self) -> Option<Timestamp> {
        let of_certificate = self
            .certificate
            .as_deref()
            .and_then(|pem| certificate::identity(pem).ok()?.first().and_then(|first| certificate::expires(first)));
        let of_token = self.token.as_ref().and_then(|token| token::expires(token.expose_secret()));
        [of_certificate, of_token].into_iter().flatten().min()
    }

    /// The whole, for the encrypted store alone.
    pub fn seal_text(&self) -> SecretString {
        let open = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        let sealed = Sealed {
            url: self.url.clone(),
            ca: self.ca.clone(),
            token: open(&self.token),
            certificate: self.certificate.clone(),
            key: open(&self.key),
            insecure: self.insecure,
            tls_server_name: self.tls_server_name.clone(),
            namespace: self.namespace.clone(),
        };
        // Texts and a flag always become JSON.
        serde_json::to_string(&sealed).unwrap_or_default().into()
    }

    /// What was kept, expired or not.
    pub fn from_sealed(text: &SecretString) -> Result<Self, Error> {
        // The parser's own words could repeat a part of the text.
        let sealed: Sealed = serde_json::from_str(text.expose_secret())
            .map_err(|_| Error::Broken(anyhow::anyhow!("the credentials of a cluster cannot be read back")))?;
        Ok(Self {
            url: sealed.url,
            ca: sealed.ca,
            token: sealed.token.map(SecretString::from),
            certificate: sealed.certificate,
            key: sealed.key.map(SecretString::from),
            insecure: sealed.insecure,
            tls_server_name: sealed.tls_server_name,
            namespace: sealed.namespace,
        })
    }

    /// What no sentence may hold.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        let mut all: Vec<SecretString> = self.token.iter().chain(&self.key).cloned().collect();
        if let Some(key) = &self.key {
            let body: String = key.expose_secret().lines().filter(|line| !line.starts_with("-----")).collect();
            all.push(body.into());
        }
        all
    }

    /// As the client library has it.
    pub(super) fn config(&self) -> Result<kube::Config, Refused> {
        let place = Place::Whole;
        let url = self.url.parse().map_err(|_| Refused::new(place, "the server's address cannot be used"))?;
        let mut config = kube::Config::new(url);
        if let Some(ca) = &self.ca {
            let roots =
                certificate::roots(ca).map_err(|what| Refused::new(place, format!("the authority's certificate: {what}")))?;
            config.root_cert = Some(roots.into_iter().map(|root| root.to_vec()).collect());
        }
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        config.auth_info.token = self.token.clone();
        config.auth_info.client_certificate_data = self.certificate.as_deref().map(encoded);
        config.auth_info.client_key_data = self.key.as_ref().map(|key| encoded(key.expose_secret()).into());
        config.accept_invalid_certs = self.insecure;
        config.tls_server_name = self.tls_server_name.clone();
        if let Some(namespace) = &self.namespace {
            config.default_namespace = namespace.clone();
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
