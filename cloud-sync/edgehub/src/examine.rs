//! Looking at the way to the cloud step by step, for whoever has to mend it. Nothing is stored and nobody joins.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

use crate::connect::{self, Transport, within};
use crate::error::LinkError;
use crate::identity::Identity;
use crate::settings::{CloudUrl, Settings};
use crate::tls::{mutual, pinned};

/// What was found on the way to the cloud. A step that was not come to is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The host in the address.
    pub host: String,
    /// Host and port.
    pub address: String,
    /// The addresses that the name leads to.
    pub addresses: Result<Vec<SocketAddr>, String>,
    /// Whether one of them takes connections, and after which time.
    pub reached: Option<Result<Duration, String>>,
    /// Whether it is the cloud that this node belongs to, and takes this node's certificate.
    pub secured: Option<Result<(), String>>,
    /// The cloud's time, as HTTP writes it (RFC 9110, 5.6.7).
    pub date: Option<String>,
}

/// Looks at the way to the cloud. Every step takes at most ten seconds.
pub async fn examine(settings: &Settings) -> Examined {
    let url = &settings.url;
    let mut examined = Examined {
        host: url.host().to_owned(),
        address: url.authority(),
        addresses: Err(String::new()),
        reached: None,
        secured: None,
        date: None,
    };
    let found = within(url, "looking up its name", tokio::net::lookup_host((url.host(), url.port()))).await;
    examined.addresses = match found {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if examined.addresses.is_err() {
        return examined;
    }
    let begun = Instant::now();
    let stream = match connect::tcp(url).await {
        Ok(stream) => stream,
        Err(error) => {
            examined.reached = Some(Err(error.to_string()));
            return examined;
        }
    };
    examined.reached = Some(Ok(begun.elapsed()));
    let transport: Box<dyn Transport> = if url.is_tls() {
        drop(stream);
        match secured(settings).await {
            Ok(stream) => stream,
            Err(error) => {
                examined.secured = Some(Err(error.to_string()));
                return examined;
            }
        }
    } else {
        Box::new(stream)
    };
    match date(url, transport).await {
        Ok(date) => {
            examined.secured = url.is_tls().then_some(Ok(()));
            examined.date = date;
        }
        // With TLS 1.3 a server says only now that it does not take our certificate.
        Err(error) => examined.secured = Some(Err(error.to_string())),
    }
    examined
}

async fn secured(settings: &Settings) -> Result<Box<dyn Transport>, LinkError> {
    let failed = |error: rustls::Error| LinkError::Tls(error.to_string());
    let identity = Identity::load(&settings.state_dir).map_err(|error| LinkError::Tls(error.to_string()))?;
    let config: ClientConfig = match (identity, &settings.token) {
        (Some(identity), _) => mutual(identity).map_err(failed)?,
        (None, Some(token)) => {
            let (config, verifier) = pinned(token.pin()).map_err(failed)?;
            let connected = connect::tls(&settings.url, config).await;
            if verifier.is_mismatch() {
                return Err(LinkError::PinMismatch { address: settings.url.authority() });
            }
            return Ok(Box::new(connected?));
        }
        (None, None) => return Err(LinkError::NotEnrolled),
    };
    Ok(Box::new(connect::tls(&settings.url, config).await?))
}

/// Asks for something that there is not: any answer of HTTP tells the time.
async fn date(url: &CloudUrl, stream: Box<dyn Transport>) -> Result<Option<String>, LinkError> {
    let broken = |error: hyper::Error| {
        let inner =
            std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
        inner.map_or_else(
            || LinkError::Broken(error.to_string()),
            |source| LinkError::from_io(source, url.host(), &url.authority()),
        )
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::get("/healthz").header(header::HOST, url.authority()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| LinkError::Broken(error.to_string()))?;
    let exchange = async {
        tokio::select! {
            answer = sender.send_request(request) => answer,
            ended = connection => match ended {
                Err(error) => Err(error),
                // Its end shows in the exchange.
                Ok(()) => std::future::pending().await,
            },
        }
    };
    let response = within(url, "asking for its time", exchange).await?.map_err(broken)?;
    let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
    Ok(date.map(ToOwned::to_owned))
}
