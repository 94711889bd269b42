//! `POST /v1/enrol` and `POST /v1/renew`.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use cloud_store::{CloudStore, RedeemError, TokenRefused};
use serde::de::DeserializeOwned;
use sync_proto::enrol::MAX_ENROL_BYTES;
use sync_proto::{Enrol, EnrolRefused, EnrolRefusedCode as Code, Enrolled, Renew};
use tracing::{error, info, warn};
use twin_core::NodeName;

use crate::ca::{Ca, CaError};
use crate::clock::wall;
use crate::router::{Identity, Peer};

#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    pub(crate) ca: Arc<Ca>,
    pub(crate) store: CloudStore,
}

pub(crate) async fn enrol(State(enrolment): State<Enrolment>, request: Request) -> Response {
    let answer = match read(request).await {
        Ok(Json(request)) => enrolment.enrol(&request).await,
        Err(refused) => Err(refused),
    };
    respond(answer)
}

pub(crate) async fn renew(
    State(enrolment): State<Enrolment>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let Identity::Node(node) = &peer.identity else {
        let reason = "a certificate is renewed over TLS with the one before: show it, or enrol with a token";
        let refused = EnrolRefused { code: Code::BadRequest, reason: reason.to_owned() };
        return (StatusCode::UNAUTHORIZED, Json(refused)).into_response();
    };
    let answer = match read(request).await {
        Ok(Json(Renew { csr_pem })) => enrolment.renew(node, &csr_pem),
        Err(refused) => Err(refused),
    };
    respond(answer)
}

fn respond(answer: Result<Enrolled, EnrolRefused>) -> Response {
    match answer {
        Ok(enrolled) => Json(enrolled).into_response(),
        Err(refused) => {
            let status = StatusCode::from_u16(refused.code.status());
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(refused)).into_response()
        }
    }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<Json<T>, EnrolRefused> {
    let too_large = || refused(Code::TooLarge, "an enrolment request has at most 64 KiB");
    // Said before the body is asked for: who is still sending when the answer comes may not get to read it.
    let length = request.headers().get(CONTENT_LENGTH).and_then(|l| l.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_ENROL_BYTES) {
        return Err(too_large());
    }
    Json::from_request(request, &()).await.map_err(|rejection: JsonRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            refused(Code::BadRequest, rejection.body_text())
        }
    })
}

fn refused(code: Code, reason: impl Into<String>) -> EnrolRefused {
    EnrolRefused { code, reason: reason.into() }
}

impl Enrolment {
    /// The request is checked in full before the token is used up.
    async fn enrol(&self, request: &Enrol) -> Result<Enrolled, EnrolRefused> {
        let Enrol { token, node, csr_pem } = request;
        if token.node() != node {
            let reason = format!("the token is for node `{}`, the request for `{node}`", token.node());
            return Err(refused(Code::TokenMismatch, reason));
        }
        if token.pin() != self.ca.pin() {
            return Err(refused(Code::TokenMismatch, "the token was made by another cloud"));
        }
        let certificate_pem = self.certificate(node, csr_pem)?;
        match self.store.redeem_join_token(node, token.secret().sha256(), wall()).await {
            Ok(()) => {}
            Err(RedeemError::Refused(why)) => {
                warn!(%node, %why, "a node was refused to join");
                let code = match why {
                    TokenRefused::Unknown => Code::TokenUnknown,
                    TokenRefused::Expired => Code::TokenExpired,
                    TokenRefused::Used => Code::TokenUsed,
                };
                return Err(refused(code, why.to_string()));
            }
            Err(RedeemError::Store(error)) => {
                error!(%node, %error, "a join token cannot be checked");
                return Err(refused(Code::Internal, "the cloud's store failed; its log says why"));
            }
        }
        info!(%node, "a node has joined");
        Ok(Enrolled { certificate_pem, ca_pem: self.ca.certificate_pem().to_owned() })
    }

    /// The node has shown its certificate, which was checked with the connection.
    fn renew(&self, node: &NodeName, csr_pem: &str) -> Result<Enrolled, EnrolRefused> {
        let certificate_pem = self.certificate(node, csr_pem)?;
        info!(%node, "the certificate of a node was renewed");
        Ok(Enrolled { certificate_pem, ca_pem: self.ca.certificate_pem().to_owned() })
    }

    fn certificate(&self, node: &NodeName, csr_pem: &str) -> Result<String, EnrolRefused> {
        self.ca.node_certificate(node, csr_pem).map_err(|error| match error {
            CaError::BadRequest(why) => refused(Code::BadRequest, why),
            CaError::File { .. } | CaError::Damaged { .. } | CaError::Make(_) => {
                error!(%node, %error, "no certificate for a node");
                refused(Code::Internal, "the cloud cannot make the certificate; its log says why")
            }
        })
    }
}
