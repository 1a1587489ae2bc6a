//! An HTTP proxy in front of the API server that lets things go wrong: what it is told to, when it is told to.
//!
//! Invariant: what is not told to fail passes unchanged, watches as they come. Upgrades do not pass: stories that need a
//! port-forward go straight to the cluster.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use kube::config::Kubeconfig;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A request that came through.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
}

impl Request {
    pub fn is_watch(&self) -> bool {
        self.path.contains("watch=true") || self.path.contains("watch=1")
    }

    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// The resource that it is about: `deployments`.
    pub fn about(&self, resource: &str) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        path.split('/').any(|part| part == resource)
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// This status, with `Retry-After` if it is not 0.
    Answer(u16, u32),
    Late(Duration),
    /// A watch whose place in history is forgotten.
    Expired,
    /// It is taken, and nothing comes back.
    Silence,
}

type Fits = Box<dyn Fn(&Request) -> bool + Send>;

struct Rule {
    fits: Fits,
    fault: Fault,
    /// How often still.
    left: usize,
    /// Requests that fit and pass before.
    after: usize,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<Request>,
    faults: usize,
}

struct Shared {
    upstream: reqwest::Client,
    server: String,
    state: Mutex<State>,
    /// Counted up to cut each open watch.
    cuts: watch::Sender<usize>,
    /// While it is set, nothing more comes of open watches.
    still: watch::Sender<bool>,
    away: watch::Sender<bool>,
}

pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    accepting: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    pub async fn start(kubeconfig: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let cluster = config.clusters[0].cluster.clone().expect("a cluster");
        let user = config.auth_infos[0].auth_info.clone().expect("a user");
        let pem = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        let ca = pem(cluster.certificate_authority_data.as_deref().expect("an authority"));
        let mut own = pem(user.client_certificate_data.as_deref().expect("a certificate"));
        own.push(b'\n');
        own.extend(pem(user.client_key_data.expect("a key").expose_secret()));
        let upstream = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).expect("an authority")])
            .identity(reqwest::Identity::from_pem(&own).expect("an identity"))
            .no_proxy()
            .build()
            .expect("a client");
        let shared = Arc::new(Shared {
            upstream,
            server: cluster.server.expect("a server"),
            state: Mutex::default(),
            cuts: watch::Sender::new(0),
            still: watch::Sender::new(false),
            away: watch::Sender::new(false),
        });
        let folder = tempfile::Builder::new().prefix("gaggle-proxy-").tempdir().expect("a folder");
        let mut proxy = Self { shared, port: super::goose::free_port(), accepting: None, folder };
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{ name: c, cluster: {{ server: \"http://127.0.0.1:{}\" }} }}]\n\
             users: [{{ name: u, user: {{}} }}]\ncontexts: [{{ name: x, context: {{ cluster: c, user: u }} }}]\n\
             current-context: x\n",
            proxy.port
        );
        std::fs::write(proxy.kubeconfig(), text).expect("a file");
        proxy.back().await;
        proxy
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// The next `times` requests that fit fail so.
    pub fn fail(&self, times: usize, fault: Fault, fits: impl Fn(&Request) -> bool + Send + 'static) {
        self.fail_after(0, times, fault, fits);
    }

    /// … after the first ones of them.
    pub fn fail_after(&self, after: usize, times: usize, fault: Fault, fits: impl Fn(&Request) -> bool + Send + 'static) {
        self.shared.lock().rules.push(Rule { fits: Box::new(fits), fault, left: times, after });
    }

    /// From now on nothing fails.
    pub fn mend(&self) {
        self.shared.lock().rules.clear();
        self.shared.still.send_replace(false);
    }

    /// How often something was let fail.
    pub fn faults(&self) -> usize {
        self.shared.lock().faults
    }

    /// Ends each open watch in the middle.
    pub fn cut_watches(&self) {
        self.shared.cuts.send_modify(|n| *n += 1);
    }

    /// Keeps each open watch open, and says nothing more on it.
    pub fn still_watches(&self) {
        self.shared.still.send_replace(true);
    }

    /// Refuses connections and breaks those that are open.
    pub async fn away(&mut self) {
        self.shared.away.send_replace(true);
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
    }

    pub async fn back(&mut self) {
        self.shared.away.send_replace(false);
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("a port");
        let shared = self.shared.clone();
        self.accepting = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, mut away) = (shared.clone(), shared.away.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = serve(&shared, stream) => {}
                        _ = away.wait_for(|away| *away) => {}
                    }
                });
            }
        }));
    }

    /// What came since this was last asked, watches left out.
    pub fn requests(&self) -> Vec<Request> {
        let all = std::mem::take(&mut self.shared.lock().seen);
        all.into_iter().filter(|r| !r.is_watch()).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.away.send_replace(true);
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// One connection, request after request.
async fn serve(shared: &Arc<Shared>, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = String::new();
        if read.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
        let request = Request { method: method.to_owned(), path: path.to_owned() };
        let (mut headers, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            read.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "host" | "connection" | "authorization" => {}
                other => headers.push((other.to_owned(), value.to_owned())),
            }
        }
        let mut body = vec![0; length];
        read.read_exact(&mut body).await?;
        let fault = {
            let mut state = shared.lock();
            state.seen.push(request.clone());
            let fault = state.rules.iter_mut().find(|r| (r.fits)(&request) && r.left > 0).and_then(|rule| {
                if rule.after > 0 {
                    rule.after -= 1;
                    return None;
                }
                rule.left -= 1;
                Some(rule.fault)
            });
            state.faults += usize::from(fault.is_some());
            fault
        };
        match fault {
            Some(Fault::Answer(code, after)) => {
                let status = status(code, after);
                let retry = if after > 0 { format!("Retry-After: {after}\r\n") } else { String::new() };
                let head = format!(
                    "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\n{retry}Content-Length: {}\r\n\r\n",
                    status.len()
                );
                write.write_all((head + &status).as_bytes()).await?;
                continue;
            }
            Some(Fault::Expired) => {
                let event = format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", status(410, 0));
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n".to_owned();
                return write.write_all((head + &event).as_bytes()).await;
            }
            Some(Fault::Silence) => return std::future::pending().await,
            Some(Fault::Late(time)) => tokio::time::sleep(time).await,
            None => {}
        }
        pass(shared, &request, headers, body, &mut write).await?;
    }
}

