//! Why a cluster cannot be used: what exactly failed on the way to it, told apart and put into sentences.
//!
//! Invariant: no sentence holds a credential; what a server says goes through [`super::Connection`]'s cleaning first.

use std::error::Error as StdError;
use std::io;

use rustls::{CertificateError, Error as Tls};

use super::guard::{Forbidden, Unresolved};
use crate::error::Error;
use crate::runtime::kubernetes::trouble::Trouble;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// An address that must not be connected to.
    Guarded(Forbidden),
    /// A name that stands for nothing.
    Unresolved(String),
    /// Nobody listens there.
    NobodyListens,
    /// No answer in time.
    Slow,
    /// Another fault of the network; the system's words.
    Network(String),
    UnknownAuthority,
    WrongName,
    ServerCertificateExpired,
    ServerCertificateNotYetGood,
    /// The other side speaks something else.
    NoTls,
    /// The server does not take the client's certificate.
    CertificateRefused,
    /// Another fault of TLS.
    Tls(String),
    /// 401.
    Unauthorized,
    /// 403; the server's words.
    Forbidden(String),
    /// It answers, and not as an API server does.
    NotKubernetes(String),
    /// It asks to come later.
    Busy(u16),
    Other(String),
}

impl Failure {
    /// What failed, for a table or a log.
    pub fn short(&self) -> String {
        match self {
            Self::Guarded(forbidden) => format!("{forbidden}, which is not connected to"),
            Self::Unresolved(host) => format!("the name {host} cannot be resolved"),
            Self::NobodyListens => "nobody listens there".into(),
            Self::Slow => "it does not answer in time".into(),
            Self::Network(why) => format!("it cannot be reached ({why})"),
            Self::UnknownAuthority => "its certificate is signed by an unknown authority".into(),
            Self::WrongName => "its certificate is for another name".into(),
            Self::ServerCertificateExpired => "its certificate has expired".into(),
            Self::ServerCertificateNotYetGood => "its certificate is not good yet".into(),
            Self::NoTls => "it does not speak TLS".into(),
            Self::CertificateRefused => "it does not accept the client's certificate".into(),
            Self::Tls(why) => format!("no secure connection ({why})"),
            Self::Unauthorized => "the credentials are not accepted".into(),
            Self::Forbidden(what) => format!("not allowed: {what}"),
            Self::NotKubernetes(what) => format!("no Kubernetes API server: {what}"),
            Self::Busy(code) => format!("it is overloaded (HTTP {code})"),
            Self::Other(what) => what.clone(),
        }
    }

    /// What failed, what it means, what to do.
    pub fn sentence(&self, server: &str) -> String {
        let what = self.short();
        match self {
            Self::Guarded(forbidden) => format!(
                "{server} is refused: {forbidden}, and Gaggle does not connect there on anybody's word. If it is meant, whoever runs Gaggle \
                 lists it in `[clusters] allow_addresses`."
            ),
            Self::Unresolved(host) => {
                format!(
                    "{server} cannot be reached: the name {host} cannot be resolved where Gaggle runs. Check the spelling, or give an address."
                )
            }
            Self::NobodyListens => {
                format!(
                    "{server} cannot be reached: nobody listens there (connection refused). Check the port, and whether the server runs."
                )
            }
            Self::Slow => {
                format!("{server} does not answer in time. Check the address, and whether a firewall lets Gaggle through.")
            }
            Self::Network(_) => format!("{server}: {what}. Check the address, and whether there is a way from Gaggle to it."),
            Self::UnknownAuthority => format!(
                "{server} answers, but {what}. Give the cluster's CA certificate (`certificate-authority-data`, or the field `ca`); if it was \
                 given, it is that of another cluster."
            ),
            Self::WrongName => format!(
                "{server} answers, but {what}. Use a name or an address that stands in the certificate, or give `tls-server-name`."
            ),
            Self::ServerCertificateExpired => format!("{server} answers, but {what}. Whoever runs the cluster has to renew it."),
            Self::ServerCertificateNotYetGood => {
                format!("{server} answers, but {what}. Check the clocks of both machines.")
            }
            Self::NoTls => format!("{server} answers, but {what}. Check the port: the API server's is usually 6443 or 443."),
            Self::CertificateRefused => {
                format!("{server} answers, but {what}: it is of another cluster, expired or revoked. Give a new one.")
            }
            Self::Tls(_) => format!("{server} answers, but there is {what}. Check the port and the certificates."),
            Self::Unauthorized => {
                format!("{server} answers, but {what} (401): they are of another cluster, expired or revoked. Give new ones.")
            }
            Self::Forbidden(_) => format!("{server} answers, but {what}. Have the rights given, or use other credentials."),
            Self::NotKubernetes(_) => format!("{server} answers, but is {what}. Check address, port and path."),
            Self::Busy(code) => format!("{server} answers, but is overloaded (HTTP {code}). Try again in a minute."),
            Self::Other(_) => format!("{server} answers in a way that Gaggle does not know ({what}). Try again."),
        }
    }

