//! The configuration in force, and how another comes into force.

use axum::{Extension, Json};
use rights::{Principal, Proof};
use serde::{Deserialize, Serialize};
use twin_api::{FieldFault, Problem, ProblemKind};
use utoipa::ToSchema;

use super::State;
use super::input::{Body, NoQuery};
use super::problem::Rejection;
use crate::running::ApplyError;
use crate::running::texts::Texts;
use crate::running::view::{Applied, Revisions, Status, lines};

/// The longest body with a configuration, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A configuration to come into force.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyRequest {
    /// Its texts.
    pub texts: Texts,
    /// Why, in a few words, for the history.
    #[serde(default)]
    pub note: String,
    /// Only say what would differ.
    #[serde(default)]
    pub dry_run: bool,
}

/// An earlier configuration to come into force.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// Its revision.
    pub revision: i64,
    /// Why, in a few words, for the history.
    #[serde(default)]
    pub note: String,
    /// Only say what would differ.
    #[serde(default)]
    pub dry_run: bool,
}

/// The configuration in force; its texts are not shown, for secrets may stand in them.
#[utoipa::path(get, path = "/api/v1/config", tag = "configuration", responses((status = 200, body = Status)))]
pub(super) async fn status(
    axum::extract::State(state): axum::extract::State<State>,
    NoQuery: NoQuery,
) -> Json<Status> {
    std::future::ready(Json((*state.running.status()).clone())).await
}

/// The configurations that were in force, the newest first.
#[utoipa::path(get, path = "/api/v1/config/history", tag = "configuration",
    responses((status = 200, body = Revisions), (status = 503, body = Problem)))]
pub(super) async fn history(
    axum::extract::State(state): axum::extract::State<State>,
    NoQuery: NoQuery,
) -> Result<Json<Revisions>, Rejection> {
    Ok(Json(state.running.history().await?))
}

/// Brings a configuration into force: all of it when all of it is right, otherwise nothing. Devices that are the same notice
/// nothing of it.
#[utoipa::path(post, path = "/api/v1/config/apply", tag = "configuration", request_body = ApplyRequest,
    responses((status = 200, body = Applied), (status = 400, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn apply(
    axum::extract::State(state): axum::extract::State<State>,
    NoQuery: NoQuery,
    Extension(principal): Extension<Principal>,
    Body(ApplyRequest { texts, note, dry_run }): Body<ApplyRequest>,
) -> Result<Json<Applied>, Rejection> {
    if let Some(name) = texts.too_long() {
        let detail = format!("{name} is longer than the {} bytes that are read", ::config::Source::MAX_BYTES);
        return Err(Rejection::new(ProblemKind::TooLarge, detail));
    }
    Ok(Json(state.running.apply(texts, note_of(&note, &principal), dry_run).await?))
}

/// Reads the files that the gateway was started with, and brings them into force.
#[utoipa::path(post, path = "/api/v1/config/reload", tag = "configuration",
    responses((status = 200, body = Applied), (status = 409, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn reload(
    axum::extract::State(state): axum::extract::State<State>,
    NoQuery: NoQuery,
) -> Result<Json<Applied>, Rejection> {
    Ok(Json(state.running.reload().await?))
}

/// Brings an earlier configuration into force again.
#[utoipa::path(post, path = "/api/v1/config/rollback", tag = "configuration", request_body = RollbackRequest,
    responses((status = 200, body = Applied), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn rollback(
    axum::extract::State(state): axum::extract::State<State>,
    NoQuery: NoQuery,
    Extension(principal): Extension<Principal>,
    Body(RollbackRequest { revision, note, dry_run }): Body<RollbackRequest>,
) -> Result<Json<Applied>, Rejection> {
    Ok(Json(state.running.rollback(revision, note_of(&note, &principal), dry_run).await?))
}

/// A note of at most 200 characters, and whose it is when that is known.
fn note_of(note: &str, principal: &Principal) -> String {
    let mut note: String = note.chars().take(200).collect();
    match principal.proof {
        Proof::Loopback => {}
        Proof::Token | Proof::Certificate if note.is_empty() => note = format!("by {principal}"),
        Proof::Token | Proof::Certificate => note.push_str(&format!(" (by {principal})")),
    }
    note
}

impl From<ApplyError> for Rejection {
    fn from(error: ApplyError) -> Self {
        let kind = match &error {
            ApplyError::Faults(faults) => {
                let mut problem = Problem::new(
                    ProblemKind::WrongConfiguration,
                    "the configuration is wrong; the one in force stays",
                );
                problem.faults =
                    lines(faults).into_iter().map(|(name, detail)| FieldFault { name, detail }).collect();
                return Self(problem);
            }
            ApplyError::Unreadable(_) | ApplyError::Mapper(_) => ProblemKind::WrongConfiguration,
            ApplyError::NoFile => ProblemKind::NoFile,
            ApplyError::UnknownRevision(_) => ProblemKind::UnknownRevision,
            ApplyError::Store(error) => super::problem::kind_of(error),
            ApplyError::Audit(_) | ApplyError::Stopping => ProblemKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}
