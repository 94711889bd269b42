//! Judges an interlock.

use std::sync::{Arc, OnceLock};

use cel::{Context, Env, Value as Cel};
use twin_core::Value;

use crate::names::{Input, Interlock, VALUE};

impl Interlock {
    /// Whether `wanted` may be written, by the values that `lookup` gives.
    ///
    /// # Errors
    /// In words, why it cannot be said: a value is missing or of a type it was not checked with, a number divided by zero
    /// or grown too large. Then nothing is written.
    pub fn judge(&self, wanted: &Value, lookup: impl Fn(&Input) -> Option<Value>) -> Result<bool, String> {
        let mut context = Context::with_env(env());
        let mut put = |name: &str, what: &dyn std::fmt::Display, value: &Value| match cel(value) {
            Some(value) => {
                context.add_variable_from_value(name.to_owned(), value);
                Ok(())
            }
            None => Err(format!("{what} is of type {}, which an interlock cannot use", value.value_type())),
        };
        put(VALUE, &VALUE, wanted)?;
        for (number, input) in self.inputs().iter().enumerate() {
            let value = lookup(input).ok_or_else(|| format!("{input} has no value"))?;
            put(&format!("v{number}"), input, &value)?;
        }
        match Cel::resolve(&self.expression, &context) {
            Ok(Cel::Bool(holds)) => Ok(holds),
            Ok(_) => Err("it gives neither true nor false".to_owned()),
            Err(error) => Err(error.to_string().chars().take(200).collect()),
        }
    }
}

/// The operators of CEL, made once.
fn env() -> Arc<Env> {
    static ENV: OnceLock<Arc<Env>> = OnceLock::new();
    Arc::clone(ENV.get_or_init(|| Arc::new(Env::stdlib())))
}

fn cel(value: &Value) -> Option<Cel> {
    match value {
        Value::Bool(b) => Some(Cel::Bool(*b)),
        Value::Int(i) => Some(Cel::Int(*i)),
        Value::Float(f) => Some(Cel::Float(f.get())),
        Value::String(s) => Some(Cel::String(Arc::new(s.clone()))),
        Value::Bytes(_) | Value::Json(_) => None,
    }
}
