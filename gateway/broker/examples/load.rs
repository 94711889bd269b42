//! How much the broker takes at rest, and how many messages a second go through the tap.
//!
//! `cargo run --release -p mqtt-broker --example load -- [PUBLISHERS] [MESSAGES_EACH] [TAP_WAITS_MICROSECONDS]`
#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mqtt_broker::{Access, Broker, BrokerSettings, Bytes, Principal, Qos, Tap};
use mqtt_link::{Event, LinkSettings, MqttLink};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Count {
    messages: AtomicU64,
    wait: Duration,
}

#[async_trait]
impl Tap for Count {
    async fn published(&self, _: &Principal, _: &str, _: Bytes, _: Qos) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        if !self.wait.is_zero() {
            tokio::time::sleep(self.wait).await;
        }
    }
    async fn refused(&self, _: &Principal, _: &str, _: Bytes) {}
}

#[tokio::main(worker_threads = 1)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let publishers = args.next().transpose()?.unwrap_or(4);
    let each = args.next().transpose()?.unwrap_or(20_000);
    let wait = Duration::from_micros(args.next().transpose()?.unwrap_or(0));

    println!("resident before the broker: {}", resident()?);
    let tap = Arc::new(Count { messages: AtomicU64::new(0), wait });
    let listen = ([127, 0, 0, 1], 0).into();
    let settings = BrokerSettings { listen, ..BrokerSettings::default() };
    let broker = Broker::start(settings, Arc::new(Access::default()), tap.clone()).await?;
    println!("resident at rest:           {}", resident()?);

    let stop = CancellationToken::new();
    let mut links = JoinSet::new();
    let mut senders = JoinSet::new();
    let body = Bytes::from_static(
        br#"{"event_id":"1","timestamp":1700000000000,"twin":{"t":{"actual":{"value":"21.5","typed":21.5}}}}"#,
    );
    let begun = Instant::now();
    for n in 0..publishers {
        let url = format!("mqtt://{}", broker.local_addr());
        let (link, handle, mut events) = MqttLink::connect(LinkSettings::new(&url, &format!("load-{n}")))?;
        links.spawn(link.run(stop.clone()));
        let body = body.clone();
        senders.spawn(async move {
            while events.next().await.is_some_and(|event| event != Event::Connected) {}
            let topic = format!("$hw/events/device/default/pump-{n}/twin/update");
            let mut waiting = JoinSet::new();
            for _ in 0..each {
                while waiting.len() >= 256 {
                    waiting.join_next().await;
                }
                let (handle, topic, body) = (handle.clone(), topic.clone(), body.clone());
                waiting.spawn(async move { handle.publish_acked(&topic, body, false).await });
            }
            while waiting.join_next().await.is_some() {}
        });
    }
    while senders.join_next().await.is_some() {}
    let took = begun.elapsed().as_secs_f64();
    let messages = tap.messages.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = messages as f64 / took;
    println!("{publishers} publishers, QoS 1, 256 on the way each, tap waits {wait:?}:");
    println!("{messages} messages in {took:.2} s: {rate:.0} a second, publishers in the same process");
    println!("resident after:             {}", resident()?);
    stop.cancel();
    while links.join_next().await.is_some() {}
    broker.close().await;
    println!("resident when closed:       {}", resident()?);
    Ok(())
}

fn resident() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: ?");
    Ok(line.trim_start_matches("VmRSS:").trim().to_owned())
}
