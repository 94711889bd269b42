//! The topics as one enum; parsing and formatting are inverse to each other.

use std::fmt;
use std::str::FromStr;

use twin_core::{AlarmId, DeviceId, InvalidId, NodeName};

const DEVICE_PREFIX: &str = "$hw/events/device/";
const ALARM_STATE: &str = "alarm/state";
const NODE_PREFIX: &str = "$hw/events/node/";

/// A topic of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `$hw/events/device/{namespace}/{name}/...`
    Device(DeviceId, DeviceTopic),
    /// `$hw/events/device/{namespace}/{name}/alarm/state/{property}/{rule}`: one alarm as it stands, from the gateway,
    /// retained. What a property's name may hold and a level of a topic may not is written as `%2F`.
    Alarm(AlarmId),
    /// `$hw/events/node/{node}/...`
    Node(NodeName, NodeTopic),
}

/// What is said about one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceTopic {
    /// `twin/update`: reported values and write outcomes, to the gateway.
    TwinUpdate,
    /// `twin/update/result`: accepted, or an error, from the gateway.
    TwinUpdateResult,
    /// `twin/update/delta`: what is to be written to the device, from the gateway, retained.
    TwinUpdateDelta,
    /// `twin/update/document`: before and after of a change, from the gateway.
    TwinUpdateDocument,
    /// `twin/get`: asks the gateway for the whole twin.
    TwinGet,
    /// `twin/get/result`: the whole twin, from the gateway.
    TwinGetResult,
    /// `state/update`: whether the device answers, to the gateway.
    StateUpdate,
    /// `state/update/result`: the answer to it, from the gateway.
    StateUpdateResult,
    /// `twin/override/update`: sets and releases a local operator's values, to the gateway.
    OverrideUpdate,
    /// `twin/override/update/result`: the answer to it, from the gateway.
    OverrideUpdateResult,
    /// `alarm/update`: acknowledges, shelves or unshelves an alarm, to the gateway.
    AlarmUpdate,
    /// `alarm/update/result`: the answer to it, from the gateway.
    AlarmUpdateResult,
}

/// What is said about the devices of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeTopic {
    /// `membership/get`: asks the gateway for its devices.
    MembershipGet,
    /// `membership/get/result`: its devices, from the gateway.
    MembershipGetResult,
    /// `membership/updated`: devices that came and went, from the gateway.
    MembershipUpdated,
}

/// Why a text is no topic of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopic {
    /// It does not have the shape of any of them.
    #[error(
        "`{topic}` is no topic of a device or node: topics look like $hw/events/device/NAMESPACE/NAME/twin/update"
    )]
    Unknown {
        /// The text, cut at 200 characters.
        topic: String,
    },
    /// A name in it breaks the rule for names.
    #[error(transparent)]
    Name(#[from] InvalidId),
}

impl DeviceTopic {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::TwinUpdate,
        Self::TwinUpdateResult,
        Self::TwinUpdateDelta,
        Self::TwinUpdateDocument,
        Self::TwinGet,
        Self::TwinGetResult,
        Self::StateUpdate,
        Self::StateUpdateResult,
        Self::OverrideUpdate,
        Self::OverrideUpdateResult,
        Self::AlarmUpdate,
        Self::AlarmUpdateResult,
    ];

    /// The levels after the device.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::TwinUpdate => "twin/update",
            Self::TwinUpdateResult => "twin/update/result",
            Self::TwinUpdateDelta => "twin/update/delta",
            Self::TwinUpdateDocument => "twin/update/document",
            Self::TwinGet => "twin/get",
            Self::TwinGetResult => "twin/get/result",
            Self::StateUpdate => "state/update",
            Self::StateUpdateResult => "state/update/result",
            Self::OverrideUpdate => "twin/override/update",
            Self::OverrideUpdateResult => "twin/override/update/result",
            Self::AlarmUpdate => "alarm/update",
            Self::AlarmUpdateResult => "alarm/update/result",
        }
    }

    /// The topic on which the gateway answers; none when this one is the gateway's own.
    #[must_use]
    pub fn result(self) -> Option<Self> {
        match self {
            Self::TwinUpdate => Some(Self::TwinUpdateResult),
            Self::TwinGet => Some(Self::TwinGetResult),
            Self::StateUpdate => Some(Self::StateUpdateResult),
            Self::OverrideUpdate => Some(Self::OverrideUpdateResult),
            Self::AlarmUpdate => Some(Self::AlarmUpdateResult),
            Self::TwinUpdateResult
            | Self::TwinUpdateDelta
            | Self::TwinUpdateDocument
            | Self::TwinGetResult
            | Self::StateUpdateResult
            | Self::OverrideUpdateResult
            | Self::AlarmUpdateResult => None,
        }
    }

    /// Whether people and applications say it, and mappers never do.
    #[must_use]
    pub fn is_operators(self) -> bool {
        matches!(self, Self::OverrideUpdate | Self::AlarmUpdate)
    }

    fn from_suffix(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.suffix() == suffix)
    }
}

