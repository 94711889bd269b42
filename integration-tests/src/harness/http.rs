//! Requests to loopback: one connection each, so that none outlives the server that it went to.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null when it is no JSON.
    pub body: Value,
}

/// Sends a request, with a JSON body if there is one.
///
/// # Errors
/// When there is no answer.
pub async fn request(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    timeout(LIMIT, exchange(address, method, path, body)).await.context("no answer within 10 s")?
}

async fn exchange(address: &str, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address)
        .header("content-type", "application/json")
        .body(Full::new(bytes))?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    };
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = &mut connection => {
            ended?;
            // The connection may end with the answer read, but not yet handed over.
            answer.await
        }
    }
}

/// Sends bytes as they are and gives what comes back until the other side closes.
///
/// # Errors
/// When the other side does not close within 20 s, or cannot be reached.
pub async fn raw(address: &str, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let mut answer = Vec::new();
    let exchange = async {
        // The other side may close before it has read everything; that is an answer too.
        let _ = stream.write_all(bytes).await;
        let _ = stream.read_to_end(&mut answer).await;
    };
    if timeout(LIMIT * 2, exchange).await.is_err() {
        bail!("the connection is still open");
    }
    Ok(answer)
}
