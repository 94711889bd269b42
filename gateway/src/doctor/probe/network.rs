//! Who listens, and who answers.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use config::{Cloud, Config, ExternalBroker};
use mqtt_link::MqttLink;
use twin_core::{DeviceId, NodeName, Timestamp};

use crate::doctor::devices::Answer;
use crate::doctor::gateway::Gateway;
use crate::doctor::ports::{Hold, Port};
use crate::wiring;

/// How a gateway that runs is spoken to.
pub trait Remote {
    /// The answer to a GET, whatever its status; or why there is none.
    fn get(&self, path: &str) -> impl Future<Output = Result<serde_json::Value, String>>;

    /// As [`get`](Self::get), of what is not JSON.
    fn text(&self, path: &str) -> impl Future<Output = Result<String, String>>;
}

/// How the gateway on this data folder stands.
pub(super) async fn gateway(data_dir: &Path, remote: &impl Remote) -> Gateway {
    let held = File::open(data_dir.join("lock"))
        .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    if !held {
        return Gateway::Stopped;
    }
    match remote.get("/readyz").await {
        Ok(readiness) => {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let list = readiness["not_ready"].as_array().cloned().unwrap_or_default();
            Gateway::Answers(list.iter().map(|entry| (text(&entry["name"]), text(&entry["why"]))).collect())
        }
        Err(why) => Gateway::Silent(why),
    }
}

/// The devices, as the gateway that runs sees them; none when it does not answer.
pub(super) async fn devices(remote: &impl Remote) -> Option<Vec<(DeviceId, Answer)>> {
    let (mut answers, mut after) = (Vec::new(), None::<String>);
    loop {
        let query = after.as_ref().map_or_else(String::new, |after| format!("&after={after}"));
        let page = remote.get(&format!("/api/v1/devices?limit=500{query}")).await.ok()?;
        let list = page["items"].as_array().cloned()?;
        for device in &list {
            let id = device["id"].as_str()?;
            let answer = match device["state"].as_str() {
                Some("online") => Answer::Online,
                Some("offline") => Answer::Silent("the gateway cannot reach it; its log says why".to_owned()),
                Some(_) | None => Answer::NotAsked("no mapper has said yet how they are"),
            };
            answers.push((id.parse().ok()?, answer));
        }
        after = page["next"].as_str().map(ToOwned::to_owned);
        if after.is_none() || list.is_empty() || answers.len() >= 100_000 {
            return Some(answers);
        }
    }
}

/// What is needed to look at the way to the cloud.
pub(super) fn cloud_settings(config: &Config, cloud: &Cloud) -> Result<edgehub::Settings, String> {
    let url = cloud.url.to_string().parse().map_err(|error: edgehub::InvalidUrl| error.to_string())?;
    let token = cloud.token.as_ref().map(|token| token.expose().trim().parse()).transpose();
    let token = token.map_err(|error: sync_proto::InvalidToken| format!("`gateway.cloud.token`: {error}"))?;
    let state_dir = config.gateway.data_dir.join("link");
    Ok(edgehub::Settings::new(url, config.gateway.node.clone(), state_dir, token))
}

/// A moment as HTTP writes it.
pub(super) fn time(date: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}

/// How an address stands on which the gateway listens; none for one that is chosen when it starts.
pub(super) fn port((what, key, address): (&'static str, &'static str, SocketAddr)) -> Option<Port> {
    if address.port() == 0 {
        return None;
    }
    let hold = match TcpListener::bind(address) {
        Ok(_) => Hold::Free,
        Err(error) if error.kind() == ErrorKind::AddrInUse => Hold::Taken(listener(address)),
        Err(error) => Hold::Impossible(error.to_string()),
    };
    Some(Port { what, key, address, hold })
}

/// Who listens on an address, as far as `/proc` tells whoever asks.
fn listener(address: SocketAddr) -> Option<(String, u32)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let socket = format!("socket:[{}]", tables.iter().find_map(|table| inode(table, address))?);
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        if open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|link| link.as_os_str() == &*socket) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((name.trim().to_owned(), pid));
        }
    }
    None
}

/// The number of the socket that listens on an address, or on all of them (proc(5), `/proc/net/tcp`).
fn inode(table: &str, address: SocketAddr) -> Option<String> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (ip, port) = fields.get(1)?.split_once(':')?;
        let same_port = u16::from_str_radix(port, 16).ok()? == address.port();
        let everywhere = ip.bytes().all(|digit| digit == b'0');
        let same_ip = match address.ip() {
            IpAddr::V4(wanted) => {
                u32::from_str_radix(ip, 16).is_ok_and(|ip| ip.to_ne_bytes() == wanted.octets())
            }
            IpAddr::V6(_) => ip.len() == 32,
        };
        let listens = fields.get(3) == Some(&LISTEN);
        (same_port && listens && (everywhere || same_ip))
            .then(|| fields.get(9).map(ToString::to_string))
            .flatten()
    })
}

/// Whether a broker of somebody else takes this gateway's user.
pub(super) async fn broker(external: &ExternalBroker, node: &NodeName) -> Result<(), String> {
    // Under a name of its own: a second client of the gateway's name would end the gateway's connection.
    let name = format!("twinspan-{node}-doctor-{}", std::process::id());
    let settings = wiring::external_broker(external, &name).map_err(|error| error.to_string())?;
    let (link, handle, _events) = MqttLink::connect(settings).map_err(|error| error.to_string())?;
    let stop = tokio_util::sync::CancellationToken::new();
    let up = async {
        while !handle.is_connected() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let stopped = stop.clone().drop_guard();
    let outcome = tokio::select! {
        ended = link.run(stop) => Err(format!("{ended:?}")),
        () = up => Ok(()),
        () = tokio::time::sleep(Duration::from_secs(5)) => Err("it does not take the connection within 5 s".to_owned()),
    };
    drop(stopped);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_found() {
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listening.local_addr().unwrap();
        let port = port(("REST", "key", address)).unwrap();
        let Hold::Taken(Some((_, pid))) = port.hold else { panic!("{port:?}") };
        assert_eq!(pid, std::process::id());
        drop(listening);
        assert_eq!(super::port(("REST", "key", address)).unwrap().hold, Hold::Free);
        assert!(matches!(
            super::port(("REST", "key", "192.0.2.1:9".parse().unwrap())).unwrap().hold,
            Hold::Impossible(_)
        ));
    }

    #[test]
    fn a_moment_of_http_is_read() {
        assert_eq!(time("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_millis(784_111_777_000)));
        assert_eq!(time("yesterday"), None);
    }
}