impl NodeTopic {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MembershipGet, Self::MembershipGetResult, Self::MembershipUpdated];

    /// The levels after the node.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::MembershipGet => "membership/get",
            Self::MembershipGetResult => "membership/get/result",
            Self::MembershipUpdated => "membership/updated",
        }
    }

    /// The topic on which the gateway answers; none when this one is the gateway's own.
    #[must_use]
    pub fn result(self) -> Option<Self> {
        match self {
            Self::MembershipGet => Some(Self::MembershipGetResult),
            Self::MembershipGetResult | Self::MembershipUpdated => None,
        }
    }
}

impl Topic {
    /// What a gateway subscribes to on a broker that is not its own: every request, in the form with a namespace and
    /// in the older one without. `#` alone would not do: it does not match what begins with `$`.
    pub const REQUEST_FILTERS: [&str; 11] = [
        "$hw/events/device/+/+/twin/update",
        "$hw/events/device/+/+/twin/get",
        "$hw/events/device/+/+/state/update",
        "$hw/events/device/+/+/twin/override/update",
        "$hw/events/device/+/+/alarm/update",
        "$hw/events/device/+/twin/update",
        "$hw/events/device/+/twin/get",
        "$hw/events/device/+/state/update",
        "$hw/events/device/+/twin/override/update",
        "$hw/events/device/+/alarm/update",
        "$hw/events/node/+/membership/get",
    ];

    /// Whether it is a request: mappers and applications publish it. All others are the gateway's to publish.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.result().is_some()
    }

    /// The topic on which the gateway answers this one; none when this one is the gateway's own.
    #[must_use]
    pub fn result(&self) -> Option<Self> {
        match self {
            Self::Device(device, topic) => topic.result().map(|topic| Self::Device(device.clone(), topic)),
            Self::Node(node, topic) => topic.result().map(|topic| Self::Node(node.clone(), topic)),
            Self::Alarm(_) => None,
        }
    }

    /// The device it speaks of.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Device(device, _) => Some(device),
            Self::Alarm(id) => Some(id.device()),
            Self::Node(..) => None,
        }
    }

    /// The older form without a namespace, for a device of the default namespace. It parses to the same topic.
    #[must_use]
    pub fn short_form(&self) -> Option<String> {
        match self {
            Self::Device(device, topic) if device.namespace() == DeviceId::DEFAULT_NAMESPACE => {
                Some(format!("{DEVICE_PREFIX}{}/{}", device.name(), topic.suffix()))
            }
            Self::Device(..) | Self::Alarm(_) | Self::Node(..) => None,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device, topic) => write!(f, "{DEVICE_PREFIX}{device}/{}", topic.suffix()),
            Self::Node(node, topic) => write!(f, "{NODE_PREFIX}{node}/{}", topic.suffix()),
            Self::Alarm(id) => {
                let property = id.property().property.as_str().replace('/', "%2F").replace('#', "%23");
                write!(f, "{DEVICE_PREFIX}{}/{ALARM_STATE}/{property}/{}", id.device(), id.rule())
            }
        }
    }
}

impl FromStr for Topic {
    type Err = InvalidTopic;

    fn from_str(text: &str) -> Result<Self, InvalidTopic> {
        parse(text).unwrap_or_else(|| Err(InvalidTopic::Unknown { topic: text.chars().take(200).collect() }))
    }
}

/// No suffix of a topic is a suffix of another one's, so the two forms cannot be taken for each other.
fn parse(text: &str) -> Option<Result<Topic, InvalidTopic>> {
    if let Some(rest) = text.strip_prefix(NODE_PREFIX) {
        let (node, suffix) = rest.split_once('/')?;
        let topic = NodeTopic::ALL.into_iter().find(|topic| topic.suffix() == suffix)?;
        return Some(node.parse().map(|node| Topic::Node(node, topic)).map_err(InvalidTopic::Name));
    }
    let (first, rest) = text.strip_prefix(DEVICE_PREFIX)?.split_once('/')?;
    if let Some(id) = alarm(first, rest) {
        return Some(id.map(Topic::Alarm).map_err(InvalidTopic::Name));
    }
    let (device, topic) = match DeviceTopic::from_suffix(rest) {
        Some(topic) => (DeviceId::new(DeviceId::DEFAULT_NAMESPACE, first), topic),
        None => {
            let (name, suffix) = rest.split_once('/')?;
            (DeviceId::new(first, name), DeviceTopic::from_suffix(suffix)?)
        }
    };
    Some(device.map(|device| Topic::Device(device, topic)).map_err(InvalidTopic::Name))
}

