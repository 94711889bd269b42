//! The driver against the suite that all drivers pass, and against every fault of the simulated server.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod running;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mapper_sdk::conformance::{Rig, run_all};
use mapper_sdk::{Driver as _, Session as _, Verdict, Watch};
use opcua::sim::{SimFault, SimPlant, SimVariable};
use opcua::{Link, Number, OpcUa, Point};
use opcua_types::Variant;
use running::{Running, TIME_OUT, point};
use twin_core::Value;

struct OpcUaRig {
    plant: Running,
    step: i32,
}

impl Rig for OpcUaRig {
    type Driver = OpcUa;

    fn driver(&self) -> &OpcUa {
        &self.plant.driver
    }
    fn link(&self) -> Link {
        self.plant.link()
    }
    fn readable(&self) -> Vec<(Point, Value)> {
        let step = i64::from(self.step);
        vec![
            (point("A.Int"), Value::Int(step)),
            (point("A.Double"), Value::float(f64::from(self.step) / 2.0).unwrap()),
            (point("B.Bool"), Value::Bool(step % 2 == 1)),
            (point("B.Text"), Value::String(format!("step {step}"))),
        ]
    }
    fn missing(&self) -> Point {
        point("Nothing")
    }
    fn writable(&self) -> (Point, Value, Value) {
        (point("A.Setpoint"), Value::float(1.5).unwrap(), Value::float(-2.25).unwrap())
    }
    fn read_only(&self) -> Point {
        point("A.Double")
    }
    fn held(&self) -> Value {
        Value::float(self.plant.server.value("A.Setpoint").as_f64().unwrap()).unwrap()
    }
    fn die(&mut self) {
        self.plant.server.set_fault(SimFault::Silent);
    }
    fn revive(&mut self) {
        self.plant.server.set_fault(SimFault::None);
    }
    fn answer_late(&mut self) {
        self.plant.server.set_fault(SimFault::Slow(TIME_OUT * 2));
    }
    fn change(&mut self) {
        self.step += 1;
        let step = self.step;
        self.plant.server.set([
            ("A.Int", Variant::Int32(step)),
            ("A.Double", Variant::Double(f64::from(step) / 2.0)),
            ("B.Bool", Variant::Boolean(step % 2 == 1)),
            ("B.Text", Variant::String(format!("step {step}").into())),
        ]);
    }
}

#[tokio::test]
async fn the_opcua_driver_does_what_every_driver_must() {
    let mut rig = OpcUaRig { plant: Running::start().await, step: 0 };
    rig.change();
    run_all(&mut rig).await;
}

fn watch(points: &[Point]) -> Vec<Watch<Point>> {
    points.iter().map(|point| Watch { point: point.clone(), every: Duration::from_millis(200) }).collect()
}

#[tokio::test]
async fn every_fault_of_the_wire_ends_the_session_and_the_next_one_is_sound() {
    let plant = Running::start().await;
    let points = [point("A.Int"), point("B.Text")];
    for (round, fault) in (1..).zip([
        SimFault::Silent,
        SimFault::Slow(TIME_OUT * 2),
        SimFault::Dropped,
        SimFault::Down,
        SimFault::Reset,
        SimFault::HalfOpen,
        SimFault::HalfClosed,
    ]) {
        let mut session = plant.driver.connect(&plant.link()).await.unwrap();
        session.watch(&watch(&points)).await.unwrap();
        session.read(&points).await.unwrap();
        plant.server.set_fault(fault);
        let begun = Instant::now();
        let lost = loop {
            if let Err(fault) = session.changed().await {
                break fault;
            }
        };
        assert_eq!(lost.verdict(), Verdict::Reconnect, "{fault:?}: {lost}");
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{fault:?} was noticed after {:?}",
            begun.elapsed()
        );
        assert!(session.read(&points).await.is_err(), "{fault:?}");
        plant.server.set_fault(SimFault::None);
        plant.server.set([("A.Int", Variant::Int32(round))]);
        let mut session = plant.driver.connect(&plant.link()).await.unwrap();
        let value = session.read(&points).await.unwrap()[0].value.clone();
        assert_eq!(value, Ok(Value::Int(round.into())), "after {fault:?}");
    }
}

#[tokio::test]
async fn what_was_told_is_not_given_for_fresh_when_the_server_has_gone_silent() {
    let plant = Running::start().await;
    let points = [point("A.Int")];
    let mut session = plant.driver.connect(&plant.link()).await.unwrap();
    session.watch(&watch(&points)).await.unwrap();
    assert!(session.changed().await.unwrap().value.is_ok());
    plant.server.set_fault(SimFault::Silent);
    let begun = Instant::now();
    while session.read(&points).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(8), "an old value is given for fresh");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_told_as_it_is() {
    let plant = Running::start().await;
    let points = [point("A.Int")];
    let mut session = plant.driver.connect(&plant.link()).await.unwrap();
    plant.server.set([("A.Int", Variant::String("broken".into()))]);
    assert_eq!(session.read(&points).await.unwrap()[0].value, Ok(Value::String("broken".into())));
}

