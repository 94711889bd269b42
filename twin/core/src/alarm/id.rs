//! Which alarm: the rule of a property that gave it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, InvalidId, PropertyId, PropertyName, text_newtype};

const RULE_RULE: &str = "use 1 to 63 of a-z, A-Z, 0-9, `_` and `-`";
const COLUMN_RULE: &str = "write the property, a slash and the rule: `pressure/hot`";

/// The name of an alarm's rule, one of its property's: `[A-Za-z0-9_-]{1,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(Arc<str>);
text_newtype!(RuleName);

impl FromStr for RuleName {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId::new(text, "name of an alarm", RULE_RULE))
        }
    }
}

/// One alarm: a property and one of its rules. There is at most one document for it, however often it is raised.
///
/// Cloning is cheap: the texts are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct AlarmId {
    property: PropertyId,
    rule: RuleName,
    /// `pressure/hot`. A rule has no slash: the last one is the border, whatever the property is called.
    column: Arc<str>,
}

impl AlarmId {
    /// Joins the two.
    #[must_use]
    pub fn new(property: PropertyId, rule: RuleName) -> Self {
        let column = format!("{}/{rule}", property.property).into();
        Self { property, rule, column }
    }

    /// The property that has the rule.
    #[must_use]
    pub fn property(&self) -> &PropertyId {
        &self.property
    }

    /// The device that has the property.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.property.device
    }

    /// The rule's name.
    #[must_use]
    pub fn rule(&self) -> &RuleName {
        &self.rule
    }

    /// The alarm within its device as one text, `pressure/hot`, as a database keeps it in the column of the property.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The alarm of a device that [`column`](Self::column) was called for.
    ///
    /// # Errors
    /// [`InvalidId`] when there is no slash in it, or one of the names is none.
    pub fn from_column(device: DeviceId, column: &str) -> Result<Self, InvalidId> {
        let (property, rule) = column
            .rsplit_once('/')
            .ok_or_else(|| InvalidId::new(column, "name of an alarm within its device", COLUMN_RULE))?;
        let property: PropertyName = property.parse()?;
        Ok(Self::new(PropertyId::new(device, property), rule.parse()?))
    }
}

impl fmt::Display for AlarmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.property, self.rule)
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    device: DeviceId,
    property: PropertyName,
    rule: RuleName,
}

impl From<Written> for AlarmId {
    fn from(Written { device, property, rule }: Written) -> Self {
        Self::new(PropertyId::new(device, property), rule)
    }
}

impl From<AlarmId> for Written {
    fn from(id: AlarmId) -> Self {
        Self { device: id.property.device, property: id.property.property, rule: id.rule }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_alarm_id() -> impl Strategy<Value = AlarmId> {
        ("[a-z0-9]{1,8}", "[a-z0-9]{1,8}", "[-A-Za-z0-9_.,:/@#]{1,20}", "[-A-Za-z0-9_]{1,20}").prop_map(
            |(namespace, name, property, rule)| {
                let device = DeviceId::new(&namespace, &name).unwrap();
                AlarmId::new(PropertyId::new(device, property.parse().unwrap()), rule.parse().unwrap())
            },
        )
    }

    #[test]
    fn the_last_slash_parts_property_and_rule() {
        let id = AlarmId::from_column("pump-1".parse().unwrap(), "a/b/hot").unwrap();
        assert_eq!((id.property().property.as_str(), id.rule().as_str()), ("a/b", "hot"));
        for bad in ["", "hot", "/hot", "pressure/", "pressure/too hot", "pres sure/hot"] {
            assert!(AlarmId::from_column("pump-1".parse().unwrap(), bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_alarm_id_survives_being_written_and_read(id in any_alarm_id()) {
            let read = AlarmId::from_column(id.device().clone(), id.column()).unwrap();
            prop_assert_eq!(&read, &id);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<AlarmId>(&json).unwrap(), id);
        }

        #[test]
        fn no_text_makes_a_name_of_an_alarm_panic(text in ".{0,100}") {
            let _ = text.parse::<RuleName>();
            let _ = AlarmId::from_column("pump-1".parse().unwrap(), &text);
        }
    }
}
