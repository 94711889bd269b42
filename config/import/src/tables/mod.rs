//! A configuration as CSV tables for a spreadsheet, and the tables as a configuration again.
//!
//! What is written is carried over, not what it means: models stay models, references to secrets stay references. Five
//! files: `gateway.yaml` with the settings of the gateway as they are, and four tables with one row a model, a
//! parameter, a device and a property. What lies deeper has a column of its own: `modbus.unit`, `labels.line`.

mod cell;
mod columns;
mod export;
mod from_table;
mod import;

pub use export::export;
pub use import::{Cell, Faults, TableFault, Whole, import};

/// The names of the files, in the order in which they are written.
pub const FILES: [&str; 5] = [GATEWAY, MODELS, PARAMETERS, DEVICES, PROPERTIES];

const GATEWAY: &str = "gateway.yaml";
const MODELS: &str = "models.csv";
const PARAMETERS: &str = "parameters.csv";
const DEVICES: &str = "devices.csv";
const PROPERTIES: &str = "properties.csv";

/// Whether what stands in this column is a text, whatever it looks like.
fn is_text(column: &str) -> bool {
    let words = ["model", "device", "property", "parameter", "description", "unit", "type", "access"];
    words.contains(&column) || column.starts_with("labels.")
}
