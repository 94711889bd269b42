//! The monitored items of a subscription. (OPC 10000-4, 5.13)

use std::sync::Arc;
use std::time::Instant;

use mapper_sdk::Fault;
use opcua_types::{
    DataChangeFilter, DataChangeTrigger, DeadbandType, ExtensionObject, MonitoredItemCreateRequest,
    MonitoringMode, MonitoringParameters, StatusCode, TimestampsToReturn,
};

use super::OpcUaSession;
use crate::point::{Number, Point};
use crate::status::{is_gone, words};

impl OpcUaSession {
    /// Makes the items that are missing, and anew those that have gone bad.
    pub(super) async fn create_items(&mut self) -> Result<(), Fault> {
        let Some(watching) = &mut self.watching else { return Ok(()) };
        watching.mended_at = Instant::now();
        let mut places = std::mem::take(&mut watching.to_mend);
        places.sort_unstable();
        places.dedup();
        let Some(subscription) = watching.subscription() else { return Ok(()) };
        let old: Vec<u32> = places.iter().filter_map(|place| watching.items[*place].id.take()).collect();
        let session = Arc::clone(self.connection.session());
        let limit = &self.connection.limits().monitor;
        if !old.is_empty() {
            let delete = |part| session.delete_monitored_items(subscription, part);
            if let Err(status) = self.connection.in_parts(&old, limit, delete).await
                && is_gone(status)
            {
                return Err(self.connection.fault(status));
            }
        }
        let mut filtered = places;
        for with_filter in [true, false] {
            let requests: Vec<(usize, MonitoredItemCreateRequest)> =
                filtered.iter().filter_map(|place| Some((*place, self.item(*place, with_filter)?))).collect();
            filtered = self.create(subscription, requests).await?;
            if filtered.is_empty() {
                break;
            }
            self.own_deadbands(&filtered).await?;
        }
        Ok(())
    }

    /// Creates items; hands back those of which the server does not take the deadband.
    async fn create(
        &mut self,
        subscription: u32,
        requests: Vec<(usize, MonitoredItemCreateRequest)>,
    ) -> Result<Vec<usize>, Fault> {
        let session = Arc::clone(self.connection.session());
        let create = |part: &[(usize, MonitoredItemCreateRequest)]| {
            let items = part.iter().map(|(_, request)| request.clone()).collect();
            session.create_monitored_items(subscription, TimestampsToReturn::Both, items)
        };
        let made = self.connection.in_parts(&requests, &self.connection.limits().monitor, create).await;
        let made = match made {
            Ok(made) => made,
            Err(status) if is_gone(status) => return Err(self.connection.fault(status)),
            Err(status) => {
                tracing::warn!(url = %self.link.url, reason = %words(status), "the server does not watch points: they are read instead");
                return Ok(Vec::new());
            }
        };
        let Some(watching) = &mut self.watching else { return Ok(Vec::new()) };
        let mut without_filter = Vec::new();
        for ((place, request), made) in requests.into_iter().zip(made) {
            let status = made.result.status_code;
            let item = &mut watching.items[place];
            if status.is_good() {
                item.id = Some(made.result.monitored_item_id);
            } else if !request.requested_parameters.filter.is_null() && !is_missing(status) {
                without_filter.push(place);
            } else {
                // A node that is not there may come; what the server cannot watch, it never will.
                item.is_hopeless = !is_missing(status);
            }
        }
        Ok(without_filter)
    }

    fn item(&self, place: usize, with_filter: bool) -> Option<MonitoredItemCreateRequest> {
        let watching = self.watching.as_ref()?;
        let point = &watching.points[place];
        let filter =
            deadband_of(point).filter(|_| with_filter).map_or_else(ExtensionObject::null, |(kind, value)| {
                ExtensionObject::from_message(DataChangeFilter {
                    trigger: DataChangeTrigger::StatusValue,
                    deadband_type: kind as u32,
                    deadband_value: value,
                })
            });
        let requested_parameters = MonitoringParameters {
            client_handle: u32::try_from(place + 1).ok()?,
            sampling_interval: watching.sampling[place].as_secs_f64() * 1_000.0,
            filter,
            // Only the newest value counts.
            queue_size: 1,
            discard_oldest: true,
        };
        Some(MonitoredItemCreateRequest {
            item_to_monitor: self.read_value_id(point).ok()?,
            monitoring_mode: MonitoringMode::Reporting,
            requested_parameters,
        })
    }

    /// Keeps the deadbands of these points here, since the server does not.
    async fn own_deadbands(&self, places: &[usize]) -> Result<(), Fault> {
        let Some(watching) = &self.watching else { return Ok(()) };
        for place in places {
            let point = &watching.points[*place];
            let deadband = match deadband_of(point) {
                Some((DeadbandType::Percent, percent)) => {
                    let span = self.range_of(point).await?.map_or(0.0, |(low, high)| high - low);
                    span * percent / 100.0
                }
                Some((DeadbandType::Absolute | DeadbandType::None, amount)) => amount,
                None => 0.0,
            };
            watching.set_deadband(*place, deadband);
        }
        Ok(())
    }
}

fn deadband_of(point: &Point) -> Option<(DeadbandType, f64)> {
    let amount = point.deadband.map(|Number(amount)| (DeadbandType::Absolute, amount));
    amount.or_else(|| point.deadband_percent.map(|Number(percent)| (DeadbandType::Percent, percent)))
}

fn is_missing(status: StatusCode) -> bool {
    [StatusCode::BadNodeIdUnknown, StatusCode::BadNodeIdInvalid, StatusCode::BadAttributeIdInvalid]
        .contains(&status)
}
