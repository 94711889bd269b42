//! One request in, its answers out; and what is to be written, whenever that changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use audit::Audit;
use device_twin::{Event, Handle, OverrideRequest, ReportedChange, Update, Updated};
use mapper_contract::{
    ContractError, DeviceTopic, GetRequest, NodeTopic, Refusal, StateResult, StateUpdate, Topic, TwinChange,
    TwinDocument, TwinGetResult, TwinUpdate, UpdateResult,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use twin_core::{DeviceDefinition, DeviceId, DeviceState, NodeName, PropertyId, Timestamp, WriteResult};
use twin_store::Reader;

use super::catalog::Catalog;
use super::speaker::Speaker;
use super::translate::{self, Translated};
use crate::clock::now;

/// Where answers and deltas go: the embedded broker or the link to another one.
pub trait Outlet: Send + Sync + 'static {
    /// Publishes; what cannot be sent now is dropped, for everything is published again after a reconnect.
    fn publish(&self, topic: String, payload: Vec<u8>, retain: bool);

    /// Whether anybody can have subscribed to topics that end with this level; what nobody hears is not made.
    fn is_heard(&self, last_level: &str) -> bool {
        let _ = last_level;
        true
    }
}

/// How long it may take until what was declared is known here.
const KNOWN_DEADLINE: Duration = Duration::from_secs(5);
/// The last level of the topics of answers.
const RESULT: &str = "result";
/// The last level of the topics of changes.
const DOCUMENT: &str = "document";

/// What went wrong so far, for the health and metrics routes.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests taken.
    pub taken: AtomicU64,
    /// Requests refused with an answer.
    pub refused: AtomicU64,
    /// Messages on topics that are none of the contract's.
    pub bad_topics: AtomicU64,
    /// Writes that a device took.
    pub writes_applied: AtomicU64,
    /// Writes that a device or a guard refused.
    pub writes_refused: AtomicU64,
    /// Writes that did not get through, and are tried again.
    pub writes_failed: AtomicU64,
}

