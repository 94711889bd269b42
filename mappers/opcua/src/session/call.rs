//! Methods, called by writing. (OPC 10000-4, 5.12)

use mapper_sdk::Fault;
use opcua_types::{Argument, CallMethodRequest, Variant};
use serde_json::Value as Json;
use twin_core::{Value, ValueType};

use super::OpcUaSession;
use crate::status::point_fault;
use crate::value::{Shape, variant_of};

impl OpcUaSession {
    /// Calls a method: an array holds its arguments, anything else is its only one.
    pub(super) async fn call(&mut self, object: &str, method: &str, value: &Value) -> Result<(), Fault> {
        let (object_id, method_id) = (self.node(object)?, self.node(method)?);
        let wanted = match self.connection.property(&method_id, "InputArguments").await? {
            Some(Variant::Array(array)) => array.values.into_iter().filter_map(argument).collect(),
            _ => Vec::new(),
        };
        let given = arguments(value, wanted.len());
        if given.len() != wanted.len() {
            let names: Vec<&str> = wanted.iter().map(|argument| argument.name.as_ref()).collect();
            return Err(Fault::Unsuitable(format!(
                "the method takes {} arguments [{}], not {}",
                wanted.len(),
                names.join(", "),
                given.len()
            )));
        }
        let mut arguments = Vec::with_capacity(wanted.len());
        for (json, argument) in given.iter().zip(&wanted) {
            let scalar = self.connection.made_of(&argument.data_type).await?;
            let array = if argument.value_rank >= 0 {
                Some(true)
            } else {
                (argument.value_rank == -1).then_some(false)
            };
            let shape = Shape { scalar: scalar.unwrap_or(opcua_types::VariantScalarTypeId::Variant), array };
            let value =
                Value::from_json(ValueType::Json, json).map_err(|e| Fault::Unsuitable(e.to_string()))?;
            let variant = variant_of(&value, shape)
                .map_err(|fault| Fault::Unsuitable(format!("argument `{}`: {fault}", argument.name)))?;
            arguments.push(variant);
        }
        let request = CallMethodRequest { object_id, method_id, input_arguments: Some(arguments) };
        let result = self.connection.call(request).await?;
        if result.status_code.is_bad() {
            return Err(point_fault(result.status_code));
        }
        Ok(())
    }
}

fn argument(variant: Variant) -> Option<Argument> {
    let Variant::ExtensionObject(object) = variant else { return None };
    object.into_inner_as::<Argument>().map(|argument| *argument)
}

/// The arguments in a value. A method without arguments is called by any value.
fn arguments(value: &Value, wanted: usize) -> Vec<Json> {
    match value {
        Value::Json(Json::Array(items)) => items.clone(),
        Value::Bool(_) | Value::Json(Json::Null) if wanted == 0 => Vec::new(),
        Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::Json(_) => {
            vec![value.to_json()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_array_holds_the_arguments_and_anything_else_is_the_only_one() {
        assert_eq!(arguments(&Value::Json(json!([1, "x"])), 2), [json!(1), json!("x")]);
        assert_eq!(arguments(&Value::Int(7), 1), [json!(7)]);
        assert_eq!(arguments(&Value::Bool(true), 1), [json!(true)]);
        assert!(arguments(&Value::Bool(true), 0).is_empty());
        assert!(arguments(&Value::Json(json!([])), 0).is_empty());
    }
}