async fn pass(
    shared: &Arc<Shared>,
    request: &Request,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    write: &mut (impl tokio::io::AsyncWrite + Unpin),
) -> std::io::Result<()> {
    let other = std::io::Error::other::<reqwest::Error>;
    let (mut cuts, mut still) = (shared.cuts.subscribe(), shared.still.subscribe());
    let method = request.method.parse().map_err(std::io::Error::other)?;
    let mut asked = shared.upstream.request(method, format!("{}{}", shared.server, request.path)).body(body);
    for (name, value) in headers {
        asked = asked.header(name, value);
    }
    let mut answer = asked.send().await.map_err(other)?;
    let mut head = format!("HTTP/1.1 {} X\r\nTransfer-Encoding: chunked\r\n", answer.status().as_u16());
    for name in ["content-type", "retry-after"] {
        if let Some(value) = answer.headers().get(name).and_then(|v| v.to_str().ok()) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    write.write_all((head + "\r\n").as_bytes()).await?;
    let is_watch = request.is_watch();
    loop {
        let chunk = tokio::select! {
            biased;
            _ = cuts.changed(), if is_watch => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            chunk = answer.chunk() => chunk.map_err(other)?,
        };
        if is_watch && *still.borrow() {
            tokio::select! {
                _ = cuts.changed() => return Err(std::io::ErrorKind::ConnectionAborted.into()),
                _ = still.wait_for(|still| !still) => {}
            }
        }
        let Some(chunk) = chunk else { break };
        write.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
        write.write_all(&chunk).await?;
        write.write_all(b"\r\n").await?;
    }
    write.write_all(b"0\r\n\r\n").await
}

fn status(code: u16, after: u32) -> String {
    let reason = match code {
        401 => "Unauthorized",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "the proxy says so",
        "reason": reason, "code": code, "details": { "retryAfterSeconds": after },
    })
    .to_string()
}
