//! The texts of a configuration: what is stored, and what is sent to a gateway that runs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use config::{Source, TableSource};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// Everything that a configuration is read from. References to secrets stand in it as references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The YAML files, in the order in which they are read.
    sources: Vec<Text>,
    /// The tables that they name.
    #[serde(default)]
    tables: Vec<Table>,
}

/// A YAML file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Text {
    /// Its name, for messages.
    name: String,
    /// What is in it, at most 16 MiB.
    text: String,
}

/// A table that `devices_from` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// As it is written in the YAML file.
    pub file: String,
    /// The name of that YAML file.
    pub named_in: String,
    /// Its own name, for messages.
    pub name: String,
    /// What is in it, in base64.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    #[schema(value_type = String)]
    pub bytes: Vec<u8>,
}

impl Texts {
    /// Puts them together.
    #[must_use]
    pub fn new(sources: Vec<Source>, tables: Vec<Table>) -> Self {
        let text = |Source { name, text }| Text { name, text };
        Self { sources: sources.into_iter().map(text).collect(), tables }
    }

    /// The YAML files.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        self.sources.iter().map(|text| Source::new(&*text.name, &*text.text)).collect()
    }

    /// The same for the same texts, wherever the files lay: 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |kind: u8, bytes: &[u8]| {
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        for text in &self.sources {
            add(0, text.text.as_bytes());
        }
        for table in &self.tables {
            add(1, table.file.as_bytes());
            add(2, &table.bytes);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a text is longer than is read.
    #[must_use]
    pub fn too_long(&self) -> Option<&str> {
        let texts = self.sources.iter().map(|text| (&text.name, text.text.len()));
        let mut all = texts.chain(self.tables.iter().map(|table| (&table.name, table.bytes.len())));
        all.find(|(_, bytes)| *bytes > Source::MAX_BYTES).map(|(name, _)| name.as_str())
    }
}

impl TableSource for Texts {
    fn read(&self, file: &str, named_in: &str) -> Result<(String, Vec<u8>), String> {
        let table = self.tables.iter().find(|table| table.file == file && table.named_in == named_in);
        let table = table.ok_or("it was not sent along")?;
        Ok((table.name.clone(), table.bytes.clone()))
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64.decode(text).map_err(|_| serde::de::Error::custom("not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(dir: &str, yaml: &str, csv: &[u8]) -> Texts {
        let table = Table {
            file: "meters.csv".into(),
            named_in: format!("{dir}/a.yaml"),
            name: format!("{dir}/meters.csv"),
            bytes: csv.to_vec(),
        };
        Texts::new(vec![Source::new(format!("{dir}/a.yaml"), yaml)], vec![table])
    }

    #[test]
    fn texts_come_back_from_json_as_they_were_and_give_their_tables() {
        let texts = texts("/etc", "devices: {}\n", b"a,b\n\xff");
        let json = serde_json::to_string(&texts).unwrap();
        let again: Texts = serde_json::from_str(&json).unwrap();
        assert_eq!(again, texts);
        let table = ("/etc/meters.csv".to_owned(), b"a,b\n\xff".to_vec());
        assert_eq!(again.read("meters.csv", "/etc/a.yaml"), Ok(table));
        assert!(again.read("other.csv", "/etc/a.yaml").is_err());
    }

    #[test]
    fn the_digest_tells_texts_apart_but_not_folders() {
        let one = texts("/etc", "a: 1", b"x");
        assert_eq!(one.digest(), texts("/home", "a: 1", b"x").digest());
        assert_ne!(one.digest(), texts("/etc", "a: 2", b"x").digest());
        assert_ne!(one.digest(), texts("/etc", "a: 1", b"y").digest());
        assert_eq!(one.digest().len(), 64);
    }
}
