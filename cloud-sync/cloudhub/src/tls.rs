//! TLS as the cloud uses it: a client certificate of its own CA, or none (to enrol).

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use crate::ca::{Ca, CaError};
use crate::revoked::{NotRevoked, Revocations};

pub(crate) fn server_config(
    ca: &Ca,
    host_names: &[String],
    revocations: Revocations,
) -> Result<ServerConfig, CaError> {
    let made = |e: rustls::Error| CaError::Make(e.to_string());
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).map_err(made)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|e| CaError::Make(e.to_string()))?;
    let verifier = Arc::new(NotRevoked { inner: verifier, revocations });
    let (chain, key) = ca.server_certificate(host_names)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(made)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(made)?;
    // Who resumes a session does not show the certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
