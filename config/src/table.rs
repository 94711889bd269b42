//! Where the tables of `devices_from` come from.

/// Reads tables for [`Loader`](crate::Loader), which itself opens no file. Any closure of this form will do.
pub trait TableSource {
    /// Reads the file that is written as `file` in the text `named_in` (the name of a [`Source`](crate::Source)); gives
    /// the name that is shown in messages, and the bytes.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, file: &str, named_in: &str) -> Result<(String, Vec<u8>), String>;
}

impl<F: Fn(&str, &str) -> Result<(String, Vec<u8>), String>> TableSource for F {
    fn read(&self, file: &str, named_in: &str) -> Result<(String, Vec<u8>), String> {
        self(file, named_in)
    }
}

/// Knows no table: every `devices_from` is a fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTables;

impl TableSource for NoTables {
    fn read(&self, _: &str, _: &str) -> Result<(String, Vec<u8>), String> {
        Err("tables are not read here".into())
    }
}
