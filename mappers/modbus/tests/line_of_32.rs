//! A serial line with 32 units, one of which is dead, through the whole mapper.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so, and what was measured is shown")]

#[path = "../../sdk/tests/common/broker.rs"]
mod broker;
mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker::Broker;
use common::{Wire, pymodbus_line, python};
use config::{NoSecrets, Source, load};
use mapper_contract::{DeviceTopic, Topic, TwinUpdate};
use mapper_sdk::Mapper;
use modbus::Modbus;
use mqtt_link::{Event, Events, LinkSettings, MqttLink};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twin_core::{Quality, Value, ValueType};

const UNITS: u32 = 32;
const DEAD: u32 = 17;
/// Short enough that the line could not keep it, were the dead unit asked in every period.
const PERIOD: Duration = Duration::from_millis(500);
/// After so many periods the pauses before the dead unit have grown.
const SETTLING: u32 = 15;
const WINDOW: Duration = Duration::from_secs(10);

/// Every reading is reported: the silence that is allowed is shorter than the period.
fn yaml(port: &str) -> String {
    let mut text = format!(
        "gateway: {{node: line}}\nmodels:\n  meter:\n    parameters: {{unit: {{type: int}}}}\n    \
         modbus: {{rtu: \"{port}\", baud: 115200, parity: none, stop_bits: 1, unit: $(unit), timeout: 300ms}}\n    \
         properties:\n      level: {{type: int, every: {}ms, report: {{max_silence: 100ms}}, modbus: {{holding: 10}}}}\ndevices:\n",
        PERIOD.as_millis()
    );
    for unit in 1..=UNITS {
        text += &format!("  meter-{unit}: {{model: meter, with: {{unit: {unit}}}}}\n");
    }
    text
}

/// The next thing that a device says of its level, if any says something in time.
async fn next(events: &mut Events) -> Option<(u32, Option<Value>, Option<Quality>)> {
    let Event::Message { topic, payload, .. } = timeout(PERIOD, events.next()).await.ok()?? else {
        return None;
    };
    let Ok(Topic::Device(id, DeviceTopic::TwinUpdate)) = topic.parse() else { return None };
    let unit = id.to_string().rsplit_once('-')?.1.parse().ok()?;
    let mut update = TwinUpdate::parse(&payload).unwrap();
    let level = update.twin.remove(&"level".parse().unwrap())??;
    let value = level.actual.map(|held| held.value.decode(ValueType::Int).unwrap());
    Some((unit, value, level.quality))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_dead_unit_of_32_on_a_serial_line_the_others_keep_95_percent_of_their_period() {
    let (Some(broker), Some(wire), Some(python)) = (Broker::start(), Wire::start(), python()) else { return };
    let units: Vec<String> = (1..=UNITS).filter(|unit| *unit != DEAD).map(|unit| unit.to_string()).collect();
    let _peer = pymodbus_line(&python, &wire, "rtu", units.iter().map(String::as_str));
    let loaded = load(&[Source::new("line.yaml", yaml(&wire.ours()))], &[modbus::protocol()], &NoSecrets);
    let devices: Vec<_> = loaded.unwrap().config.devices.into_values().collect();

    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let mut settings = LinkSettings::new(&broker.url(), "gateway");
    settings.subscriptions = vec!["$hw/events/device/+/+/twin/update".to_owned()];
    let (link, _handle, mut events) = MqttLink::connect(settings).unwrap();
    let token = stop.clone();
    tasks.spawn(async move { link.run(token).await.unwrap() });
    while events.next().await.unwrap() != Event::Connected {}
    let mapper =
        Mapper::new(Modbus::default(), &devices, LinkSettings::new(&broker.url(), "mapper")).unwrap();
    let token = stop.clone();
    tasks.spawn(async move { mapper.run(token).await.unwrap() });

    let mut good: BTreeMap<u32, u32> = BTreeMap::new();
    let begun = Instant::now();
    while good.len() < units.len() || good.values().any(|count| *count < SETTLING) {
        assert!(begun.elapsed() < Duration::from_secs(60), "only these answer: {good:?}");
        if let Some((unit, Some(_), _)) = next(&mut events).await {
            *good.entry(unit).or_default() += 1;
        }
    }
    good.values_mut().for_each(|count| *count = 0);
    let window = Instant::now();
    while window.elapsed() < WINDOW {
        let Some((unit, value, quality)) = next(&mut events).await else { continue };
        if unit == DEAD {
            assert!(value.is_none() && quality.is_some_and(|q| !q.is_good()), "a dead unit has no value");
            continue;
        }
        let above = if unit == 1 { 0 } else { 1000 * i64::from(unit) };
        assert_eq!(value, Some(Value::Int(11 + above)), "of unit {unit}");
        *good.entry(unit).or_default() += 1;
    }
    let wanted = window.elapsed().as_secs_f64() / PERIOD.as_secs_f64();
    println!("readings in {wanted:.1} periods: {good:?}");
    assert_eq!(good.len(), units.len());
    for (unit, count) in good {
        // The window may begin and end in the middle of a period.
        let kept = f64::from(count + 1) / wanted;
        assert!(kept >= 0.95, "unit {unit} was read {count} times in {wanted:.1} periods");
    }
    stop.cancel();
    let ended = timeout(Duration::from_secs(10), async { while tasks.join_next().await.is_some() {} }).await;
    assert!(ended.is_ok(), "all must end in time");
}
