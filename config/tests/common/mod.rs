//! A protocol to test with, in the shape of Modbus, and short ways to load texts.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses a part of it")]

use config::{
    BoundedDuration, Check, CheckFault, Faults, Loaded, Protocol, Secret, SecretRef, Shared, Source, Term,
    load,
};
use schemars::JsonSchema;
use serde::Deserialize;
use twin_core::PropertyDefinition;

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub(crate) struct Link {
    pub tcp: Option<String>,
    pub serial: Option<Serial>,
    #[serde(default = "one")]
    pub unit: u8,
    pub timeout: Option<BoundedDuration<10, 60_000>>,
    #[serde(default)]
    pub keep_open: bool,
    pub key: Option<Secret>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub(crate) struct Serial {
    pub path: String,
    pub baud: u32,
}

fn one() -> u8 {
    1
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        if self.tcp.is_some() == self.serial.is_some() {
            return Err(CheckFault::new(
                "",
                "exactly one of `tcp` and `serial` is wanted",
                "write tcp: host:502",
            ));
        }
        if self.unit > 247 {
            return Err(CheckFault::new("unit", "unit ids end at 247", "write 1 to 247"));
        }
        Ok(())
    }

    fn shared(&self) -> Option<Shared> {
        let Serial { path, baud } = self.serial.as_ref()?;
        Some(Shared { name: path.clone(), terms: vec![Term::new("baud rate", "serial.baud", baud)] })
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Point {
    Coil(u16),
    Discrete(u16),
    Input(u16),
    Holding(Register),
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub(crate) struct Register {
    pub at: u16,
    #[serde(default)]
    pub order: Order,
    pub scale: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    #[default]
    Abcd,
    Cdab,
}

impl Check for Point {
    fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        match self {
            Self::Input(_) | Self::Discrete(_) if property.access.writable() => {
                Err(CheckFault::new("input", "an input register cannot be written", "write `access: read`"))
            }
            Self::Coil(_) | Self::Discrete(_) | Self::Input(_) | Self::Holding(_) => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub(crate) struct Other {
    pub node_id: String,
}

impl Check for Other {}

pub(crate) fn protocols() -> [Protocol; 2] {
    [Protocol::of::<Link, Point>("modbus"), Protocol::of::<Other, Other>("opcua")]
}

pub(crate) fn secrets(wanted: SecretRef<'_>) -> Result<String, String> {
    match wanted {
        SecretRef::File("/secret") => Ok("hush\n".into()),
        SecretRef::Env("LISTEN") => Ok("127.0.0.1:9".into()),
        SecretRef::Env("WRONG") => Ok("not right".into()),
        SecretRef::File(_) => Err("no such file".into()),
        SecretRef::Env(_) => Err("it is not set".into()),
    }
}

pub(crate) fn read(texts: &[(&str, &str)]) -> Result<Loaded, Faults> {
    let sources = texts.iter().map(|(name, text)| Source::new(*name, *text)).collect::<Vec<_>>();
    load(&sources, &protocols(), &secrets)
}
