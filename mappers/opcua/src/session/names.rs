//! Names for numbers, and what else a server says about its variables. (OPC 10000-8, 5.3; OPC 10000-3, 8.40)

use std::collections::BTreeMap;
use std::sync::Arc;

use mapper_sdk::Fault;
use opcua_types::{
    AttributeId, BrowsePath, EnumDefinition, EnumValueType, NodeId, QualifiedName, Range, ReadValueId,
    ReferenceTypeId, RelativePath, RelativePathElement, Variant,
};
use twin_core::Value;

use super::OpcUaSession;
use crate::connection::Connection;
use crate::point::Point;
use crate::status::is_gone;

impl OpcUaSession {
    /// Asks the server for the names of points that want them.
    pub(super) async fn learn_names(&mut self, points: &[&Point]) -> Result<(), Fault> {
        for point in points.iter().filter(|point| point.server_enum) {
            let Ok(node) = self.node(&point.node) else { continue };
            if self.names.contains_key(&node) {
                continue;
            }
            let names = self.connection.names_of(&node).await?;
            if !names.is_empty() {
                self.names.insert(node, Arc::new(names));
            }
        }
        Ok(())
    }

    /// The value, or the name that its number has.
    pub(super) fn named(&self, point: &Point, value: Value) -> Result<Value, Fault> {
        let Some(number) = number_of(&value).filter(|_| point.server_enum || !point.names.is_empty()) else {
            return Ok(value);
        };
        let name = if point.server_enum {
            let node = self.node(&point.node)?;
            self.names.get(&node).and_then(|names| names.get(&number))
        } else {
            point.names.get(&number)
        };
        name.map(|name| Value::String(name.clone()))
            .ok_or_else(|| Fault::NotAValue(format!("{number} has no name")))
    }

    /// The number that has this name; none where the point has no names.
    pub(super) fn numbered(&self, point: &Point, value: &Value) -> Result<Option<i64>, Fault> {
        let Value::String(name) = value else { return Ok(None) };
        let node = if point.server_enum { Some(self.node(&point.node)?) } else { None };
        let names = match &node {
            Some(node) => self.names.get(node).map(Arc::as_ref),
            None => Some(&point.names).filter(|names| !names.is_empty()),
        };
        let Some(names) = names else {
            return if point.server_enum {
                Err(Fault::Unsuitable("the server has no names for this node".into()))
            } else {
                Ok(None)
            };
        };
        let number = names.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
        let known = || names.values().map(String::as_str).collect::<Vec<_>>().join(", ");
        number.map(Some).ok_or_else(|| Fault::Unsuitable(format!("`{name}` is not one of {}", known())))
    }

    /// The lowest and highest value of an analogue variable, where the server says.
    pub(super) async fn range_of(&self, point: &Point) -> Result<Option<(f64, f64)>, Fault> {
        let node = self.node(&point.node)?;
        let value = self.connection.property(&node, "EURange").await?;
        let Some(Variant::ExtensionObject(object)) = value else { return Ok(None) };
        Ok(object.inner_as::<Range>().map(|range| (range.low, range.high)))
    }
}

fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Bool(bit) => Some(i64::from(*bit)),
        Value::Float(_) | Value::String(_) | Value::Bytes(_) | Value::Json(_) => None,
    }
}

impl Connection {
    /// The value of a property of a node, by the property's name in the base namespace.
    pub(crate) async fn property(&self, node: &NodeId, name: &str) -> Result<Option<Variant>, Fault> {
        let path = BrowsePath {
            starting_node: node.clone(),
            relative_path: RelativePath {
                elements: Some(vec![RelativePathElement {
                    reference_type_id: ReferenceTypeId::HasProperty.into(),
                    is_inverse: false,
                    include_subtypes: true,
                    target_name: QualifiedName::new(0, name),
                }]),
            },
        };
        let paths = [path];
        let found = match self.ask(self.session().translate_browse_paths_to_node_ids(&paths)).await {
            Ok(found) => found,
            Err(status) if is_gone(status) => return Err(self.fault(status)),
            Err(_) => return Ok(None),
        };
        let targets = found.into_iter().next().and_then(|result| result.targets).unwrap_or_default();
        let Some(target) = targets.into_iter().next() else { return Ok(None) };
        self.attribute(&target.target_id.node_id, AttributeId::Value).await
    }

    /// An attribute of a node; none where there is none.
    pub(crate) async fn attribute(
        &self,
        node: &NodeId,
        attribute: AttributeId,
    ) -> Result<Option<Variant>, Fault> {
        match self.read_status(&[ReadValueId::new(node.clone(), attribute)]).await {
            Ok(answers) => {
                Ok(answers.into_iter().next().filter(|a| !a.status().is_bad()).and_then(|a| a.value))
            }
            Err(status) if is_gone(status) => Err(self.fault(status)),
            Err(_) => Ok(None),
        }
    }

    /// The names that the server has for the numbers of a variable: its own, or those of its type.
    pub(crate) async fn names_of(&self, node: &NodeId) -> Result<BTreeMap<i64, String>, Fault> {
        let data_type = match self.attribute(node, AttributeId::DataType).await? {
            Some(Variant::NodeId(data_type)) => Some(*data_type),
            _ => None,
        };
        for owner in [Some(node), data_type.as_ref()].into_iter().flatten() {
            for property in ["EnumStrings", "EnumValues"] {
                let names = self.property(owner, property).await?.map(names_in).unwrap_or_default();
                if !names.is_empty() {
                    return Ok(names);
                }
            }
        }
        let Some(data_type) = data_type else { return Ok(BTreeMap::new()) };
        let definition = self.attribute(&data_type, AttributeId::DataTypeDefinition).await?;
        Ok(definition.map(names_in).unwrap_or_default())
    }
}

/// The names in an array of texts, an array of pairs, or a definition.
fn names_in(value: Variant) -> BTreeMap<i64, String> {
    if let Variant::ExtensionObject(object) = &value {
        let Some(definition) = object.inner_as::<EnumDefinition>() else { return BTreeMap::new() };
        let fields = definition.fields.iter().flatten();
        return fields.map(|field| (field.value, field.name.as_ref().to_owned())).collect();
    }
    let Variant::Array(array) = value else { return BTreeMap::new() };
    let pair = |(place, item): (usize, &Variant)| {
        if let Variant::LocalizedText(text) = item {
            return Some((i64::try_from(place).ok()?, text.text.as_ref().to_owned()));
        }
        let Variant::ExtensionObject(object) = item else { return None };
        let pair = object.inner_as::<EnumValueType>()?;
        Some((pair.value, pair.display_name.text.as_ref().to_owned()))
    };
    array.values.iter().enumerate().filter_map(pair).filter(|(_, name)| !name.is_empty()).collect()
}
