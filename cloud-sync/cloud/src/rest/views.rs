//! Rows of the store in the shapes of REST.

use cloud_store::{ChangeRow, ChangesPage, DeviceRow, NodeRow, PropertyRows, TwinRows, Versioned};
use twin_api::{
    AlarmView, ChangeView, DeviceView, LinkWord, NodeView, PropertyParts, PropertyView, Stored, TwinParts,
    TwinView,
};
use twin_core::{Change, DeviceId, Key, PropertyDefinition, Timestamp};

use super::Links;

pub(crate) fn node(row: &NodeRow, links: &Links) -> NodeView {
    let up = (links.of)(&row.node);
    NodeView {
        name: row.node.to_string(),
        link: if up.is_some() { LinkWord::Connected } else { LinkWord::Disconnected },
        connected_since: up.map(|link| link.since.as_millis()),
        first_seen: row.first_seen.as_millis(),
        last_seen: up.map_or(row.last_seen, |link| link.last_seen.max(row.last_seen)).as_millis(),
        devices: row.devices,
    }
}

pub(crate) fn device(row: &DeviceRow) -> DeviceView {
    DeviceView::new(&row.id, &row.device, row.revision, Some(row.not_good))
}

fn stored<T>(versioned: &Versioned<T>) -> Stored<'_, T> {
    Stored { body: &versioned.body, revision: versioned.revision, cloud_time: Some(versioned.cloud_time) }
}

/// None when the node has no such device.
pub(crate) fn twin(id: &DeviceId, rows: &TwinRows, now: Timestamp) -> Option<TwinView> {
    let parts = TwinParts {
        id,
        device: rows.device.as_ref().map(stored)?,
        reported: rows.reported.iter().map(|(name, row)| (name, stored(row))).collect(),
        overrides: rows.overrides.iter().map(|(name, row)| (name, stored(row))).collect(),
        desired: rows.desired.iter().map(|(name, row)| (name, stored(row))).collect(),
        desired_revision: rows.desired_revision,
    };
    Some(parts.view(now))
}

pub(crate) fn changes(page: &ChangesPage, now: Timestamp) -> Vec<ChangeView> {
    page.changes.iter().map(|row| change(row, page, now)).collect()
}

fn change(row: &ChangeRow, page: &ChangesPage, now: Timestamp) -> ChangeView {
    let change = &row.entry.change;
    let key = change.key();
    let (property, now_view) = match &key {
        Key::Device(_) => (None, None),
        Key::Alarm(id) => (Some(id.property().property.to_string()), None),
        Key::Reported(id) | Key::Override(id) | Key::Desired(id) => {
            let device = page.devices.get(&(row.node.clone(), id.device.clone()));
            let definition = device.and_then(|d| d.definition.properties.get(&id.property));
            let rows = page.properties.get(&(row.node.clone(), id.clone()));
            (Some(id.property.to_string()), property_now(definition, rows, now))
        }
    };
    let device_now = match change {
        Change::Device(id, Some(device)) => Some(DeviceView::new(id, device, row.entry.revision, None)),
        Change::Device(_, None)
        | Change::Reported(..)
        | Change::Override(..)
        | Change::Desired(..)
        | Change::Alarm(..) => None,
    };
    let alarm_now = match change {
        Change::Alarm(id, Some(alarm)) => {
            Some(AlarmView::new(Some(row.node.as_str()), id, alarm, row.entry.revision))
        }
        Change::Alarm(_, None)
        | Change::Device(..)
        | Change::Reported(..)
        | Change::Override(..)
        | Change::Desired(..) => None,
    };
    ChangeView {
        seq: row.seq,
        node: row.node.to_string(),
        device: key.device().to_string(),
        property,
        part: key.part().into(),
        revision: row.entry.revision.get(),
        deleted: change.is_deletion(),
        device_now,
        property_now: now_view,
        alarm_now,
    }
}

/// None when nothing is left of the property.
fn property_now(
    definition: Option<&PropertyDefinition>,
    rows: Option<&PropertyRows>,
    now: Timestamp,
) -> Option<PropertyView> {
    if definition.is_none() && rows.is_none() {
        return None;
    }
    let parts = PropertyParts {
        definition,
        reported: rows.and_then(|r| r.reported.as_ref()).map(stored),
        override_: rows.and_then(|r| r.override_.as_ref()).map(stored),
        desired: rows.and_then(|r| r.desired.as_ref()).map(stored),
    };
    Some(parts.view(now))
}