impl Counters {
    /// Counts how the writes ended that a report tells of.
    fn note_outcomes(&self, report: &device_twin::Report) {
        for (_, update) in &report.properties {
            let Update::Changed(ReportedChange { outcome: Some(outcome), .. }) = update else { continue };
            let counter = match outcome.result {
                WriteResult::Sent => continue,
                WriteResult::Applied => &self.writes_applied,
                WriteResult::Refused { .. } => &self.writes_refused,
                WriteResult::Failed { .. } => &self.writes_failed,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The bus.
#[derive(Clone)]
pub struct EventBus {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) node: NodeName,
    pub(super) service: Handle,
    pub(super) audit: Audit,
    pub(super) reader: Reader,
    pub(super) catalog: Catalog,
    outlet: Box<dyn Outlet>,
    counters: Arc<Counters>,
    next_event: AtomicU64,
}

/// What has been handed over and waits for its commit, with what is needed to answer it.
pub(super) enum Underway {
    Report {
        device: DeviceId,
        event_id: String,
        pending: device_twin::PendingReport,
        by: String,
        wanted: Vec<(twin_core::PropertyName, twin_core::Value)>,
    },
    State {
        device: DeviceId,
        event_id: String,
        state: DeviceState,
        pending: device_twin::PendingState,
    },
}

impl EventBus {
    /// A bus that knows the devices that are committed.
    ///
    /// # Errors
    /// [`twin_store::StoreError`] when they cannot be read.
    pub async fn new(
        node: NodeName,
        service: Handle,
        audit: Audit,
        reader: Reader,
        outlet: Box<dyn Outlet>,
        counters: Arc<Counters>,
    ) -> Result<Self, twin_store::StoreError> {
        let catalog = Catalog::default();
        for (id, device, _) in reader.devices().await? {
            catalog.put(id, device.definition);
        }
        let next_event = AtomicU64::new(0);
        Ok(Self {
            inner: Arc::new(Inner { node, service, audit, reader, catalog, outlet, counters, next_event }),
        })
    }

    /// Publishes what is to be written and which devices come and go, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut events = self.inner.service.events();
        self.publish_all_deltas().await;
        self.publish_all_alarms().await;
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(Event::Wishes(device, wishes)) => self.publish_delta(&device, &wishes),
                Ok(Event::Committed(commit)) => {
                    self.publish_membership(&commit);
                    self.publish_alarms(&commit);
                    self.inner.catalog.handle_committed(&commit);
                }
                Err(RecvError::Lagged(missed)) => {
                    debug!(missed, "the event bus fell behind and reads everything again");
                    self.read_catalog().await;
                    self.publish_all_deltas().await;
                    self.publish_all_alarms().await;
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Waits until it knows what was declared, so that nothing that is said of a new device is refused.
    pub(crate) async fn until_known(&self, definitions: &BTreeMap<DeviceId, DeviceDefinition>) {
        if tokio::time::timeout(KNOWN_DEADLINE, self.inner.catalog.until_known(definitions)).await.is_err() {
            warn!("the event bus does not know the devices that were declared yet");
        }
    }

    async fn read_catalog(&self) {
        match self.inner.reader.devices().await {
            Ok(devices) => {
                self.inner.catalog.renew(devices.into_iter().map(|(id, device, _)| (id, device.definition)));
            }
            Err(error) => warn!(%error, "cannot read the devices"),
        }
    }

    /// Publishes what is to be written to every device: an older gateway or broker may have left other wishes.
    pub async fn publish_all_deltas(&self) {
        let devices = match self.inner.reader.devices().await {
            Ok(devices) => devices,
            Err(error) => {
                warn!(%error, "cannot read the devices to publish what is to be written to them");
                return;
            }
        };
        for (device, ..) in devices {
            if let Ok(wishes) = self.inner.service.wishes(device.clone()).await {
                self.publish_delta(&device, &wishes);
            }
        }
    }

    fn publish_delta(&self, device: &DeviceId, wishes: &[device_twin::memory::Wish]) {
        let delta = translate::delta(wishes, self.event_id(), now());
        self.say_retained(&Topic::Device(device.clone(), DeviceTopic::TwinUpdateDelta), delta.encode());
    }

    /// Takes one message, and answers it when it is done: a report when it is committed.
    pub(super) async fn handle(&self, speaker: &Speaker, topic: &str, payload: &[u8]) {
        if let Some(underway) = self.begin(speaker, topic, payload).await {
            self.finish(underway).await;
        }
    }

    /// Takes one message up to where it waits for its commit.
    pub(super) async fn begin(&self, speaker: &Speaker, topic: &str, payload: &[u8]) -> Option<Underway> {
        let topic: Topic = match topic.parse() {
            Ok(topic) => topic,
            Err(error) => {
                self.inner.counters.bad_topics.fetch_add(1, Ordering::Relaxed);
                debug!(%error, "a message on a topic that is none of ours");
                return None;
            }
        };
        let result = match &topic {
            Topic::Device(device, DeviceTopic::TwinUpdate) => {
                match self.begin_update(speaker, device, payload).await {
                    Ok(underway) => return Some(underway),
                    Err(refusal) => Err(refusal),
                }
            }
            Topic::Device(device, DeviceTopic::TwinGet) => self.get(device, payload).await,
            Topic::Device(device, DeviceTopic::AlarmUpdate) => {
                self.alarm_update(speaker, device, payload).await
            }
            Topic::Device(device, DeviceTopic::OverrideUpdate) => {
                self.override_update(speaker, device, payload).await
            }
            Topic::Device(device, DeviceTopic::StateUpdate) => {
                match self.begin_state(device, payload).await {
                    Ok(underway) => return Some(underway),
                    Err(refusal) => Err(refusal),
                }
            }
            Topic::Node(node, NodeTopic::MembershipGet) if *node == self.inner.node => {
                self.members(payload).await
            }
            Topic::Device(
                _,
                DeviceTopic::TwinUpdateResult
                | DeviceTopic::TwinUpdateDelta
                | DeviceTopic::TwinUpdateDocument
                | DeviceTopic::TwinGetResult
                | DeviceTopic::StateUpdateResult
                | DeviceTopic::OverrideUpdateResult
                | DeviceTopic::AlarmUpdateResult,
            )
            | Topic::Alarm(_)
            | Topic::Node(..) => return None,
        };
        self.answer(&topic, result);
        None
    }

    pub(super) async fn finish(&self, underway: Underway) {
        let (device, event_id, pending, by, wanted) = match underway {
            Underway::Report { device, event_id, pending, by, wanted } => {
                (device, event_id, pending, by, wanted)
            }
            Underway::State { device, event_id, state, pending } => {
                let topic = Topic::Device(device.clone(), DeviceTopic::StateUpdate);
                let result = match pending.answer().await {
                    Ok(since) => Ok(tell_state(&device, event_id, state, since)),
                    Err(error) => Err(Refusal { event_id, error: translate::refusal(error) }),
                };
                return self.answer(&topic, result);
            }
        };
        let topic = Topic::Device(device.clone(), DeviceTopic::TwinUpdate);
        let result = match pending.answer().await {
            Ok(updated) if wanted.is_empty() => Ok(self.tell_updated(&device, event_id, updated)),
            Ok(updated) => self.want(&device, event_id, updated, &by, wanted).await,
            Err(error) => Err(Refusal { event_id, error: translate::refusal(error) }),
        };
        self.answer(&topic, result);
    }

    fn answer(&self, topic: &Topic, result: Result<Vec<u8>, Refusal>) {
        let Some(reply) = topic.result() else { return };
        let body = match result {
            Ok(body) => {
                self.inner.counters.taken.fetch_add(1, Ordering::Relaxed);
                if !self.inner.outlet.is_heard(RESULT) {
                    return;
                }
                body
            }
            Err(refusal) => {
                self.inner.counters.refused.fetch_add(1, Ordering::Relaxed);
                debug!(%topic, code = refusal.error.code(), reason = %refusal.error, "a request was refused");
                refusal.answer(now()).encode()
            }
        };
        self.say(&reply, body);
    }

    async fn begin_update(
        &self,
        speaker: &Speaker,
        device: &DeviceId,
        payload: &[u8],
    ) -> Result<Underway, Refusal> {
        let body = TwinUpdate::parse(payload)?;
        let event_id = body.event_id.clone();
        let refuse = |error| Refusal { event_id: event_id.clone(), error };
        let unknown = || ContractError::UnknownDevice { device: device.clone() };
        let definition = self.inner.catalog.get(device).ok_or_else(|| refuse(unknown()))?;
        let Translated { report, wanted, defined } =
            translate::update(device, &definition, body, now()).map_err(&refuse)?;
        speaker.check(!report.properties.is_empty(), &wanted).map_err(&refuse)?;
        let stopping = |_| refuse(translate::refusal(device_twin::ReportError::Stopping));
        self.inner.counters.note_outcomes(&report);
        let pending = self.inner.service.begin_report(report).await.map_err(stopping)?;
        if !defined.is_empty() {
            self.inner.catalog.extend(device, defined);
        }
        let by = speaker.by.clone();
        Ok(Underway::Report { device: device.clone(), event_id, pending, by, wanted })
    }

    /// Publishes the document of a change and gives the body of its result.
    fn tell_updated(&self, device: &DeviceId, event_id: String, updated: Updated) -> Vec<u8> {
        let timestamp = now();
        let (results, documents) = (self.inner.outlet.is_heard(RESULT), self.inner.outlet.is_heard(DOCUMENT));
        if !results && !documents {
            return Vec::new();
        }
        let definition = self.inner.catalog.get(device);
        let mut twin = BTreeMap::new();
        let mut document = BTreeMap::new();
        for (name, before, after) in updated.properties {
            let known = definition.as_ref().and_then(|d| d.properties.get(&name)).map(|d| d.value_type);
            let shown = |r: &twin_core::Reported| translate::shown(r, known);
            let current = after.as_ref().map(shown);
            if documents {
                let last = before.as_ref().map(shown);
                document.insert(name.clone(), TwinChange { last, current: current.clone() });
            }
            twin.insert(name, current);
        }
        if documents {
            let document = TwinDocument { event_id: event_id.clone(), timestamp, twin: document };
            self.say(&Topic::Device(device.clone(), DeviceTopic::TwinUpdateDocument), document.encode());
        }
        UpdateResult { event_id, timestamp, twin }.encode()
    }

    /// Sets what a local application wants, after what it reported is committed.
    async fn want(
        &self,
        device: &DeviceId,
        event_id: String,
        updated: Updated,
        by: &str,
        wanted: Vec<(twin_core::PropertyName, twin_core::Value)>,
    ) -> Result<Vec<u8>, Refusal> {
        let requests = wanted.into_iter().map(|(property, value)| OverrideRequest {
            id: PropertyId::new(device.clone(), property),
            set: Some(translate::override_of(value, by, now())),
            if_match: None,
        });
        let also = updated.properties.into_iter().map(|(name, ..)| name).collect();
        self.set_overrides(device, event_id, by, requests.collect(), also).await
    }

    pub(super) async fn stored(
        &self,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<mapper_contract::Twin, ContractError> {
        let stored = self.inner.reader.twin(device).await;
        let stored = stored.map_err(|e| ContractError::Internal { reason: e.to_string() })?;
        if stored.device.is_none() {
            return Err(ContractError::UnknownDevice { device: device.clone() });
        }
        Ok(translate::whole(&stored, now))
    }

    async fn get(&self, device: &DeviceId, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let GetRequest { event_id, .. } = GetRequest::parse(payload)?;
        let timestamp = now();
        match self.stored(device, timestamp).await {
            Ok(twin) => Ok(TwinGetResult { event_id, timestamp, twin }.encode()),
            Err(error) => Err(Refusal { event_id, error }),
        }
    }

    async fn begin_state(&self, device: &DeviceId, payload: &[u8]) -> Result<Underway, Refusal> {
        let StateUpdate { event_id, state, .. } = StateUpdate::parse(payload)?;
        match self.inner.service.begin_state(device.clone(), state).await {
            Ok(pending) => Ok(Underway::State { device: device.clone(), event_id, state, pending }),
            Err(_) => {
                let error = translate::refusal(device_twin::ReportError::Stopping);
                Err(Refusal { event_id, error })
            }
        }
    }

    pub(super) fn event_id(&self) -> String {
        self.inner.next_event.fetch_add(1, Ordering::Relaxed).to_string()
    }

    pub(super) fn say(&self, topic: &Topic, body: Vec<u8>) {
        self.inner.outlet.publish(topic.to_string(), body, false);
    }

    pub(super) fn say_retained(&self, topic: &Topic, body: Vec<u8>) {
        self.inner.outlet.publish(topic.to_string(), body, true);
    }
}

/// The body of the result of a state.
fn tell_state(device: &DeviceId, event_id: String, state: DeviceState, since: Timestamp) -> Vec<u8> {
    let timestamp = now();
    let last_online = match state {
        DeviceState::Online => Some(timestamp),
        DeviceState::Offline => Some(since),
        DeviceState::Unknown => None,
    };
    StateResult { event_id, timestamp, name: device.name().to_owned(), state, last_online }.encode()
}
