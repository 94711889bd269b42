//! Publishing, and watching it arrive.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use mqtt_link::{Event, Handle, LinkSettings, MqttLink, PublishError, Qos};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::process::Stack;
use super::{Plan, stream};

/// How long the last answers may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client with its messages.
struct Client {
    handle: Handle,
    messages: mpsc::UnboundedReceiver<(String, Vec<u8>, Instant)>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Client {
    async fn connect(stack: &Stack, id: &str, subscriptions: &[&str]) -> anyhow::Result<Self> {
        let mut settings = LinkSettings::new(&format!("mqtt://127.0.0.1:{}", stack.mqtt), id);
        settings.subscriptions = subscriptions.iter().map(|s| (*s).to_owned()).collect();
        let (link, handle, mut events) = MqttLink::connect(settings)?;
        let (sender, messages) = mpsc::unbounded_channel();
        let (up, is_up) = tokio::sync::oneshot::channel();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let token = stop.clone();
        tasks.spawn(async move {
            let _ = link.run(token).await;
        });
        tasks.spawn(async move {
            let mut up = Some(up);
            while let Some(event) = events.next().await {
                match event {
                    Event::Connected => drop(up.take().map(|up| up.send(()))),
                    Event::Message { topic, payload, .. } => {
                        let _ = sender.send((topic, payload.to_vec(), Instant::now()));
                    }
                    Event::Disconnected { .. } => {}
                }
            }
        });
        is_up.await.context("the broker does not answer")?;
        Ok(Self { handle, messages, tasks, stop })
    }

    async fn close(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn topic(device: usize) -> String {
    format!("$hw/events/device/default/dev-{device}/twin/update")
}

/// All properties of one device in one message, as a mapper sends them.
fn body(plan: &Plan, event: u64, value: f64) -> Vec<u8> {
    let mut text = format!("{{\"event_id\":\"{event}\",\"twin\":{{");
    for property in 0..plan.properties {
        let comma = if property == 0 { "" } else { "," };
        text +=
            &format!("{comma}\"p{property}\":{{\"actual\":{{\"value\":\"{}\"}}}}", value + property as f64);
    }
    text += "}}";
    text.into_bytes()
}

async fn publish(handle: &Handle, topic: &str, body: &[u8], qos: Qos) -> anyhow::Result<()> {
    loop {
        match handle.publish(topic, body.to_vec(), qos, false) {
            Ok(()) => return Ok(()),
            Err(PublishError::Full) => tokio::time::sleep(Duration::from_micros(200)).await,
            Err(error) => bail!("{error}"),
        }
    }
}

/// One value of each property, so that every row is there.
pub(super) async fn fill(plan: &Plan, stack: &Stack) -> anyhow::Result<()> {
    let client = Client::connect(stack, "fill", &[]).await?;
    for device in 0..plan.devices {
        client.handle.publish_acked(&topic(device), body(plan, 0, 1.0), false).await?;
    }
    client.close().await;
    equal(plan, stack, 1.0, Instant::now() + DEADLINE).await.map(|_| ())
}

pub(super) struct FlatOut {
    pub(super) updates: u64,
    pub(super) took: Duration,
    pub(super) gateway_cpu: Duration,
    pub(super) peak_kib: u64,
    pub(super) equal: usize,
    pub(super) cloud_lag: Duration,
    pub(super) cloud_rows: u64,
}

/// Publishes as fast as it is taken. Timed from the first message until the answer to the last is there: an answer is
/// sent after the commit.
pub(super) async fn flat_out(plan: &Plan, stack: &Stack, qos: Qos, last: f64) -> anyhow::Result<FlatOut> {
    let answered = Arc::new(AtomicU64::new(0));
    let mut listener =
        Client::connect(stack, "answers", &["$hw/events/device/+/+/twin/update/result"]).await?;
    let rows_before = cloud_seq(stack).await?;
    let cpu_before = stack.gateway.cpu()?;
    let started = Instant::now();
    let until = started + Duration::from_secs(plan.seconds);
    let mut publishers: JoinSet<anyhow::Result<u64>> = JoinSet::new();
    let mut clients = Vec::new();
    for number in 0..plan.publishers {
        let client = Client::connect(stack, &format!("load-{number}"), &[]).await?;
        let (handle, plan) = (client.handle.clone(), *plan);
        clients.push(client);
        publishers.spawn(async move {
            let mine: Vec<usize> = (0..plan.devices).filter(|d| d % plan.publishers == number).collect();
            let mut sent = 0;
            while Instant::now() < until {
                for device in &mine {
                    publish(&handle, &topic(*device), &body(&plan, sent, (sent % 1000) as f64), qos).await?;
                    sent += 1;
                }
            }
            for device in &mine {
                publish(&handle, &topic(*device), &body(&plan, u64::MAX, last), qos).await?;
                sent += 1;
            }
            Ok(sent)
        });
    }
    let mut peak_kib = 0;
    let mut sent = None;
    let mut last_answer = started;
    let mut total = 0;
    let mut errors = 0_u64;
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    let deadline = until + DEADLINE;
    while sent != Some(answered.load(Ordering::Relaxed)) {
        ensure!(Instant::now() < deadline, "{} of {sent:?} answers came", answered.load(Ordering::Relaxed));
        tokio::select! {
            Some((_, payload, at)) = listener.messages.recv() => {
                answered.fetch_add(1, Ordering::Relaxed);
                last_answer = at;
                errors += u64::from(payload.windows(7).any(|w| w == b"\"code\":"));
            }
            Some(done) = publishers.join_next() => {
                total += done??;
                if publishers.is_empty() {
                    sent = Some(total);
                }
            }
            _ = tick.tick() => peak_kib = peak_kib.max(stack.gateway.rss_kib()?),
        }
    }
    ensure!(errors == 0, "{errors} updates were refused");
    let took = last_answer - started;
    let gateway_cpu = stack.gateway.cpu()? - cpu_before;
    let equal = equal(plan, stack, last, Instant::now() + DEADLINE).await?;
    let cloud_lag = last_answer.elapsed();
    let cloud_rows = cloud_seq(stack).await? - rows_before;
    for client in clients {
        client.close().await;
    }
    listener.close().await;
    let updates = total * plan.properties as u64;
    Ok(FlatOut { updates, took, gateway_cpu, peak_kib, equal, cloud_lag, cloud_rows })
}

/// Waits until the cloud shows `value` for every property; gives how many do.
async fn equal(plan: &Plan, stack: &Stack, value: f64, deadline: Instant) -> anyhow::Result<usize> {
    let all = plan.devices * plan.properties;
    let mut device = 0;
    while device < plan.devices {
        let path = format!("/api/v1/nodes/bench/devices/default/dev-{device}/twin");
        let (status, body) = stream::get(stack.rest, &path).await?;
        let twin: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let right = (0..plan.properties).all(|p| {
            let found = twin["properties"][format!("p{p}")]["reported"]["value"].as_f64();
            found.is_some_and(|found| (found - value - p as f64).abs() < 1e-9)
        });
        if status == 200 && right {
            device += 1;
        } else if Instant::now() > deadline {
            return Ok(device * plan.properties);
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    Ok(all)
}

/// How many changes the cloud has committed so far.
async fn cloud_seq(stack: &Stack) -> anyhow::Result<u64> {
    let mut since = 0;
    loop {
        let (_, body) = stream::get(stack.rest, &format!("/api/v1/changes?since={since}&limit=1000")).await?;
        let page: serde_json::Value = serde_json::from_slice(&body)?;
        since = page["next"].as_u64().with_context(|| format!("no next in {page}"))?;
        if page["more"] != true {
            return Ok(since);
        }
    }
}

pub(super) struct Latency {
    pub(super) edge: Vec<Duration>,
    pub(super) cloud: Vec<Duration>,
}

/// Publishes one property a message at a steady rate; each value is told apart by its number.
pub(super) async fn latency(plan: &Plan, stack: &Stack) -> anyhow::Result<Latency> {
    let mut client = Client::connect(stack, "latency", &["$hw/events/device/+/+/twin/update/result"]).await?;
    let since = cloud_seq(stack).await?;
    let (sink, mut cloud_events) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(stream::events(stack.rest, format!("/api/v1/events?since={since}"), sink));
    let count = plan.rate * 10;
    let mut sent_at: HashMap<u64, Instant> = HashMap::new();
    let mut waiting_cloud: HashMap<u64, Instant> = HashMap::new();
    let (mut edge, mut cloud) = (Vec::new(), Vec::new());
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / plan.rate as f64));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut number = 0_u64;
    let deadline = Instant::now() + Duration::from_secs(10) + DEADLINE;
    let mut quiet = Instant::now();
    while number < count
        || (quiet.elapsed() < Duration::from_secs(2) && !(sent_at.is_empty() && waiting_cloud.is_empty()))
    {
        ensure!(Instant::now() < deadline, "the latency run does not end");
        tokio::select! {
            biased;
            Some((_, payload, at)) = client.messages.recv() => {
                quiet = Instant::now();
                let answer: serde_json::Value = serde_json::from_slice(&payload)?;
                let id = answer["event_id"].as_str().and_then(|id| id.parse::<u64>().ok());
                if let Some(sent) = id.and_then(|id| sent_at.remove(&id)) {
                    edge.push(at - sent);
                }
            }
            Some(event) = cloud_events.recv() => {
                quiet = Instant::now();
                let value = event["property_now"]["reported"]["value"].as_f64();
                if let Some(sent) = value.and_then(|value| waiting_cloud.remove(&(value as u64))) {
                    cloud.push(sent.elapsed());
                }
            }
            _ = tick.tick(), if number < count => {
                let n = number as usize;
                let (device, property) = (n % plan.devices, n / plan.devices % plan.properties);
                let value = 1_000_000 + number;
                let body = format!(
                    "{{\"event_id\":\"{number}\",\"twin\":{{\"p{property}\":{{\"actual\":{{\"value\":\"{value}\"}}}}}}}}"
                );
                let now = Instant::now();
                sent_at.insert(number, now);
                waiting_cloud.insert(value, now);
                publish(&client.handle, &topic(device), body.as_bytes(), Qos::AtLeastOnce).await?;
                number += 1;
                quiet = now;
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
    ensure!(sent_at.is_empty(), "{} updates were never answered", sent_at.len());
    client.close().await;
    drop(cloud_events);
    tasks.shutdown().await;
    Ok(Latency { edge, cloud })
}
