//! The driver against the suite that all drivers pass.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::time::Duration;

use common::Network;
use mapper_sdk::conformance::{Rig, run_all};
use twin_core::Value;
use zigbee::sim::{Kind, NodeFault};
use zigbee::zcl::Scalar;
use zigbee::zcl::clusters::id;
use zigbee::{Link, Point, Zigbee};

const TIME_OUT: Duration = Duration::from_millis(200);

struct ZigbeeRig {
    driver: Zigbee,
    network: Network,
    step: u64,
}

impl ZigbeeRig {
    async fn new() -> Self {
        let network = Network::start(&[Kind::Bulb]).await;
        let mut rig = Self { driver: network.driver(), network, step: 0 };
        rig.change();
        rig
    }
}

impl Rig for ZigbeeRig {
    type Driver = Zigbee;

    fn driver(&self) -> &Zigbee {
        &self.driver
    }
    fn link(&self) -> Link {
        self.network.link(Kind::Bulb).with_timeout(TIME_OUT)
    }
    fn readable(&self) -> Vec<(Point, Value)> {
        let step = i64::try_from(self.step).unwrap();
        vec![
            (Point::named("on_off", "on_off"), Value::Bool(step % 2 == 1)),
            (Point::named("color_control", "color_temperature"), Value::Int(200 + step)),
            (Point::named("identify", "identify_time"), Value::Int(step)),
            (Point::named("basic", "model_identifier"), Value::String("SIM-BULB".into())),
        ]
    }
    fn missing(&self) -> Point {
        Point::named("color_control", "current_hue")
    }
    fn writable(&self) -> (Point, Value, Value) {
        (
            Point::named("basic", "location_description"),
            Value::String("hall".into()),
            Value::String("attic".into()),
        )
    }
    fn read_only(&self) -> Point {
        Point { data_type: Some("string".into()), ..Point::named("0", "4") }
    }
    fn held(&self) -> Value {
        match self.network.node(Kind::Bulb, |node| node.get(id::BASIC, 0x0010).cloned()) {
            Some(Scalar::Text(text)) => Value::String(text),
            other => panic!("{other:?}"),
        }
    }
    fn die(&mut self) {
        self.network.node(Kind::Bulb, |node| node.fault = NodeFault::Dead);
    }
    fn revive(&mut self) {
        self.network.node(Kind::Bulb, |node| node.fault = NodeFault::None);
    }
    fn answer_late(&mut self) {
        self.network.node(Kind::Bulb, |node| node.fault = NodeFault::Slow(TIME_OUT * 2));
    }
    fn change(&mut self) {
        self.step += 1;
        let step = self.step;
        self.network.node(Kind::Bulb, |node| {
            node.set(id::ON_OFF, 0, Scalar::Bool(step % 2 == 1));
            node.set(id::COLOR, 7, Scalar::Unsigned(200 + step));
            node.set(id::IDENTIFY, 0, Scalar::Unsigned(step));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_passes_the_suite() {
    run_all(&mut ZigbeeRig::new().await).await;
}
