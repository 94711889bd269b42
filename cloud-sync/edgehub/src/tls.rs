//! TLS as the edge uses it: by the pin of the join token before it has a certificate, by the stored CA afterwards.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sync_proto::CaPin;

use crate::identity::Identity;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Trusts the stored CA only, and shows the node's certificate.
pub(crate) fn mutual(identity: Identity) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.ca)?;
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![identity.certificate], identity.key)
}

/// Trusts only the CA with this pin, which the cloud must show in its chain. The verifier remembers whether it was there.
pub(crate) fn pinned(pin: CaPin) -> Result<(ClientConfig, Arc<PinnedCa>), rustls::Error> {
    let verifier = Arc::new(PinnedCa { pin, provider: provider(), seen: OnceLock::new() });
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<PinnedCa>::clone(&verifier))
        .with_no_client_auth();
    Ok((config, verifier))
}

#[derive(Debug)]
pub(crate) struct PinnedCa {
    pin: CaPin,
    provider: Arc<CryptoProvider>,
    /// The CA, once it was found; none when a chain without it was shown.
    seen: OnceLock<bool>,
}

impl PinnedCa {
    /// Whether a chain was shown that lacks the pinned CA.
    pub(crate) fn is_mismatch(&self) -> bool {
        self.seen.get() == Some(&false)
    }
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ca = intermediates.iter().find(|c| CaPin::of(c) == self.pin);
        // Only the first handshake counts; there is one per attempt.
        let _ = self.seen.set(ca.is_some());
        let Some(ca) = ca else { return Err(CertificateError::UnknownIssuer.into()) };
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|e| rustls::Error::General(e.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
