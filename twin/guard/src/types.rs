//! What an interlock may say, and of which type each part of it is.

use cel::IdedExpr;
use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, Expr, LiteralValue};
use twin_core::ValueType;

use crate::Fault;
use crate::names::{Input, Interlock, VALUE};

const OPERATORS: [&str; 16] = [
    op::CONDITIONAL,
    op::LOGICAL_AND,
    op::LOGICAL_OR,
    op::LOGICAL_NOT,
    op::SUBSTRACT,
    op::ADD,
    op::MULTIPLY,
    op::DIVIDE,
    op::MODULO,
    op::EQUALS,
    op::NOT_EQUALS,
    op::GREATER_EQUALS,
    op::LESS_EQUALS,
    op::GREATER,
    op::LESS,
    op::NEGATE,
];

/// Refuses what would make the cost of an expression more than its length: functions, macros, maps, lists but those
/// behind `in`.
pub(crate) fn only_what_is_allowed(expression: &IdedExpr) -> Result<(), Fault> {
    let not_here = |what: &str| {
        Err(Fault::new(
            format!("{what} cannot be used in an interlock"),
            "use properties, numbers, texts, comparisons, `+ - * / %`, `&&`, `||`, `!`, `? :` and `in [a, b]`",
        ))
    };
    match &expression.expr {
        Expr::Ident(_) => Ok(()),
        Expr::Literal(LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null) => {
            not_here("a `u` number, bytes or null")
        }
        Expr::Literal(
            LiteralValue::Boolean(_)
            | LiteralValue::Double(_)
            | LiteralValue::Int(_)
            | LiteralValue::String(_),
        ) => Ok(()),
        Expr::Call(CallExpr { func_name, target: None, args }) if func_name == op::IN => {
            let [one, many] = args.as_slice() else { return not_here("`in` without a list") };
            let Expr::List(list) = &many.expr else { return not_here("`in` without a list") };
            let literals = list.elements.iter().all(|e| matches!(e.expr, Expr::Literal(_)));
            if !literals || list.elements.is_empty() {
                return not_here("a list of anything but literals");
            }
            list.elements.iter().try_for_each(only_what_is_allowed)?;
            only_what_is_allowed(one)
        }
        Expr::Call(CallExpr { func_name, target: None, args }) if OPERATORS.contains(&func_name.as_str()) => {
            args.iter().try_for_each(only_what_is_allowed)
        }
        Expr::Call(CallExpr { func_name, .. }) => {
            let name: String = func_name.chars().take(40).collect();
            not_here(&format!("the function `{name}`"))
        }
        Expr::Comprehension(_) => not_here("a macro such as `all` or `map`"),
        Expr::List(_) => not_here("a list that does not stand behind `in`"),
        Expr::Map(_) | Expr::Struct(_) => not_here("a map"),
        Expr::Select(_) => not_here("`has()` or a part of a property"),
        Expr::Unspecified => not_here("nothing"),
    }
}

/// The types that there are in an interlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Bool,
    Int,
    Float,
    Text,
}

impl Type {
    fn word(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "string",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

struct Types<'a> {
    inputs: &'a [Input],
    /// The types of the inputs, in their order.
    types: Vec<ValueType>,
    value: ValueType,
}

impl Interlock {
    /// Checks that every property that it names is there, and that it gives yes or no. `types` gives the type of a
    /// property, `value` is that of the property that is written.
    ///
    /// # Errors
    /// [`Fault`] with the first property that is unknown, or the first part that does not fit.
    pub fn check(&self, types: impl Fn(&Input) -> Option<ValueType>, value: ValueType) -> Result<(), Fault> {
        let unknown = |input: &Input| match &input.device {
            None => Fault::new(
                format!("`{}` is not a property of this device that can be read", input.property),
                "name a property that the device has and that is read, or `value` for the value that is to be written",
            ),
            Some(device) => Fault::new(
                format!("there is no property `{}` of a device `{device}` that can be read", input.property),
                "name a device and a property that are in this configuration",
            ),
        };
        let found: Result<Vec<_>, _> =
            self.inputs.iter().map(|input| types(input).ok_or_else(|| unknown(input))).collect();
        let types = Types { inputs: &self.inputs, types: found?, value };
        match types.of(&self.expression)? {
            Type::Bool => Ok(()),
            other @ (Type::Int | Type::Float | Type::Text) => Err(Fault::new(
                format!("an interlock gives true or false, and this gives {}", other.word()),
                "compare it with something: `pressure < 5.0`",
            )),
        }
    }
}

impl Types<'_> {
    fn of(&self, expression: &IdedExpr) -> Result<Type, Fault> {
        match &expression.expr {
            Expr::Ident(name) if name == VALUE => simple("value", self.value),
            Expr::Ident(name) => {
                let number = name.strip_prefix('v').and_then(|n| n.parse::<usize>().ok());
                let known = number.and_then(|n| Some((self.inputs.get(n)?, self.types.get(n)?)));
                let Some((input, value_type)) = known else { return Err(strange()) };
                simple(&input.to_string(), *value_type)
            }
            Expr::Literal(LiteralValue::Boolean(_)) => Ok(Type::Bool),
            Expr::Literal(LiteralValue::Int(_)) => Ok(Type::Int),
            Expr::Literal(LiteralValue::Double(_)) => Ok(Type::Float),
            Expr::Literal(LiteralValue::String(_)) => Ok(Type::Text),
            Expr::Call(CallExpr { func_name, args, .. }) => self.call(func_name, args),
            Expr::Literal(LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null)
            | Expr::Unspecified
            | Expr::Comprehension(_)
            | Expr::Map(_)
            | Expr::List(_)
            | Expr::Select(_)
            | Expr::Struct(_) => Err(strange()),
        }
    }

