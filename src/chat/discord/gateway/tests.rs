//! Shards against a Discord of a few lines, whose connections a test drives by hand.
pub fn tls() -> std::sync::Arc<rustls::ClientConfig> {
    let builder = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    std::sync::Arc::new(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
