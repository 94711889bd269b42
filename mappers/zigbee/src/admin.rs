//! What an operator does with a network: lets devices join, asks them what they are, makes them leave.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Ieee;
use crate::driver::formation;
use crate::host::{
    Ask, Awaited, Coordinator, Device, Interview, InterviewFault, OpenFault, Opening, PortPlace, Reach,
    Registry, Saved, Trouble,
};
use crate::zcl::clusters::{self, Attribute, Cluster, Writing, id};
use crate::zcl::{Message as ZclMessage, global};
use crate::znp::sys::Ping;
use crate::znp::zdo::{BROADCAST, MgmtLeaveReq, MgmtLeaveRsp, MgmtPermitJoinReq, MgmtPermitJoinRsp, ROUTERS};
use crate::znp::{Message as _, status};

/// How long a device may take to answer one question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often one looks who has joined.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After this a device that joined has announced itself and can be asked.
const SETTLE: Duration = Duration::from_millis(500);
/// How often a device that does not answer is asked again.
const MOST_ATTEMPTS: u32 = 3;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AdminFault {
    /// The coordinator.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// No randomness for a network key.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] std::io::Error),
    /// No answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// A device that says too little of itself.
    #[error(transparent)]
    Interview(#[from] InterviewFault),
    /// No such device.
    #[error("{0} is not in the network: `twinspan zigbee devices` lists those that are")]
    Unknown(Ieee),
    /// The device said no.
    #[error("the device refuses to leave (status {0:#04x}); `--force` forgets it all the same")]
    Refused(u8),
}

/// A network in the hands of an operator.
#[derive(Debug)]
pub struct Admin {
    coordinator: Arc<Coordinator>,
}

impl Admin {
    /// Opens a coordinator; where it has no network, one is formed on this channel, with this PAN id or a random one.
    ///
    /// # Errors
    /// [`AdminFault`] when it cannot be used.
    pub async fn open(
        place: PortPlace,
        channel: u8,
        pan_id: Option<u16>,
        data_dir: &Path,
    ) -> Result<Self, AdminFault> {
        let opening =
            Opening { place, formation: formation((channel, pan_id))?, data_dir: data_dir.to_owned() };
        let coordinator = Coordinator::open(&opening, Arc::new(Registry::default())).await?;
        Ok(Self::of(Arc::new(coordinator)))
    }

    /// The network of a coordinator that somebody else holds too.
    #[must_use]
    pub(crate) fn of(coordinator: Arc<Coordinator>) -> Self {
        Self { coordinator }
    }

    /// Whether the coordinator is there.
    ///
    /// # Errors
    /// [`AdminFault`] when it does not answer.
    pub(crate) async fn ping(&self) -> Result<(), AdminFault> {
        self.coordinator.ask(&Ping {}).await?;
        Ok(())
    }

    /// The network and its devices.
    #[must_use]
    pub fn network(&self) -> Option<Saved> {
        self.coordinator.registry().saved()
    }

    /// Lets devices join for so many seconds (at most 254; 0 ends it).
    ///
    /// # Errors
    /// [`AdminFault`] when the coordinator does not.
    pub async fn permit_join(&self, seconds: u8) -> Result<(), AdminFault> {
        let request = MgmtPermitJoinReq { mode: BROADCAST, nwk: ROUTERS, seconds, significance: 1 };
        let awaited = Awaited::Object { id: MgmtPermitJoinRsp::ID, source: 0 };
        self.coordinator.ask_object(request.frame(), awaited, ANSWER_WITHIN).await?;
        Ok(())
    }

    /// Lets devices join for so many seconds, or until so many have, and asks each what it is; tells of each as it comes.
    ///
    /// # Errors
    /// [`AdminFault`] when the coordinator is gone.
    pub async fn admit(
        &self,
        seconds: u8,
        most: usize,
        mut tell: impl FnMut(Ieee, &Result<Device, AdminFault>),
    ) -> Result<(), AdminFault> {
        let before: Vec<Ieee> = self.present();
        self.permit_join(seconds).await?;
        let until = Instant::now() + Duration::from_secs(u64::from(seconds));
        let mut asked: Vec<Ieee> = Vec::new();
        while Instant::now() < until && asked.len() < most {
            if let Some(why) = self.coordinator.lost() {
                return Err(Trouble::Lost(why).into());
            }
            let next =
                self.present().into_iter().find(|ieee| !before.contains(ieee) && !asked.contains(ieee));
            match next {
                Some(ieee) => {
                    sleep(SETTLE).await;
                    tell(ieee, &self.interview(ieee).await);
                    asked.push(ieee);
                }
                None => sleep(LOOK_EVERY).await,
            }
        }
        self.permit_join(0).await
    }

    fn present(&self) -> Vec<Ieee> {
        let devices = self.network().map(|saved| saved.devices).unwrap_or_default();
        devices.into_iter().filter(|(_, device)| device.nwk.is_some()).map(|(ieee, _)| ieee).collect()
    }

    /// Asks a device what it is.
    ///
    /// # Errors
    /// [`AdminFault`] when it does not say.
    pub async fn interview(&self, ieee: Ieee) -> Result<Device, AdminFault> {
        let registry = self.coordinator.registry();
        let known = registry.device(ieee).ok_or(AdminFault::Unknown(ieee))?;
        let nwk = known.nwk.ok_or(AdminFault::Unknown(ieee))?;
        // One that has just joined may not have a route to it.
        self.coordinator.find_way(nwk).await?;
        let mut interview = Interview::new(nwk, known);
        let mut attempt = 0;
        while let Some(ask) = interview.poll_ask() {
            attempt += 1;
            let answered = match ask {
                Ask::Object(frame, id) => {
                    match self.coordinator.ask_device(nwk, frame, id, ANSWER_WITHIN).await {
                        Ok(answer) => Ok(interview.handle_object(&answer)?),
                        Err(trouble) => Err(trouble),
                    }
                }
                Ask::Basic(endpoint, payload) => {
                    let reach = Reach { ieee, within: ANSWER_WITHIN, patience: None };
                    let message = |sequence| ZclMessage::global(sequence, global::READ, payload.clone());
                    let answer = self.coordinator.talk_to(reach, (endpoint, id::BASIC), message).await;
                    match answer {
                        Err(trouble) if attempt < MOST_ATTEMPTS => Err(trouble),
                        answer => {
                            interview.handle_basic(answer.ok().as_ref());
                            Ok(())
                        }
                    }
                }
            };
            match answered {
                Ok(()) => attempt = 0,
                Err(trouble @ Trouble::Lost(_)) => return Err(trouble.into()),
                Err(trouble) if attempt >= MOST_ATTEMPTS => return Err(trouble.into()),
                Err(_) => {}
            }
        }
        let found = interview.found().clone();
        registry.update(ieee, |device| {
            // Its short address may have changed meanwhile.
            let nwk = device.nwk;
            *device = Device { nwk, ..found.clone() };
        });
        Ok(found)
    }

    /// Makes a device leave, and forgets it; with `force` also when it does not answer.
    ///
    /// # Errors
    /// [`AdminFault`] when it is not there, or does not leave.
    pub async fn remove(&self, ieee: Ieee, force: bool) -> Result<(), AdminFault> {
        let registry = self.coordinator.registry();
        let device = registry.device(ieee).ok_or(AdminFault::Unknown(ieee))?;
        if let Some(nwk) = device.nwk {
            let request = MgmtLeaveReq { nwk, ieee, flags: 0 };
            let frame = request.frame();
            let answer = self.coordinator.ask_device(nwk, frame, MgmtLeaveRsp::ID, ANSWER_WITHIN).await;
            let refused = match answer {
                Ok(answer) => MgmtLeaveRsp::of(&answer).map_or(status::SUCCESS, |answer| answer.status),
                Err(_) if force => status::SUCCESS,
                Err(trouble) => return Err(trouble.into()),
            };
            if refused != status::SUCCESS && !force {
                return Err(AdminFault::Refused(refused));
            }
        }
        registry.remove(ieee);
        Ok(())
    }

    /// Ends; what is known is on the disk then.
    ///
    /// # Errors
    /// [`AdminFault`] when it cannot be written.
    pub async fn close(self, data_dir: &Path) -> Result<(), AdminFault> {
        // The task of the port writes the same file: it is ended first.
        let registry = Arc::clone(self.coordinator.registry());
        if let Some(coordinator) = Arc::into_inner(self.coordinator) {
            coordinator.close().await;
        }
        if let Some(saved) = registry.saved() {
            crate::host::save(data_dir, &saved).await.map_err(OpenFault::from)?;
        }
        Ok(())
    }
}

impl Device {
    /// The device in one line.
    #[must_use]
    pub fn line(&self, ieee: Ieee) -> String {
        let nwk = self.nwk.map_or_else(|| "left  ".to_owned(), |nwk| format!("{nwk:#06x}"));
        let sleeps = match self.sleepy {
            Some(true) => "sleeps ",
            Some(false) => "listens",
            None => "?      ",
        };
        let name = format!("{} {}", self.manufacturer, self.model);
        let name = if name.trim().is_empty() { "not interviewed" } else { name.trim() };
        format!("{ieee}  {nwk}  {sleeps}  {name}")
    }
}

/// The device as it is written in a configuration, with a property for each cluster that is known by name.
#[must_use]
pub fn yaml(place: &PortPlace, ieee: Ieee, device: &Device) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let model: String = device.model.chars().map(word).take(40).collect();
    let model = if model.trim_matches('-').is_empty() { "zigbee" } else { model.trim_matches('-') };
    let first = device.endpoints.keys().next().copied().unwrap_or(1);
    let mut lines = vec![format!("models:\n  {model}:\n    properties:")];
    for (number, endpoint) in &device.endpoints {
        for cluster in endpoint.inputs.iter().filter_map(|id| clusters::numbered(*id)) {
            let at = if first == *number { String::new() } else { format!(", endpoint: {number}") };
            let suffix = if first == *number { String::new() } else { format!("_{number}") };
            for attribute in suggested(cluster) {
                let point = crate::Point::named(cluster.name, attribute.name);
                let Ok(resolved) = point.resolve(1) else { continue };
                let unit = if attribute.unit.is_empty() {
                    String::new()
                } else {
                    format!(", unit: \"{}\"", attribute.unit)
                };
                let access = if attribute.writing == Writing::Never { "" } else { ", access: read_write" };
                let name = if attribute.name == "measured_value" { cluster.name } else { attribute.name };
                lines.push(format!(
                    "      {name}{suffix}: {{type: {}{unit}{access}, zigbee: {{cluster: {}, attribute: {}{at}}}}}",
                    resolved.value_type(),
                    cluster.name,
                    attribute.name
                ));
            }
        }
    }
    let ending = format!("{:016x}", ieee.0);
    let link = if first == 1 { String::new() } else { format!(", endpoint: {first}") };
    lines.push(format!(
        "devices:\n  {model}-{}: {{model: {model}, zigbee: {{coordinator: \"{place}\", ieee: \"{ieee}\"{link}}}}}",
        &ending[12..]
    ));
    lines.join("\n")
}

