//! What could not be carried over, and where it stands.

use std::fmt;

/// Something of the other configuration that has no place in ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where it stands: the file, the line where the kind of file has lines, and the path of keys.
    pub place: String,
    /// What it is and why, or what to do about it.
    pub what: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// The most that is listed; more of the same helps nobody.
const MOST: usize = 10_000;

/// Collects what is left behind.
#[derive(Debug, Default)]
pub(crate) struct Report {
    left: Vec<Left>,
    more: usize,
}

impl Report {
    pub(crate) fn left(&mut self, place: impl fmt::Display, what: impl fmt::Display) {
        if self.left.len() >= MOST {
            self.more += 1;
            return;
        }
        // One line each, whatever stands in the file.
        let line = |text: String| -> String {
            let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            clean.take(400).collect()
        };
        self.left.push(Left { place: line(place.to_string()), what: line(what.to_string()) });
    }

    pub(crate) fn finish(mut self) -> Vec<Left> {
        if self.more > 0 {
            let what = format!("{} more things could not be carried over", self.more);
            self.left.push(Left { place: "everywhere".into(), what });
        }
        self.left
    }
}
