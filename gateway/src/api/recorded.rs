//! Every request that may change something is in the audit before it is carried out, and how it ended afterwards.

use audit::{Action, Audit, Outcome, Record};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use rights::{Need, Principal, Role};
use serde_json::Value;
use twin_api::ProblemKind;

use super::MAX_BODY_BYTES;
use super::problem::{Detail, Rejection};

/// Whose bodies are written down too. Configurations are not: secrets may stand in them, and they are kept by themselves.
const SHOWN: [&str; 2] = ["/api/v1/devices/", "/api/v1/alarms"];

/// Whether a request is written down: it is, unless it only reads.
pub(super) fn is_recorded(method: &http::Method, need: Need) -> bool {
    !rights::need::reads(method.as_str()) && need != Need::Role(Role::Viewer)
}

/// Carries a request out if it can be written down.
pub(super) async fn run(audit: &Audit, principal: &Principal, request: Request, next: Next) -> Response {
    let subject = format!("{} {}", request.method(), request.uri().path());
    let (request, body) = match with_body(request).await {
        Ok(read) => read,
        Err(rejection) => return rejection.into_response(),
    };
    let mut record = Record::new(Action::Request);
    record.by = Some(principal.name.clone());
    record.role = Some(principal.role.word().to_owned());
    record.from = Some(principal.address.ip().to_canonical().to_string());
    record.subject = Some(subject);
    record.new = body;
    let mut answer = record.clone();
    let number = match audit.write(record).await {
        Ok(number) => number,
        Err(error) => {
            let detail = format!(
                "{error}; nothing is changed without it: make room on the disk of `gateway.data_dir`, or have it \
                 mounted for writing"
            );
            return Rejection::new(ProblemKind::NotStored, detail).into_response();
        }
    };
    let response = next.run(request).await;
    answer.action = Action::Answer;
    (answer.role, answer.new, answer.answers) = (None, None, Some(number));
    answer.outcome = Some(outcome(&response));
    audit.owe(answer).await;
    response
}

/// The request with what its body says, where that is written down.
async fn with_body(request: Request) -> Result<(Request, Option<Value>), Rejection> {
    let path = request.uri().path();
    if !SHOWN.iter().any(|shown| path.starts_with(shown)) {
        return Ok((request, None));
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
        let detail = format!("the body is longer than {MAX_BODY_BYTES} bytes, or broke off");
        Rejection::new(ProblemKind::TooLarge, detail)
    })?;
    let shown = serde_json::from_slice(&bytes).ok();
    Ok((Request::from_parts(parts, Body::from(bytes)), shown))
}

fn outcome(response: &Response) -> Outcome {
    let status = response.status();
    let reason = || match response.extensions().get::<Detail>() {
        Some(Detail(detail)) => format!("{}: {detail}", status.as_u16()),
        None => status.to_string(),
    };
    if status.is_server_error() {
        Outcome::Failed(reason())
    } else if status.is_client_error() {
        Outcome::Refused(reason())
    } else {
        Outcome::Applied
    }
}
