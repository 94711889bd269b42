//! The routes of the link port.

use std::net::SocketAddr;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use serde_json::json;
use sync_proto::enrol::{ENROL_PATH, MAX_ENROL_BYTES, RENEW_PATH};
use sync_proto::{FrameLimits, LINK_PATH, SUBPROTOCOL};
use tokio::sync::mpsc;
use twin_core::NodeName;

use crate::enrol::{Enrolment, enrol, renew};

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) identity: Identity,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// TLS with a certificate of this node.
    Node(NodeName),
    /// TLS without a certificate, or with one that names no node.
    Nobody,
    /// No TLS: whoever it says.
    Unchecked,
}

/// A WebSocket that has just been opened, on its way to the task that owns the links.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: WebSocket,
    pub(crate) peer: Peer,
}

pub(crate) fn router(enrolment: Enrolment, accepted: mpsc::Sender<Accepted>) -> Router {
    let link = Router::new().route(LINK_PATH, any(link)).with_state(accepted);
    Router::new()
        .route(ENROL_PATH, post(enrol))
        .route(RENEW_PATH, post(renew))
        .layer(DefaultBodyLimit::max(MAX_ENROL_BYTES))
        .with_state(enrolment)
        .merge(link)
        .fallback(|| async {
            problem(StatusCode::NOT_FOUND, "not_found", "there is no such route on the link port")
        })
}

fn problem(status: StatusCode, code: &str, reason: &str) -> Response {
    (status, Json(json!({"code": code, "reason": reason}))).into_response()
}

async fn link(
    State(accepted): State<mpsc::Sender<Accepted>>,
    Extension(peer): Extension<Peer>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    if peer.identity == Identity::Nobody {
        let reason = "a link needs the client certificate of a node: enrol first";
        return problem(StatusCode::UNAUTHORIZED, "no_certificate", reason);
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let most = FrameLimits::default().frame_bytes as usize;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most).protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let reason = "the link speaks the subprotocol twinspan.v1 only";
        return problem(StatusCode::BAD_REQUEST, "subprotocol", reason);
    }
    let Ok(place) = accepted.try_reserve_owned() else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many connections at this moment");
    };
    upgrade.on_upgrade(async move |socket| {
        place.send(Accepted { socket, peer });
    })
}
