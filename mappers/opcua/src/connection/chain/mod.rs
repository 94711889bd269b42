//! Servers that show their certificate together with those of its issuers. (OPC 10000-6, 6.2.6)
//!
//! The library takes one certificate and nothing after it, in three places: the endpoint, the answer that opens the channel, and the
//! answer that makes the session. The first is cut where the endpoint is chosen; the other two here, on their way to the library.

mod opening;
mod reader;

use std::sync::Arc;

use opcua_client::ConnectionSource;
use opcua_client::transport::{
    Connector, OutgoingMessage, RequestRecv, SecureChannelState, StreamConnection, StreamConnector,
    StreamTransport, Transport, TransportConfiguration, TransportPollResult,
};
use opcua_core::comms::tcp_codec::TcpCodec;
use opcua_core::{RequestMessage, ResponseMessage};
use opcua_crypto::PrivateKey;
use opcua_types::{ByteString, EndpointDescription, Error, StatusCode};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::codec::FramedRead;

use crate::link::Place;
use crate::pki::Certificate;

pub(crate) use opening::Opening;
pub(crate) use reader::LeafReader;

/// The first certificate of a chain; the bytes as they are where there is no certificate.
pub(crate) fn leaf_of(chain: &ByteString) -> ByteString {
    let bytes = chain.as_ref();
    Certificate::parse(bytes).map_or_else(|_| chain.clone(), |leaf| ByteString::from(leaf.der))
}

/// Connects to a server of which the library sees the leaf only.
#[derive(Clone)]
pub(crate) struct LeafConnector {
    url: String,
    place: Place,
    opening: Arc<Opening>,
}

impl LeafConnector {
    /// `leaf` is the certificate that was found good, `key` the gateway's own.
    pub(crate) fn new(url: &str, place: Place, leaf: &ByteString, key: PrivateKey) -> Self {
        Self { url: url.to_owned(), place, opening: Arc::new(Opening::new(leaf, key)) }
    }
}

impl ConnectionSource for LeafConnector {
    type Builder = Self;

    fn get_connector(&self, _: &EndpointDescription) -> Result<Self, Error> {
        Ok(self.clone())
    }
}

type Reader = LeafReader<ReadHalf<TcpStream>>;

impl Connector for LeafConnector {
    type Transport = LeafTransport;

    async fn connect(
        &self,
        channel: Arc<SecureChannelState>,
        outgoing: RequestRecv,
        config: TransportConfiguration,
    ) -> Result<LeafTransport, Error> {
        let (place, opening) = (self.place.clone(), Arc::clone(&self.opening));
        let connect = move |url: String, options| {
            let (place, opening) = (place.clone(), Arc::clone(&opening));
            async move {
                let host = place.host.trim_start_matches('[').trim_end_matches(']');
                let socket = TcpStream::connect((host, place.port)).await;
                let socket = socket.map_err(|error| Error::new(StatusCode::BadCommunicationError, error))?;
                let (reader, writer) = tokio::io::split(socket);
                let reader = FramedRead::new(LeafReader::new(reader, opening), TcpCodec::new(options));
                Ok(StreamConnection::new(reader, writer, url))
            }
        };
        let (to_library, from_here) = mpsc::channel(1);
        let inner = StreamConnector::new(connect, self.url.clone());
        let inner = inner.connect(channel, from_here, config).await?;
        let mut requests = JoinSet::new();
        requests.spawn(forward(outgoing, to_library));
        Ok(LeafTransport { inner, _requests: requests })
    }

    fn default_endpoint(&self) -> EndpointDescription {
        EndpointDescription::from(self.url.as_str())
    }
}

/// The library's transport, with the requests that are on their way to it.
pub(crate) struct LeafTransport {
    inner: StreamTransport<Reader, WriteHalf<TcpStream>>,
    /// Ends with the transport.
    _requests: JoinSet<()>,
}

impl Transport for LeafTransport {
    async fn poll(&mut self) -> TransportPollResult {
        self.inner.poll().await
    }

    fn connected_url(&self) -> &str {
        self.inner.connected_url()
    }
}

/// Hands requests on; of the answer that makes the session, the leaf only.
async fn forward(mut from: RequestRecv, to: mpsc::Sender<OutgoingMessage>) {
    let mut answers = JoinSet::new();
    loop {
        let mut message = tokio::select! {
            message = from.recv() => message,
            Some(_) = answers.join_next() => continue,
        };
        if let Some(message) = &mut message
            && matches!(message.request, RequestMessage::CreateSession(_))
            && let Some(asker) = message.callback.take()
        {
            let (callback, answer) = oneshot::channel();
            message.callback = Some(callback);
            answers.spawn(async move {
                // Without an answer the asker learns of it by the end of its own channel.
                let Ok(mut answer) = answer.await else { return };
                if let Ok(ResponseMessage::CreateSession(made)) = &mut answer {
                    made.server_certificate = leaf_of(&made.server_certificate);
                }
                let _ = asker.send(answer);
            });
        }
        let Some(message) = message else { return };
        if to.send(message).await.is_err() {
            return;
        }
    }
}
