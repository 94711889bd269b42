//! A serde `Deserializer` over the tree.

use serde::de::{self, IntoDeserializer as _, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{EnumDe, MapDe, SeqDe};
use super::error::{Error, What};
use super::{Context, Spot};
use crate::fault::Finding;
use crate::node::{Entry, Kind, Node, Scalar};
use crate::path::Path;
use crate::scalar;
use crate::secret::Secret;
use crate::source::Span;
use crate::suggest::{list, nearest};

/// One node that is being decoded.
#[derive(Clone, Copy)]
pub(super) struct De<'a> {
    pub(super) node: &'a Node,
    /// The node to take out when this one is wrong: itself, or for a key its value.
    pub(super) id: usize,
    /// The key that it stands under.
    pub(super) head: Span,
    pub(super) path: Path<'a>,
    pub(super) context: &'a Context<'a>,
}

impl<'a> De<'a> {
    pub(super) fn root(spot: &Spot<'a>, context: &'a Context<'a>) -> Self {
        Self { node: spot.node, id: spot.node.id(), head: spot.head, path: spot.path, context }
    }

    /// The value of an entry of this map.
    pub(super) fn value<'b>(&'b self, entry: &'b Entry) -> De<'b> {
        De {
            node: &entry.value,
            id: entry.value.id(),
            head: entry.key_at,
            path: self.path.key(&entry.key),
            context: self.context,
        }
    }

    pub(super) fn is_dropped(&self, node: &Node) -> bool {
        self.context.dropped.borrow().contains(&node.id())
    }

    /// Whether the key `field` is missing here only because it was wrong.
    pub(super) fn lost(&self, field: &str) -> bool {
        self.node.entry(field).is_some_and(|entry| self.is_dropped(&entry.value))
            || self.context.meant.borrow().iter().any(|(map, meant)| *map == self.id && *meant == field)
    }

    /// Reports a key that nobody knows, and takes it out.
    pub(super) fn unknown_key(&self, entry: &Entry, known: &[&'static str]) {
        let held_out = if self.id == self.context.root { self.context.held_out } else { &[] };
        let here = |word: &&str| self.node.entry(word).is_none();
        let worth = !self.context.sink.borrow().is_full();
        let guess =
            nearest(&entry.key, known.iter().chain(held_out).copied().filter(|word| worth && here(word)));
        if let Some(meant) = known.iter().find(|word| Some(**word) == guess) {
            self.context.meant.borrow_mut().push((self.id, meant));
        }
        let hint = match guess {
            Some(word) => format!("did you mean `{word}`?"),
            None if &*entry.key == "<<" => "merge keys are not read; put what is common into a model".into(),
            None if known.is_empty() && held_out.is_empty() => "nothing can be set here".into(),
            None => format!("known here: {}", list(known.iter().chain(held_out).copied())),
        };
        let message = format!("the key `{}` is not known here", scalar::cut(&entry.key));
        let finding = Finding::new(entry.key_at, self.path.key(&entry.key), message).hint(hint);
        self.context.sink.borrow_mut().fault(finding);
        self.context.dropped.borrow_mut().insert(entry.value.id());
    }

    fn wanted(&self, what: &str, hint: Option<String>) -> Error {
        Error::new(self, format!("{what} is wanted here, not {}", self.node.what()), hint)
    }

    /// The scalar that is written here.
    fn scalar(&self, what: &str) -> Result<&'a Scalar, Error> {
        match &self.node.kind {
            Kind::Scalar(scalar) if scalar.unread => Err(Error::follows(self)),
            Kind::Scalar(scalar) if !self.node.is_null() => Ok(scalar),
            Kind::Scalar(_) | Kind::Seq(_) | Kind::Map(_) => Err(self.wanted(what, None)),
        }
    }

