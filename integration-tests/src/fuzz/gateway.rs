//! What the gateway itself reads: messages through the whole translation of the EventBus, and requests of REST.

use mapper_contract::{DeviceTopic, Topic, TwinUpdate};
use twin_api::Problem;
use twin_core::{Access, DeviceDefinition, PropertyDefinition, Timestamp, ValueType};
use twinspan::api::asked::{Kind, ask};
use twinspan::eventbus::translate;

use super::{mqtt_get, mqtt_state, text};

/// A topic, a line end, and the body of a message: what the bus would report of it is of the types that the device has, and
/// what it refuses it names.
pub fn mqtt_bus(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(topic), Some(body)) = (parts.next().and_then(text), parts.next()) else { return };
    let Ok(topic) = topic.parse::<Topic>() else { return };
    let device = match topic {
        Topic::Device(device, DeviceTopic::TwinUpdate) => device,
        Topic::Device(_, DeviceTopic::TwinGet) | Topic::Node(..) => return mqtt_get(body),
        Topic::Device(_, DeviceTopic::StateUpdate) => return mqtt_state(body),
        Topic::Device(..) | Topic::Alarm(_) => return,
    };
    let property = |name: &str, value_type| {
        (name.parse().expect("a property name"), PropertyDefinition::new(value_type, Access::ReadWrite))
    };
    let known = DeviceDefinition {
        protocol: "modbus".into(),
        properties: [
            property("on", ValueType::Bool),
            property("speed", ValueType::Int),
            property("heat", ValueType::Float),
            property("name", ValueType::String),
            property("raw", ValueType::Bytes),
            property("recipe", ValueType::Json),
        ]
        .into(),
        ..DeviceDefinition::default()
    };
    let outside = DeviceDefinition { protocol: String::new(), ..known.clone() };
    for definition in [&known, &outside] {
        let Ok(update) = TwinUpdate::parse(body) else { return };
        let names = update.twin.len();
        match translate::update(&device, definition, update, Timestamp::from_millis(1000)) {
            Ok(translated) => {
                assert!(translated.report.properties.len() <= names && translated.wanted.len() <= names);
                assert!(definition.protocol.is_empty() || translated.defined.is_empty());
                for (name, value) in &translated.wanted {
                    let new = translated.defined.iter().find(|(n, _)| n == name).map(|(_, d)| d);
                    let defined = definition.properties.get(name).or(new).expect("a known property");
                    assert_eq!(value.value_type(), defined.value_type);
                }
            }
            Err(error) => assert!((1..10_000).contains(&error.to_string().len())),
        }
    }
}

/// A query, or a body: the first byte says of which route.
pub fn rest_request(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let kinds =
        [Kind::Devices, Kind::Values, Kind::Changes, Kind::Patch, Kind::Pause, Kind::Apply, Kind::Rollback];
    let kind = kinds[usize::from(*kind) % kinds.len()];
    let Err(Problem { status, detail, .. }) = ask(kind, rest) else { return };
    assert!((400..500).contains(&status), "{status}: {detail}");
    assert!((1..4000).contains(&detail.len()), "{} bytes of detail", detail.len());
}
