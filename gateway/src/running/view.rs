//! What REST and the command line show of the configuration. No text of it is shown, for secrets may stand in it.

use config::{DeviceDiff, Diff, Fault, Faults};
use serde::{Deserialize, Serialize};
use twin_store::StoredConfiguration;
use utoipa::ToSchema;

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Its revision; none when it was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// When it came into force, in milliseconds since 1970.
    pub applied_at: i64,
    /// `file`, `rest` or `rollback`.
    pub origin: String,
    /// What whoever applied it said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Tells whether two are the same text.
    pub digest: String,
    /// How many devices it has.
    pub devices: usize,
    /// How many properties they have.
    pub properties: usize,
    /// The file that the gateway was started with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What the file says, as far as it was looked at.
    pub file_state: FileState,
    /// Settings of the gateway itself that are configured otherwise than it runs: they come into force when it is started
    /// again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart_needed: Vec<String>,
    /// Why the last one that was to come into force did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
}

/// What the configuration file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// There is none.
    NoFile,
    /// What is in force.
    Same,
    /// Something else: what is in force was applied or rolled back after the file was written.
    Differs,
    /// Nothing that can be used; what is in force comes from the store.
    Broken,
}

/// A configuration that did not come into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Why.
    pub reason: String,
}

/// What came of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// Whether it is in force now; false when it was only tried.
    pub applied: bool,
    /// The revision in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// Devices that are new.
    pub added: Vec<String>,
    /// Devices that are gone.
    pub removed: Vec<String>,
    /// Devices that are not as they were: connected anew.
    pub changed: Vec<String>,
    /// How many devices are the same, and noticed nothing.
    pub same_devices: usize,
    /// Settings of the gateway itself that come into force when it is started again.
    pub restart_needed: Vec<String>,
    /// What differs, in words.
    pub diff: String,
    /// What may not be meant.
    pub warnings: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Applied {
    pub(super) fn of(diff: &Diff, warnings: &[Fault]) -> Self {
        let mut applied = Self {
            applied: false,
            revision: None,
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            same_devices: diff.same_devices,
            restart_needed: diff.gateway.iter().map(|field| field.field.clone()).collect(),
            diff: diff.to_string(),
            warnings: warnings.iter().map(|warning| warning.render("warning", false)).collect(),
            took_ms: 0,
        };
        for (id, device) in &diff.devices {
            match device {
                DeviceDiff::Added { .. } => applied.added.push(id.to_string()),
                DeviceDiff::Removed => applied.removed.push(id.to_string()),
                DeviceDiff::Changed { .. } => applied.changed.push(id.to_string()),
            }
        }
        applied
    }
}

/// The configurations that were in force, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revisions {
    /// Those that are kept.
    pub revisions: Vec<Revision>,
}

/// A configuration that was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revision {
    /// Its number; it only grows.
    pub revision: i64,
    /// When it came into force, in milliseconds since 1970.
    pub applied_at: i64,
    /// `file`, `rest` or `rollback`.
    pub origin: String,
    /// What whoever applied it said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Tells whether two are the same text.
    pub digest: String,
    /// How many devices it has.
    pub devices: u32,
}

impl From<StoredConfiguration> for Revision {
    fn from(stored: StoredConfiguration) -> Self {
        let StoredConfiguration { revision, applied_at, origin, note, digest, file_digest: _, devices } =
            stored;
        Self { revision, applied_at: applied_at.as_millis(), origin, note, digest, devices }
    }
}

/// The faults of a configuration, one line each: place, key, what is wrong, the mend.
#[must_use]
pub fn lines(faults: &Faults) -> Vec<(String, String)> {
    let line = |fault: &Fault| {
        let hint = fault.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        let key = if fault.path.is_empty() { String::new() } else { format!("{}: ", fault.path) };
        (fault.place.to_string(), format!("{key}{}{hint}", fault.message))
    };
    faults.faults.iter().take(100).map(line).collect()
}
