//! Problems as answers.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud_store::{SetDesiredError, StoreError};
use twin_api::{FieldFault, Problem, ProblemKind};

/// What a handler answers when it cannot do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Problem);

impl Failure {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self(Problem::new(kind, detail))
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::BadRequest, detail)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let content_type = HeaderValue::from_static(Problem::MEDIA_TYPE);
        (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => {
                Self::new(ProblemKind::Unavailable, "the server is stopping: try again later")
            }
            StoreError::Database(_) | StoreError::Corrupt { .. } => {
                tracing::error!(%error, "a request failed");
                Self::new(ProblemKind::Internal, "the database failed: the server's log says why")
            }
        }
    }
}

impl From<SetDesiredError> for Failure {
    fn from(error: SetDesiredError) -> Self {
        let detail = error.to_string();
        let fault = |name: &str, detail: &str| vec![FieldFault { name: name.into(), detail: detail.into() }];
        match error {
            SetDesiredError::UnknownDevice { .. } => Self::new(ProblemKind::UnknownDevice, detail),
            SetDesiredError::UnknownProperty { id } => {
                let faults = fault(id.property.as_str(), &detail);
                Self(Problem::new(ProblemKind::UnknownProperty, detail).with_faults(faults))
            }
            SetDesiredError::Unacceptable { id, source } => {
                let faults = fault(id.property.as_str(), &source.to_string());
                Self(Problem::new(ProblemKind::UnacceptableValue, detail).with_faults(faults))
            }
            SetDesiredError::RevisionMismatch { .. } => Self::new(ProblemKind::RevisionMismatch, detail),
            SetDesiredError::Store(error) => error.into(),
        }
    }
}
