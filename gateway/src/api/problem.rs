//! Errors as problem documents (RFC 9457).

use axum::Json;
use axum::extract::FromRequestParts;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::response::{IntoResponse, Response};
use device_twin::ReportError;
use http::request::Parts;
use http::{StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use tracing::error;
use twin_api::{Problem, ProblemKind};
use twin_store::{StoreError, Verdict};

/// A problem as a response.
#[derive(Debug)]
pub(super) struct Rejection(pub(super) Problem);

impl Rejection {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self(Problem::new(kind, detail))
    }
}

/// The detail of a problem, among the extensions of its response: the audit takes it from there.
#[derive(Debug, Clone)]
pub(super) struct Detail(pub(super) String);

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let detail = Detail(self.0.detail.clone());
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = (status, Json(self.0));
        let mut response = ([(header::CONTENT_TYPE, Problem::MEDIA_TYPE)], body).into_response().with_type();
        response.extensions_mut().insert(detail);
        response
    }
}

trait WithType {
    fn with_type(self) -> Self;
}

impl WithType for Response {
    /// `Json` sets its own media type; a problem has another.
    fn with_type(mut self) -> Self {
        self.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(Problem::MEDIA_TYPE));
        self
    }
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        error!(%error, "a request could not be answered from the database");
        let detail = match error.verdict() {
            Verdict::Retry(trouble) => {
                format!("the database could not be read: {trouble}; {}", trouble.mend())
            }
            Verdict::Rebuild | Verdict::GiveUp => {
                "the database could not be read; the gateway's log says more".to_owned()
            }
        };
        Self::new(kind_of(&error), detail)
    }
}

/// What an error of the store is for who asked.
pub(super) fn kind_of(error: &StoreError) -> ProblemKind {
    match error.verdict() {
        Verdict::Retry(_) => ProblemKind::NotStored,
        Verdict::Rebuild | Verdict::GiveUp => ProblemKind::Internal,
    }
}

impl From<audit::AuditError> for Rejection {
    fn from(error: audit::AuditError) -> Self {
        error!(%error, "a request could not be answered from the audit");
        Self::new(ProblemKind::Internal, "the audit could not be read; the gateway's log says more")
    }
}

impl From<ReportError> for Rejection {
    fn from(error: ReportError) -> Self {
        let kind = match &error {
            ReportError::UnknownDevice { .. } => ProblemKind::UnknownDevice,
            ReportError::UnknownProperty { .. } => ProblemKind::UnknownProperty,
            ReportError::Type { .. } | ReportError::Unacceptable { .. } => ProblemKind::UnacceptableValue,
            ReportError::Stale { .. } => ProblemKind::RevisionMismatch,
            ReportError::NotStored { .. } => ProblemKind::NotStored,
            ReportError::Stopping => ProblemKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<JsonRejection> for Rejection {
    fn from(rejection: JsonRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemKind::UnsupportedMediaType,
            _ => ProblemKind::BadRequest,
        };
        Self::new(kind, rejection.body_text())
    }
}

/// What a parser says may quote all that it was given.
pub(super) fn short(said: &str) -> String {
    said.chars().take(400).collect()
}

/// A path whose parts have been read.
pub(super) struct Path<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Rejection;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        let bad = |r: PathRejection| Rejection::new(ProblemKind::BadRequest, short(&r.body_text()));
        path.map(|axum::extract::Path(value)| Self(value)).map_err(bad)
    }
}

/// Query parameters; one that is not known is refused.
pub(super) struct Query<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Rejection;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|r| Rejection::new(ProblemKind::BadRequest, short(&r.body_text())))
    }
}

pub(super) async fn no_such_path(uri: Uri) -> Rejection {
    let path: String = uri.path().chars().take(200).collect();
    let detail = format!("there is no {path}; /openapi.json lists what there is");
    std::future::ready(Rejection::new(ProblemKind::NoSuchPath, detail)).await
}

/// `Allow` is added by the router.
pub(super) async fn method_not_allowed(method: http::Method, uri: Uri) -> Response {
    if method == http::Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let path: String = uri.path().chars().take(200).collect();
    let detail = format!("{path} does not know {method}; /openapi.json lists what it knows");
    std::future::ready(Rejection::new(ProblemKind::MethodNotAllowed, detail).into_response()).await
}
