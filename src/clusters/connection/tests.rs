//! Connections to a server of our own on loopback: what is refused before a packet is sent, and what is told of TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::clusters::fixtures::*;
use crate::clusters::{Fields, from_fields, verify};

/// A server that answers every request with the same bytes.
struct Server {
    address: SocketAddr,
    /// Connections that were opened.
    seen: Arc<AtomicUsize>,
}

fn serve(certificate: &str, key: &str, answer: &'static str) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap());
    listen(move |stream| {
        let Ok(tls) = ServerConnection::new(config.clone()) else { return };
        talk(StreamOwned::new(tls, stream), answer);
    })
}

fn listen(each: impl Fn(std::net::TcpStream) + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            each(stream);
        }
    });
    Server { address, seen }
}

fn talk(mut stream: impl std::io::Read + std::io::Write, answer: &str) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(1..) => request.extend(part),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request);
    let answer = answer.replace("{REQUEST}", request.trim_end_matches('\0').trim());
    let (head, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
    let head = head.replace('\n', "\r\n");
    let _ = write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = stream.flush();
}

fn credentials(server: String, ca: Option<&str>) -> Credentials {
    let insecure = ca.is_none();
    let fields = Fields { server, token: Some(TOKEN.into()), ca: ca.map(str::to_owned), insecure, ..Fields::default() };
    from_fields(fields, true).unwrap()
}

fn loopback() -> Allow {
    Allow(vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()])
}

async fn ask(credentials: &Credentials, allow: &Allow) -> Failure {
    match connect(credentials, allow) {
        Err(refused) => Failure::Other(refused.to_string()),
        Ok(connection) => verify(&connection, "default").await.unwrap_err(),
    }
}

const NOT_FOUND: &str = "404 Not Found\n\nnothing here, and you sent {REQUEST}";

#[tokio::test]
async fn loopback_is_refused_before_a_packet_is_sent() {
    let server = serve(SERVER, SERVER_KEY, NOT_FOUND);
    let port = server.address.port();
    let none = Allow::default();
    for host in ["127.0.0.1", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]"] {
        let refused = connect(&credentials(format!("https://{host}:{port}"), Some(CA)), &none).unwrap_err();
        assert!(refused.what.contains("allow_addresses"), "{host}: {refused}");
    }
    // The name is only known to lead there once it is resolved.
    for host in ["localhost", "LOCALHOST"] {
        let found = ask(&credentials(format!("https://{host}:{port}"), Some(CA)), &none).await;
        assert!(matches!(&found, Failure::Guarded(forbidden) if forbidden.kind == "a loopback address"), "{host}: {found:?}");
        assert!(matches!(found.told("https://localhost"), crate::error::Error::Refused(_)));
    }
    assert_eq!(server.seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn loopback_is_asked_where_it_is_allowed() {
    let server = serve(SERVER, SERVER_KEY, NOT_FOUND);
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost"] {
        let found = ask(&credentials(format!("https://{host}:{port}"), Some(CA)), &loopback()).await;
        assert!(matches!(&found, Failure::NotKubernetes(what) if what.contains("404")), "{host}: {found:?}");
    }
    assert_eq!(server.seen.load(Ordering::SeqCst), 2);
    // Unverified, as it was asked for.
    let found = ask(&credentials(format!("127.0.0.1:{port}"), None), &loopback()).await;
    assert!(matches!(found, Failure::NotKubernetes(_)), "{found:?}");
}

