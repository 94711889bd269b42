//! The variables of the simulated plant, which outlive a restart of its server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opcua_types::Variant;

/// The variables, shared by the server and those who look at it from outside. Names with a dot lie in a folder.
#[derive(Debug, Clone, Default)]
pub struct SimPlant(Arc<Mutex<BTreeMap<String, SimVariable>>>);

/// A variable.
#[derive(Debug, Clone, PartialEq)]
pub struct SimVariable {
    /// What it holds.
    pub value: Variant,
    /// Whether it can be written.
    pub writable: bool,
    /// Its unit, where it has one.
    pub unit: Option<String>,
    /// Its lowest and highest value, where it has them.
    pub range: Option<(f64, f64)>,
}

impl SimVariable {
    /// A variable that can only be read.
    #[must_use]
    pub fn new(value: Variant) -> Self {
        Self { value, writable: false, unit: None, range: None }
    }

    /// The same, but it can be written.
    #[must_use]
    pub fn writable(mut self) -> Self {
        self.writable = true;
        self
    }

    /// The same with a unit and a range.
    #[must_use]
    pub fn analogue(mut self, unit: &str, low: f64, high: f64) -> Self {
        (self.unit, self.range) = (Some(unit.to_owned()), Some((low, high)));
        self
    }
}

impl SimPlant {
    /// The namespace of the plant.
    pub const NAMESPACE: &'static str = "urn:twinspan:sim";

    pub(super) fn variables(&self) -> MutexGuard<'_, BTreeMap<String, SimVariable>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a variable before the server runs.
    pub fn add(&self, name: &str, variable: SimVariable) {
        self.variables().insert(name.to_owned(), variable);
    }

    pub(super) fn get(&self, name: &str) -> Variant {
        self.variables().get(name).map_or(Variant::Empty, |variable| variable.value.clone())
    }

    /// How a node of the plant is named in a property.
    #[must_use]
    pub fn node(name: &str) -> String {
        format!("nsu={};s={name}", Self::NAMESPACE)
    }
}
