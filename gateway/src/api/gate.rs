//! Who asks, and whether they may: before any route is reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use audit::Audit;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, header};
use rights::token::TokenHash;
use rights::{Failures, Need, Principal, Proof, Role, Tokens};
use tracing::{error, warn};
use twin_api::ProblemKind;

use super::doors::Peer;
use super::problem::Rejection;
use super::recorded;
use crate::clock::now;

/// How soon an open stream ends after its token was revoked, at most.
const ASKED_AGAIN_EVERY: Duration = Duration::from_secs(2);

/// Knows who may come in; cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    tokens: Tokens,
    certificates: BTreeMap<String, Role>,
    failures: Failures,
    audit: Audit,
}

/// Why somebody is not let in.
#[derive(Debug)]
enum Refused {
    /// They have not said who they are.
    Unknown(String),
    /// What they have said is wrong.
    Wrong(&'static str),
    /// They were wrong too often.
    Wait(Duration),
    /// They may not do that.
    Forbidden(Box<Principal>, Role),
    /// The tokens cannot be read.
    Unreadable,
}

impl Gate {
    /// A gate with these tokens, and these client certificates by their common name.
    #[must_use]
    pub fn new(
        tokens: Tokens,
        certificates: BTreeMap<String, Role>,
        failures: Failures,
        audit: Audit,
    ) -> Self {
        Self(Arc::new(Inner { tokens, certificates, failures, audit }))
    }

    /// Who asks; none when nobody needs to be known. With the token that they showed.
    async fn admit(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        need: Need,
    ) -> Result<Option<(Principal, Option<TokenHash>)>, Refused> {
        let Need::Role(needed) = need else { return Ok(None) };
        let (principal, token) = match headers.get(header::AUTHORIZATION) {
            Some(shown) => {
                let (principal, hash) = self.by_token(peer, shown).await?;
                (principal, Some(hash))
            }
            None if peer.open => (Principal::local(peer.address), None),
            None => (self.by_certificate(peer)?, None),
        };
        if principal.role < needed {
            self.0.failures.note_forbidden(peer.address.ip(), now());
            return Err(Refused::Forbidden(Box::new(principal), needed));
        }
        Ok(Some((principal, token)))
    }

    async fn by_token(&self, peer: &Peer, shown: &HeaderValue) -> Result<(Principal, TokenHash), Refused> {
        let (address, now) = (peer.address.ip(), now());
        if let Some(wait) = self.0.failures.wait(address, now) {
            return Err(Refused::Wait(wait));
        }
        let Some(text) = bearer(shown) else {
            return Err(Refused::Unknown("write `Authorization: Bearer TOKEN`".to_owned()));
        };
        let hash = TokenHash::of(text);
        match self.0.tokens.find(hash, now).await {
            Ok(Some(found)) => {
                let principal = Principal {
                    name: found.name,
                    role: found.role,
                    address: peer.address,
                    proof: Proof::Token,
                };
                Ok((principal, hash))
            }
            Ok(None) => {
                self.0.failures.note(address, now);
                warn!(peer = %peer.address, "a token that is not known, revoked or over was refused");
                Err(Refused::Wrong("the token is not known, was revoked, or its time is over"))
            }
            Err(error) => {
                error!(%error, "the tokens cannot be read; nobody is let in by token");
                Err(Refused::Unreadable)
            }
        }
    }

    fn by_certificate(&self, peer: &Peer) -> Result<Principal, Refused> {
        let Some(name) = &peer.common_name else {
            let detail = "a token is needed: `twinspan token create` at the gateway makes one; send it as \
                          `Authorization: Bearer TOKEN`";
            return Err(Refused::Unknown(detail.to_owned()));
        };
        let Some(role) = self.0.certificates.get(name) else {
            let name: String = name.chars().take(80).collect();
            let detail = format!("the certificate {name} is not named in `gateway.api.remote.certificates`");
            return Err(Refused::Unknown(detail));
        };
        let proof = Proof::Certificate;
        Ok(Principal { name: name.clone(), role: *role, address: peer.address, proof })
    }
}

/// Lets a request pass, with its [`Principal`] among its extensions.
pub(super) async fn check(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        error!("a request came by no door");
        return Rejection::new(ProblemKind::Internal, "the gateway does not know where this came from")
            .into_response();
    };
    let need = rights::need(request.method().as_str(), request.uri().path());
    match gate.admit(&peer, request.headers(), need).await {
        Ok(None) => next.run(request).await,
        Ok(Some((principal, token))) => {
            request.extensions_mut().insert(principal.clone());
            if recorded::is_recorded(request.method(), need) {
                return recorded::run(&gate.0.audit, &principal, request, next).await;
            }
            let response = next.run(request).await;
            match token {
                Some(token) if is_stream(&response) => until_revoked(response, gate, token),
                Some(_) | None => response,
            }
        }
        Err(refused) => refused.into_response(),
    }
}

/// The token in `Authorization: Bearer TOKEN`.
fn bearer(shown: &HeaderValue) -> Option<&str> {
    let (scheme, token) = shown.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// A stream does not outlive the token that opened it.
fn until_revoked(response: Response, gate: Gate, token: TokenHash) -> Response {
    let revoked = async move {
        loop {
            tokio::time::sleep(ASKED_AGAIN_EVERY).await;
            // Tokens that cannot be read now were good before.
            if let Ok(None) = gate.0.tokens.find(token, now()).await {
                return;
            }
        }
    };
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(revoked))))
}

impl Refused {
    fn into_response(self) -> Response {
        let (kind, detail) = match &self {
            Self::Unknown(detail) => (ProblemKind::Unauthorized, detail.clone()),
            Self::Wrong(detail) => (ProblemKind::Unauthorized, (*detail).to_owned()),
            Self::Wait(wait) => {
                let detail = format!("try again in {} s; `Retry-After` says the same", seconds(*wait));
                (ProblemKind::TooManyFailures, detail)
            }
            Self::Forbidden(principal, needed) => {
                let detail = format!(
                    "{} has the role {}; this needs the role {needed}",
                    principal.name, principal.role
                );
                (ProblemKind::Forbidden, detail)
            }
            Self::Unreadable => (
                ProblemKind::Unavailable,
                "the tokens cannot be read; the gateway's log says more".to_owned(),
            ),
        };
        let mut response = Rejection::new(kind, detail).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Unknown(_) => {
                let challenge = HeaderValue::from_static("Bearer realm=\"twinspan\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::Wrong(_) => {
                let challenge =
                    HeaderValue::from_static("Bearer realm=\"twinspan\", error=\"invalid_token\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::Wait(wait) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
            }
            Self::Forbidden(..) | Self::Unreadable => {}
        }
        response
    }
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn a_token_is_taken_from_the_header_and_from_nothing_else() {
        let read = |text: &'static str| bearer(&http::HeaderValue::from_static(text)).map(str::to_owned);
        assert_eq!(read("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(read("bearer  abc "), Some("abc".to_owned()));
        for wrong in ["", "abc", "Bearer", "Bearer ", "Basic abc"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
