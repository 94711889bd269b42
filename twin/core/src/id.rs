//! Names that cannot be wrong once they exist.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the name it was offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: {rule}")]
pub struct InvalidId {
    /// The text as it was given, cut at 80 characters.
    pub text: String,
    /// What it was meant to be.
    pub what: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl InvalidId {
    pub(crate) fn new(text: &str, what: &'static str, rule: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), what, rule }
    }
}

const LABEL_RULE: &str = "use 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit";
const PROPERTY_RULE: &str = "use 1 to 128 of A-Z, a-z, 0-9 and - _ . , : / @ #";

/// Whether `text` is a DNS label (RFC 1123, 2.1), in lower case.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    matches!(bytes, [first, .., last] if edge(first) && edge(last))
        && bytes.len() <= 63
        && bytes.iter().all(|b| edge(b) || *b == b'-')
        || matches!(bytes, [only] if edge(only))
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}
pub(crate) use text_newtype;

/// The name of an edge node: a DNS label of at most 63 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(std::sync::Arc<str>);
text_newtype!(NodeName);

impl FromStr for NodeName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_label(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId::new(text, "node name", LABEL_RULE))
        }
    }
}

/// A device: `namespace/name`, both DNS labels. The namespace `default` may be left out when written.
///
/// Cloning is cheap: the text is shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId {
    text: std::sync::Arc<str>,
    slash: u8,
}

impl DeviceId {
    /// The namespace of a device for which none is written.
    pub const DEFAULT_NAMESPACE: &'static str = "default";

    /// Makes an id of its two labels.
    ///
    /// # Errors
    /// [`InvalidId`] when either is not a DNS label.
    pub fn new(namespace: &str, name: &str) -> Result<Self, InvalidId> {
        if !is_label(namespace) {
            return Err(InvalidId::new(namespace, "device namespace", LABEL_RULE));
        }
        if !is_label(name) {
            return Err(InvalidId::new(name, "device name", LABEL_RULE));
        }
        let slash = u8::try_from(namespace.len()).unwrap_or(u8::MAX);
        Ok(Self { text: format!("{namespace}/{name}").into(), slash })
    }

    /// The part before the slash.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.text[..usize::from(self.slash)]
    }

    /// The part after the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[usize::from(self.slash) + 1..]
    }

    /// `namespace/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for DeviceId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('/') {
            Some((namespace, name)) => Self::new(namespace, name),
            None => Self::new(Self::DEFAULT_NAMESPACE, text),
        }
    }
}

impl TryFrom<String> for DeviceId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.text.as_ref().to_owned()
    }
}

/// One named value of a device: `[A-Za-z0-9-_.,:/@#]{1,128}`, the rule of KubeEdge's twin keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PropertyName(std::sync::Arc<str>);
text_newtype!(PropertyName);

impl FromStr for PropertyName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.,:/@#".contains(&b);
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId::new(text, "property name", PROPERTY_RULE))
        }
    }
}

/// A property of a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PropertyId {
    /// The device that has it.
    pub device: DeviceId,
    /// Its name there.
    pub property: PropertyName,
}

impl PropertyId {
    /// Joins the two.
    #[must_use]
    pub fn new(device: DeviceId, property: PropertyName) -> Self {
        Self { device, property }
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.device, self.property)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_device_without_a_namespace_is_in_default() {
        let id: DeviceId = "pump-1".parse().unwrap();
        assert_eq!((id.namespace(), id.name(), id.as_str()), ("default", "pump-1", "default/pump-1"));
    }

    #[test]
    fn names_that_break_the_rule_are_refused_with_the_rule() {
        for bad in ["", "-a", "a-", "A", "a/b/c", "/a", "a/", "é", "a b", &"a".repeat(64)] {
            let error = bad.parse::<DeviceId>().unwrap_err();
            assert!(error.to_string().contains("use 1 to 63"), "{error}");
        }
        for bad in ["", "a b", "a+b", "ä", &"a".repeat(129)] {
            assert!(bad.parse::<PropertyName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_device_id_survives_being_written_and_read(ns in "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name in "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?") {
            let id = DeviceId::new(&ns, &name).unwrap();
            prop_assert_eq!(id.namespace(), &ns);
            prop_assert_eq!(id.name(), &name);
            prop_assert_eq!(id.to_string().parse::<DeviceId>().unwrap(), id.clone());
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<DeviceId>(&json).unwrap(), id);
        }

        #[test]
        fn no_text_makes_an_id_panic(text in ".{0,200}") {
            let _ = text.parse::<DeviceId>();
            let _ = text.parse::<PropertyName>();
            let _ = text.parse::<NodeName>();
        }
    }
}
