//! From what a device says to what the property's definition allows.

use twin_core::{PropertyDefinition, Unacceptable, Value, ValueType, Why};

/// The value as one of the property's type, within its range.
pub(crate) fn checked(value: Value, definition: &PropertyDefinition) -> Result<Value, Why> {
    let value = of_type(value, definition.value_type)?;
    match definition.check_value(&value) {
        Ok(()) => Ok(value),
        Err(Unacceptable::OutOfRange { .. } | Unacceptable::NotOneOf { .. } | Unacceptable::Guarded(_)) => {
            Err(Why::OutOfRange)
        }
        Err(Unacceptable::Type(_) | Unacceptable::ReadOnly) => Err(Why::WrongType),
    }
}

fn of_type(value: Value, wanted: ValueType) -> Result<Value, Why> {
    if value.value_type() == wanted {
        return Ok(value);
    }
    match (&value, wanted) {
        (Value::Int(number), ValueType::Float) => Value::float(*number as f64).map_err(|_| Why::WrongType),
        (Value::Bool(bit), ValueType::Int) => Ok(Value::Int(i64::from(*bit))),
        (Value::Float(number), ValueType::Int) => {
            let whole = number.get().round();
            // A scaled register that means a whole number may carry the dust of its scale.
            let exact = (whole - number.get()).abs() <= 1e-6 && whole.abs() < 9.0e15;
            if exact { Ok(Value::Int(whole as i64)) } else { Err(Why::WrongType) }
        }
        _ => Err(Why::WrongType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::{Access, Range};

    #[test]
    fn numbers_change_into_each_other_only_where_nothing_is_lost() {
        let float = |f| Value::float(f).unwrap();
        assert_eq!(of_type(Value::Int(3), ValueType::Float), Ok(float(3.0)));
        assert_eq!(of_type(float(120.000_000_000_1), ValueType::Int), Ok(Value::Int(120)));
        assert_eq!(of_type(float(120.5), ValueType::Int), Err(Why::WrongType));
        assert_eq!(of_type(Value::Bool(true), ValueType::Int), Ok(Value::Int(1)));
        assert_eq!(of_type(Value::Int(1), ValueType::Bool), Err(Why::WrongType));
    }

    #[test]
    fn a_value_outside_the_range_is_out_of_range() {
        let mut definition = PropertyDefinition::new(ValueType::Float, Access::Read);
        definition.range = Some(Range { min: 0.0, max: 10.0 });
        assert_eq!(checked(Value::Int(11), &definition), Err(Why::OutOfRange));
        assert!(checked(Value::Int(10), &definition).is_ok());
    }
}
