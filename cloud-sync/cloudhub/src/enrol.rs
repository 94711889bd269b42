//! `POST /v1/enrol`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use cloud_store::{CloudStore, RedeemError, TokenRefused};
use sync_proto::{Enrol, EnrolRefused, EnrolRefusedCode as Code, Enrolled};
use tracing::{error, info, warn};

use crate::ca::{Ca, CaError};
use crate::clock::wall;

#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    pub(crate) ca: Arc<Ca>,
    pub(crate) store: CloudStore,
}

pub(crate) async fn enrol(
    State(enrolment): State<Enrolment>,
    request: Result<Json<Enrol>, JsonRejection>,
) -> Response {
    let answer = match request {
        Ok(Json(request)) => enrolment.enrol(&request).await,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(refused(Code::TooLarge, "an enrolment request has at most 64 KiB"))
        }
        Err(rejection) => Err(refused(Code::BadRequest, rejection.body_text())),
    };
    match answer {
        Ok(enrolled) => Json(enrolled).into_response(),
        Err(refused) => {
            let status = StatusCode::from_u16(refused.code.status());
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(refused)).into_response()
        }
    }
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
