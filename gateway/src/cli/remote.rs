//! Speaking with a gateway that runs, over its REST interface.

use anyhow::Context as _;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use twin_api::Problem;

use super::credentials::{Address, Credentials, Stream};

/// The longest answer that is read, in bytes.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Where a gateway is reached, and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Remote {
    /// The REST interface of the gateway: http:// on this machine, https:// on another.
    #[arg(long, default_value = "http://127.0.0.1:7480", env = "TWINSPAN_GATEWAY", value_name = "URL")]
    gateway: String,
    #[command(flatten)]
    credentials: Credentials,
}

/// Why a gateway did not do what was asked.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It cannot be reached, or does not answer as it should.
    Unreachable(anyhow::Error),
    /// It says no.
    Problem(Box<Problem>),
}

impl Remote {
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Refusal> {
        let body = serde_json::to_vec(body).map_err(|error| Refusal::Unreachable(error.into()))?;
        self.ask(Method::POST, path, body.into()).await
    }

    /// What a GET is answered with, whatever the status.
    pub(super) async fn look(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let (status, body) = self.exchange(Method::GET, path, Bytes::new()).await?;
        serde_json::from_slice(&body)
            .with_context(|| format!("the gateway answers {status}, and not as it should"))
    }

    /// The text that a GET is answered with.
    pub(super) async fn read(&self, path: &str) -> anyhow::Result<String> {
        let (status, body) = self.exchange(Method::GET, path, Bytes::new()).await?;
        anyhow::ensure!(status.is_success(), "the gateway answers {status}");
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Refusal> {
        let body = serde_json::to_vec(body).map_err(|error| Refusal::Unreachable(error.into()))?;
        self.ask(Method::PATCH, path, body.into()).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, Refusal> {
        let (status, body) = self.exchange(method, path, body).await.map_err(Refusal::Unreachable)?;
        if status.is_success() {
            // Nothing is left to be shown.
            let body =
                if status == http::StatusCode::NO_CONTENT { Bytes::from_static(b"null") } else { body };
            let read = serde_json::from_slice(&body).context("the gateway's answer cannot be read");
            return read.map_err(Refusal::Unreachable);
        }
        match serde_json::from_slice(&body) {
            Ok(problem) => Err(Refusal::Problem(Box::new(problem))),
            Err(_) => Err(Refusal::Unreachable(anyhow::anyhow!("the gateway answers {status}"))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<(http::StatusCode, Bytes)> {
        let address = Address::read(&self.gateway)?;
        let token = self.credentials.token(&address)?;
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.with_context(|| {
            format!("no gateway answers at {}; start it, or name another with --gateway", self.gateway)
        })?;
        let stream: Box<dyn Stream> = match address.tls {
            true => Box::new(self.credentials.encrypt(stream, &address).await?),
            false => Box::new(stream),
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok((status, body.to_bytes()))
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            _ = connection => exchange.await,
        }
    }
}
