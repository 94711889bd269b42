//! What comes in a path, a query, a header or a body, checked before a handler sees it.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use serde::de::DeserializeOwned;
use twin_api::{Condition, ProblemKind};
use twin_core::{DeviceId, InvalidId, NodeName, PropertyId};

use super::answer::Failure;

/// The largest body that is read, in bytes.
pub(crate) const MOST_BODY: usize = 1024 * 1024;

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// `{node}`
#[derive(Debug)]
pub(crate) struct NodePath(pub(crate) NodeName);

/// `{node}`, `{namespace}/{name}`
#[derive(Debug)]
pub(crate) struct DevicePath {
    pub(crate) node: NodeName,
    pub(crate) id: DeviceId,
}

/// `{node}`, `{namespace}/{name}`, `{*property}`
#[derive(Debug)]
pub(crate) struct PropertyPath {
    pub(crate) node: NodeName,
    pub(crate) id: PropertyId,
}

fn invalid(error: InvalidId) -> Failure {
    Failure::bad_request(error.to_string())
}

fn unreadable(error: PathRejection) -> Failure {
    Failure::bad_request(format!("the path cannot be read: {}", error.body_text()))
}

impl<S: Send + Sync> FromRequestParts<S> for NodePath {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(node) = Path::<String>::from_request_parts(parts, state).await.map_err(unreadable)?;
        node.parse().map(Self).map_err(invalid)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DevicePath {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((node, namespace, name)) = path.map_err(unreadable)?;
        let id = DeviceId::new(&namespace, &name).map_err(invalid)?;
        Ok(Self { node: node.parse().map_err(invalid)?, id })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PropertyPath {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String, String, String)>::from_request_parts(parts, state).await;
        let Path((node, namespace, name, property)) = path.map_err(unreadable)?;
        let device = DeviceId::new(&namespace, &name).map_err(invalid)?;
        let id = PropertyId::new(device, property.parse().map_err(invalid)?);
        Ok(Self { node: node.parse().map_err(invalid)?, id })
    }
}

/// A query whose every parameter is known.
#[derive(Debug)]
pub(crate) struct Strict<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Strict<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(error) => {
                let detail = error.body_text();
                let detail = detail.strip_prefix("Failed to deserialize query string: ").unwrap_or(&detail);
                Err(Failure::bad_request(format!("the query cannot be read: {detail}")))
            }
        }
    }
}

/// No parameter at all.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

/// What `If-Match` or `If-None-Match` says, if it is there.
pub(crate) fn condition(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Condition>, Failure> {
    let bad =
        || Failure::bad_request(format!("{name} must be ETags, for example \"42\" with its quotes, or *"));
    let mut lines = Vec::new();
    for line in headers.get_all(name) {
        lines.push(line.to_str().map_err(|_| bad())?);
    }
    if lines.is_empty() {
        return Ok(None);
    }
    lines.join(", ").parse().map(Some).map_err(|_| bad())
}

/// Reads a JSON body of bounded size.
pub(crate) async fn json_body(headers: &HeaderMap, body: Body) -> Result<serde_json::Value, Failure> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if !["application/merge-patch+json", "application/json"].contains(&media_type.as_str()) {
        let detail = "send the body with Content-Type: application/merge-patch+json";
        return Err(Failure::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let bytes: Bytes = axum::body::to_bytes(body, MOST_BODY).await.map_err(|_| {
        Failure::new(
            ProblemKind::TooLarge,
            format!("the body could not be read whole: send at most {MOST_BODY} bytes"),
        )
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::bad_request(format!("the body is not JSON: {error}")))
}
