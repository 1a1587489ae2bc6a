//! TLS for all that is said to Slack, Discord and agents: the roots of this machine, under ring.
//!
//! Invariant: where the API is reached without TLS, a machine without roots is no fault.

use std::sync::Arc;

use anyhow::Context as _;
use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// For where there is none.
pub fn none() -> anyhow::Result<ClientConfig> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

pub fn config(is_needed: bool) -> anyhow::Result<ClientConfig> {
    let builder = match builder()?.with_native_roots() {
        Ok(builder) => builder,
        Err(_) if !is_needed => builder()?.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(error).context("this machine has no root certificates; install `ca-certificates`"),
    };
    Ok(builder.with_no_client_auth())
}

fn builder() -> anyhow::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("no TLS")
}
