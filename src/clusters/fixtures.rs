//! Certificates, tokens and kubeconfigs for tests. None of them opens anything.

use base64::Engine as _;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kubeconfigs/", $name))
    };
}

pub const CA: &str = fixture!("ca.pem");
pub const OTHER_CA: &str = fixture!("other.pem");
pub const CLIENT: &str = fixture!("client.pem");
pub const CLIENT_KEY: &str = fixture!("client.key");
pub const EXPIRED: &str = fixture!("expired.pem");
pub const EXPIRED_KEY: &str = fixture!("expired.key");
pub const RSA: &str = fixture!("rsa.pem");
pub const RSA_KEY: &str = fixture!("rsa.key");
pub const STRAY_KEY: &str = fixture!("stray.key");
pub const LOCKED_KEY: &str = fixture!("locked.key");
pub const SERVER: &str = fixture!("server.pem");
pub const SERVER_KEY: &str = fixture!("server.key");
pub const WRONG_NAME: &str = fixture!("wrongname.pem");
pub const WRONG_NAME_KEY: &str = fixture!("wrongname.key");
pub const OLD_SERVER: &str = fixture!("oldserver.pem");
pub const OLD_SERVER_KEY: &str = fixture!("oldserver.key");

pub const TOKEN: &str = "fake-token-0123456789abcdef0123456789abcdef-only-for-tests";

pub fn packed(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A kubeconfig of 18 lines with a token.
pub fn kubeconfig() -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: demo
clusters:
- name: demo
  cluster:
    server: https://cluster.test:6443
    certificate-authority-data: {}
users:
- name: demo
  user:
    token: {TOKEN}
contexts:
- name: demo
  context:
    cluster: demo
    user: demo
    namespace: shop
",
        packed(CA)
    )
}

/// The same with a certificate and its key, in lines 12 and 13.
pub fn kubeconfig_with(certificate: &str, key: &str) -> String {
    let pair = format!("client-certificate-data: {}\n    client-key-data: {}", packed(certificate), packed(key));
    kubeconfig().replace(&format!("token: {TOKEN}"), &pair)
}

/// Whether a text tells something of a secret: any run of 12 characters of it.
pub fn tells(text: &str, secret: &str) -> bool {
    let secret: Vec<char> = secret.chars().collect();
    secret.windows(12).any(|part| text.contains(&part.iter().collect::<String>()))
}

/// All that no message may repeat.
pub fn secrets() -> Vec<String> {
    let keys = [CLIENT_KEY, EXPIRED_KEY, RSA_KEY, STRAY_KEY, LOCKED_KEY];
    let bodies = keys.iter().map(|pem| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>());
    let packed = keys.iter().map(|pem| packed(pem));
    bodies.chain(packed).chain([TOKEN.to_owned()]).collect()
}