#[tokio::test]
async fn a_flood_of_changes_ends_with_the_newest_value() {
    let plant = Running::start().await;
    let points = [point("A.Int"), point("A.Double")];
    let mut session = plant.driver.connect(&plant.link()).await.unwrap();
    session.watch(&watch(&points)).await.unwrap();
    for number in 0..20_000 {
        plant.server.set([("A.Int", Variant::Int32(number))]);
        if number % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let last = async {
        loop {
            let sample = session.changed().await.unwrap();
            if sample.value == Ok(Value::Int(19_999)) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), last).await.unwrap();
}

#[tokio::test]
async fn a_deadband_is_kept_by_the_server() {
    let plant = Running::start().await;
    let amount = Point { deadband: Some(Number(4.0)), ..point("A.Double") };
    let percent = Point { deadband_percent: Some(Number(10.0)), ..point("A.Double") };
    for point in [amount, percent] {
        plant.server.set([("A.Double", Variant::Double(0.0))]);
        let mut session = plant.driver.connect(&plant.link()).await.unwrap();
        session.watch(&watch(std::slice::from_ref(&point))).await.unwrap();
        let mut told = vec![session.changed().await.unwrap().value.unwrap().as_number().unwrap()];
        for step in 1..=30 {
            plant.server.set([("A.Double", Variant::Double(f64::from(step)))]);
            let next = tokio::time::timeout(Duration::from_millis(130), session.changed()).await;
            told.extend(next.ok().map(|sample| sample.unwrap().value.unwrap().as_number().unwrap()));
        }
        assert!(told.len() > 2 && told.windows(2).all(|pair| pair[1] - pair[0] > 4.0), "{told:?}");
        session.close().await;
    }
}

#[tokio::test]
async fn devices_with_the_same_link_share_a_session_and_one_that_closes_leaves_the_other() {
    let plant = Running::start().await;
    let mut one = plant.driver.connect(&plant.link()).await.unwrap();
    let mut two = plant.driver.connect(&plant.link()).await.unwrap();
    one.watch(&watch(&[point("A.Int")])).await.unwrap();
    two.watch(&watch(&[point("B.Text")])).await.unwrap();
    plant.connections(1).await;
    one.close().await;
    plant.server.set([("B.Text", Variant::String("still".into()))]);
    let told = async { while two.changed().await.unwrap().value != Ok(Value::String("still".into())) {} };
    tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
    two.close().await;
    plant.connections(0).await;
}

#[tokio::test]
async fn sessions_that_are_dropped_leave_nothing_behind() {
    let plant = Running::start().await;
    let points = [point("A.Int")];
    let rounds = std::env::var("TWINSPAN_RECONNECTS").ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut before = 0;
    for round in 0..rounds {
        let mut session = plant.driver.connect(&plant.link()).await.unwrap();
        session.watch(&watch(&points)).await.unwrap();
        session.read(&points).await.unwrap();
        if round % 3 == 0 {
            session.close().await;
        } else {
            // As after a fault: nobody says goodbye.
            drop(session);
        }
        if round == 5 {
            before = tasks();
        }
    }
    // The simulated server's own tasks end when it notices.
    let begun = Instant::now();
    while tasks() > before + 10 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} tasks, {before} before", tasks());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn the_plant_names_its_nodes_by_the_uri() {
    assert_eq!(SimPlant::node("A.Int"), "nsu=urn:twinspan:sim;s=A.Int");
}

/// Ten thousand points on a server that takes 250 in one request.
#[tokio::test]
async fn ten_thousand_points_are_watched_within_the_limits_of_the_server() {
    let plant = SimPlant::default();
    let names: Vec<String> = (0..10_000).map(|n| format!("Many.{n}")).collect();
    for name in &names {
        plant.add(name, SimVariable::new(Variant::Int32(0)));
    }
    let plant = Running::with(plant, Some(250)).await;
    let link = plant.link().with_timeout(Duration::from_secs(10));
    let mut session = plant.driver.connect(&link).await.unwrap();
    let points: Vec<Point> = names.iter().map(|name| point(name)).collect();
    session.watch(&watch(&points)).await.unwrap();
    for round in 0..2 {
        plant.server.set(names.iter().map(|name| (name.as_str(), Variant::Int32(round))));
        let mut missing: BTreeSet<&Point> = points.iter().collect();
        let told = async {
            while !missing.is_empty() {
                let sample = session.changed().await.unwrap();
                if sample.value == Ok(Value::Int(round.into())) {
                    missing.remove(sample.point);
                }
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), told).await.is_ok();
        assert!(in_time, "round {round}: {} were not told of", missing.len());
        let samples = session.read(&points).await.unwrap();
        assert!(samples.iter().all(|sample| sample.value == Ok(Value::Int(round.into()))));
    }
    session.close().await;
}
