//! Which devices are meant: filters and paging, the same for lists of devices and of values.

use serde::Deserialize;
use twin_api::{DeviceView, ProblemKind, QualityWord, StateWord};
use twin_core::DeviceId;
use utoipa::IntoParams;

use super::problem::Rejection;
use super::{State, views};

/// The most devices on a page.
const MOST: usize = 1000;

/// Which devices.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only those of this protocol; empty: those that a mapper outside the gateway serves.
    protocol: Option<String>,
    /// Only those in this state.
    state: Option<StateWord>,
    /// Only those with at least one value of this quality.
    quality: Option<QualityWord>,
    /// Only those made from this model.
    model: Option<String>,
    /// Only those with this label, `KEY=VALUE`.
    label: Option<String>,
    /// Only those whose id, name or description begins with this text; capitals do not matter.
    text: Option<String>,
    /// Only those that are paused, or only those that are not.
    paused: Option<bool>,
    /// Go on after this device: the `next` of the page before.
    after: Option<String>,
    /// The most devices, 1 to 1000; 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of devices.
pub(super) struct Chosen {
    pub(super) devices: Vec<(DeviceId, DeviceView)>,
    pub(super) next: Option<String>,
}

impl Filter {
    /// The devices of the page; `named`: only those of these.
    pub(super) async fn choose(&self, state: &State, named: &[DeviceId]) -> Result<Chosen, Rejection> {
        let bad = |detail: String| Rejection::new(ProblemKind::BadRequest, detail);
        let limit = self.limit.unwrap_or(100);
        if !(1..=MOST).contains(&limit) {
            return Err(bad(format!("limit must lie between 1 and {MOST}")));
        }
        let label = match self.label.as_deref().map(|text| text.split_once('=')) {
            Some(None) => return Err(bad("label must be written KEY=VALUE".to_owned())),
            Some(Some(pair)) => Some(pair),
            None => None,
        };
        let after: Option<DeviceId> =
            self.after.as_deref().map(str::parse).transpose().map_err(|error: twin_core::InvalidId| {
                bad(format!("after: {error}; give the `next` of the page before"))
            })?;
        let text = self.text.as_deref().map(str::to_lowercase);
        let begins = |what: &str| text.as_deref().is_none_or(|text| what.to_lowercase().starts_with(text));
        let counts = state.reader.not_good().await?;
        let pauses = state.running.pauses();
        let mut devices = Vec::new();
        for (id, device, revision) in state.reader.devices().await? {
            let definition = &device.definition;
            let count = counts.get(&id).copied().unwrap_or_default();
            let description = definition.description.as_deref();
            let wanted = (named.is_empty() || named.contains(&id))
                && after.as_ref().is_none_or(|after| id > *after)
                && self.protocol.as_ref().is_none_or(|protocol| *protocol == definition.protocol)
                && self.model.as_ref().is_none_or(|model| Some(model) == definition.model.as_ref())
                && self.state.is_none_or(|word| word == StateWord::from(device.state))
                && self.paused.is_none_or(|paused| paused == pauses.contains_key(&id))
                && label.is_none_or(|(k, v)| definition.labels.get(k).is_some_and(|found| found == v))
                && (begins(id.as_str()) || begins(id.name()) || description.is_some_and(begins))
                && self.quality.is_none_or(|word| match word {
                    QualityWord::Good => count.reported > count.uncertain + count.bad,
                    QualityWord::Uncertain => count.uncertain > 0,
                    QualityWord::Bad => count.bad > 0,
                });
            if !wanted {
                continue;
            }
            let mut view = DeviceView::new(&id, &device, revision, Some(count.uncertain + count.bad));
            view.serving = views::serving(state, &id, &definition.protocol);
            devices.push((id, view));
            if devices.len() > limit {
                break;
            }
        }
        let more = devices.len() > limit;
        devices.truncate(limit);
        let next = devices.last().filter(|_| more).map(|(id, _)| id.to_string());
        Ok(Chosen { devices, next })
    }
}
