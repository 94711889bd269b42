//! Table `history_properties`: a small number for each property that has a history.

use std::collections::HashMap;

use sqlx::{Row as _, SqliteConnection};
use twin_core::{DeviceId, InvalidId, PropertyId, PropertyName};

use crate::StoreError;

pub(crate) fn id_of(device: &str, property: &str) -> Result<PropertyId, StoreError> {
    let unreadable = |e: InvalidId| StoreError::unreadable(format!("a property of {device}"), e);
    let device: DeviceId = device.parse().map_err(unreadable)?;
    let property: PropertyName = property.parse().map_err(unreadable)?;
    Ok(PropertyId::new(device, property))
}

pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<HashMap<PropertyId, i64>, StoreError> {
    let rows =
        sqlx::query("SELECT id, device, property FROM history_properties").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let (device, property): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            Ok((id_of(&device, &property)?, row.try_get(0)?))
        })
        .collect()
}

pub(crate) async fn add(connection: &mut SqliteConnection, id: &PropertyId) -> Result<i64, StoreError> {
    let key = sqlx::query_scalar(
        "INSERT INTO history_properties (device, property) VALUES (?1, ?2) \
         ON CONFLICT (device, property) DO UPDATE SET device = excluded.device RETURNING id",
    )
    .bind(id.device.as_str())
    .bind(id.property.as_str())
    .fetch_one(connection)
    .await?;
    Ok(key)
}
