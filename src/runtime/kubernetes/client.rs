//! From what the operator gave to a client: the first source that is *set* is taken, and if it is broken, that is the error.
//!
//! Invariant: nothing falls through in silence to another cluster than the one that was meant, and no error repeats a credential.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use kube::config::{AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use kube::{Client, Config};
use secrecy::ExposeSecret as _;

use super::options::Access;

/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest silence of an ordinary answer or a watch: watches end themselves before it ([`super::view::WATCH`]).
const SILENCE: Duration = Duration::from_secs(75);

/// What is wrong if no source is set, and what to do.
pub const NONE: &str = "there are no credentials for a Kubernetes cluster";
pub const SOURCES: &str = "set KUBECONFIG (or KUBECONFIG_BASE64, or KUBE_HOST, KUBE_TOKEN and KUBE_CA), put a kubeconfig at \
                           ~/.kube/config, or run Gaggle in the cluster";

/// Where the credentials were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In this variable, as base64 of a kubeconfig.
    Base64(&'static str),
    /// In the files that KUBECONFIG names.
    Files(String),
    /// `KUBE_HOST`, `KUBE_TOKEN` and `KUBE_CA`.
    Variables,
    Home(PathBuf),
    InCluster,
    /// People gave them.
    Added,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Base64(name) => f.write_str(name),
            Self::Files(files) => write!(f, "KUBECONFIG ({files})"),
            Self::Variables => f.write_str("KUBE_HOST, KUBE_TOKEN and KUBE_CA"),
            Self::Home(path) => write!(f, "{}", path.display()),
            Self::InCluster => f.write_str("the ServiceAccount of this pod"),
            Self::Added => f.write_str("`/cluster add`"),
        }
    }
}

/// The ways to the API server.
#[derive(Clone)]
pub struct Clients {
    /// For requests and watches: ends what is silent for too long.
    pub calls: Client,
    /// For logs, exec and port-forwards, which may be silent for as long as they like.
    pub streams: Client,
    pub source: Source,
    /// Without user or query.
    pub server: String,
}

/// Where the credentials are. Never looks into them.
pub fn source(access: &Access) -> Option<Source> {
    if let Some((name, _)) = &access.kubeconfig_base64 {
        return Some(Source::Base64(name));
    }
    if let Some(files) = &access.kubeconfig {
        return Some(Source::Files(files.clone()));
    }
    if access.host.is_some() || access.token.is_some() || access.ca.is_some() {
        return Some(Source::Variables);
    }
    if let Some(path) = access.home.as_ref().map(|home| home.join(".kube/config")).filter(|path| path.exists()) {
        return Some(Source::Home(path));
    }
    std::env::var_os("KUBERNETES_SERVICE_HOST").map(|_| Source::InCluster)
}

pub async fn connect(access: &Access) -> anyhow::Result<Clients> {
    let Some(source) = source(access) else {
        bail!("{NONE}: {SOURCES}");
    };
    let config =
        config(access, &source).await.with_context(|| format!("the cluster's credentials from {source} cannot be used"))?;
    let server = shown(&config.cluster_url.to_string());
    let build = async |read: Option<Duration>| {
        let mut config = config.clone();
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = read;
        // Its own would try POSTs again for minutes.
        config.default_retry = false;
        // A plugin that gets the credentials is run here, and waited for.
        let client = tokio::task::spawn_blocking(move || Client::try_from(config)).await?;
        client.map_err(unusable).with_context(|| format!("the credentials from {source} cannot be used"))
    };
    Ok(Clients { calls: build(Some(SILENCE)).await?, streams: build(None).await?, source: source.clone(), server })
}