/// What of a cluster one mostly wants.
fn suggested(cluster: &'static Cluster) -> impl Iterator<Item = &'static Attribute> {
    let wanted: &[u16] = match cluster.id {
        id::BASIC | id::IDENTIFY => &[],
        id::POWER => &[0x0021],
        id::THERMOSTAT => &[0x0000, 0x0012, 0x001C],
        id::COLOR => &[0x0007],
        id::COVERING => &[0x0008],
        id::IAS_ZONE => &[0x0002],
        id::ELECTRICAL => &[0x0505, 0x0508, 0x050B],
        _ => &[0x0000],
    };
    let named = |attribute: &&Attribute| match cluster.id {
        id::IAS_ZONE => matches!(attribute.name, "alarm_1" | "battery_low"),
        id::OCCUPANCY => attribute.name == "occupied",
        _ => true,
    };
    cluster.attributes.iter().filter(|attribute| wanted.contains(&attribute.id)).filter(named)
}

#[cfg(test)]
mod tests {
    use config::{NoSecrets, Source, load};

    use super::*;
    use crate::host::Endpoint;

    #[test]
    fn the_suggested_configuration_of_a_device_has_no_fault() {
        let inputs: Vec<u16> = clusters::all().into_iter().flatten().map(|cluster| cluster.id).collect();
        let endpoint = Endpoint { inputs, ..Endpoint::default() };
        let endpoints = [(1, endpoint.clone()), (2, endpoint)].into();
        let device = Device { model: "TS011F_plug 1".to_owned(), endpoints, ..Device::default() };
        let place = "tcp://10.0.0.7:6638".parse().unwrap();
        let text = yaml(&place, Ieee(0x0012_4B00_0102_0304), &device);
        let text = format!("gateway: {{node: demo}}\n{text}");
        let loaded = load(&[Source::new("device.yaml", &text)], &[crate::protocol()], &NoSecrets);
        let config = loaded.unwrap_or_else(|faults| panic!("{text}\n{faults:?}")).config;
        let device = config.devices.into_values().next().unwrap();
        assert!(device.properties.len() > 20, "{text}");
    }
}
