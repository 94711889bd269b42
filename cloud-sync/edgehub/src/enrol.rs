//! Getting the node's certificate: the first with a join token, each later one with the one before.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde::Serialize;
use sync_proto::enrol::{ENROL_PATH, MAX_ENROL_BYTES, RENEW_PATH};
use sync_proto::{CaPin, Enrol, EnrolRefused, Enrolled, JoinToken, Renew};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tracing::info;
use twin_core::NodeName;

use crate::connect::{tls, within};
use crate::error::LinkError;
use crate::identity::{self, Identity};
use crate::settings::{CloudUrl, Settings};
use crate::tls::pinned;

/// Asks the cloud for a certificate and stores it.
pub(crate) async fn enrol(settings: &Settings, token: &JoinToken) -> Result<(), LinkError> {
    let Settings { url, node, .. } = settings;
    if token.node() != node {
        return Err(LinkError::TokenForOtherNode { token: token.node().to_string(), node: node.to_string() });
    }
    let stream = connect(url, token.pin()).await?;
    let failed = |e: rcgen::Error| LinkError::Enrol(e.to_string());
    let (key, csr_pem) = request(node).map_err(failed)?;
    let request = Enrol { token: token.clone(), node: node.clone(), csr_pem };
    let enrolled = within(url, "enrolment", post(url, ENROL_PATH, stream, &request)).await??;
    let key_pem = key.serialize_pem();
    check(&enrolled, &key_pem, token.pin())?;
    identity::store(&settings.state_dir, &key_pem, &enrolled.certificate_pem, &enrolled.ca_pem)
        .map_err(LinkError::Store)?;
    info!(%node, "the node has joined the cloud and has its certificate");
    Ok(())
}

/// Asks the cloud for the next certificate, with the one that is stored, and stores it: key and certificate change together.
pub(crate) async fn renew(settings: &Settings, identity: Identity) -> Result<(), LinkError> {
    let Settings { url, node, .. } = settings;
    let pin = identity.pin();
    let config = crate::tls::mutual(identity).map_err(|e| LinkError::Tls(e.to_string()))?;
    let stream = tls(url, config).await?;
    let (key, csr_pem) = request(node).map_err(|e| LinkError::Enrol(e.to_string()))?;
    let enrolled = within(url, "renewal", post(url, RENEW_PATH, stream, &Renew { csr_pem })).await??;
    let key_pem = key.serialize_pem();
    check(&enrolled, &key_pem, pin)?;
    identity::store(&settings.state_dir, &key_pem, &enrolled.certificate_pem, &enrolled.ca_pem)
        .map_err(LinkError::Store)
}

/// A new key, and the request for its certificate.
fn request(node: &NodeName) -> Result<(KeyPair, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, node.as_str());
    let csr_pem = params.serialize_request(&key).and_then(|csr| csr.pem())?;
    Ok((key, csr_pem))
}

async fn connect(url: &CloudUrl, pin: CaPin) -> Result<TlsStream<TcpStream>, LinkError> {
    let (config, verifier) = pinned(pin).map_err(|e| LinkError::Tls(e.to_string()))?;
    let connected = tls(url, config).await;
    if verifier.is_mismatch() {
        return Err(LinkError::PinMismatch { address: url.authority() });
    }
    connected
}

/// One POST over a connection of its own.
async fn post(
    url: &CloudUrl,
    path: &str,
    stream: TlsStream<TcpStream>,
    body: &impl Serialize,
) -> Result<Enrolled, LinkError> {
    let failed = |e: hyper::Error| LinkError::Enrol(e.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let body = serde_json::to_vec(body).map_err(|e| LinkError::Enrol(e.to_string()))?;
    let request = Request::post(path)
        .header(header::HOST, url.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| LinkError::Enrol(e.to_string()))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ENROL_BYTES).collect().await;
        Ok((status, body.map_err(|e| LinkError::Enrol(e.to_string()))?.to_bytes()))
    };
    let driven = async {
        // Its end shows in the exchange.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    let (status, body) = tokio::select! { done = exchange => done?, () = driven => return Err(ended()) };
    if status == StatusCode::OK {
        return serde_json::from_slice(&body).map_err(|e| LinkError::Enrol(format!("bad answer: {e}")));
    }
    Err(serde_json::from_slice(&body).map_or_else(
        |_| LinkError::Http {
            address: url.authority(),
            status: status.as_u16(),
            body: String::from_utf8_lossy(&body).chars().take(200).collect(),
        },
        |EnrolRefused { code, reason }| LinkError::EnrolRefused { code, reason },
    ))
}

fn ended() -> LinkError {
    LinkError::Enrol("the connection ended".to_owned())
}

/// What came must be a usable certificate of the pinned CA for this key.
fn check(enrolled: &Enrolled, key_pem: &str, pin: CaPin) -> Result<(), LinkError> {
    let pem = [key_pem, &enrolled.certificate_pem, &enrolled.ca_pem].join("\n");
    let identity = Identity::from_pem(pem.as_bytes()).map_err(LinkError::Enrol)?;
    if identity.pin() != pin {
        return Err(LinkError::Enrol("the CA in the answer is not the one of the join token".to_owned()));
    }
    crate::tls::mutual(identity).map(drop).map_err(|e| LinkError::Enrol(e.to_string()))
}