    /// For the reply: an address that is not allowed is refused, everything else was tried.
    pub fn told(&self, server: &str) -> Error {
        match self {
            Self::Guarded(_) => Error::Refused(self.sentence(server)),
            _ => Error::Failed(self.sentence(server)),
        }
    }

    /// What a request ran into.
    pub fn of(error: kube::Error) -> Self {
        if let Some(found) = chain(&error).into_iter().find_map(known) {
            return found;
        }
        if let kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) = error {
            return Self::NotKubernetes("its answer cannot be read".into());
        }
        Trouble::from(error).into()
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Away(why) => Self::Network(why),
            Trouble::Slow => Self::Slow,
            Trouble::Busy(code) => Self::Busy(code),
            Trouble::Unauthorized => Self::Unauthorized,
            Trouble::Forbidden(what) | Trouble::Denied(what) => Self::Forbidden(what),
            Trouble::NotFound(what) => Self::NotKubernetes(what),
            other => Self::Other(other.short()),
        }
    }
}

/// The error and all below it, also what an [`io::Error`] wraps, which it does not tell as its source.
pub(super) fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut all = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        all.push(error);
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    all
}

pub(super) fn known(error: &(dyn StdError + 'static)) -> Option<Failure> {
    if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
        return Some(Failure::Guarded(forbidden.clone()));
    }
    if let Some(unresolved) = error.downcast_ref::<Unresolved>() {
        return Some(Failure::Unresolved(unresolved.host.clone()));
    }
    if let Some(tls) = error.downcast_ref::<Tls>() {
        return Some(of_tls(tls));
    }
    let io = error.downcast_ref::<io::Error>()?;
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Some(Failure::NobodyListens),
        io::ErrorKind::TimedOut => Some(Failure::Slow),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Failure::Network("no route to it".into())),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => {
            Some(Failure::Network("the connection is closed by the other side".into()))
        }
        _ => None,
    }
}

fn of_tls(error: &Tls) -> Failure {
    use rustls::AlertDescription as Alert;
    match error {
        Tls::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Failure::UnknownAuthority,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Failure::WrongName,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Failure::ServerCertificateExpired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Failure::ServerCertificateNotYetGood,
            // A certificate of an authority that serves as its own: nobody whom we trust signed it.
            CertificateError::Other(_) => Failure::UnknownAuthority,
            _ => Failure::Tls("the server's certificate is not accepted".into()),
        },
        Tls::InvalidMessage(_) => Failure::NoTls,
        Tls::AlertReceived(
            Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => Failure::CertificateRefused,
        Tls::AlertReceived(alert) => Failure::Tls(format!("the server says {alert:?}")),
        _ => Failure::Tls("the handshake fails".into()),
    }
}
