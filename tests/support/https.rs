//! A web server on loopback whose certificate `tests/fixtures/kubeconfigs/ca.pem` signed.
//!
//! Invariant: it counts every connection, so that a test can tell that nobody came.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Answers a path with its query: status line with further headers, and the body.
pub type Answers = fn(&str) -> (String, Vec<u8>);

pub struct Https {
    pub address: SocketAddr,
    seen: Arc<AtomicUsize>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kubeconfigs").join(name)
}

/// The file of the authority that signed the certificate.
pub fn authority() -> String {
    fixture("ca.pem").display().to_string()
}

impl Https {
    /// … with the certificate `NAME.pem`; threads of its own, which end with the test.
    pub fn start(certificate: &str, answers: Answers) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chain = CertificateDer::pem_file_iter(fixture(&format!("{certificate}.pem"))).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(fixture(&format!("{certificate}.key"))).unwrap();
        let config = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let counted = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
                let tls = ServerConnection::new(config.clone()).unwrap();
                talk(StreamOwned::new(tls, stream), answers);
            }
        });
        Self { address, seen }
    }

    pub fn connections(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn talk(mut stream: StreamOwned<ServerConnection, TcpStream>, answers: Answers) {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(read @ 1..) => request.extend(&part[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request);
    let (head, body) = answers(request.split(' ').nth(1).unwrap_or_default());
    // Without a length, so that nobody knows before how much it is.
    let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(&body);
    stream.conn.send_close_notify();
    let _ = stream.flush();
}
