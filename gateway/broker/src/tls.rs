//! TLS in front of the broker. rmqtt's own brings a second cryptography library and reads its certificate once, so connections
//! are decrypted here and go on over loopback, to a listener of their own, with a PROXY header. The address in that header is
//! none: it is a random number that only this process knows, and stands for who is at the other end.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::rights::Certificate;
use ::rights::tls::common_name;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::rights::Peer;

/// How long a client may take to agree on TLS.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// After the system has refused a connection it gets time to recover.
const PAUSE: Duration = Duration::from_millis(100);
/// The PROXY protocol, version 2: the signature, a proxied TCP connection over IPv6, 36 bytes of addresses.
const PROXY: &[u8; 16] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24";

/// Who is behind each connection that came by TLS, by the address that stands for it.
#[derive(Default)]
pub(crate) struct Guests(Mutex<HashMap<SocketAddr, Peer>>);

impl Guests {
    /// Who is at the other end of what the broker takes for a connection from `address`.
    pub(crate) fn peer(&self, address: SocketAddr) -> Peer {
        let plain = || Peer { address, tls: false, common_name: None };
        self.lock().get(&address).cloned().unwrap_or_else(plain)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Peer>> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws an address for somebody.
    fn add(&self, peer: Peer) -> Result<SocketAddr, getrandom::Error> {
        let mut bits = [0; 18];
        getrandom::fill(&mut bits)?;
        let [one, two, address @ ..] = bits;
        // In the range of private addresses, so that it is nobody's.
        let address = Ipv6Addr::from_bits(u128::from_be_bytes(address) >> 8 | 0xfd << 120);
        let address = SocketAddr::from((address, u16::from_be_bytes([one, two])));
        self.lock().insert(address, peer);
        Ok(address)
    }
}

/// A guest, as long as its connection lasts.
struct Guest<'a> {
    guests: &'a Guests,
    address: SocketAddr,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.guests.lock().remove(&self.address);
    }
}

/// The listener with TLS.
pub(crate) struct Door {
    pub(crate) socket: TcpListener,
    pub(crate) certificate: Arc<Certificate>,
    /// Where the broker takes what was decrypted.
    pub(crate) inner: SocketAddr,
    pub(crate) guests: Arc<Guests>,
    pub(crate) most: usize,
}

impl Door {
    /// Takes connections for ever.
    pub(crate) async fn run(self) {
        let room = Arc::new(Semaphore::new(self.most));
        let mut tasks = JoinSet::new();
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let accepted = self.socket.accept().await;
            while tasks.try_join_next().is_some() {}
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "an MQTT connection could not be accepted");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let (config, inner, guests) = (self.certificate.config(), self.inner, Arc::clone(&self.guests));
            tasks.spawn(async move {
                if let Err(error) = serve(stream, address, TlsAcceptor::from(config), inner, &guests).await {
                    tracing::debug!(%address, error, "an MQTT connection with TLS ended badly");
                }
                drop(permit);
            });
        }
    }
}

async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    inner: SocketAddr,
    guests: &Guests,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let accepted = timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream)).await;
    let mut outside = accepted.map_err(|_| "no TLS within 10 s".to_owned())?.map_err(|e| e.to_string())?;
    let shown = outside.get_ref().1.peer_certificates().unwrap_or_default();
    let common_name = shown.first().and_then(common_name);
    let peer = Peer { address, tls: true, common_name };
    let guest = Guest { guests, address: guests.add(peer).map_err(|e| e.to_string())? };
    let mut inside = TcpStream::connect(inner).await.map_err(|e| e.to_string())?;
    inside.set_nodelay(true).map_err(|e| e.to_string())?;
    inside.write_all(&header(guest.address)).await.map_err(|e| e.to_string())?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop).map_err(|e| e.to_string())
}

/// The PROXY header that names `source`.
fn header(source: SocketAddr) -> Vec<u8> {
    let address = match source.ip() {
        std::net::IpAddr::V6(six) => six,
        std::net::IpAddr::V4(four) => four.to_ipv6_mapped(),
    };
    let mut bytes = PROXY.to_vec();
    bytes.extend(address.octets());
    bytes.extend(Ipv6Addr::LOCALHOST.octets());
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(0u16.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_known_by_its_number_while_it_is_there_and_by_no_other() {
        let guests = Guests::default();
        let peer = Peer { address: "192.0.2.7:1".parse().unwrap(), tls: true, common_name: None };
        let address = guests.add(peer.clone()).unwrap();
        assert_ne!(address, guests.add(peer.clone()).unwrap());
        assert_eq!(guests.peer(address), peer);
        assert_eq!(header(address).len(), 16 + 36);
        drop(Guest { guests: &guests, address });
        assert!(!guests.peer(address).tls);
        assert!(!guests.peer("127.0.0.1:1".parse().unwrap()).tls);
    }
}
