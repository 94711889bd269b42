//! What zigbee2mqtt has said so far: pure, topics and bodies go in. (zigbee2mqtt guide, "MQTT Topics and Messages")

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::exposes::{Feature, features};

/// Devices that are kept.
const MOST_DEVICES: usize = 1_000;
/// The longest state of a device, bytes.
const MOST_STATE: usize = 64 * 1024;
/// Names in the state of one device.
const MOST_NAMES: usize = 512;

/// A device as zigbee2mqtt describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its address.
    pub ieee: String,
    /// What it offers.
    pub features: BTreeMap<String, Feature>,
}

/// What a device said at last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// Its properties.
    pub values: Map<String, Json>,
    /// Whether all of it lay at the broker before we came: nobody knows how old it is.
    pub retained: bool,
    /// How often it has spoken.
    pub count: u64,
}

/// What a message was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The bridge itself, and so every device.
    Bridge,
    /// One device.
    Device(String),
    /// A write that failed: the device, and why.
    Failed(String, String),
}

/// All that zigbee2mqtt has said.
#[derive(Debug, Default)]
pub struct Bridge {
    online: Option<bool>,
    devices: Option<BTreeMap<String, Described>>,
    states: BTreeMap<String, State>,
    available: BTreeMap<String, bool>,
}

impl Bridge {
    /// Takes a message; `topic` is without the base topic. None when it says nothing to us.
    pub fn handle(&mut self, topic: &str, payload: &[u8], retained: bool) -> Option<Heard> {
        match topic {
            "bridge/state" => {
                self.online = online(payload);
                return Some(Heard::Bridge);
            }
            "bridge/devices" => {
                let list: Vec<Json> = serde_json::from_slice(payload).ok()?;
                self.devices = Some(list.iter().filter_map(described).take(MOST_DEVICES).collect());
                return Some(Heard::Bridge);
            }
            "bridge/logging" => return self.failed(payload),
            _ => {}
        }
        if topic.starts_with("bridge/") || topic.ends_with("/set") || topic.ends_with("/get") {
            return None;
        }
        if let Some(name) = topic.strip_suffix("/availability") {
            let available = online(payload)?;
            self.room_for(name)?;
            self.available.insert(name.to_owned(), available);
            return Some(Heard::Device(name.to_owned()));
        }
        let Ok(Json::Object(new)) = serde_json::from_slice(payload.get(..MOST_STATE.min(payload.len()))?)
        else {
            return None;
        };
        self.room_for(topic)?;
        let state = self.states.entry(topic.to_owned()).or_default();
        state.retained = retained && (state.count == 0 || state.retained);
        state.count += 1;
        for (key, value) in new {
            if state.values.len() < MOST_NAMES || state.values.contains_key(&key) {
                state.values.insert(key, value);
            }
        }
        Some(Heard::Device(topic.to_owned()))
    }

    /// The connection is gone: what was said before may not be true any more.
    pub fn handle_disconnected(&mut self) {
        *self = Self::default();
    }

    /// Whether zigbee2mqtt runs; none while it has not said.
    #[must_use]
    pub fn is_online(&self) -> Option<bool> {
        self.online
    }

    /// Whether the list of devices has come.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.devices.is_some()
    }

    /// The name under which a device speaks; it may be given by its address too.
    #[must_use]
    pub fn name_of(&self, device: &str) -> Option<String> {
        let devices = self.devices.as_ref()?;
        if devices.contains_key(device) {
            return Some(device.to_owned());
        }
        devices.iter().find(|(_, known)| known.ieee == device).map(|(name, _)| name.clone())
    }

    /// What a device offers.
    #[must_use]
    pub fn feature(&self, name: &str, property: &str) -> Option<&Feature> {
        self.devices.as_ref()?.get(name)?.features.get(property)
    }

    /// What a device said at last.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.get(name)
    }

    /// Whether zigbee2mqtt reaches a device; none where it does not say.
    #[must_use]
    pub fn is_available(&self, name: &str) -> Option<bool> {
        self.available.get(name).copied()
    }

    fn room_for(&self, name: &str) -> Option<()> {
        let known = self.states.contains_key(name) || self.available.contains_key(name);
        (known || self.states.len().max(self.available.len()) < MOST_DEVICES).then_some(())
    }

    /// zigbee2mqtt says of a write that failed in its log only: `Publish 'set' 'state' to 'lamp' failed: '...'`.
    fn failed(&self, payload: &[u8]) -> Option<Heard> {
        let line: Json = serde_json::from_slice(payload).ok()?;
        if line.get("level")?.as_str()? != "error" {
            return None;
        }
        let message = line.get("message")?.as_str()?;
        let (_, after) = message.split_once("Publish 'set'")?;
        let name =
            self.devices.as_ref()?.keys().find(|name| after.contains(&format!("to '{name}' failed")))?;
        Some(Heard::Failed(name.clone(), message.chars().take(200).collect()))
    }
}

