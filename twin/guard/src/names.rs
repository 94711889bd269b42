//! Reads an interlock: takes it apart, finds the properties that it names, and puts plain names in their place.

use cel::IdedExpr;
use cel::common::ast::operators::{INDEX, OPT_INDEX, OPT_SELECT};
use cel::common::ast::{CallExpr, Expr, LiteralValue};
use cel::parser::Parser;
use twin_core::{DeviceId, PropertyName};

use crate::{Fault, types};

/// The word for the value that is to be written.
pub(crate) const VALUE: &str = "value";

/// A property that an interlock names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input {
    /// Its device; none: the one that is written to.
    pub device: Option<DeviceId>,
    /// Its name there.
    pub property: PropertyName,
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.device {
            None => write!(f, "{}", self.property),
            Some(device) => write!(f, "{} of {device}", self.property),
        }
    }
}

/// An interlock that has been read.
#[derive(Debug, Clone)]
pub struct Interlock {
    text: String,
    pub(crate) expression: IdedExpr,
    /// What it names, each once; the place here is the number of its variable in `expression`.
    pub(crate) inputs: Vec<Input>,
}

impl Interlock {
    /// The longest expression, in bytes.
    pub const MAX_BYTES: usize = 512;
    /// The most properties that one names.
    pub const MAX_INPUTS: usize = 16;
    /// How deep one may be nested.
    const MAX_DEPTH: u16 = 32;

    /// Reads an expression.
    ///
    /// # Errors
    /// [`Fault`] when it is too long, no CEL, or uses what is left out of CEL here.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > Self::MAX_BYTES {
            return Err(Fault::new(
                format!("an interlock is at most {} bytes long", Self::MAX_BYTES),
                "let the device or a property of its own say part of it",
            ));
        }
        if text.trim().is_empty() {
            return Err(Fault::new(
                "an interlock is not empty",
                "write an expression such as `pressure < 5.0`",
            ));
        }
        bounded_depth(text)?;
        let parsed = Parser::new().max_recursion_depth(Self::MAX_DEPTH).parse(text);
        let mut expression = parsed.map_err(|errors| {
            let first = errors.errors.first();
            let what = first.map_or("it cannot be read", |error| error.msg.as_str());
            let column = first.map_or(0, |error| error.pos.1);
            let what: String = what.chars().filter(|c| !c.is_control()).take(200).collect();
            Fault::new(
                format!("this is no expression: {what} (column {})", column.saturating_add(1)),
                "write one such as `pressure < 5.0 && mode == \"manual\"`",
            )
        })?;
        let mut inputs = Vec::new();
        rename(&mut expression, &mut inputs)?;
        if inputs.len() > Self::MAX_INPUTS {
            return Err(Fault::new(
                format!("an interlock names at most {} properties", Self::MAX_INPUTS),
                "let the device or a property of its own say part of it",
            ));
        }
        types::only_what_is_allowed(&expression)?;
        Ok(Self { text: text.to_owned(), expression, inputs })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The properties that it names.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }
}

/// The parser takes what is nested too deep apart before it says no: what opens more than this is not given to it.
fn bounded_depth(text: &str) -> Result<(), Fault> {
    let opening = text.bytes().filter(|b| b"([{?!-".contains(b)).count();
    if opening > 64 {
        return Err(Fault::new("an interlock is at most 64 brackets and signs deep", "make it simpler"));
    }
    Ok(())
}

/// Puts `v0`, `v1`, ... in the place of each property that is named.
fn rename(expression: &mut IdedExpr, inputs: &mut Vec<Input>) -> Result<(), Fault> {
    if let Some(input) = named(&expression.expr)? {
        let number = match inputs.iter().position(|known| *known == input) {
            Some(number) => number,
            None => {
                inputs.push(input);
                inputs.len() - 1
            }
        };
        expression.expr = Expr::Ident(format!("v{number}"));
        return Ok(());
    }
    match &mut expression.expr {
        Expr::Call(CallExpr { target, args, .. }) => {
            for one in target.iter_mut().map(Box::as_mut).chain(args) {
                rename(one, inputs)?;
            }
        }
        Expr::List(list) => {
            for one in &mut list.elements {
                rename(one, inputs)?;
            }
        }
        // What else there is has no place in an interlock, which is said of it next.
        Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Unspecified
        | Expr::Comprehension(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_) => {}
    }
    Ok(())
}

/// The property that is named here: `pressure`, `self["flow-rate"]`, `device["boiler"].pressure`.
fn named(expression: &Expr) -> Result<Option<Input>, Fault> {
    let property = |name: &str| -> Result<PropertyName, Fault> {
        name.parse().map_err(|e: twin_core::InvalidId| Fault::new(e.to_string(), "name a property"))
    };
    if let Expr::Ident(name) = expression {
        return match name.as_str() {
            VALUE => Ok(None),
            "self" | "device" => Err(Fault::new(
                format!("`{name}` alone is no value"),
                "write `self[\"flow-rate\"]` or `device[\"boiler-1\"][\"pressure\"]`",
            )),
            name => Ok(Some(Input { device: None, property: property(name)? })),
        };
    }
    let Some((of, name)) = member(expression) else { return Ok(None) };
    if matches!(&of.expr, Expr::Ident(own) if own == "self") {
        return Ok(Some(Input { device: None, property: property(name)? }));
    }
    match member(&of.expr) {
        Some((root, device)) if matches!(&root.expr, Expr::Ident(word) if word == "device") => {
            let device: DeviceId = device.parse().map_err(|e: twin_core::InvalidId| {
                Fault::new(e.to_string(), "name a device, as in `device[\"default/boiler-1\"][\"pressure\"]`")
            })?;
            Ok(Some(Input { device: Some(device), property: property(name)? }))
        }
        Some(_) | None => Err(Fault::new(
            format!("`{name}` of what is no device"),
            "write `self[\"NAME\"]` or `device[\"DEVICE\"][\"NAME\"]`; a property has no parts",
        )),
    }
}

/// What `a.b` and `a["b"]` are made of.
fn member(expression: &Expr) -> Option<(&IdedExpr, &str)> {
    match expression {
        Expr::Select(select) if !select.test => Some((&select.operand, &select.field)),
        Expr::Call(CallExpr { func_name, target: None, args })
            if [INDEX, OPT_INDEX, OPT_SELECT].contains(&func_name.as_str()) =>
        {
            match args.as_slice() {
                [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] => {
                    Some((of, name.inner()))
                }
                [] | [_, ..] => None,
            }
        }
        Expr::Select(_)
        | Expr::Call(_)
        | Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Unspecified
        | Expr::Comprehension(_)
        | Expr::Map(_)
        | Expr::List(_)
        | Expr::Struct(_) => None,
    }
}
