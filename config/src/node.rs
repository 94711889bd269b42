//! A YAML document as a tree in which everything knows its place.

use std::fmt;
use std::sync::Arc;

use crate::scalar;
use crate::source::Span;

/// A value in the tree. Cloning is cheap: what is below is shared.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) at: Span,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Seq(Arc<[Node]>),
    Map(Arc<[Entry]>),
}

/// A text, with what its notation says of it.
#[derive(Clone)]
pub(crate) struct Scalar {
    pub(crate) text: Arc<str>,
    /// Written without quotes, so that it may mean a number, a bool or nothing.
    pub(crate) plain: bool,
    /// It stands in the file as `${...}`; the text must not be shown.
    pub(crate) secret: bool,
    /// What it stands for is not known: a reference that is not read (or cannot be, which is reported), a placeholder
    /// without a value. The decoder passes it over.
    pub(crate) unread: bool,
}

/// A key with its value.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) key_at: Span,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn empty(at: Span) -> Self {
        Self { at, kind: Kind::Scalar(Scalar { text: "".into(), plain: true, secret: false, unread: false }) }
    }

    /// A node that tells two places of the tree apart while it lives.
    pub(crate) fn id(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Whether nothing is written here.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(s) if s.plain && !s.secret && scalar::is_null(&s.text))
    }

    /// Whether what stands here is not known.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(s) if s.unread)
    }

    /// The entries of a map.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Scalar(_) | Kind::Seq(_) => None,
        }
    }

    /// The entry under `key`.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| &*entry.key == key)
    }

    /// What it is, for a message: `a text`, `a list`, ...
    pub(crate) fn what(&self) -> String {
        match &self.kind {
            Kind::Seq(_) => "a list".into(),
            Kind::Map(_) => "a map".into(),
            Kind::Scalar(s) if s.secret => "a secret".into(),
            Kind::Scalar(s) if s.plain && scalar::is_null(&s.text) => "nothing".into(),
            Kind::Scalar(s) => format!("`{}`", scalar::cut(&s.text)),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Scalar(s) if s.secret => f.write_str("***"),
            Kind::Scalar(s) => fmt::Debug::fmt(&s.text, f),
            Kind::Seq(items) => f.debug_list().entries(items.iter()).finish(),
            Kind::Map(entries) => f.debug_map().entries(entries.iter().map(|e| (&e.key, &e.value))).finish(),
        }
    }
}
