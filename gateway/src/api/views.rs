//! From what the store holds to what REST shows.

use std::collections::BTreeMap;

use twin_api::{
    AlarmView, ChangeView, DeviceView, FaultView, PartWord, PauseView, PropertyParts, ServingView, Stored,
    TwinParts, TwinView,
};
use twin_core::{Change, DeviceId, Entry, NodeName, PropertyName, Revision, Timestamp};
use twin_store::{Reader, StoreError, StoredTwin};

use super::State;

fn at_edge<T>(body: &T, revision: Revision) -> Stored<'_, T> {
    Stored { body, revision, cloud_time: None }
}

fn by_name<T>(parts: &[(PropertyName, T, Revision)]) -> BTreeMap<&PropertyName, Stored<'_, T>> {
    parts.iter().map(|(name, body, revision)| (name, at_edge(body, *revision))).collect()
}

/// How a device stands with the lane that serves it; none when the gateway does not.
pub(super) fn serving(state: &State, id: &DeviceId, protocol: &str) -> Option<ServingView> {
    if protocol.is_empty() {
        return None;
    }
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let pauses = state.running.pauses();
    let paused = pauses.get(id).map(|pause| PauseView {
        since: pause.since.as_millis(),
        by: pause.by.clone(),
        note: pause.note.clone(),
    });
    let standing = state.overview.mappers.controls(protocol).and_then(|controls| controls.standing(id));
    let Some(standing) = standing else { return Some(ServingView { paused, ..ServingView::default() }) };
    Some(ServingView {
        lane: standing.lane.map(|lane| lane.to_string()),
        last_answer: ms(standing.last_answer),
        last_fault: standing.last_fault.map(|(at, reason)| FaultView { at: at.as_millis(), reason }),
        retry_at: ms(standing.retry_at),
        paused,
    })
}

/// A device with all its properties; none when there is no such device.
pub(super) fn twin(state: &State, id: &DeviceId, stored: &StoredTwin, now: Timestamp) -> Option<TwinView> {
    let (device, revision) = stored.device.as_ref()?;
    let desired_revision = stored.desired.iter().map(|(.., r)| *r).max().unwrap_or(Revision::ZERO);
    let parts = TwinParts {
        id,
        device: at_edge(device, *revision),
        reported: by_name(&stored.reported),
        overrides: by_name(&stored.overrides),
        desired: by_name(&stored.desired),
        desired_revision,
    };
    let mut view = parts.view(now);
    view.device.serving = serving(state, id, &device.definition.protocol);
    Some(view)
}

/// Changes with what their documents look like now. Each device is read once.
pub(super) async fn changes(
    reader: &Reader,
    node: &NodeName,
    entries: &[Entry],
    now: Timestamp,
) -> Result<Vec<ChangeView>, StoreError> {
    let mut twins: BTreeMap<DeviceId, StoredTwin> = BTreeMap::new();
    let mut views = Vec::with_capacity(entries.len());
    for entry in entries {
        let key = entry.change.key();
        if !twins.contains_key(key.device()) {
            twins.insert(key.device().clone(), reader.twin(key.device()).await?);
        }
        let Some(stored) = twins.get(key.device()) else { continue };
        views.push(change(node, entry, stored, now));
    }
    Ok(views)
}

fn change(node: &NodeName, entry: &Entry, stored: &StoredTwin, now: Timestamp) -> ChangeView {
    let key = entry.change.key();
    let (device_now, property, property_now) = match &entry.change {
        Change::Device(id, _) => {
            let view = stored.device.as_ref().map(|(d, revision)| DeviceView::new(id, d, *revision, None));
            (view, None, None)
        }
        Change::Reported(id, _) => property(stored, &id.property, now),
        Change::Override(id, _) => property(stored, &id.property, now),
        Change::Desired(id, _) => property(stored, &id.property, now),
        Change::Alarm(id, _) => (None, Some(id.property().property.to_string()), None),
    };
    let alarm_now = match &entry.change {
        Change::Alarm(id, Some(alarm)) => Some(AlarmView::new(None, id, alarm, entry.revision)),
        Change::Alarm(_, None)
        | Change::Device(..)
        | Change::Reported(..)
        | Change::Override(..)
        | Change::Desired(..) => None,
    };
    ChangeView {
        seq: entry.revision.get(),
        node: node.to_string(),
        device: key.device().to_string(),
        property,
        part: PartWord::from(key.part()),
        revision: entry.revision.get(),
        deleted: entry.change.is_deletion(),
        device_now,
        property_now,
        alarm_now,
    }
}

fn property(
    stored: &StoredTwin,
    name: &PropertyName,
    now: Timestamp,
) -> (Option<DeviceView>, Option<String>, Option<twin_api::PropertyView>) {
    fn find<'a, T>(parts: &'a [(PropertyName, T, Revision)], name: &PropertyName) -> Option<Stored<'a, T>> {
        parts.iter().find(|(n, ..)| n == name).map(|(_, body, revision)| at_edge(body, *revision))
    }
    let parts = PropertyParts {
        definition: stored.device.as_ref().and_then(|(d, _)| d.definition.properties.get(name)),
        reported: find(&stored.reported, name),
        override_: find(&stored.overrides, name),
        desired: find(&stored.desired, name),
    };
    let there = parts.reported.is_some() || parts.override_.is_some() || parts.desired.is_some();
    (None, Some(name.to_string()), there.then(|| parts.view(now)))
}
