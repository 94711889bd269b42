//! Whether devices answer, asked past the gateway: for a look at a gateway that does not run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::DeviceConfig;
use futures_util::stream::{self, StreamExt as _};
use mapper_sdk::{Driver as _, Session as _};
use modbus::Modbus;
use tokio::time::{Instant, timeout, timeout_at};
use twin_core::DeviceId;

use crate::doctor::devices::Answer;

/// How many connections and buses are asked at the same time.
const AT_ONCE: usize = 32;
/// How long one device may take.
const PER_DEVICE: Duration = Duration::from_secs(5);
const TOO_LATE: &str = "there was no time left; start the gateway, it asks them all";

/// Connects to each device, and to nothing twice at the same time; what is not done by `deadline` is not asked.
pub(crate) async fn reach(
    devices: &BTreeMap<DeviceId, Arc<DeviceConfig>>,
    deadline: Instant,
) -> Vec<(DeviceId, Answer)> {
    let driver = Modbus::default();
    let mut lanes: BTreeMap<String, Vec<Arc<DeviceConfig>>> = BTreeMap::new();
    for device in devices.values() {
        let lane = match device.link::<modbus::Link>() {
            Some(link) => driver.lane(link).to_string(),
            None => device.id.to_string(),
        };
        lanes.entry(lane).or_default().push(Arc::clone(device));
    }
    let driver = &driver;
    let ask = |lane: Vec<Arc<DeviceConfig>>| async move {
        let mut answers = Vec::with_capacity(lane.len());
        for device in lane {
            let answer = timeout_at(deadline, one(driver, &device)).await;
            answers.push((device.id.clone(), answer.unwrap_or(Answer::NotAsked(TOO_LATE))));
        }
        answers
    };
    let asked = stream::iter(lanes.into_values().map(ask)).buffer_unordered(AT_ONCE);
    let mut answers: Vec<_> = asked.collect::<Vec<_>>().await.into_iter().flatten().collect();
    answers.sort_by(|(a, _), (b, _)| a.cmp(b));
    answers
}

async fn one(driver: &Modbus, device: &DeviceConfig) -> Answer {
    if let Some(link) = device.link::<modbus::Link>() {
        return match timeout(PER_DEVICE, driver.connect(link)).await {
            Ok(Ok(session)) => {
                session.close().await;
                Answer::Online
            }
            Ok(Err(fault)) => Answer::Silent(fault.to_string()),
            Err(_) => Answer::Silent("it takes too long".to_owned()),
        };
    }
    #[cfg(feature = "opcua")]
    if let Some(place) = device.link::<opcua::Link>().and_then(|link| link.place().ok()) {
        // No more than this: a session would make the gateway's certificate, which is its own user's to make.
        let address = format!("{}:{}", place.host, place.port);
        return match timeout(PER_DEVICE, tokio::net::TcpStream::connect(&address)).await {
            Ok(Ok(_)) => Answer::Online,
            Ok(Err(error)) => Answer::Silent(format!("{address}: {error}")),
            Err(_) => Answer::Silent(format!("{address} takes too long")),
        };
    }
    Answer::NotAsked(match &device.protocol {
        Some(_) => "only the gateway itself can ask them; start it",
        None => "their mapper runs outside of the gateway",
    })
}

/// The serial ports that devices are on.
pub(crate) fn serial_ports(devices: &BTreeMap<DeviceId, Arc<DeviceConfig>>) -> Vec<String> {
    let mut ports: Vec<String> = devices.values().filter_map(|device| serial_port(device)).collect();
    ports.sort();
    ports.dedup();
    ports
}

fn serial_port(device: &DeviceConfig) -> Option<String> {
    if let Some(link) = device.link::<modbus::Link>() {
        return match link.way().ok()? {
            modbus::link::Way::Serial(_, serial) => Some(serial.path),
            modbus::link::Way::Tcp(_) | modbus::link::Way::OverTcp(..) => None,
        };
    }
    #[cfg(feature = "zigbee")]
    if let Some(link) = device.link::<zigbee::Link>() {
        return Some(link.coordinator().to_owned()).filter(|place| place.starts_with('/'));
    }
    None
}
