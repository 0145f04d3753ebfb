//! A document whose keys keep their order, as a path takes the first that fits.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of JSON, or of a format that says no more than JSON does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    /// In the order of the document; a key may occur twice.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// A word for what it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

impl Json {
    /// Reads a document as long as `room` is left: each value takes one, and each byte of a text. A format that can refer
    /// to a value twice makes large documents out of short texts.
    pub(crate) fn within<'de, D: Deserializer<'de>>(
        room: &Cell<usize>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        Builder(room).deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::within(&Cell::new(usize::MAX), deserializer)
    }
}

#[derive(Clone, Copy)]
struct Builder<'a>(&'a Cell<usize>);

impl Builder<'_> {
    fn take<E: Error>(self, room: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(room);
        self.0.set(left.unwrap_or_default());
        left.map(drop)
            .ok_or_else(|| E::custom("the document is larger than it looks"))
    }
}

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.take(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        self.take(text.len())?;
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = sequence.next_element_seed(self)? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(self)? {
            let key = match key {
                Json::Text(text) => text,
                Json::Number(number) => number.to_string(),
                Json::Flag(flag) => flag.to_string(),
                Json::Null | Json::List(_) | Json::Map(_) => String::new(),
            };
            entries.push((key, map.next_value_seed(self)?));
        }
        Ok(Json::Map(entries))
    }
}
