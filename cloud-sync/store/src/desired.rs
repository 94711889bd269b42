//! Setting desired values: checked and numbered inside the transaction that stores them, so that the order of commits
//! is the order of revisions.

use std::collections::HashMap;

use sqlx::SqliteConnection;
use twin_core::{
    Change, Cursor, Desired, Device, DeviceId, Entry, Incarnation, Key, NodeName, Part, PropertyId, Revision,
    Stream,
};

use crate::codec;
use crate::error::{SetDesiredError, StoreError};
use crate::group::Group;
use crate::tables::{documents, heads, incarnations};

/// What several requests of one transaction have in common: read once, then kept up to date here.
#[derive(Debug, Default)]
pub(crate) struct DesiredWriter {
    devices: HashMap<(NodeName, DeviceId), Option<Device>>,
    heads: HashMap<(NodeName, DeviceId), Revision>,
    last: HashMap<NodeName, Revision>,
}

impl DesiredWriter {
    /// Sets or, for `None`, deletes desired values of a node: all or none of them. The revisions that were given are
    /// recorded as the process's.
    pub(crate) async fn set(
        &mut self,
        connection: &mut SqliteConnection,
        group: &mut Group,
        incarnation: Incarnation,
        node: &NodeName,
        wishes: &[(PropertyId, Option<Desired>)],
        if_match: Option<Revision>,
    ) -> Result<Vec<Entry>, SetDesiredError> {
        let mut accepted = Vec::new();
        let mut current = Revision::ZERO;
        for (id, wish) in wishes {
            current = current.max(self.head(connection, node, &id.device).await?);
            let held = self.held(connection, group, node, id).await?;
            if wish.is_some() || !held {
                self.check(connection, node, id, wish.as_ref()).await?;
            }
            if wish.is_some() || held {
                accepted.push((id, wish));
            }
        }
        if let Some(expected) = if_match
            && expected != current
        {
            return Err(SetDesiredError::RevisionMismatch { current, expected });
        }
        let mut last = match self.last.get(node) {
            Some(last) => *last,
            None => {
                let last = incarnations::last_revision(connection, node.as_str(), Stream::Twin).await;
                last.map_err(StoreError::from)?
            }
        };
        let mut entries = Vec::with_capacity(accepted.len());
        for (id, wish) in accepted {
            last = last.next();
            let entry = Entry { revision: last, change: Change::Desired(id.clone(), wish.clone()) };
            group.document(node, &entry)?;
            group.head(node, &id.device, last);
            self.heads.insert((node.clone(), id.device.clone()), last);
            entries.push(entry);
        }
        if !entries.is_empty() {
            group.incarnation(node, Stream::Twin, Cursor { incarnation, revision: last });
        }
        self.last.insert(node.clone(), last);
        Ok(entries)
    }

    async fn check(
        &mut self,
        connection: &mut SqliteConnection,
        node: &NodeName,
        id: &PropertyId,
        wish: Option<&Desired>,
    ) -> Result<(), SetDesiredError> {
        let Some(device) = self.device(connection, node, &id.device).await? else {
            return Err(SetDesiredError::UnknownDevice { device: id.device.clone() });
        };
        let Some(definition) = device.definition.properties.get(&id.property) else {
            return Err(SetDesiredError::UnknownProperty { id: id.clone() });
        };
        wish.map_or(Ok(()), |wish| definition.check_wanted(&wish.value))
            .map_err(|source| SetDesiredError::Unacceptable { id: id.clone(), source })
    }

    async fn device(
        &mut self,
        connection: &mut SqliteConnection,
        node: &NodeName,
        device: &DeviceId,
    ) -> Result<Option<&Device>, StoreError> {
        let key = (node.clone(), device.clone());
        if !self.devices.contains_key(&key) {
            let body = documents::body(connection, node.as_str(), Part::Device, device.as_str(), "").await?;
            let parsed = codec::parsed(body.as_deref(), &|| format!("device {device} of node {node}"))?;
            self.devices.insert(key.clone(), parsed);
        }
        Ok(self.devices.get(&key).and_then(Option::as_ref))
    }

    async fn head(
        &mut self,
        connection: &mut SqliteConnection,
        node: &NodeName,
        device: &DeviceId,
    ) -> Result<Revision, StoreError> {
        let key = (node.clone(), device.clone());
        if let Some(head) = self.heads.get(&key) {
            return Ok(*head);
        }
        let head = heads::read(connection, node.as_str(), device.as_str()).await?;
        self.heads.insert(key, head);
        Ok(head)
    }

    /// Whether there is a desired value of this property now.
    async fn held(
        &self,
        connection: &mut SqliteConnection,
        group: &Group,
        node: &NodeName,
        id: &PropertyId,
    ) -> Result<bool, StoreError> {
        if let Some(waiting) = group.waiting(node, &Key::Desired(id.clone())) {
            return Ok(waiting.is_some());
        }
        let property = id.property.as_str();
        let body = documents::body(connection, node.as_str(), Part::Desired, id.device.as_str(), property);
        Ok(body.await?.is_some())
    }
}
