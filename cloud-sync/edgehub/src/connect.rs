//! From an address to a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sync_proto::{FrameLimits, LINK_PATH, SUBPROTOCOL};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::error::LinkError;
use crate::settings::CloudUrl;

/// How long each step from the address to the WebSocket may take.
const STEP_LIMIT: Duration = Duration::from_secs(10);

/// A byte stream, encrypted or not.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

pub(crate) type Socket = WebSocketStream<Box<dyn Transport>>;

pub(crate) async fn within<T>(
    url: &CloudUrl,
    step: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, LinkError> {
    let slow = |_| LinkError::Slow { address: url.authority(), limit_s: STEP_LIMIT.as_secs(), step };
    timeout(STEP_LIMIT, work).await.map_err(slow)
}

pub(crate) async fn tcp(url: &CloudUrl) -> Result<TcpStream, LinkError> {
    let connected = within(url, "connecting", TcpStream::connect((url.host(), url.port()))).await?;
    let stream = connected.map_err(|source| LinkError::Unreachable { address: url.authority(), source })?;
    // Without it each small frame waits for the acknowledgement of the one before.
    stream.set_nodelay(true).map_err(|e| LinkError::Broken(e.to_string()))?;
    Ok(stream)
}

pub(crate) async fn tls(url: &CloudUrl, config: ClientConfig) -> Result<TlsStream<TcpStream>, LinkError> {
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|_| LinkError::HostName { host: url.host().to_owned() })?;
    let stream = tcp(url).await?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let done = within(url, "TLS handshake", handshake).await?;
    done.map_err(|e| LinkError::from_io(&e, url.host(), &url.authority()))
}

/// Opens the WebSocket; without a TLS configuration in plain text.
pub(crate) async fn websocket(url: &CloudUrl, config: Option<ClientConfig>) -> Result<Socket, LinkError> {
    let stream: Box<dyn Transport> = match config {
        Some(config) => Box::new(tls(url, config).await?),
        None => Box::new(tcp(url).await?),
    };
    let named = |e: tokio_tungstenite::tungstenite::Error| {
        LinkError::from_websocket(&e, url.host(), &url.authority())
    };
    let mut request = format!("{url}{LINK_PATH}").into_client_request().map_err(named)?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    let most = FrameLimits::default().frame_bytes as usize;
    let config = WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
    let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    let (socket, _) = within(url, "WebSocket upgrade", upgrade).await?.map_err(named)?;
    Ok(socket)
}
