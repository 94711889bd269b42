//! Many values in one answer.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::RawQuery;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json_;
use twin_api::{Problem, ProblemKind, QualityWord};
use twin_core::{DeviceId, PropertyName, Reported, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::State;
use super::chosen::Filter;
use super::problem::{Rejection, short};

/// The most devices and the most properties that can be named.
const MOST_NAMED: usize = 1000;

/// Which values; each can be given many times.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what is read by hand, for a parameter can be there many times")]
pub(super) struct Named {
    /// Only those of this device; may be given many times.
    device: Option<Vec<String>>,
    /// Only this property; may be given many times.
    property: Option<Vec<String>>,
}

/// Values of many devices.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ValuesPage {
    /// By device, then by property. A device without any value that is asked for is not there.
    pub devices: BTreeMap<String, BTreeMap<String, ValueView>>,
    /// To be given as `after` for the next page; left out when this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A value in short.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ValueView {
    /// The last value read; left out when there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json_>,
    /// How far it can be believed.
    pub quality: QualityWord,
    /// Why not further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was read, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
}

impl From<&Reported> for ValueView {
    fn from(reported: &Reported) -> Self {
        Self {
            value: reported.value.as_ref().map(twin_core::Value::to_json),
            quality: (&reported.quality).into(),
            why: reported.quality.why().map(|why| why.word().to_owned()),
            time: reported.gateway_time.map(Timestamp::as_millis),
        }
    }
}

/// The values of many devices and properties, in short: those of the devices that are named or that the filter leaves, a
/// page of devices at a time.
#[utoipa::path(get, path = "/api/v1/values", params(Named, Filter), tag = "devices",
    responses((status = 200, body = ValuesPage), (status = 400, body = Problem)))]
pub(super) async fn list(
    axum::extract::State(state): axum::extract::State<State>,
    RawQuery(query): RawQuery,
) -> Result<Json<ValuesPage>, Rejection> {
    let Asked { filter, devices, properties } = asked(query.as_deref().unwrap_or_default())?;
    let chosen = filter.choose(&state, &devices).await?;
    let mut page = ValuesPage { devices: BTreeMap::new(), next: chosen.next };
    for (id, _) in chosen.devices {
        let stored = state.reader.twin(&id).await?;
        let wanted = |name: &PropertyName| properties.is_empty() || properties.contains(name);
        let values: BTreeMap<String, ValueView> = stored
            .reported
            .iter()
            .filter(|(name, ..)| wanted(name))
            .map(|(name, reported, _)| (name.to_string(), reported.into()))
            .collect();
        if !values.is_empty() {
            page.devices.insert(id.to_string(), values);
        }
    }
    Ok(Json(page))
}

pub(super) struct Asked {
    filter: Filter,
    devices: Vec<DeviceId>,
    properties: Vec<PropertyName>,
}

pub(super) fn asked(query: &str) -> Result<Asked, Rejection> {
    let bad = |detail: String| Rejection::new(ProblemKind::BadRequest, detail);
    let (mut devices, mut properties) = (Vec::new(), Vec::new());
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "device" => devices.push(value.parse().map_err(|e: twin_core::InvalidId| bad(e.to_string()))?),
            "property" => {
                properties.push(value.parse().map_err(|e: twin_core::InvalidId| bad(e.to_string()))?)
            }
            _ => drop(rest.append_pair(&key, &value)),
        }
        if devices.len().max(properties.len()) > MOST_NAMED {
            return Err(bad(format!("at most {MOST_NAMED} devices and properties can be named")));
        }
    }
    let rest = format!("/?{}", rest.finish());
    let uri: http::Uri = rest.parse().map_err(|_| bad("the query cannot be read".to_owned()))?;
    let axum::extract::Query(filter) =
        axum::extract::Query::try_from_uri(&uri).map_err(|error| bad(short(&error.body_text())))?;
    Ok(Asked { filter, devices, properties })
}
