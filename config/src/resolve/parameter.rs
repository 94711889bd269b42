//! The parameters of a model, and the values that devices give them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::placeholder::{Given, Values, is_name};
use crate::decode::{Sink, Spot, decode};
use crate::fault::Finding;
use crate::node::Kind;
use crate::scalar;
use crate::source::Span;
use crate::suggest::{list, nearest};
pub(super) use crate::written::parameter::ParameterType;
use crate::written::parameter::ParameterWritten;

/// What a device may or must say to have a model's properties.
pub(super) struct Parameter {
    pub(super) value_type: ParameterType,
    range: Option<(f64, f64)>,
    default: Option<Given>,
    /// Where its name is written.
    at: Span,
}

/// Reads the parameters of a model.
pub(super) fn parameters(model: &Spot<'_>, sink: &mut Sink) -> BTreeMap<Arc<str>, Parameter> {
    let mut parameters = BTreeMap::new();
    let Some(entry) = model.node.entry("parameters") else { return parameters };
    let spot = model.below(entry);
    for entry in spot.map(sink) {
        let spot = spot.below(entry);
        if !is_name(&entry.key) {
            let message = format!("`{}` is not a name for a parameter", scalar::cut(&entry.key));
            let hint = "use 1 to 63 of a-z, 0-9 and `_`, beginning with a letter";
            sink.fault(spot.head_finding(message).hint(hint));
        }
        let Some(written) = decode::<ParameterWritten>(&spot, &["default"], sink).value else { continue };
        let range = written.range.filter(|range| is_range(*range, written.value_type, &spot, sink));
        let mut parameter =
            Parameter { value_type: written.value_type, range, default: None, at: entry.key_at };
        if let Some(entry) = spot.node.entry("default").filter(|entry| !entry.value.is_null()) {
            parameter.default = parameter.value(&spot.below(entry), sink);
        }
        parameters.insert(entry.key.clone(), parameter);
    }
    parameters
}

fn is_range((min, max): (f64, f64), value_type: ParameterType, spot: &Spot<'_>, sink: &mut Sink) -> bool {
    let number = matches!(value_type, ParameterType::Int | ParameterType::Float);
    let wrong = match spot.node.entry("range") {
        Some(entry) if !number => Some((entry, "a range is for numbers")),
        Some(entry) if min >= max => Some((entry, "the lowest number must be below the highest")),
        Some(_) | None => None,
    };
    if let Some((entry, message)) = wrong {
        sink.fault(spot.below(entry).finding(message));
    }
    wrong.is_none()
}

impl Parameter {
    /// The value that is written at `spot`; a fault where it is not of the type.
    pub(super) fn value(&self, spot: &Spot<'_>, sink: &mut Sink) -> Option<Given> {
        let given = |text: &str| Given { text: text.into(), value_type: self.value_type, at: spot.node.at };
        let number = match self.value_type {
            ParameterType::Int => {
                let whole = decode::<i64>(spot, &[], sink).if_clean()?;
                #[expect(clippy::cast_precision_loss, reason = "compared with bounds that people write")]
                Some(whole as f64)
            }
            ParameterType::Float => Some(decode::<f64>(spot, &[], sink).if_clean()?),
            ParameterType::Bool => {
                let bool = decode::<bool>(spot, &[], sink).if_clean()?;
                return Some(given(if bool { "true" } else { "false" }));
            }
            ParameterType::String => return Some(given(&decode::<String>(spot, &[], sink).if_clean()?)),
        };
        if let (Some((min, max)), Some(number)) = (self.range, number)
            && !(min..=max).contains(&number)
        {
            let message = format!("{number} is not between {min} and {max}");
            sink.fault(spot.finding(message).hint("the model says so").related(self.at, "the parameter"));
            return None;
        }
        let Kind::Scalar(scalar) = &spot.node.kind else { return None };
        Some(given(&scalar.text))
    }
}

/// The values a device gives to the parameters of its model; nothing where one is missing or wrong. `of` finds what is
/// given by name, `head` is the device.
pub(super) fn with_defaults(
    model: &str,
    parameters: &BTreeMap<Arc<str>, Parameter>,
    given: impl Fn(&str, &Parameter, &mut Sink) -> Option<Option<Given>>,
    missing: impl Fn(String) -> Finding,
    sink: &mut Sink,
) -> Option<Values> {
    let mut values = Values::new();
    let mut whole = true;
    for (name, parameter) in parameters {
        let value = match given(name, parameter, sink) {
            Some(value) => value,
            None if parameter.default.is_some() => parameter.default.clone(),
            None => {
                let message = format!("the model `{}` wants a value for `{name}`", scalar::cut(model));
                sink.fault(missing(message).related(parameter.at, "the parameter"));
                None
            }
        };
        match value {
            Some(value) => drop(values.insert(name.clone(), value)),
            None => whole = false,
        }
    }
    whole.then_some(values)
}

/// A fault at a name that is no parameter.
pub(super) fn unknown(name: &str, parameters: &BTreeMap<Arc<str>, Parameter>, at: Finding) -> Finding {
    let names = || parameters.keys().map(|name| &**name);
    at.hint(match nearest(name, names()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if parameters.is_empty() => "the model has no parameters".into(),
        None => format!("the parameters are {}", list(names())),
    })
}
