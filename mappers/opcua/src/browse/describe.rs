//! What is known of the variables that were found.

use std::collections::HashMap;

use mapper_sdk::Fault;
use opcua_types::{
    AttributeId, DataValue, EUInformation, NodeId, Range, ReadValueId, Variant, VariantScalarTypeId,
};
use twin_core::ValueType;

use super::{Found, Kind, Variable};
use crate::connection::Connection;
use crate::status::words;
use crate::value::value_of;

const ATTRIBUTES: [AttributeId; 4] =
    [AttributeId::DataType, AttributeId::ValueRank, AttributeId::UserAccessLevel, AttributeId::Value];
/// Bits of an access level. (OPC 10000-3, 8.57)
const READABLE: u32 = 1;
const WRITABLE: u32 = 2;

/// What is known of a data type.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    scalar: Option<VariantScalarTypeId>,
    named: bool,
}

impl Connection {
    pub(super) async fn describe(&self, found: &mut [Found]) -> Result<(), Fault> {
        let variables: Vec<usize> =
            (0..found.len()).filter(|place| found[*place].kind == Kind::Variable).collect();
        let nodes: Vec<ReadValueId> = variables
            .iter()
            .flat_map(|place| {
                ATTRIBUTES.map(|attribute| ReadValueId::new(found[*place].id.clone(), attribute))
            })
            .collect();
        let answers = self.read(&nodes).await?;
        let mut types: HashMap<NodeId, Known> = HashMap::new();
        for (place, answers) in variables.into_iter().zip(answers.chunks(ATTRIBUTES.len())) {
            let [data_type, rank, access, now] = answers else { continue };
            let Some(Variant::NodeId(data_type)) = &data_type.value else { continue };
            let own_names =
                ["EnumStrings", "EnumValues"].iter().any(|p| found[place].properties.contains_key(*p));
            let known = match types.get(data_type.as_ref()) {
                Some(known) => known.clone(),
                None => {
                    let known = self.known(data_type, &found[place].id).await?;
                    types.insert(data_type.as_ref().clone(), known.clone());
                    known
                }
            };
            let rank = rank.value.as_ref().and_then(Variant::as_f64).unwrap_or(-1.0);
            let access = access.value.as_ref().and_then(Variant::as_f64).map_or(READABLE, |bits| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "eight bits")]
                let bits = bits as u32;
                bits
            });
            let (unit, range) = self.unit_and_range(&found[place]).await?;
            let named = known.named || own_names;
            found[place].variable = Some(Variable {
                value_type: value_type(known.scalar, now, rank, named),
                data_type: known.name,
                readable: access & READABLE != 0,
                writable: access & WRITABLE != 0,
                named,
                unit,
                range,
                now: self.shown(now),
            });
        }
        Ok(())
    }

    async fn known(&self, data_type: &NodeId, variable: &NodeId) -> Result<Known, Fault> {
        let scalar = self.made_of(data_type).await?;
        let name = match self.attribute(data_type, AttributeId::BrowseName).await? {
            Some(Variant::QualifiedName(name)) => name.name.as_ref().to_owned(),
            _ => data_type.to_string(),
        };
        // Types of its own that are made of numbers may be enumerations.
        let may_be_named = scalar == Some(VariantScalarTypeId::Int32) && *data_type != NodeId::new(0, 6u32);
        let named = may_be_named && !self.names_of(variable).await?.is_empty();
        Ok(Known { name, scalar, named })
    }

    async fn unit_and_range(&self, found: &Found) -> Result<(String, Option<(f64, f64)>), Fault> {
        let mut answers = [None, None];
        for (answer, name) in answers.iter_mut().zip(["EngineeringUnits", "EURange"]) {
            if let Some(node) = found.properties.get(name) {
                *answer = self.attribute(node, AttributeId::Value).await?;
            }
        }
        let [unit, range] = answers.map(|answer| {
            let Some(Variant::ExtensionObject(object)) = answer else { return None };
            Some(object)
        });
        let unit = unit
            .and_then(|unit| Some(unit.inner_as::<EUInformation>()?.display_name.text.as_ref().to_owned()));
        let range = range.and_then(|range| range.inner_as::<Range>().map(|range| (range.low, range.high)));
        let range = range.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high);
        Ok((unit.unwrap_or_default().chars().filter(|c| !c.is_control()).take(30).collect(), range))
    }

    fn shown(&self, now: &DataValue) -> String {
        if now.status().is_bad() {
            return words(now.status());
        }
        let context = self.session().encoding_context().read();
        let value = now.value.as_ref().map(|value| value_of(value, &context.context()));
        let text = match value {
            Some(Ok(value)) => value.to_string(),
            Some(Err(fault)) => fault.to_string(),
            None => String::new(),
        };
        text.chars().filter(|c| !c.is_control()).take(60).collect()
    }
}

/// The type of a property for a variable.
fn value_type(scalar: Option<VariantScalarTypeId>, now: &DataValue, rank: f64, named: bool) -> ValueType {
    use VariantScalarTypeId as T;
    let is_array = rank >= 0.0 || now.value.as_ref().is_some_and(Variant::is_array);
    let scalar = scalar.filter(|scalar| *scalar != T::Variant);
    let scalar = scalar.or_else(|| now.value.as_ref().and_then(Variant::scalar_type_id));
    if is_array {
        return ValueType::Json;
    }
    if named {
        return ValueType::String;
    }
    match scalar {
        Some(T::Boolean) => ValueType::Bool,
        Some(T::SByte | T::Byte | T::Int16 | T::UInt16 | T::Int32 | T::UInt32 | T::Int64 | T::UInt64) => {
            ValueType::Int
        }
        Some(T::Float | T::Double) => ValueType::Float,
        Some(T::ByteString) => ValueType::Bytes,
        Some(
            T::String
            | T::DateTime
            | T::Guid
            | T::XmlElement
            | T::NodeId
            | T::ExpandedNodeId
            | T::StatusCode
            | T::QualifiedName
            | T::LocalizedText,
        ) => ValueType::String,
        Some(T::ExtensionObject | T::DataValue | T::Variant | T::DiagnosticInfo) | None => ValueType::Json,
    }
}
