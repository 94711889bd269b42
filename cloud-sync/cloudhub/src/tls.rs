//! TLS as the cloud uses it: a client certificate of its own CA, or none (to enrol).

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::ca::{Ca, CaError};

pub(crate) fn server_config(ca: &Ca, host_names: &[String]) -> Result<ServerConfig, CaError> {
    let made = |e: rustls::Error| CaError::Make(e.to_string());
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).map_err(made)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|e| CaError::Make(e.to_string()))?;
    let (chain, key) = ca.server_certificate(host_names)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(made)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(made)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