/// `{"state": "online"}`, or the word alone as older versions have it.
fn online(payload: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(payload).ok()?;
    let json: Option<Json> = serde_json::from_str(text).ok();
    let word = json.as_ref().and_then(|json| json.get("state")?.as_str()).unwrap_or(text);
    match word {
        "online" => Some(true),
        "offline" => Some(false),
        _ => None,
    }
}

fn described(device: &Json) -> Option<(String, Described)> {
    let ieee = device.get("ieee_address")?.as_str()?.to_owned();
    let name = device.get("friendly_name")?.as_str()?.to_owned();
    if device.get("type").and_then(Json::as_str) == Some("Coordinator") {
        return None;
    }
    let exposes = device.get("definition").and_then(|definition| definition.get("exposes"));
    let features = exposes.map(features).unwrap_or_default();
    Some((name, Described { ieee, features }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEVICES: &str = include_str!("../../tests/zigbee2mqtt/devices.json");

    fn bridge() -> Bridge {
        let mut bridge = Bridge::default();
        assert_eq!(bridge.handle("bridge/devices", DEVICES.as_bytes(), true), Some(Heard::Bridge));
        bridge
    }

    #[test]
    fn devices_are_found_by_their_name_and_by_their_address() {
        let bridge = bridge();
        assert_eq!(bridge.name_of("hall/climate"), Some("hall/climate".to_owned()));
        assert_eq!(bridge.name_of("0x00158d0001dc126a"), Some("hall/climate".to_owned()));
        assert_eq!(bridge.name_of("Coordinator"), None);
        assert!(bridge.feature("hall/climate", "temperature").is_some());
    }

    #[test]
    fn states_are_merged_and_their_age_is_known() {
        let mut bridge = bridge();
        bridge.handle("lamp", br#"{"state":"ON","brightness":10}"#, true);
        assert!(bridge.state("lamp").unwrap().retained);
        let heard = bridge.handle("lamp", br#"{"brightness":20}"#, false);
        assert_eq!(heard, Some(Heard::Device("lamp".into())));
        let state = bridge.state("lamp").unwrap();
        assert_eq!(
            (state.values["state"].clone(), state.values["brightness"].clone()),
            (json!("ON"), json!(20))
        );
        assert!(!state.retained);
        for word in [&b"offline"[..], br#"{"state":"offline"}"#] {
            bridge.handle("lamp/availability", word, false);
            assert_eq!(bridge.is_available("lamp"), Some(false));
        }
    }

    #[test]
    fn a_write_that_failed_is_found_in_the_log() {
        let mut bridge = bridge();
        let line = br#"{"level":"error","message":"z2m: Publish 'set' 'state' to 'lamp' failed: 'Error: no route'"}"#;
        assert!(
            matches!(bridge.handle("bridge/logging", line, false), Some(Heard::Failed(name, _)) if name == "lamp")
        );
    }

    #[test]
    fn nothing_that_anybody_publishes_fills_the_memory() {
        let mut bridge = bridge();
        for n in 0..3_000 {
            bridge.handle(&format!("x{n}"), br#"{"a":1}"#, false);
            bridge.handle(&format!("x{n}/availability"), b"online", false);
        }
        assert!(bridge.states.len() <= MOST_DEVICES && bridge.available.len() <= MOST_DEVICES);
        for junk in [&b""[..], b"{", b"[1]", b"\xff", b"null"] {
            for topic in ["lamp", "bridge/state", "bridge/devices", "bridge/logging", "lamp/availability", ""]
            {
                bridge.handle(topic, junk, false);
            }
        }
    }
}
