//! What happened, as lines: hashed always, written out when asked for.

use std::fmt::{Arguments, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write;

use twin_core::Timestamp;

/// The lines of one run. The same seed gives the same hash.
pub(super) struct Trace {
    hasher: DefaultHasher,
    line: String,
    out: Option<Box<dyn Write>>,
}

impl Trace {
    pub(super) fn new(out: Option<Box<dyn Write>>) -> Self {
        Self { hasher: DefaultHasher::new(), line: String::new(), out }
    }

    pub(super) fn add(&mut self, now: Timestamp, text: Arguments<'_>) {
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = writeln!(self.line, "{:>8} {text}", now.as_millis());
        self.hasher.write(self.line.as_bytes());
        if let Some(out) = &mut self.out {
            // A trace that nobody reads any more is no reason to stop.
            let _ = out.write_all(self.line.as_bytes());
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
