//! A subscription with the points of one device. (OPC 10000-4, 5.13 and 5.14)

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mapper_sdk::{Fault, Watch};
use opcua_client::{MonitoredItemMap, OnSubscriptionNotificationCore};
use opcua_types::{DataChangeNotification, DataValue, NotificationMessage, StatusChangeNotification};
use tokio::sync::Notify;

use super::OpcUaSession;
use super::places::Places;
use crate::connection::Connection;
use crate::point::Point;
use crate::status::{is_gone, words};
use crate::told::{Life, Told};

/// The server speaks at least this often.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// The server keeps a subscription for so long when nobody asks for what it has to tell.
const LIFETIME: Duration = Duration::from_secs(60);
/// How often a point that the server no longer tells of is watched anew.
const MEND_EVERY: Duration = Duration::from_secs(5);

/// What one device is told of.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) points: Vec<Point>,
    pub(super) sampling: Vec<Duration>,
    places: Places,
    pub(super) items: Vec<Item>,
    shared: Arc<Shared>,
    subscription: Subscription,
    pub(super) to_mend: Vec<usize>,
    pub(super) mended_at: Instant,
}

/// A point at the server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Item {
    pub(super) id: Option<u32>,
    /// The server will not watch it.
    pub(super) is_hopeless: bool,
}

#[derive(Debug)]
struct Shared {
    told: Mutex<Told>,
    bell: Notify,
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscription at the server; when it is dropped it is taken away by the next who uses the connection.
#[derive(Debug)]
struct Subscription {
    id: Option<u32>,
    connection: Arc<Connection>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.connection.add_orphan(id);
        }
    }
}

/// What the library hands the messages of a subscription to.
struct Listener(Arc<Shared>);

impl OnSubscriptionNotificationCore for Listener {
    fn on_subscription_notification(&mut self, message: NotificationMessage, _: MonitoredItemMap<'_>) {
        let data = message.notification_data.unwrap_or_default();
        let (mut told, now) = (self.0.told(), Instant::now());
        told.handle_message(message.sequence_number, data.is_empty(), now);
        for part in data {
            if let Some(status) = part.inner_as::<StatusChangeNotification>() {
                if status.status.is_bad() {
                    told.handle_gone();
                }
                continue;
            }
            let Some(changes) = part.into_inner_as::<DataChangeNotification>() else { continue };
            for change in changes.monitored_items.into_iter().flatten() {
                // Handles are places counted from 1.
                if let Some(place) = usize::try_from(change.client_handle).ok().and_then(|n| n.checked_sub(1))
                {
                    told.handle_value(place, change.value, now);
                }
            }
        }
        drop(told);
        self.0.bell.notify_one();
    }
}

impl Watching {
    pub(super) fn point(&self, place: usize) -> &Point {
        &self.points[place]
    }

    fn place(&self, point: &Point) -> Option<usize> {
        self.places.find(&self.points, point)
    }

    /// Its number at the server.
    pub(super) fn subscription(&self) -> Option<u32> {
        self.subscription.id
    }

    pub(super) fn set_deadband(&self, place: usize, deadband: f64) {
        self.shared.told().set_deadband(place, deadband);
    }

    pub(super) fn life(&self) -> Life {
        self.shared.told().life(Instant::now())
    }

    /// What was told of these points, where it may be believed.
    pub(super) fn told(&self, points: &[Point]) -> Vec<Option<DataValue>> {
        let (told, now) = (self.shared.told(), Instant::now());
        let mut next = 0;
        let value = |point: &Point| {
            let place = self.places.find_from(&self.points, point, next)?;
            next = place + 1;
            told.value(place, now).cloned()
        };
        points.iter().map(value).collect()
    }

    pub(super) fn versions(&self, points: &[&Point]) -> Vec<u64> {
        let told = self.shared.told();
        points.iter().map(|point| self.place(point).map_or(0, |place| told.version(place))).collect()
    }

    /// Points that were asked; those that are good and that the server does not tell of are to be watched anew.
    pub(super) fn handle_read(
        &mut self,
        points: &[&Point],
        versions: &[u64],
        answers: &[Result<DataValue, Fault>],
    ) {
        let (mut told, now) = (self.shared.told(), Instant::now());
        for ((point, version), answer) in points.iter().zip(versions).zip(answers) {
            let place = self.places.find(&self.points, point);
            let (Some(place), Ok(value)) = (place, answer) else { continue };
            let item = &self.items[place];
            let is_lost = item.id.is_none() || (told.version(place) > 0 && told.is_bad(place));
            if is_lost && !item.is_hopeless && !value.status().is_bad() {
                self.to_mend.push(place);
            }
            told.handle_read(place, *version, value, now);
        }
    }

