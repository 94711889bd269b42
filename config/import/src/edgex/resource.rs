//! A device resource: one property.

use crate::fields::Fields;
use crate::plan::{Access, Area, Data, Names, Point, Property, Type, property_name};
use crate::read::{Kind, Node};
use crate::report::Report;

/// The property that a resource is.
pub(super) fn property(fields: Fields<'_>, names: &mut Names, report: &mut Report) -> Option<Property> {
    let title = fields.text("name", report).unwrap_or_default().to_owned();
    let attributes = fields.map("attributes", report)?;
    let properties = fields.map("properties", report)?;
    let Some(kind) = properties.text("valueType", report) else {
        let what = "no valueType: a profile of EdgeX 1.x must be brought to 2.x or later first";
        fields.left("properties", what, report);
        return None;
    };
    let mut point = point(&attributes, kind, report)?;
    point = point.scaled(properties.float("scale", report), properties.float("offset", report));
    let mut property = Property::new(property_name(&title, names), point);
    if property.name != title {
        property.looks.push(format!("called `{title}` there"));
    }
    property.value_type = Some(match kind {
        "Bool" => Type::Bool,
        "Float32" | "Float64" => Type::Float,
        "String" => Type::Text,
        // A scaled whole number stays one there, with its fractions cut off.
        _ => Type::Int,
    });
    property.access = match properties.text("readWrite", report).unwrap_or("R") {
        "W" => Access::Write,
        "RW" | "WR" => Access::ReadWrite,
        _ => Access::Read,
    };
    property.description = fields.text("description", report).map(|text| text.trim().to_owned());
    property.unit = properties.text("units", report).filter(|unit| !unit.is_empty()).map(str::to_owned);
    let range = (properties.float("minimum", report), properties.float("maximum", report));
    match range {
        (Some(least), Some(most)) if property.value_type != Some(Type::Bool) => {
            property.range = Some((least, most))
        }
        (Some(_), None) | (None, Some(_)) => {
            properties.left("minimum", "a range has two ends here: write `range: [least, most]`", report);
        }
        (_, _) => {}
    }
    for key in ["mask", "shift", "base"] {
        if properties.int(key, report).is_some_and(|number| number != 0) {
            properties.left(key, "no counterpart: the property shows the number without it", report);
        }
    }
    fields.pass_over(&["isHidden", "tag", "tags"]);
    properties.pass_over(&["mediaType"]);
    match property.settle() {
        Ok(gone) => gone.into_iter().for_each(|what| report.left(fields.place(), format!("{title}: {what}"))),
        Err(why) => {
            report.left(fields.place(), format!("{title}: {why}"));
            return None;
        }
    }
    attributes.finish(report);
    properties.finish(report);
    fields.finish(report);
    Some(property)
}

fn point(attributes: &Fields<'_>, kind: &str, report: &mut Report) -> Option<Point> {
    let table = attributes.text("primaryTable", report).unwrap_or_default().to_ascii_uppercase();
    let area = match table.as_str() {
        "COILS" => Area::Coil,
        "DISCRETES_INPUT" => Area::Discrete,
        "INPUT_REGISTERS" => Area::Input,
        "HOLDING_REGISTERS" => Area::Holding,
        other => {
            attributes.left("primaryTable", format!("`{other}` is none of the four tables"), report);
            return None;
        }
    };
    let written = attributes.get("startingAddress").and_then(address);
    let parts = written.as_deref().map(|text| text.split_once('.').unwrap_or((text, "0")));
    let place = parts.and_then(|(start, bit)| Some((start.parse().ok()?, bit.parse().ok()?)));
    let Some((start, bit)): Option<(u16, u8)> = place else {
        attributes.left(
            "startingAddress",
            "an address from 0 to 65535 is wanted, or one with a bit: 10.3",
            report,
        );
        return None;
    };
    let raw = attributes.text("rawType", report).unwrap_or(kind);
    let length = attributes.int("stringRegisterSize", report).and_then(|n| u16::try_from(n).ok());
    let data = match raw.to_ascii_uppercase().as_str() {
        "BOOL" => Some(Data::Bit),
        "INT16" => Data::int(1, true),
        "UINT16" => Data::int(1, false),
        "INT32" => Data::int(2, true),
        "UINT32" => Data::int(2, false),
        "INT64" => Data::int(4, true),
        "UINT64" => Data::int(4, false),
        "FLOAT32" => Data::float(2),
        "FLOAT64" => Data::float(4),
        "STRING" => Some(Data::Text { words: length.unwrap_or(0) }),
        _ => None,
    };
    let Some(data) = data else {
        attributes.left("rawType", format!("`{raw}` is not read here"), report);
        return None;
    };
    let mut point = Point::new(area, start, data);
    point.bit = bit;
    let swap = |key, report: &mut Report| attributes.bool(key, report).unwrap_or(false);
    let (bytes, words) = (swap("isByteSwap", report), swap("isWordSwap", report));
    if (bytes || words) && data.is_number() {
        if data.words() == 2 {
            point = point.ordered(bytes, words);
        } else {
            let what = "bytes and words change places in values of two registers only there; here they do not either";
            attributes.left(if bytes { "isByteSwap" } else { "isWordSwap" }, what, report);
        }
    }
    Some(point)
}

/// The address as the device service understands it: a number with a fraction is written with two digits, so that
/// `10.1` without quotes means bit 10.
fn address(node: &Node) -> Option<String> {
    let text = node.text()?.trim();
    match &node.kind {
        Kind::Scalar(scalar) if scalar.plain && text.contains('.') => Some(format!("{:.2}", node.float()?)),
        Kind::Scalar(_) => node.int().map(|n| n.to_string()).or_else(|| Some(text.to_owned())),
        Kind::Seq(_) | Kind::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_bit_is_read_as_the_device_service_does() {
        let plain = |text: &str| address(&Node::plain(text));
        assert_eq!(plain("10.10").as_deref(), Some("10.10"));
        assert_eq!(plain("10.1").as_deref(), Some("10.10"));
        assert_eq!(plain("10.03").as_deref(), Some("10.03"));
        assert_eq!(plain("10").as_deref(), Some("10"));
        assert_eq!(address(&Node::text_of("10.1")).as_deref(), Some("10.1"));
    }
}
