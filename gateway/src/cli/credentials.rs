//! Who the command line is to a gateway on another machine: a token or a client certificate, over TLS.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::HeaderValue;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// With what somebody shows who they are.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Credentials {
    /// A file with the token of `twinspan token create`; never the token itself, which everybody on the machine could see.
    #[arg(long, env = "TWINSPAN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A PEM file of the authorities to trust instead of the system's, or of the gateway's own certificate.
    #[arg(long, env = "TWINSPAN_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A PEM file of a client certificate with those behind it, instead of a token.
    #[arg(long, env = "TWINSPAN_CERT_FILE", value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// A PEM file of the client certificate's key.
    #[arg(long, env = "TWINSPAN_KEY_FILE", value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
}

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a gateway is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) tls: bool,
    /// A name or an IP address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    pub(super) fn read(url: &str) -> anyhow::Result<Self> {
        let wrong = || {
            format!(
                "`{url}` is not the address of a gateway; write it like http://127.0.0.1:7480 or https://gateway.example:7481"
            )
        };
        let uri: http::Uri = url.parse().with_context(wrong)?;
        let (tls, port) = match uri.scheme_str() {
            Some("http") => (false, 7480),
            Some("https") => (true, 7481),
            Some(_) | None => bail!(wrong()),
        };
        let authority =
            uri.authority().filter(|_| uri.path().trim_matches('/').is_empty()).with_context(wrong)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            bail!(wrong());
        }
        Ok(Self { tls, host, port: authority.port_u16().unwrap_or(port) })
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Credentials {
    /// The header with the token, if there is one.
    pub(super) fn token(&self, address: &Address) -> anyhow::Result<Option<HeaderValue>> {
        let Some(path) = &self.token_file else { return Ok(None) };
        if !address.tls && !address.is_loopback() {
            bail!("a token is not sent to {address} in the clear; write https://");
        }
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
            .with_context(|| format!("{} does not hold a token", path.display()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    pub(super) async fn encrypt(
        &self,
        stream: TcpStream,
        address: &Address,
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let config = self.client()?;
        let name = ServerName::try_from(address.host.clone())?;
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        connected.with_context(|| {
            format!(
                "{address} does not show a certificate that is trusted; name its authority with --ca-file"
            )
        })
    }

    fn client(&self) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).with_context(|| format!("{} cannot be used", path.display()))?;
                }
            }
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let (Some(cert), Some(key)) = (&self.cert_file, &self.key_file) else {
            return Ok(builder.with_no_client_auth());
        };
        let pem = std::fs::read(key).with_context(|| format!("cannot read {}", key.display()))?;
        let key =
            PrivateKeyDer::from_pem_slice(&pem).with_context(|| format!("{} is no key", key.display()))?;
        let pair = || format!("{} and its key cannot be used", cert.display());
        builder.with_client_auth_cert(certificates(cert)?, key).with_context(pair)
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.with_context(|| format!("{} does not hold certificates", path.display()))?;
    if all.is_empty() {
        bail!("{} holds no certificate", path.display());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_gateway_is_read() {
        let read = |url: &str| Address::read(url).map(|address| (address.tls, address.to_string()));
        assert_eq!(read("http://127.0.0.1:7480/").unwrap(), (false, "127.0.0.1:7480".to_owned()));
        assert_eq!(read("https://gw.example").unwrap(), (true, "gw.example:7481".to_owned()));
        assert_eq!(read("https://[::1]:9").unwrap(), (true, "[::1]:9".to_owned()));
        for wrong in ["", "gw", "ftp://gw", "https://", "https://u:p@gw", "https://gw/path", "127.0.0.1:7480"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear_to_another_machine() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "twinspan_x\n").unwrap();
        let credentials =
            Credentials { token_file: Some(file), ca_file: None, cert_file: None, key_file: None };
        let token = |url: &str| credentials.token(&Address::read(url).unwrap());
        assert_eq!(token("http://localhost:7480").unwrap().unwrap(), "Bearer twinspan_x");
        assert_eq!(token("https://gw.example").unwrap().unwrap(), "Bearer twinspan_x");
        assert!(token("http://gw.example").unwrap_err().to_string().contains("in the clear"));
    }
}
