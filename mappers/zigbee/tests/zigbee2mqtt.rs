//! Devices behind a zigbee2mqtt, which here is a client of a real broker that says what zigbee2mqtt says.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../../sdk/tests/common/broker.rs"]
mod broker;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use broker::Broker;
use mapper_sdk::{Driver as _, Fault, Session as _, Verdict, Watch};
use mqtt_link::{Event, Handle, LinkSettings, MqttLink};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::{Value, Why};
use zigbee::zigbee2mqtt::{Link, Point, Zigbee2Mqtt, Zigbee2MqttSession};

const DEVICES: &str = include_str!("zigbee2mqtt/devices.json");

/// Says what zigbee2mqtt says, of a lamp and a sensor.
struct Double {
    handle: Handle,
    lamp: Arc<Mutex<Json>>,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Double {
    async fn start(broker: &Broker) -> Self {
        let mut settings = LinkSettings::new(&broker.url(), "zigbee2mqtt");
        settings.subscriptions = vec!["zigbee2mqtt/lamp/set".to_owned(), "zigbee2mqtt/lamp/get".to_owned()];
        let (link, handle, mut events) = MqttLink::connect(settings).unwrap();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let token = stop.clone();
        tasks.spawn(async move { link.run(token).await.unwrap() });
        while events.next().await.unwrap() != Event::Connected {}
        let lamp = Arc::new(Mutex::new(json!({"state": "OFF", "brightness": 100})));
        let (mine, held) = (handle.clone(), Arc::clone(&lamp));
        tasks.spawn(async move {
            while let Some(event) = events.next().await {
                let Event::Message { topic, payload, .. } = event else { continue };
                let body: Json = serde_json::from_slice(&payload).unwrap();
                if topic.ends_with("/set") {
                    if body.get("power_on_behavior").is_some() {
                        let line =
                            "z2m: Publish 'set' 'power_on_behavior' to 'lamp' failed: 'Error: no answer'";
                        let line = json!({"level": "error", "message": line}).to_string();
                        mine.publish_acked("zigbee2mqtt/bridge/logging", line, false).await.unwrap();
                        continue;
                    }
                    for (key, value) in body.as_object().unwrap() {
                        held.lock().unwrap()[key] = value.clone();
                    }
                }
                let state = held.lock().unwrap().to_string();
                mine.publish_acked("zigbee2mqtt/lamp", state, false).await.unwrap();
            }
        });
        let double = Self { handle, lamp, stop, _tasks: tasks };
        double.say("bridge/state", r#"{"state":"online"}"#, true).await;
        double.say("bridge/devices", DEVICES, true).await;
        double
    }

    async fn say(&self, topic: &str, body: &str, retain: bool) {
        self.handle.publish_acked(&format!("zigbee2mqtt/{topic}"), body.to_owned(), retain).await.unwrap();
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn session(driver: &Zigbee2Mqtt, broker: &Broker, device: &str) -> Zigbee2MqttSession {
    let link = Link::new(&broker.url(), device).with_timeout(Duration::from_secs(3));
    driver.connect(&link).await.unwrap()
}

async fn read(session: &mut Zigbee2MqttSession, property: &str) -> Result<Value, Fault> {
    let point = [Point::new(property)];
    let samples = session.read(&point).await?;
    samples.into_iter().next().unwrap().value
}

async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lamp_is_asked_written_and_watched() {
    let Some(broker) = Broker::start() else { return };
    let double = Double::start(&broker).await;
    let driver = Zigbee2Mqtt::default();
    let mut lamp = session(&driver, &broker, "0x000b57fffec6a5b2").await;
    assert_eq!(read(&mut lamp, "state").await, Ok(Value::Bool(false)), "nobody had told it: it was asked");
    lamp.write(&Point::new("brightness"), &Value::Int(200)).await.unwrap();
    lamp.write(&Point::new("state"), &Value::Bool(true)).await.unwrap();
    assert_eq!(*double.lamp.lock().unwrap(), json!({"state": "ON", "brightness": 200}));
    assert_eq!(read(&mut lamp, "brightness").await, Ok(Value::Int(200)));
    let refused = [
        (Point::new("linkquality"), Value::Int(1)),
        (Point::new("humidity"), Value::Int(1)),
        (Point::new("effect"), Value::String("dance".into())),
    ];
    for (point, value) in refused {
        let fault = lamp.write(&point, &value).await.unwrap_err();
        assert_eq!(fault.verdict(), Verdict::GiveUpOnPoint, "{point:?}: {fault}");
    }
    let behavior = Point::new("power_on_behavior");
    let failed = lamp.write(&behavior, &Value::String("on".into())).await.unwrap_err();
    assert!(failed.to_string().contains("no answer"), "{failed}");
    let every = Duration::from_secs(60);
    lamp.watch(&[Watch { point: Point::new("state"), every }]).await.unwrap();
    double.say("lamp", r#"{"state":"OFF"}"#, false).await;
    let told = tokio::time::timeout(Duration::from_secs(10), lamp.changed()).await.unwrap().unwrap();
    assert_eq!((told.point, told.value), (&Point::new("state"), Ok(Value::Bool(false))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_kept_is_doubted_until_the_device_speaks() {
    let Some(broker) = Broker::start() else { return };
    let double = Double::start(&broker).await;
    double.say("hall/climate", r#"{"temperature":27.34,"humidity":44.72,"battery":null}"#, true).await;
    let driver = Zigbee2Mqtt::default();
    let mut climate = session(&driver, &broker, "hall/climate").await;
    let point = [Point::new("temperature")];
    let doubt = async |climate: &mut Zigbee2MqttSession| {
        let sample = climate.read(&point).await.unwrap().remove(0);
        assert!(sample.value.is_ok() || matches!(sample.value, Err(Fault::NotTold(_))), "{:?}", sample.value);
        sample.value.ok().map(|_| sample.doubt)
    };
    let kept = until("the kept state", async || doubt(&mut climate).await).await;
    assert!(matches!(kept, Some(Why::Other(_))), "{kept:?}");
    assert!(matches!(read(&mut climate, "battery").await, Err(Fault::NotAValue(_))));
    double.say("hall/climate", r#"{"temperature":27.5}"#, false).await;
    until("the new value", async || (doubt(&mut climate).await == Some(None)).then_some(())).await;
    assert_eq!(read(&mut climate, "temperature").await, Ok(Value::float(27.5).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_offline_and_a_bridge_that_ends_are_faults_and_come_back() {
    let Some(mut broker) = Broker::start() else { return };
    let double = Double::start(&broker).await;
    let driver = Zigbee2Mqtt::default();
    let link = Link::new(&broker.url(), "lamp").with_timeout(Duration::from_millis(500));
    let mut lamp = until("a session", async || driver.connect(&link).await.ok()).await;
    for (topic, off, on) in [
        ("lamp/availability", r#"{"state":"offline"}"#, r#"{"state":"online"}"#),
        ("bridge/state", r#"{"state":"offline"}"#, r#"{"state":"online"}"#),
    ] {
        double.say(topic, off, true).await;
        let told = tokio::time::timeout(Duration::from_secs(10), lamp.changed()).await.unwrap();
        assert_eq!(told.unwrap_err().verdict(), Verdict::Reconnect);
        assert!(driver.connect(&link).await.is_err());
        double.say(topic, on, true).await;
        lamp = until("its return", async || driver.connect(&link).await.ok()).await;
        assert_eq!(read(&mut lamp, "state").await, Ok(Value::Bool(false)));
    }
    broker.kill();
    let fault = until("the fault", async || read(&mut lamp, "state").await.err()).await;
    assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
    broker.up();
    until("the double", async || double.handle.is_connected().then_some(())).await;
    double.say("bridge/state", r#"{"state":"online"}"#, true).await;
    double.say("bridge/devices", DEVICES, true).await;
    let mut lamp = until("a session", async || driver.connect(&link).await.ok()).await;
    assert_eq!(read(&mut lamp, "state").await, Ok(Value::Bool(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_zigbee2mqtt_does_not_have_is_named() {
    let Some(broker) = Broker::start() else { return };
    let _double = Double::start(&broker).await;
    let link = Link::new(&broker.url(), "garage").with_timeout(Duration::from_secs(3));
    let fault = Zigbee2Mqtt::default().connect(&link).await.unwrap_err();
    assert!(matches!(&fault, Fault::Denied(text) if text.contains("garage")), "{fault}");
}

/// The lamp for the suite that all drivers pass. What is said reaches a session some time later; the rig waits for a
/// session of its own to have heard it, which shares the connection with those of the suite.
struct LampRig {
    driver: Zigbee2Mqtt,
    link: Link,
    double: Double,
    observer: Zigbee2MqttSession,
    brightness: i64,
}

impl LampRig {
    fn wait(&mut self, act: impl AsyncFn(&Double), heard: impl Fn(&Result<Value, Fault>) -> bool) {
        let Self { double, observer, .. } = self;
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                act(double).await;
                until("what was said", async || heard(&read(observer, "brightness").await).then_some(()))
                    .await;
            });
        });
    }
}

impl mapper_sdk::conformance::Rig for LampRig {
    type Driver = Zigbee2Mqtt;

    fn driver(&self) -> &Zigbee2Mqtt {
        &self.driver
    }
    fn link(&self) -> Link {
        self.link.clone()
    }
    fn readable(&self) -> Vec<(Point, Value)> {
        let even = self.brightness % 2 == 0;
        vec![
            (Point::new("brightness"), Value::Int(self.brightness)),
            (Point::new("state"), Value::Bool(even)),
        ]
    }
    fn missing(&self) -> Point {
        Point::new("humidity")
    }
    fn writable(&self) -> (Point, Value, Value) {
        (Point::new("color_temp"), Value::Int(300), Value::Int(400))
    }
    fn read_only(&self) -> Point {
        Point::new("linkquality")
    }
    fn held(&self) -> Value {
        Value::Int(self.double.lamp.lock().unwrap()["color_temp"].as_i64().unwrap())
    }
    fn die(&mut self) {
        let say =
            async |double: &Double| double.say("lamp/availability", r#"{"state":"offline"}"#, true).await;
        self.wait(say, Result::is_err);
    }
    fn revive(&mut self) {
        let say =
            async |double: &Double| double.say("lamp/availability", r#"{"state":"online"}"#, true).await;
        self.wait(say, Result::is_ok);
    }
    /// A device that answers too late is one that zigbee2mqtt takes as offline.
    fn answer_late(&mut self) {
        self.die();
    }
    fn change(&mut self) {
        self.brightness = self.brightness % 250 + 1;
        let (brightness, even) = (self.brightness, self.brightness % 2 == 0);
        let state = if even { "ON" } else { "OFF" };
        {
            let mut lamp = self.double.lamp.lock().unwrap();
            lamp["brightness"] = json!(brightness);
            lamp["state"] = json!(state);
        }
        let body = json!({"brightness": brightness, "state": state}).to_string();
        let say = async move |double: &Double| double.say("lamp", &body, false).await;
        // A device that is offline is changed all the same, and nobody hears it.
        self.wait(say, |value| value.is_err() || *value == Ok(Value::Int(brightness)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_passes_the_suite() {
    let Some(broker) = Broker::start() else { return };
    let double = Double::start(&broker).await;
    let driver = Zigbee2Mqtt::default();
    let link = Link::new(&broker.url(), "lamp").with_timeout(Duration::from_secs(2));
    let observer = driver.connect(&link).await.unwrap();
    let mut rig = LampRig { driver, link, double, observer, brightness: 1 };
    mapper_sdk::conformance::Rig::change(&mut rig);
    mapper_sdk::conformance::run_all(&mut rig).await;
}
