//! Configurations of other gateways, and tables from spreadsheets.

use config::{Loader, Source};
use config_import::{From, import, tables};

use super::text;

/// A file of any gateway: what is made of it is a configuration that the loader takes.
pub fn import_file(data: &[u8]) {
    let Some(text) = text(data) else { return };
    for from in From::ALL {
        let Ok(imported) = import(from, &[Source::new("any", text)]) else { continue };
        let sources = [Source::new("a", &imported.yaml), Source::new("b", "gateway: { node: any }\n")];
        if let Err(faults) = Loader::new(&[modbus::protocol()]).check(&sources) {
            panic!("{from}\n{}\n{faults}", imported.yaml);
        }
    }
}

/// Tables, one after the other with zero bytes between them: they become YAML or name their wrong cells.
pub fn import_tables(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0);
    let mut files = Vec::new();
    for name in tables::FILES {
        let Some(text) = parts.next().and_then(text) else { continue };
        files.push(Source::new(name, text));
    }
    if let Ok(whole) = tables::import(&files) {
        let _ = Loader::new(&[modbus::protocol()]).check(&[Source::new("tables", &whole.yaml)]);
    }
}