    fn call(&self, operator: &str, args: &[IdedExpr]) -> Result<Type, Fault> {
        let sign = operator.replace(['_', '@'], "");
        if let (op::IN, [one, IdedExpr { expr: Expr::List(list), .. }]) = (operator, args) {
            let one = self.of(one)?;
            for element in &list.elements {
                comparable("in", one, self.of(element)?)?;
            }
            return Ok(Type::Bool);
        }
        let args = args.iter().map(|arg| self.of(arg)).collect::<Result<Vec<_>, _>>()?;
        match (operator, args.as_slice()) {
            (op::LOGICAL_NOT, [Type::Bool]) => Ok(Type::Bool),
            (op::LOGICAL_AND | op::LOGICAL_OR, many) if many.iter().all(|t| *t == Type::Bool) => {
                Ok(Type::Bool)
            }
            (op::LOGICAL_NOT | op::LOGICAL_AND | op::LOGICAL_OR, many) => {
                let other = many.iter().find(|t| **t != Type::Bool).map_or("nothing", |t| t.word());
                Err(Fault::new(
                    format!("`{sign}` is for true and false, and here is {other}"),
                    "compare it with something: `level > 0`",
                ))
            }
            (op::CONDITIONAL, [Type::Bool, a, b]) if a == b => Ok(*a),
            (op::CONDITIONAL, _) => Err(Fault::new(
                "`? :` wants true or false before it, and two values of one type behind it",
                "write `auto ? level < 5.0 : level < 7.0`",
            )),
            (op::EQUALS | op::NOT_EQUALS, [a, b]) => comparable(&sign, *a, *b),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [a, b]) => {
                if *a == Type::Bool {
                    return Err(Fault::new(format!("`{sign}` is not for true and false"), "use `==`"));
                }
                comparable(&sign, *a, *b)
            }
            (op::NEGATE, [a]) if a.is_number() => Ok(*a),
            (op::ADD, [Type::Text, Type::Text]) => {
                Err(Fault::new("texts are not joined here", "compare them"))
            }
            (op::MODULO, [Type::Int, Type::Int]) => Ok(Type::Int),
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE, [a, b]) if a == b && a.is_number() => {
                Ok(*a)
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE, [a, b])
                if a.is_number() && b.is_number() =>
            {
                Err(Fault::new(
                    format!(
                        "`{sign}` wants two numbers of one type, and here are {} and {}",
                        a.word(),
                        b.word()
                    ),
                    "write a float as `2.0`, an int as `2`",
                ))
            }
            (_, many) => {
                let words = many.iter().map(|t| t.word()).collect::<Vec<_>>().join(" and ");
                Err(Fault::new(format!("`{sign}` is not for {words}"), "use it with numbers of one type"))
            }
        }
    }
}

/// The type of a property, where it has one that can be used.
fn simple(what: &str, value_type: ValueType) -> Result<Type, Fault> {
    match value_type {
        ValueType::Bool => Ok(Type::Bool),
        ValueType::Int => Ok(Type::Int),
        ValueType::Float => Ok(Type::Float),
        ValueType::String => Ok(Type::Text),
        ValueType::Bytes | ValueType::Json => Err(Fault::new(
            format!("`{what}` is of type {value_type}, which an interlock cannot use"),
            "use a property of type bool, int, float or string",
        )),
    }
}

fn comparable(sign: &str, a: Type, b: Type) -> Result<Type, Fault> {
    if a == b || a.is_number() && b.is_number() {
        return Ok(Type::Bool);
    }
    Err(Fault::new(
        format!("`{sign}` compares {} with {}, which are never the same", a.word(), b.word()),
        "compare values of one type",
    ))
}

fn strange() -> Fault {
    Fault::new("this cannot be used in an interlock", "write an expression such as `pressure < 5.0`")
}