/// `{name}/alarm/state/{property}/{rule}`, behind the namespace.
fn alarm(namespace: &str, rest: &str) -> Option<Result<AlarmId, InvalidId>> {
    let (name, rest) = rest.split_once('/')?;
    let (property, rule) = rest.strip_prefix(ALARM_STATE)?.strip_prefix('/')?.split_once('/')?;
    let property = property.replace("%2F", "/").replace("%23", "#");
    let id = DeviceId::new(namespace, name)
        .and_then(|device| AlarmId::from_column(device, &format!("{property}/{rule}")));
    // Only what is written as we write it: a rule has no slash.
    (!rule.contains('/')).then_some(id)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    const LABEL: &str = "[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?";

    fn any_topic() -> impl Strategy<Value = Topic> {
        let device = (LABEL, LABEL, proptest::sample::select(DeviceTopic::ALL.to_vec()))
            .prop_map(|(ns, name, topic)| Topic::Device(DeviceId::new(&ns, &name).unwrap(), topic));
        let node = (LABEL, proptest::sample::select(NodeTopic::ALL.to_vec()))
            .prop_map(|(node, topic)| Topic::Node(node.parse().unwrap(), topic));
        let alarm = (LABEL, LABEL, "[-A-Za-z0-9_.,:/@#]{1,20}", "[-A-Za-z0-9_]{1,20}").prop_map(
            |(ns, name, property, rule)| {
                let device = DeviceId::new(&ns, &name).unwrap();
                Topic::Alarm(AlarmId::from_column(device, &format!("{property}/{rule}")).unwrap())
            },
        );
        prop_oneof![3 => device, 1 => node, 1 => alarm]
    }

    proptest! {
        #[test]
        fn a_topic_survives_being_written_and_read_in_both_forms(topic in any_topic()) {
            prop_assert_eq!(topic.to_string().parse::<Topic>().unwrap(), topic.clone());
            if let Some(short) = topic.short_form() {
                prop_assert_eq!(short.parse::<Topic>().unwrap(), topic);
            }
        }

        #[test]
        fn no_text_makes_a_topic_panic_and_what_parses_is_written_back(
            text in prop_oneof![".{0,80}", "[$]hw/events/(device|node)/[a-zA-Z/]{0,40}"]
        ) {
            if let Ok(topic) = text.parse::<Topic>() {
                let written = topic.to_string();
                prop_assert!(written == text || topic.short_form() == Some(text));
            }
        }
    }

    #[test]
    fn a_device_named_like_a_level_is_not_taken_for_the_older_form() {
        let id = |ns, name| DeviceId::new(ns, name).unwrap();
        for (text, device) in [
            ("$hw/events/device/twin/update/twin/update", id("twin", "update")),
            ("$hw/events/device/twin/twin/update", id("default", "twin")),
            ("$hw/events/device/a/twin/twin/update", id("a", "twin")),
        ] {
            assert_eq!(text.parse::<Topic>().unwrap(), Topic::Device(device, DeviceTopic::TwinUpdate));
        }
    }

    #[test]
    fn what_is_no_topic_is_refused_with_the_reason() {
        for bad in
            ["", "a/b", "$hw/events/device/a", "$hw/events/device/a/b/twin/delete", "$hw/events/node/n/x"]
        {
            assert!(matches!(bad.parse::<Topic>(), Err(InvalidTopic::Unknown { .. })), "{bad}");
        }
        for bad in [
            "$hw/events/device//twin/update",
            "$hw/events/device/A/b/twin/get",
            "$hw/events/node//membership/get",
        ] {
            assert!(matches!(bad.parse::<Topic>(), Err(InvalidTopic::Name(_))), "{bad}");
        }
    }

    #[test]
    fn requests_are_answered_on_their_result_topic_and_answers_are_not() {
        let topic: Topic = "$hw/events/device/pump/twin/get".parse().unwrap();
        assert!(topic.is_request());
        let result = topic.result().unwrap();
        assert_eq!(result.to_string(), "$hw/events/device/default/pump/twin/get/result");
        assert!(!result.is_request());
    }
}