#[tokio::test]
async fn what_is_wrong_with_the_server_is_told_apart() {
    let allow = loopback();
    let at = |server: &Server| format!("https://127.0.0.1:{}", server.address.port());
    let good = serve(SERVER, SERVER_KEY, NOT_FOUND);
    assert_eq!(ask(&credentials(at(&good), Some(OTHER_CA)), &allow).await, Failure::UnknownAuthority);
    let wrong = serve(WRONG_NAME, WRONG_NAME_KEY, NOT_FOUND);
    assert_eq!(ask(&credentials(at(&wrong), Some(CA)), &allow).await, Failure::WrongName);
    let old = serve(OLD_SERVER, OLD_SERVER_KEY, NOT_FOUND);
    assert_eq!(ask(&credentials(at(&old), Some(CA)), &allow).await, Failure::ServerCertificateExpired);
    let own = serve(RSA, RSA_KEY, NOT_FOUND);
    assert_eq!(ask(&credentials(at(&own), Some(CA)), &allow).await, Failure::UnknownAuthority);
    let plain = listen(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    });
    assert_eq!(ask(&credentials(at(&plain), Some(CA)), &allow).await, Failure::NoTls);
    let closes = listen(drop);
    let found = ask(&credentials(at(&closes), Some(CA)), &allow).await;
    assert!(matches!(found, Failure::Network(_)), "{found:?}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(ask(&credentials(format!("127.0.0.1:{port}"), Some(CA)), &allow).await, Failure::NobodyListens);
    let found = ask(&credentials("https://no-such-host.invalid".into(), Some(CA)), &allow).await;
    assert_eq!(found, Failure::Unresolved("no-such-host.invalid".into()));
    // The name that the certificate has to have may be given.
    let fields = Fields {
        server: at(&wrong),
        token: Some(TOKEN.into()),
        ca: Some(CA.into()),
        tls_server_name: Some("elsewhere.test".into()),
        ..Fields::default()
    };
    let found = ask(&from_fields(fields, false).unwrap(), &allow).await;
    assert!(matches!(found, Failure::NotKubernetes(_)), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_slow() {
    let silent = listen(std::mem::forget);
    let url = format!("https://127.0.0.1:{}", silent.address.port());
    assert_eq!(ask(&credentials(url, Some(CA)), &loopback()).await, Failure::Slow);
}

/// Servers that answer with what they were sent, or lead elsewhere.
#[tokio::test]
async fn servers_that_are_no_kubernetes() {
    let elsewhere = serve(SERVER, SERVER_KEY, NOT_FOUND);
    let leading: &'static str =
        Box::leak(format!("302 Found\nLocation: https://127.0.0.1:{}/\n\n", elsewhere.address.port()).into_boxed_str());
    for (answer, wanted) in [
        (leading, "leads elsewhere"),
        ("200 OK\n\n<html>{REQUEST}</html>", "something else"),
        ("200 OK\n\n{\"gitVersion\": \"{REQUEST}\"}", "something else"),
        ("200 OK\n\n{\"major\": \"1\"}", "something else"),
        ("401 Unauthorized\n\n{REQUEST}", "not accepted"),
        ("403 Forbidden\n\n{REQUEST}", "HTTP 403"),
        ("404 Not Found\n\n{REQUEST}", "HTTP 404"),
        ("503 Service Unavailable\n\n{REQUEST}", "overloaded"),
    ] {
        let server = serve(SERVER, SERVER_KEY, answer);
        let url = format!("https://127.0.0.1:{}", server.address.port());
        let found = ask(&credentials(url.clone(), Some(CA)), &loopback()).await;
        let told = found.sentence(&url);
        assert!(told.contains(wanted), "{answer}: {told}");
        assert!(!tells(&format!("{told} {found:?}"), TOKEN), "{told}");
    }
    assert_eq!(elsewhere.seen.load(Ordering::SeqCst), 0);
}

#[test]
fn what_servers_say_is_cleaned() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let connection = connect(&credentials("https://cluster.test".into(), Some(CA)), &Allow::default()).unwrap();
    let said = format!("you\n sent\u{7} {TOKEN}, {}", "x".repeat(1000));
    let clean = connection.clean(&said);
    assert!(clean.starts_with("you sent …, x") && clean.chars().count() == LONGEST, "{clean}");
    assert!(!tells(&format!("{connection:?}"), TOKEN));
}
