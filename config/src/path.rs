//! The path of keys to a place: `devices.pump-1.properties.speed.every`.

use std::fmt;

/// One step, chained to the steps before it, so that nothing is copied until a fault is found.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) fn root(key: &'a str) -> Self {
        Self { parent: None, step: Step::Key(key) }
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Key(key) => {
                let dot = if self.parent.is_some() { "." } else { "" };
                write!(f, "{dot}{}", crate::scalar::cut(key))
            }
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}
