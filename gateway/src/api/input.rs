//! What comes with a request, checked before a handler sees it: no parameter that is not known, no body of another type,
//! no condition that cannot be read.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use twin_api::{Condition, ProblemKind};

use super::problem::{Query, Rejection, short};

/// How long the whole of a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(20);
/// The media type of a JSON merge patch (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
/// The media type of JSON (RFC 8259).
const JSON: &str = "application/json";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A query without any parameter.
pub(super) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Rejection;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let Query(Nothing {}) = Query::from_request_parts(parts, state).await?;
        Ok(Self)
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Rejection;
    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        let is_json = is_of(request.headers(), &[JSON]);
        let bytes = bytes(request, state).await?;
        if !is_json {
            return Err(unsupported(JSON));
        }
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub(super) struct OptionalBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Rejection;
    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        let is_json = is_of(request.headers(), &[JSON]);
        let bytes = bytes(request, state).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => parse(&bytes).map(Self),
            (false, false) => Err(unsupported(JSON)),
        }
    }
}

/// A JSON merge patch; plain JSON is taken for one.
pub(super) struct MergePatch(pub(super) serde_json::Value);

impl<S: Send + Sync> FromRequest<S> for MergePatch {
    type Rejection = Response;
    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let is_patch = is_of(request.headers(), &[MERGE_PATCH, JSON]);
        let bytes = bytes(request, state).await.map_err(Rejection::into_response)?;
        if !is_patch {
            // RFC 5789, 2.2: say what would do.
            let accept = (HeaderName::from_static("accept-patch"), HeaderValue::from_static(MERGE_PATCH));
            return Err(([accept], unsupported(MERGE_PATCH)).into_response());
        }
        parse(&bytes).map(Self).map_err(Rejection::into_response)
    }
}

fn is_of(headers: &HeaderMap, types: &[&str]) -> bool {
    let Some(Ok(text)) = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    let media_type = text.split(';').next().unwrap_or_default().trim();
    types.iter().any(|known| known.eq_ignore_ascii_case(media_type))
}

fn unsupported(wanted: &str) -> Rejection {
    Rejection::new(ProblemKind::UnsupportedMediaType, format!("send the body with `Content-Type: {wanted}`"))
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Rejection> {
    match tokio::time::timeout(BODY_DEADLINE, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Rejection::new(ProblemKind::TooLarge, "the body is longer than what is read here"))
        }
        Ok(Err(error)) => Err(Rejection::new(
            ProblemKind::BadRequest,
            format!("the body cannot be read: {}", error.body_text()),
        )),
        Err(_) => Err(Rejection::new(
            ProblemKind::Timeout,
            format!("the body was not there whole within {} s", BODY_DEADLINE.as_secs()),
        )),
    }
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    serde_json::from_slice(bytes).map_err(|error| {
        Rejection::new(
            ProblemKind::BadRequest,
            format!("the body cannot be read as what it should be: {}", short(&error.to_string())),
        )
    })
}

/// What a header such as `If-Match` says; none when it is not there.
pub(super) fn condition(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Condition>, Rejection> {
    let bad = || {
        let detail = format!("`{name}` must be `*` or entity tags such as \"42\", with their quotes");
        Rejection::new(ProblemKind::BadRequest, detail)
    };
    let mut lines = Vec::new();
    for line in headers.get_all(name) {
        lines.push(line.to_str().map_err(|_| bad())?);
    }
    if lines.is_empty() {
        return Ok(None);
    }
    lines.join(", ").parse().map(Some).map_err(|_| bad())
}
