//! The little HTTP that the benchmark needs.

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

async fn request(
    port: u16,
    path: &str,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<hyper::Response<Incoming>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tasks.spawn(async move {
        let _ = connection.await;
    });
    let request =
        Request::get(path).header("host", format!("127.0.0.1:{port}")).body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}

/// Status and body of a GET.
pub(super) async fn get(port: u16, path: &str) -> anyhow::Result<(u16, Bytes)> {
    let mut tasks = JoinSet::new();
    let response = request(port, path, &mut tasks).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// Sends the data of each server-sent event, until nobody listens.
pub(super) async fn events(
    port: u16,
    path: String,
    sink: mpsc::UnboundedSender<serde_json::Value>,
) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    let mut response = request(port, &path, &mut tasks).await?;
    if !response.status().is_success() {
        bail!("{path}: {}", response.status());
    }
    let mut buffer = Vec::new();
    while let Some(frame) = response.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let Some(json) = line.strip_prefix(b"data:") else { continue };
            let json = serde_json::from_slice(json).context("an event is not JSON")?;
            if sink.send(json).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
