//! A property: its definition in the model, and the registers in the device.

use crate::fields::Fields;
use crate::plan::{Access, Area, Data, Point, Property, Type};
use crate::report::Report;

/// What the model says of a property.
#[derive(Debug, Clone, Default)]
pub(super) struct Definition {
    kind: String,
    pub(super) access: Option<Access>,
    pub(super) description: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) range: Option<(f64, f64)>,
}

/// Reads a property of a model.
pub(super) fn definition(fields: Fields<'_>, report: &mut Report) -> Option<(String, Definition)> {
    let name = fields.text("name", report)?.to_owned();
    let kind = fields.text("type", report).unwrap_or_default().to_ascii_lowercase();
    let access = match fields.text("accessMode", report) {
        Some("ReadWrite") => Some(Access::ReadWrite),
        Some("WriteOnly") => Some(Access::Write),
        Some(_) | None => Some(Access::Read),
    };
    let ends = (fields.float("minimum", report), fields.float("maximum", report));
    let numeric = matches!(kind.as_str(), "int" | "float" | "double");
    let range = match ends {
        (Some(least), Some(most)) if numeric => Some((least, most)),
        (None, None) => None,
        (_, _) => {
            fields.left("minimum", "a range has two ends here: write `range: [least, most]`", report);
            None
        }
    };
    let description = fields.text("description", report).map(str::to_owned);
    let unit = fields.text("unit", report).map(str::to_owned);
    fields.finish(report);
    Some((name, Definition { kind, access, description, unit, range }))
}

/// Reads where a property lives.
pub(super) fn property(
    visitors: &Fields<'_>,
    definition: &Definition,
    report: &mut Report,
) -> Option<Property> {
    visitors.pass_over(&["protocolName"]);
    let data = visitors.map("configData", report)?;
    let register = data.text("register", report).unwrap_or_default();
    let area = match register {
        "CoilRegister" => Area::Coil,
        "DiscreteInputRegister" => Area::Discrete,
        "InputRegister" => Area::Input,
        "HoldingRegister" => Area::Holding,
        other => {
            data.left("register", format!("`{other}` is none of the four tables"), report);
            return None;
        }
    };
    let offset = data.int("offset", report).unwrap_or(0);
    let limit = data.int("limit", report).unwrap_or(1).max(1);
    let (Ok(start), Ok(words)) = (u16::try_from(offset), u16::try_from(limit)) else {
        data.left("offset", "an offset from 0 to 65535 and a limit are wanted", report);
        return None;
    };
    let own = data.text("dataType", report).unwrap_or_default().to_ascii_lowercase();
    let kind = if definition.kind.is_empty() { own } else { definition.kind.clone() };
    let mut looks = Vec::new();
    let found = registers(&kind, area, words, &mut looks);
    let Some((held, wanted)) = found else {
        let what = format!("a value of type `{kind}` in {words} of `{register}` is not read here");
        data.left("limit", what, report);
        return None;
    };
    let scale = data.float("scale", report).filter(|scale| *scale != 0.0 && held.is_number());
    let mut point = Point::new(area, start, held).scaled(scale, None);
    let swap = |key, report: &mut Report| data.bool(key, report).unwrap_or(false);
    point = point.ordered(swap("isSwap", report), swap("isRegisterSwap", report));
    for key in ["max", "min"] {
        if data.float(key, report).is_some() {
            data.left(key, "a threshold of a warning: there are no warnings here", report);
        }
    }
    data.finish(report);
    let mut property = Property::new(String::new(), point);
    property.value_type = wanted;
    property.looks = looks;
    Some(property)
}

/// What so many registers hold, and the type that is wanted of it.
fn registers(kind: &str, area: Area, words: u16, looks: &mut Vec<String>) -> Option<(Data, Option<Type>)> {
    if area.is_bits() {
        let wanted = match kind {
            "boolean" | "bool" | "" => Type::Bool,
            "int" => Type::Int,
            _ => return None,
        };
        return (words == 1).then_some((Data::Bit, Some(wanted)));
    }
    match (kind, words) {
        ("int" | "", _) => {
            let data = Data::int(words, false)?;
            looks.push(
                "whole numbers have no sign there; write `type: int16` or the like if this one has".into(),
            );
            Some((data, Some(Type::Int)))
        }
        ("float" | "double", 1) => {
            looks.push("one register: taken for a whole number with a scale, as the mapper does".into());
            Some((Data::int(1, false)?, Some(Type::Float)))
        }
        ("float" | "double", _) => Some((Data::float(words)?, None)),
        ("string", _) => Some((Data::Text { words }, None)),
        ("bytes", _) => Some((Data::Bytes { words }, None)),
        ("boolean" | "bool", 1) => {
            looks.push("a bool in a register: bit 0 is taken".into());
            Some((Data::Bit, Some(Type::Bool)))
        }
        _ => None,
    }
}