    /// The unquoted scalar that is written here, understood by `read`.
    fn plain<T>(&self, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
        let scalar = self.scalar(what)?;
        let value = read(&scalar.text);
        match value {
            Some(value) if scalar.plain => Ok(value),
            Some(_) => Err(self.wanted(what, Some("take off the quotes".into()))),
            None if scalar.secret => Err(self.wanted(what, None)),
            None => Err(self.wanted(what, scalar::number_hint(&scalar.text))),
        }
    }

    fn int(&self, lowest: i128, highest: i128) -> Result<i128, Error> {
        let what = "a whole number";
        let number = self.plain(what, scalar::int)?;
        if (lowest..=highest).contains(&number) {
            return Ok(number);
        }
        let what = format!("a whole number from {lowest} to {highest}");
        Err(self.wanted(&what, None))
    }
}

macro_rules! whole {
    ($($method:ident $type:ty, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.int(<$type>::MIN.into(), <$type>::MAX.into())?;
            match <$type>::try_from(number) {
                Ok(number) => visitor.$visit(number).map_err(|error: Error| error.at(&self)),
                Err(_) => Err(self.wanted("a smaller number", None)),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for De<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Seq(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            Kind::Scalar(scalar) if scalar.unread => return Err(Error::follows(&self)),
            Kind::Scalar(_) if self.node.is_null() => visitor.visit_unit(),
            Kind::Scalar(Scalar { text, plain: true, .. }) => {
                if let Some(bool) = scalar::bool(text) {
                    visitor.visit_bool(bool)
                } else if let Some(whole) = scalar::int(text) {
                    match (i64::try_from(whole), u64::try_from(whole)) {
                        (Ok(whole), _) => visitor.visit_i64(whole),
                        (_, Ok(whole)) => visitor.visit_u64(whole),
                        (Err(_), Err(_)) => visitor.visit_str(text),
                    }
                } else if let Some(float) = scalar::float(text) {
                    visitor.visit_f64(float)
                } else {
                    visitor.visit_str(text)
                }
            }
            Kind::Scalar(Scalar { text, .. }) => visitor.visit_str(text),
        }
        .map_err(|error: Error| error.at(&self))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let what = "`true` or `false`";
        let scalar = self.scalar(what)?;
        let bool = match (scalar::bool(&scalar.text), scalar::old_bool(&scalar.text)) {
            (Some(bool), _) if scalar.plain => bool,
            (Some(_), _) => return Err(self.wanted(what, Some("take off the quotes".into()))),
            (None, Some(meant)) => return Err(self.wanted(what, Some(format!("write {meant}")))),
            (None, None) => return Err(self.wanted(what, None)),
        };
        visitor.visit_bool(bool).map_err(|error: Error| error.at(&self))
    }

    whole! {
        deserialize_i8 i8, visit_i8;
        deserialize_i16 i16, visit_i16;
        deserialize_i32 i32, visit_i32;
        deserialize_i64 i64, visit_i64;
        deserialize_u8 u8, visit_u8;
        deserialize_u16 u16, visit_u16;
        deserialize_u32 u32, visit_u32;
        deserialize_u64 u64, visit_u64;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number =
            self.plain("a number", |text| scalar::float(text).filter(|number| number.is_finite()))?;
        visitor.visit_f64(number).map_err(|error: Error| error.at(&self))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let scalar = self.scalar("a text")?;
        visitor.visit_str(&scalar.text).map_err(|error: Error| error.at(&self))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
            .map_err(|error: Error| error.at(&self))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.node.is_null() {
            return Err(Error::new(&self, format!("nothing belongs here, not {}", self.node.what()), None));
        }
        visitor.visit_unit().map_err(|error: Error| error.at(&self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        v: V,
    ) -> Result<V::Value, Error> {
        if name == Secret::MARK
            && let Kind::Scalar(scalar) = &self.node.kind
            && !self.node.is_null()
        {
            let mut sink = self.context.sink.borrow_mut();
            if scalar.text.is_empty() {
                drop(sink);
                return Err(Error::new(&self, "the secret is empty", None));
            }
            if !scalar.secret && !scalar.unread {
                sink.secret(self.node.at);
                sink.warning(
                    Finding::new(self.node.at, self.path, "a secret stands in the file itself")
                        .hint("write ${file:/path} or ${env:NAME}"),
                );
            }
        }
        v.visit_newtype_struct(self).map_err(|error: Error| error.at(&self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Seq(items) => {
                visitor.visit_seq(SeqDe::new(self, items)).map_err(|error: Error| error.at(&self))
            }
            Kind::Scalar(_) | Kind::Map(_) => Err(self.wanted("a list", Some("write [a, b]".into()))),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Seq(items) if items.len() != len => {
                let message = format!("a list of {len} is wanted here, not of {}", items.len());
                Err(Error::new(&self, message, None))
            }
            Kind::Seq(items) if items.iter().any(|item| self.is_dropped(item)) => Err(Error::follows(&self)),
            Kind::Seq(_) => self.deserialize_seq(visitor),
            Kind::Scalar(_) | Kind::Map(_) => Err(self.wanted(&format!("a list of {len}"), None)),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let entries = match self.node.entries() {
            Some(entries) => entries,
            None if self.node.is_null() => &[],
            None => return Err(self.wanted("a map", None)),
        };
        visitor.visit_map(MapDe::new(self, entries, None)).map_err(|error: Error| error.at(&self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let entries = match self.node.entries() {
            Some(entries) => entries,
            None if self.node.is_null() => &[],
            None if fields.is_empty() => return Err(self.wanted("a map", None)),
            None => {
                let hint = format!("known here: {}", list(fields.iter().copied()));
                return Err(self.wanted("a map", Some(hint)));
            }
        };
        visitor.visit_map(MapDe::new(self, entries, Some(fields))).map_err(|error: Error| error.at(&self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let one_of = || list(variants.iter().copied());
        match &self.node.kind {
            Kind::Scalar(_) if self.node.is_null() => Err(self.wanted(&one_of(), None)),
            Kind::Scalar(scalar) if scalar.unread => Err(Error::follows(&self)),
            Kind::Scalar(scalar) => match variants.iter().find(|word| **word == &*scalar.text) {
                Some(word) => visitor.visit_enum(EnumDe::word(self, word)),
                None => {
                    let guess = nearest(&scalar.text, variants.iter().copied()).filter(|_| !scalar.secret);
                    Err(self.wanted(&one_of(), guess.map(|word| format!("did you mean `{word}`?"))))
                }
            },
            Kind::Map(entries) => {
                let live = entries.iter().filter(|entry| !self.is_dropped(&entry.value)).collect::<Vec<_>>();
                match live.as_slice() {
                    [] if !entries.is_empty() => Err(Error::follows(&self)),
                    [only] => match variants.iter().find(|word| **word == &*only.key) {
                        Some(word) => visitor.visit_enum(EnumDe::body(self, word, only)),
                        None => {
                            self.unknown_key(only, variants);
                            Err(Error::follows(&self))
                        }
                    },
                    [] => Err(self.wanted(&format!("one of {}", one_of()), None)),
                    [_, second, ..] => {
                        let message = format!("only one of {} can stand here", one_of());
                        Err(Error::placed(&self, What::Message { message, hint: None }, second.key_at))
                    }
                }
            }
            Kind::Seq(_) => Err(self.wanted(&one_of(), None)),
        }
        .map_err(|error: Error| error.at(&self))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let scalar = self.scalar("a text")?;
        visitor.visit_bytes(scalar.text.as_bytes()).map_err(|error: Error| error.at(&self))
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }
}

/// A key or variant that is known by its word.
pub(super) fn word<'de, S: de::DeserializeSeed<'de>>(seed: S, word: &'static str) -> Result<S::Value, Error> {
    seed.deserialize(word.into_deserializer())
}