    pub(super) fn handle_written(&self, point: &Point) {
        if let Some(place) = self.place(point) {
            self.shared.told().handle_written(place);
        }
    }

    /// Waits for news. Nothing is lost when it is dropped.
    pub(super) async fn news(&self) -> (usize, DataValue) {
        loop {
            if let Some(news) = self.shared.told().poll_news() {
                return news;
            }
            self.shared.bell.notified().await;
        }
    }

    /// Waits until the subscription counts as lost.
    pub(super) async fn lost(&self) {
        loop {
            let (life, at) = {
                let told = self.shared.told();
                (told.life(Instant::now()), told.poll_timeout())
            };
            if life == Life::Lost {
                return;
            }
            // It may be gone before its time is up; the server says so in a message.
            let step = at.min(Instant::now() + Duration::from_secs(1));
            tokio::time::sleep_until(step.into()).await;
        }
    }

    pub(super) async fn close(mut self) {
        if let Some(id) = self.subscription.id.take() {
            self.subscription.connection.delete_subscription(id).await;
        }
    }
}

impl OpcUaSession {
    /// Makes a subscription with all points that can be watched. Where the server makes none, all are read.
    pub(super) async fn watch_points(&mut self, watches: &[Watch<Point>]) -> Result<(), Fault> {
        for orphan in self.connection.take_orphans() {
            self.connection.delete_subscription(orphan).await;
        }
        let mut watched: BTreeMap<&Point, usize> = BTreeMap::new();
        let (mut points, mut sampling) = (Vec::new(), Vec::new());
        for watch in watches.iter().filter(|watch| watch.point.is_watched()) {
            let every = watch.point.sampling(watch.every);
            if let Some(place) = watched.get(&watch.point) {
                let slot: &mut Duration = &mut sampling[*place];
                *slot = every.min(*slot);
                continue;
            }
            watched.insert(&watch.point, points.len());
            points.push(watch.point.clone());
            sampling.push(every);
        }
        let places = Places::new(&points);
        if points.is_empty() {
            return Ok(());
        }
        let slack = self.connection.timeout();
        let told = Mutex::new(Told::new(points.len(), slack, Instant::now()));
        let shared = Arc::new(Shared { told, bell: Notify::new() });
        let Some(id) = self.subscribe(&shared, &sampling).await? else { return Ok(()) };
        let subscription = Subscription { id: Some(id), connection: Arc::clone(&self.connection) };
        let items = vec![Item::default(); points.len()];
        let to_mend: Vec<usize> = (0..points.len()).collect();
        let mended_at = Instant::now();
        self.watching =
            Some(Watching { points, sampling, places, items, shared, subscription, to_mend, mended_at });
        self.learn_names(&watches.iter().map(|watch| &watch.point).collect::<Vec<_>>()).await?;
        self.create_items().await
    }

    /// A subscription; none when the server does not make one.
    async fn subscribe(&self, shared: &Arc<Shared>, sampling: &[Duration]) -> Result<Option<u32>, Fault> {
        let fastest = sampling.iter().min().copied().unwrap_or(KEEP_ALIVE);
        let interval = self.link.publish.map_or_else(
            || fastest.clamp(Duration::from_millis(100), Duration::from_secs(1)),
            config::BoundedDuration::get,
        );
        let times = |time: Duration| {
            u32::try_from(time.as_millis().div_ceil(interval.as_millis().max(1))).unwrap_or(1).max(1)
        };
        let keep_alives = times(KEEP_ALIVE);
        let lifetime = times(LIFETIME).max(3 * keep_alives);
        let session = self.connection.session();
        let listener = Listener(Arc::clone(shared));
        let created = session.create_subscription(interval, lifetime, keep_alives, 0, 0, true, listener);
        let id = match self.connection.ask(created).await {
            Ok(id) => id,
            Err(status) if is_gone(status) => return Err(self.connection.fault(status)),
            Err(status) => {
                tracing::warn!(url = %self.link.url, reason = %words(status), "the server makes no subscription: all points are read instead");
                return Ok(None);
            }
        };
        let state = session.subscription_state().lock();
        // The server may have chosen other intervals than those that were asked for.
        let keep_alive = state.get(id).map_or(KEEP_ALIVE, |made| {
            made.publishing_interval()
                .saturating_mul(made.max_keep_alive_count())
                .max(made.publishing_interval())
        });
        drop(state);
        shared.told().handle_created(keep_alive, Instant::now());
        Ok(Some(id))
    }

    /// Watches again what can be and is not, not too often.
    pub(super) async fn mend_watch(&mut self) -> Result<(), Fault> {
        match &self.watching {
            Some(watching) if !watching.to_mend.is_empty() && watching.mended_at.elapsed() >= MEND_EVERY => {
                self.create_items().await
            }
            Some(_) | None => Ok(()),
        }
    }
}