async fn config(access: &Access, source: &Source) -> anyhow::Result<Config> {
    let kubeconfig = match source {
        Source::Base64(name) => {
            let Some((_, text)) = &access.kubeconfig_base64 else { bail!("{name} is not set") };
            let packed: String = text.expose_secret().split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|_| anyhow!("it is no base64"))?;
            let text = String::from_utf8(bytes).map_err(|_| anyhow!("it is no text below its base64"))?;
            Kubeconfig::from_yaml(&text).map_err(unreadable)?
        }
        Source::Files(files) => {
            let mut merged: Option<Kubeconfig> = None;
            for file in std::env::split_paths(files).filter(|p| !p.as_os_str().is_empty()) {
                let one = read(file).await?;
                merged = Some(match merged {
                    None => one,
                    Some(before) => before.merge(one).map_err(unreadable)?,
                });
            }
            merged.ok_or_else(|| anyhow!("it names no file"))?
        }
        Source::Home(path) => read(path.clone()).await?,
        Source::Variables => from_variables(access)?,
        Source::InCluster => return Config::incluster().map_err(|error| anyhow!("{error}")),
        Source::Added => bail!("they are in the store alone"),
    };
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(|error| match error {
        // Both may quote what they could not read.
        kube::config::KubeconfigError::Parse(_) | kube::config::KubeconfigError::ParseClusterUrl(_) => {
            anyhow!("it is no kubeconfig")
        }
        other => anyhow!("{other}"),
    })
}

async fn read(path: PathBuf) -> anyhow::Result<Kubeconfig> {
    let shown = path.display().to_string();
    tokio::task::spawn_blocking(move || Kubeconfig::read_from(path))
        .await?
        .map_err(unreadable)
        .with_context(|| format!("{shown} cannot be used"))
}

/// Why no client can be made of the credentials, without what a plugin printed, which are credentials themselves.
fn unusable(error: kube::Error) -> anyhow::Error {
    use kube::client::AuthError as E;
    match error {
        kube::Error::Auth(E::AuthExecRun { out, .. }) => anyhow!("the plugin that gets them ended with {}", out.status),
        kube::Error::Auth(E::AuthExecParse(_)) => anyhow!("what the plugin that gets them printed cannot be read"),
        other => anyhow!("{other}"),
    }
}

/// What is wrong with a kubeconfig, without what stands in it.
fn unreadable(error: kube::config::KubeconfigError) -> anyhow::Error {
    use kube::config::KubeconfigError as E;
    match error {
        E::ReadConfig(error, _) => anyhow!("{error}"),
        E::Parse(_) => anyhow!("it is no kubeconfig"),
        other => anyhow!("{other}"),
    }
}

/// A host with a token, and the certificate of who signed the server's, as PEM, base64 of it, or a file.
fn from_variables(access: &Access) -> anyhow::Result<Kubeconfig> {
    let host = access.host.as_ref().context("KUBE_HOST is missing, and KUBE_TOKEN or KUBE_CA is set")?;
    let token = access.token.as_ref().context("KUBE_TOKEN is missing, and KUBE_HOST is set")?;
    let server = match host.split_once("://") {
        Some(("https", _)) => host.clone(),
        Some(_) => bail!("KUBE_HOST is no https address; a token must not travel in the open"),
        None => format!("https://{host}"),
    };
    let engine = base64::engine::general_purpose::STANDARD;
    let mut cluster = Cluster { server: Some(server), ..Cluster::default() };
    if let Some(ca) = &access.ca {
        let text = ca.expose_secret().trim();
        if text.starts_with("-----BEGIN") {
            cluster.certificate_authority_data = Some(engine.encode(text));
        } else if std::path::Path::new(text).is_absolute() {
            cluster.certificate_authority = Some(text.to_owned());
        } else {
            cluster.certificate_authority_data = Some(text.split_whitespace().collect());
        }
    }
    let user = AuthInfo { token: Some(token.clone()), ..AuthInfo::default() };
    let context = Context { cluster: "gaggle".into(), user: Some("gaggle".into()), ..Context::default() };
    Ok(Kubeconfig {
        clusters: vec![NamedCluster { name: "gaggle".into(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: "gaggle".into(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        contexts: vec![NamedContext { name: "gaggle".into(), context: Some(context), ..NamedContext::default() }],
        current_context: Some("gaggle".into()),
        ..Kubeconfig::default()
    })
}

/// Without a user, a path or a query.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}", authority.rsplit('@').next().unwrap_or_default())
}
