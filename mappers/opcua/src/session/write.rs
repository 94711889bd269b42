//! Writing, as the type that the node has.

use mapper_sdk::Fault;
use opcua_types::{
    AttributeId, DataTypeId, DataValue, NodeId, ReadValueId, Variant, VariantScalarTypeId, WriteValue,
};
use twin_core::Value;

use super::OpcUaSession;
use crate::connection::Connection;
use crate::point::Point;
use crate::status::{is_gone, point_fault};
use crate::value::{Shape, variant_of};

/// How many steps there may be from a type to the one that it is made of.
const MOST_STEPS: usize = 16;

impl OpcUaSession {
    pub(super) async fn write_value(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        let node_id = self.node(&point.node)?;
        self.learn_names(&[point]).await?;
        let number = self.numbered(point, value)?.map(Value::Int);
        let shape = match self.shapes.get(&node_id) {
            Some(shape) => *shape,
            None => {
                let shape = self.connection.shape(&node_id).await?;
                self.shapes.insert(node_id.clone(), shape);
                shape
            }
        };
        // A part of an array is an array, or one of its items.
        let shape = if point.index_range.is_some() { Shape { array: None, ..shape } } else { shape };
        let variant = variant_of(number.as_ref().unwrap_or(value), shape)?;
        let variant = match variant {
            // One item is written as an array of one. (OPC 10000-4, 7.27)
            single
                if point.index_range.is_some()
                    && !matches!(single, Variant::Array(_) | Variant::String(_) | Variant::ByteString(_)) =>
            {
                let array = opcua_types::Array::new(shape.scalar, vec![single]);
                Variant::Array(Box::new(array.map_err(|error| Fault::Unsuitable(error.to_string()))?))
            }
            other => other,
        };
        let write = WriteValue {
            node_id: node_id.clone(),
            attribute_id: AttributeId::Value as u32,
            index_range: point.range(),
            // With neither time nor status, which many servers do not let be written.
            value: DataValue { value: Some(variant), ..DataValue::default() },
        };
        let status = self.connection.write(write).await?;
        if status.is_bad() {
            // The node may have got another type.
            self.shapes.remove(&node_id);
            return Err(point_fault(status));
        }
        Ok(())
    }
}

impl Connection {
    /// The type of a node's value: what it holds now, or else what its data type is made of.
    async fn shape(&self, node: &NodeId) -> Result<Shape, Fault> {
        let attributes = [AttributeId::DataType, AttributeId::ValueRank, AttributeId::Value];
        let nodes = attributes.map(|attribute| ReadValueId::new(node.clone(), attribute));
        let answers = self.read(&nodes).await?;
        let mut values =
            answers.iter().map(|answer| if answer.status().is_bad() { None } else { answer.value.as_ref() });
        let (data_type, rank, value) =
            (values.next().flatten(), values.next().flatten(), values.next().flatten());
        let Some(Variant::NodeId(data_type)) = data_type else {
            let status = answers.first().map(DataValue::status).filter(opcua_types::StatusCode::is_bad);
            return Err(
                status.map_or_else(|| Fault::Refused("the node has no data type".into()), point_fault)
            );
        };
        // Rank -1 is one value, -2 and -3 may be one, all others are arrays. (OPC 10000-3, 5.6.2)
        let rank = rank.and_then(Variant::as_f64).map(|rank| rank.round());
        let array = match rank {
            Some(rank) if rank >= 0.0 => Some(true),
            Some(rank) if (rank + 1.0).abs() < 0.5 => Some(false),
            Some(_) | None => None,
        };
        let now = value.filter(|value| !value.is_empty()).and_then(Variant::scalar_type_id);
        let scalar = match self.made_of(data_type).await? {
            Some(scalar) => scalar,
            None => now.unwrap_or(VariantScalarTypeId::Variant),
        };
        Ok(Shape { scalar, array })
    }

    /// The built-in type that a data type is made of; none when it is abstract.
    pub(crate) async fn made_of(&self, data_type: &NodeId) -> Result<Option<VariantScalarTypeId>, Fault> {
        let mut at = data_type.clone();
        for _ in 0..MOST_STEPS {
            if let Some(known) = built_in(&at) {
                return Ok(known);
            }
            match self.parent_type(&at).await? {
                Some(parent) => at = parent,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn parent_type(&self, data_type: &NodeId) -> Result<Option<NodeId>, Fault> {
        let browse = [opcua_types::BrowseDescription {
            node_id: data_type.clone(),
            browse_direction: opcua_types::BrowseDirection::Inverse,
            reference_type_id: opcua_types::ReferenceTypeId::HasSubtype.into(),
            include_subtypes: false,
            node_class_mask: 0,
            result_mask: 0x3F,
        }];
        let found = match self.ask(self.session().browse(&browse, 1, None)).await {
            Ok(found) => found,
            Err(status) if is_gone(status) => return Err(self.fault(status)),
            Err(_) => return Ok(None),
        };
        let references = found.into_iter().next().and_then(|result| result.references).unwrap_or_default();
        Ok(references.into_iter().next().map(|reference| reference.node_id.node_id))
    }
}

/// What is known of a data type by its id alone: `Some(None)` for those that are abstract. (OPC 10000-6, 5.1.2)
fn built_in(data_type: &NodeId) -> Option<Option<VariantScalarTypeId>> {
    if data_type.namespace != 0 {
        return None;
    }
    let id = data_type.as_u32()?;
    let is = |known: DataTypeId| known as u32 == id;
    if is(DataTypeId::Number)
        || is(DataTypeId::Integer)
        || is(DataTypeId::UInteger)
        || is(DataTypeId::BaseDataType)
    {
        return Some(None);
    }
    if is(DataTypeId::Enumeration) {
        return Some(Some(VariantScalarTypeId::Int32));
    }
    VariantScalarTypeId::try_from(id).ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_type_is_known_by_its_id_where_the_specification_says() {
        let of = |id: DataTypeId| built_in(&id.into());
        assert_eq!(of(DataTypeId::Double), Some(Some(VariantScalarTypeId::Double)));
        assert_eq!(of(DataTypeId::Enumeration), Some(Some(VariantScalarTypeId::Int32)));
        assert_eq!(of(DataTypeId::Number), Some(None));
        assert_eq!(of(DataTypeId::BaseDataType), Some(None));
        assert_eq!(of(DataTypeId::Duration), None);
        assert_eq!(built_in(&NodeId::new(2, 11u32)), None);
    }
}
