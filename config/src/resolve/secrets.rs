//! Puts in what `${file:...}` and `${env:...}` stand for.

use std::cell::Cell;

use crate::decode::{Sink, Spot};
use crate::node::{Entry, Kind, Node, Scalar};
use crate::scalar::cut;
use crate::secret::{SecretRef, SecretSource};

/// The longest secret that is taken, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// What is done with references.
pub(crate) enum Secrets<'a> {
    /// They are read.
    Read(&'a dyn SecretSource),
    /// They are looked at and left unread; counted here.
    Left(Cell<usize>),
}

impl Secrets<'_> {
    /// How many references were left unread.
    pub(crate) fn left(&self) -> usize {
        match self {
            Self::Read(_) => 0,
            Self::Left(count) => count.get(),
        }
    }

    /// What a reference stands for; nothing where it is left unread.
    fn read(&self, wanted: SecretRef<'_>) -> Result<Option<String>, String> {
        match self {
            Self::Read(source) => source.read(wanted).map(Some),
            Self::Left(count) => {
                count.set(count.get() + 1);
                Ok(None)
            }
        }
    }
}

/// The node with every reference below it put in. Where one is left unread, the decoder passes the value over.
pub(super) fn put_in(spot: &Spot<'_>, source: &Secrets<'_>, sink: &mut Sink) -> Node {
    let kind = match &spot.node.kind {
        Kind::Scalar(scalar) if scalar.text.contains("${") => match text(&scalar.text, source) {
            Ok(Some(text)) => {
                Kind::Scalar(Scalar { text: text.into(), plain: scalar.plain, secret: true, unread: false })
            }
            Ok(None) => Kind::Scalar(Scalar { secret: true, unread: true, ..scalar.clone() }),
            Err((message, hint)) => {
                sink.fault(spot.finding(message).hint(hint));
                Kind::Scalar(Scalar { secret: true, unread: true, ..scalar.clone() })
            }
        },
        Kind::Scalar(_) => return spot.node.clone(),
        Kind::Seq(items) => {
            let item = |(index, node): (usize, &Node)| {
                put_in(&Spot { node, head: node.at, path: spot.path.index(index) }, source, sink)
            };
            Kind::Seq(items.iter().enumerate().map(item).collect())
        }
        Kind::Map(entries) => {
            let mut entry = |entry: &Entry| Entry {
                key: entry.key.clone(),
                key_at: entry.key_at,
                value: put_in(&spot.below(entry), source, sink),
            };
            Kind::Map(entries.iter().map(&mut entry).collect())
        }
    };
    Node { at: spot.node.at, kind }
}

/// The text with every reference put in; nothing where one is left unread.
fn text(written: &str, source: &Secrets<'_>) -> Result<Option<String>, (String, String)> {
    let mut text = String::new();
    let mut whole = true;
    let mut rest = written;
    while let Some(begin) = rest.find("${") {
        text.push_str(&rest[..begin]);
        let wrong = || {
            let message = "this is not a reference to a secret".to_owned();
            (message, "write ${file:/path} or ${env:NAME}".to_owned())
        };
        let inside = &rest[begin + 2..];
        let end = inside.find('}').ok_or_else(wrong)?;
        let wanted = match inside[..end].split_once(':') {
            Some(("file", path)) if !path.is_empty() => SecretRef::File(path),
            Some(("env", name)) if !name.is_empty() => SecretRef::Env(name),
            Some(_) | None => return Err(wrong()),
        };
        let read = source.read(wanted).map_err(|why| {
            let (what, hint) = match wanted {
                SecretRef::File(path) => {
                    (format!("the file `{}`", cut(path)), "the gateway's user must be able to read the file")
                }
                SecretRef::Env(name) => {
                    (format!("the variable `{}`", cut(name)), "set the variable before the gateway starts")
                }
            };
            (format!("{what} cannot be read: {}", cut(&why)), hint.to_owned())
        })?;
        rest = &inside[end + 1..];
        let Some(read) = read else {
            whole = false;
            continue;
        };
        if read.len() > MAX_BYTES {
            return Err(("what this reference stands for is longer than 64 KiB".into(), String::new()));
        }
        let read = read.strip_suffix('\n').unwrap_or(&read);
        text.push_str(read.strip_suffix('\r').unwrap_or(read));
    }
    text.push_str(rest);
    Ok(whole.then_some(text))
}
