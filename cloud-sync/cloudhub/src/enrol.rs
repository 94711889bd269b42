//! `POST /v1/enrol`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse as _, Response};
use cloud_store::{CloudStore, RedeemError, TokenRefused};
use sync_proto::enrol::MAX_ENROL_BYTES;
use sync_proto::{Enrol, EnrolRefused, EnrolRefusedCode as Code, Enrolled};
use tracing::{error, info, warn};

use crate::ca::{Ca, CaError};
use crate::clock::wall;

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
    match answer {
        Ok(enrolled) => Json(enrolled).into_response(),
        Err(refused) => {
            let status = StatusCode::from_u16(refused.code.status());
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(refused)).into_response()
        }
    }
}

async fn read(request: Request) -> Result<Json<Enrol>, EnrolRefused> {
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
        let certificate_pem = self.ca.node_certificate(node, csr_pem).map_err(|error| match error {
            CaError::BadRequest(why) => refused(Code::BadRequest, why),
            CaError::File { .. } | CaError::Damaged { .. } | CaError::Make(_) => {
                error!(%node, %error, "no certificate for a node");
                refused(Code::Internal, "the cloud cannot make the certificate; its log says why")
            }
        })?;
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
}
