//! Steps into maps, lists and enums.

use std::slice;

use serde::de::{
    DeserializeSeed, Deserializer as _, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::de;
use super::de::De;
use super::error::Error;
use super::fake::Fake;
use crate::node::{Entry, Kind, Node, Scalar};

/// The entries of a map that are not taken out.
pub(super) struct MapDe<'a> {
    map: De<'a>,
    entries: slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
    /// How many made-up entries have been given out.
    made_up: usize,
    /// The keys that are known; none: any.
    fields: Option<&'static [&'static str]>,
}

impl<'a> MapDe<'a> {
    pub(super) fn new(map: De<'a>, entries: &'a [Entry], fields: Option<&'static [&'static str]>) -> Self {
        Self { map, entries: entries.iter(), current: None, made_up: 0, fields }
    }

    /// The next of the missing keys of this map for which a value is made up.
    fn made_up_key<'de, K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let made_up = self.map.context.made_up.borrow();
        let mut here = made_up.iter().filter(|(map, _)| *map == self.map.id).skip(self.made_up);
        let Some((_, field)) = here.next() else { return Ok(None) };
        self.made_up += 1;
        de::word(seed, field).map(Some)
    }

    fn is_left_out(&self, entry: &Entry) -> bool {
        let context = self.map.context;
        self.map.is_dropped(&entry.value)
            || self.map.id == context.root && context.held_out.contains(&&*entry.key)
    }
}

impl<'de> MapAccess<'de> for MapDe<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        loop {
            let Some(entry) = self.entries.next() else { return self.made_up_key(seed) };
            if self.is_left_out(entry) {
                continue;
            }
            if let Some(fields) = self.fields
                && !fields.contains(&&*entry.key)
            {
                self.map.unknown_key(entry, fields);
                continue;
            }
            self.current = Some(entry);
            let kind =
                Kind::Scalar(Scalar { text: entry.key.clone(), plain: true, secret: false, unread: false });
            let key = Node { at: entry.key_at, kind };
            let de = De { node: &key, ..self.map.value(entry) };
            return seed.deserialize(de).map(Some).map_err(|error| error.at(&de));
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.current.take() {
            Some(entry) => {
                let de = self.map.value(entry);
                seed.deserialize(de).map_err(|error| error.at(&de))
            }
            None => seed.deserialize(Fake).map_err(|_| Error::made_up(&self.map)),
        }
    }
}

/// The items of a list that are not taken out.
pub(super) struct SeqDe<'a> {
    list: De<'a>,
    items: std::iter::Enumerate<slice::Iter<'a, Node>>,
}

impl<'a> SeqDe<'a> {
    pub(super) fn new(list: De<'a>, items: &'a [Node]) -> Self {
        Self { list, items: items.iter().enumerate() }
    }
}

impl<'de> SeqAccess<'de> for SeqDe<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let list = self.list;
        let Some((index, node)) = self.items.by_ref().find(|(_, node)| !list.is_dropped(node)) else {
            return Ok(None);
        };
        let de =
            De { node, id: node.id(), head: node.at, path: list.path.index(index), context: list.context };
        seed.deserialize(de).map(Some).map_err(|error| error.at(&de))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// A variant with what it holds.
pub(super) struct EnumDe<'a> {
    whole: De<'a>,
    word: &'static str,
    body: Option<&'a Entry>,
}

impl<'a> EnumDe<'a> {
    /// The variant was written as a word.
    pub(super) fn word(whole: De<'a>, word: &'static str) -> Self {
        Self { whole, word, body: None }
    }

    /// The variant was written as the only key of a map.
    pub(super) fn body(whole: De<'a>, word: &'static str, body: &'a Entry) -> Self {
        Self { whole, word, body: Some(body) }
    }

    /// Hands what the variant holds to `read`; nothing, where only the word was written.
    fn with<T>(self, read: impl FnOnce(De<'_>) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(entry) = self.body {
            return read(self.whole.value(entry));
        }
        let nothing = Node::empty(self.whole.node.at);
        read(De { node: &nothing, ..self.whole })
    }
}

impl<'de> EnumAccess<'de> for EnumDe<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = de::word(seed, self.word)?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for EnumDe<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.with(|de| serde::Deserialize::deserialize(de))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.with(|de| seed.deserialize(de).map_err(|error| error.at(&de)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.with(|de| de.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.with(|de| de.deserialize_struct("", fields, visitor))
    }
}
