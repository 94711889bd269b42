//! The error of the decoder: a message that gets its place as it leaves the node it belongs to.

use std::fmt;

use serde::de;

use super::de::De;
use crate::node::Kind;
use crate::source::Span;

#[derive(Debug)]
pub(crate) struct Error(Box<Inner>);

#[derive(Debug)]
enum Inner {
    Unplaced(Raw),
    Placed(Placed),
}

/// An error as serde words it.
#[derive(Debug)]
enum Raw {
    Custom(String),
    Wanted(String),
    Missing(&'static str),
}

/// An error with its place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) what: What,
    pub(super) span: Span,
    pub(super) path: String,
    /// The node to take out.
    pub(super) node: usize,
}

#[derive(Debug)]
pub(super) enum What {
    Message {
        message: String,
        hint: Option<String>,
    },
    /// A key is missing.
    Missing(&'static str),
    /// A value that was made up does not fit.
    MadeUp,
    /// It only follows from a fault that is reported already.
    Follows,
}

impl Error {
    /// An error at `de`.
    pub(super) fn new(de: &De<'_>, message: impl Into<String>, hint: Option<String>) -> Self {
        Self::placed(de, What::Message { message: message.into(), hint }, de.node.at)
    }

    /// An error that follows from one reported already.
    pub(super) fn follows(de: &De<'_>) -> Self {
        Self::placed(de, What::Follows, de.node.at)
    }

    /// A made-up value at `de` does not fit.
    pub(super) fn made_up(de: &De<'_>) -> Self {
        Self::placed(de, What::MadeUp, de.node.at)
    }

    pub(super) fn placed(de: &De<'_>, what: What, span: Span) -> Self {
        Self(Box::new(Inner::Placed(Placed { what, span, path: de.path.to_string(), node: de.id })))
    }

    /// Gives the error the place `de`, unless it has one.
    pub(super) fn at(self, de: &De<'_>) -> Self {
        let raw = match *self.0 {
            Inner::Placed(_) => return self,
            Inner::Unplaced(raw) => raw,
        };
        let (what, span) = match raw {
            Raw::Missing(field) if de.lost(field) => (What::Follows, de.head),
            Raw::Missing(field) => (What::Missing(field), de.head),
            Raw::Custom(_) | Raw::Wanted(_) if matches!(&de.node.kind, Kind::Scalar(s) if s.secret) => {
                let message = "what this reference stands for is not right here".into();
                let hint = Some("its text is not shown; look at what it holds".into());
                (What::Message { message, hint }, de.node.at)
            }
            Raw::Wanted(wanted) => {
                let message = format!("{wanted} is wanted here, not {}", de.node.what());
                (What::Message { message, hint: None }, de.node.at)
            }
            Raw::Custom(text) => {
                let (message, hint) = match text.split_once('\n') {
                    Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
                    None => (text, None),
                };
                (What::Message { message, hint }, de.node.at)
            }
        };
        Self::placed(de, what, span)
    }

    /// The error with its place, which every error has once it has passed [`at`](Self::at).
    pub(super) fn into_placed(self) -> Placed {
        match *self.0 {
            Inner::Placed(placed) => placed,
            Inner::Unplaced(_) => {
                Placed { what: What::Follows, span: Span::default(), path: String::new(), node: 0 }
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Inner::Unplaced(Raw::Custom(text) | Raw::Wanted(text)) => f.write_str(text),
            Inner::Unplaced(Raw::Missing(field)) => write!(f, "the key `{field}` is missing"),
            Inner::Placed(Placed { what: What::Message { message, .. }, .. }) => f.write_str(message),
            Inner::Placed(Placed { what: What::Missing(_) | What::MadeUp | What::Follows, .. }) => {
                f.write_str("part of it is wrong")
            }
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Box::new(Inner::Unplaced(Raw::Custom(message.to_string()))))
    }
    fn invalid_type(_: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self(Box::new(Inner::Unplaced(Raw::Wanted(wanted.to_string()))))
    }
    fn invalid_value(_: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self(Box::new(Inner::Unplaced(Raw::Wanted(wanted.to_string()))))
    }
    fn missing_field(field: &'static str) -> Self {
        Self(Box::new(Inner::Unplaced(Raw::Missing(field))))
    }
}
