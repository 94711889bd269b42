//! How the store stands, as status, readiness and metrics show it.

use device_twin::{StoreDamage, StoreHealth, StoreTrouble};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use twin_api::NotReady;
use utoipa::ToSchema;

/// The database of the twins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct StoreView {
    /// `ok`, or what keeps it from storing anything: `full`, `read_only`, `failing` or `busy`.
    pub state: String,
    /// Since when, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// What the database says, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many documents wait in memory to be stored.
    pub waiting_documents: u64,
    /// How many commits have failed since the start.
    pub failed_commits: u64,
    /// What became of a database that was damaged, since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<DamageView>,
}

/// What became of a database that was damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DamageView {
    /// When it was found, in milliseconds since 1970.
    pub at: i64,
    /// What was wrong with it.
    pub reason: String,
    /// Where the damaged file lies.
    pub moved_to: String,
    /// How many documents could be kept.
    pub kept_documents: u64,
    /// Whether those are all there were.
    pub is_whole: bool,
}

impl From<StoreHealth> for StoreView {
    fn from(health: StoreHealth) -> Self {
        let StoreHealth { trouble, damage, failed_commits } = health;
        let damage = damage.map(|damage| DamageView {
            at: damage.at.as_millis(),
            reason: damage.reason,
            moved_to: damage.moved_to.display().to_string(),
            kept_documents: damage.kept_documents,
            is_whole: damage.is_whole,
        });
        match trouble {
            None => Self { state: "ok".to_owned(), failed_commits, damage, ..Self::default() },
            Some(trouble) => Self {
                state: trouble.trouble.word().to_owned(),
                since: Some(trouble.since.as_millis()),
                reason: Some(format!("{} ({}); {}", trouble.trouble, trouble.reason, trouble.trouble.mend())),
                waiting_documents: trouble.waiting_documents,
                failed_commits,
                damage,
            },
        }
    }
}

const NAME: &str = "store";

/// Why the gateway cannot do its work, when its store is why.
pub(super) fn not_ready(trouble: &StoreTrouble) -> NotReady {
    let StoreTrouble { trouble, waiting_documents, .. } = trouble;
    let why = format!(
        "{trouble}: nothing is stored, {waiting_documents} documents wait in memory; {}",
        trouble.mend()
    );
    NotReady { name: NAME.to_owned(), why }
}

/// What somebody should look at although the gateway does its work.
pub(super) fn warning(damage: &StoreDamage) -> NotReady {
    let StoreDamage { moved_to, kept_documents, is_whole, .. } = damage;
    let lost =
        if *is_whole { "nothing of the twins is lost" } else { "overrides and last values may be lost" };
    let why = format!(
        "the database was damaged and has been made anew with {kept_documents} documents ({lost}); the damaged file is \
         {}; have the disk checked",
        moved_to.display()
    );
    NotReady { name: NAME.to_owned(), why }
}

pub(super) fn register(store: &StoreView, registry: &mut Registry) {
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge("store_up", "Whether the database takes what is to be stored", u64::from(store.state == "ok"));
    gauge(
        "store_waiting_documents",
        "Documents in memory that cannot be stored now",
        store.waiting_documents,
    );
    let damaged = u64::from(store.damage.is_some());
    gauge("store_damaged", "Whether a damaged database was made anew since the start", damaged);
    let failed: Counter = Counter::default();
    failed.inc_by(store.failed_commits);
    registry.register("store_failed_commits", "Commits that the database did not take", failed);
}
