//! Sessions against everything that a network does: devices that sleep, report, join again and lie, and a coordinator
//! that fails.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::time::{Duration, Instant};

use common::{Network, until};
use mapper_sdk::{Driver as _, Fault, Session as _, Verdict, Watch};
use twin_core::Value;
use zigbee::sim::{CoordinatorFault, Kind, NodeFault};
use zigbee::zcl::Scalar;
use zigbee::zcl::clusters::id;
use zigbee::{Point, Zigbee, ZigbeeSession};

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

fn watch(point: Point) -> Watch<Point> {
    Watch { point, every: Duration::from_secs(1) }
}

fn temperature() -> Point {
    Point::named("temperature", "measured_value").reported_every(Duration::from_secs(2))
}

fn switch() -> Point {
    Point::named("on_off", "on_off").reported_every(Duration::from_secs(60))
}

async fn session(driver: &Zigbee, network: &Network, kind: Kind) -> ZigbeeSession {
    until("a session", async || driver.connect(&network.link(kind)).await.ok()).await
}

/// The next value of a point that is told within 20 s.
async fn told(session: &mut ZigbeeSession) -> (Point, Result<Value, Fault>) {
    let sample = tokio::time::timeout(Duration::from_secs(20), session.changed()).await;
    let sample = sample.expect("nothing was told").unwrap();
    (sample.point.clone(), sample.value)
}

async fn read(session: &mut ZigbeeSession, point: &Point) -> Result<Value, Fault> {
    let samples = session.read(std::slice::from_ref(point)).await?;
    samples.into_iter().next().unwrap().value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensor_that_sleeps_is_configured_when_it_listens_and_then_tells_its_changes() {
    let network = Network::start(&[Kind::Climate]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Climate).await;
    let fault = session.read(&[temperature()]).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::RetryLater, "nobody knows its values before it was heard: {fault}");
    session.watch(&[watch(temperature())]).await.unwrap();
    assert_eq!(told(&mut session).await, (temperature(), Ok(float(21.5))));
    assert_eq!(read(&mut session, &temperature()).await, Ok(float(21.5)));
    network.node(Kind::Climate, |node| node.set(id::TEMPERATURE, 0, Scalar::Signed(-320)));
    until("the change", async || {
        let (_, value) = told(&mut session).await;
        (value == Ok(float(-3.2))).then_some(())
    })
    .await;
    assert_eq!(network.node(Kind::Climate, |node| node.reporting()), [((id::TEMPERATURE, 0), (1, 2))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensor_that_sleeps_and_falls_silent_is_no_longer_believed() {
    let network = Network::start(&[Kind::Climate]).await;
    let driver = network.driver();
    let link = network.link(Kind::Climate).with_silence(Duration::from_secs(2));
    let mut session = driver.connect(&link).await.unwrap();
    session.watch(&[watch(Point::named("basic", "model_identifier")), watch(temperature())]).await.unwrap();
    assert!(told(&mut session).await.1.is_ok());
    let model = Point::named("basic", "model_identifier");
    until("the model", async || read(&mut session, &model).await.ok()).await;
    network.node(Kind::Climate, |node| node.fault = NodeFault::Dead);
    let fault = until("the fault", async || read(&mut session, &model).await.err()).await;
    assert!(matches!(fault, Fault::Unreachable(_)), "{fault}");
    network.node(Kind::Climate, |node| node.fault = NodeFault::None);
    until("its return", async || read(&mut session, &temperature()).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_waits_until_a_device_that_sleeps_asks_for_its_messages() {
    let network = Network::start(&[Kind::Thermostat]).await;
    let driver = network.driver();
    let link = |timeout| network.link(Kind::Thermostat).with_timeout(timeout);
    let mut hasty = driver.connect(&link(Duration::from_millis(700))).await.unwrap();
    let mut calm = driver.connect(&link(Duration::from_secs(6))).await.unwrap();
    let setpoint = Point::named("thermostat", "occupied_heating_setpoint");
    network.node(Kind::Thermostat, |node| node.poll_every = Some(Duration::from_secs(3)));
    // Once it has asked, the next time is later than the time-out.
    let polls = network.node(Kind::Thermostat, |node| node.polls);
    until("a poll", async || network.node(Kind::Thermostat, |node| node.polls > polls).then_some(())).await;
    let begun = Instant::now();
    hasty.write(&setpoint, &float(23.5)).await.unwrap();
    assert!(begun.elapsed() > Duration::from_millis(700), "it was heard after the first time-out");
    let held = network.node(Kind::Thermostat, |node| node.get(id::THERMOSTAT, 0x0012).cloned());
    assert_eq!(held, Some(Scalar::Signed(2350)));
    assert_eq!(read(&mut calm, &setpoint).await, Ok(float(23.5)), "it was heard just now, so it is asked");
    let refused = calm.write(&setpoint, &float(100.0)).await.unwrap_err();
    assert_eq!(refused.verdict(), Verdict::GiveUpOnPoint, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_to_a_device_that_never_wakes_is_bounded_and_tried_later() {
    let network = Network::start(&[Kind::Thermostat]).await;
    network.node(Kind::Thermostat, |node| node.fault = NodeFault::Dead);
    let driver = network.driver();
    let link = network.link(Kind::Thermostat).with_patience(Duration::from_secs(3));
    let mut session = driver.connect(&link.with_timeout(Duration::from_millis(500))).await.unwrap();
    let setpoint = Point::named("thermostat", "occupied_heating_setpoint");
    let begun = Instant::now();
    let fault = session.write(&setpoint, &float(19.0)).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::RetryLater, "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plug_says_its_own_scale_and_a_command_switches_it() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Plug).await;
    let power = Point::named("electrical_measurement", "active_power");
    let energy = Point::named("metering", "current_summation_delivered");
    assert_eq!(read(&mut session, &power).await, Ok(float(42.1)));
    assert_eq!(read(&mut session, &energy).await, Ok(float(12.345)));
    session.watch(&[watch(switch()), watch(power)]).await.unwrap();
    session.write(&switch(), &Value::Bool(false)).await.unwrap();
    assert_eq!(network.node(Kind::Plug, |node| node.get(id::ON_OFF, 0).cloned()), Some(Scalar::Bool(false)));
    assert_eq!(read(&mut session, &switch()).await, Ok(Value::Bool(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_not_overdue_answers_for_the_device() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Plug).await;
    session.watch(&[watch(switch())]).await.unwrap();
    read(&mut session, &switch()).await.unwrap();
    let asked = network.node(Kind::Plug, |node| node.requests);
    for _ in 0..10 {
        assert_eq!(read(&mut session, &switch()).await, Ok(Value::Bool(true)));
    }
    assert_eq!(network.node(Kind::Plug, |node| node.requests), asked);
    network.node(Kind::Plug, |node| node.set(id::ON_OFF, 0, Scalar::Bool(false)));
    assert_eq!(told(&mut session).await, (switch(), Ok(Value::Bool(false))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_is_enrolled_and_tells_when_the_door_opens() {
    let network = Network::start(&[Kind::Contact]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Contact).await;
    let open = Point::named("ias_zone", "alarm_1");
    let battery_low = Point::named("ias_zone", "battery_low");
    session.watch(&[watch(open.clone()), watch(battery_low.clone())]).await.unwrap();
    until("enrolment", async || {
        let state = network.node(Kind::Contact, |node| node.get(id::IAS_ZONE, 0).cloned());
        (state == Some(Scalar::Unsigned(1))).then_some(())
    })
    .await;
    network.node(Kind::Contact, |node| node.set(id::IAS_ZONE, 2, Scalar::Unsigned(0b1001)));
    let mut seen = Vec::new();
    while !(seen.contains(&open) && seen.contains(&battery_low)) {
        let (point, value) = told(&mut session).await;
        seen.extend((value == Ok(Value::Bool(true))).then_some(point));
    }
    assert_eq!(read(&mut session, &open).await, Ok(Value::Bool(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_joins_again_with_another_address_is_configured_again() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Plug).await;
    session.watch(&[watch(switch())]).await.unwrap();
    let ieee = network.ieee(Kind::Plug);
    network.sim.with(|mesh| {
        mesh.node(ieee).unwrap().forget_reporting();
        mesh.rejoin(ieee, true);
    });
    until("its reports", async || {
        network.node(Kind::Plug, |node| !node.reporting().is_empty()).then_some(())
    })
    .await;
    network.node(Kind::Plug, |node| node.set(id::ON_OFF, 0, Scalar::Bool(false)));
    until("the report", async || (told(&mut session).await.1 == Ok(Value::Bool(false))).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_resets_is_taken_up_again_with_its_network() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    for _ in 0..3 {
        let mut session = session(&driver, &network, Kind::Plug).await;
        session.watch(&[watch(switch())]).await.unwrap();
        assert_eq!(read(&mut session, &switch()).await, Ok(Value::Bool(true)));
        network.sim.with(zigbee::sim::Mesh::reset_coordinator);
        let lost = tokio::time::timeout(Duration::from_secs(10), session.changed()).await.unwrap();
        assert_eq!(lost.unwrap_err().verdict(), Verdict::Reconnect);
    }
    let mut session = session(&driver, &network, Kind::Plug).await;
    assert_eq!(read(&mut session, &switch()).await, Ok(Value::Bool(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_nobody_listened_is_not_answered_from_before() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    for on in [false, true, false] {
        let mut session = session(&driver, &network, Kind::Plug).await;
        session.watch(&[watch(switch())]).await.unwrap();
        assert_eq!(read(&mut session, &switch()).await, Ok(Value::Bool(!on)));
        session.close().await;
        network.node(Kind::Plug, |node| {
            node.forget_reporting();
            node.set(id::ON_OFF, 0, Scalar::Bool(on));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_frame_and_noise_on_the_link_cost_no_wrong_value() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let mut noisy = session(&driver, &network, Kind::Plug).await;
    network.sim.with(|mesh| mesh.set_coordinator_fault(CoordinatorFault::Noise));
    for _ in 0..20 {
        assert_eq!(read(&mut noisy, &switch()).await, Ok(Value::Bool(true)));
    }
    network.sim.with(|mesh| mesh.set_coordinator_fault(CoordinatorFault::Cut));
    let fault = read(&mut noisy, &switch()).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
    network.sim.with(|mesh| mesh.set_coordinator_fault(CoordinatorFault::None));
    // The end of the old link may be noticed a moment later than its fault: until then it is a fault again, never a value.
    let begun = Instant::now();
    loop {
        let mut session = session(&driver, &network, Kind::Plug).await;
        match read(&mut session, &switch()).await {
            Ok(value) => break assert_eq!(value, Value::Bool(true)),
            Err(fault) => assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "the link never came back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_says_nothing_is_a_fault_in_time() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Plug).await;
    network.sim.with(|mesh| mesh.set_coordinator_fault(CoordinatorFault::Silent));
    let begun = Instant::now();
    let fault = read(&mut session, &switch()).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_messages_and_late_routes_are_overcome() {
    let network = Network::start_empty(&[Kind::Plug, Kind::Bulb]).await;
    network.sim.with(|mesh| mesh.air.late_route = Duration::from_secs(3_600));
    // The interview asks until there is a route; nobody looks for one but a message that does not arrive.
    let admin = network.admin().await;
    let mut joined = 0;
    admin.admit(20, 2, |_, _| joined += 1).await.unwrap();
    admin.close(network.data_dir()).await.unwrap();
    assert_eq!(joined, 2);
    let driver = network.driver();
    let mut plug = session(&driver, &network, Kind::Plug).await;
    assert_eq!(read(&mut plug, &switch()).await, Ok(Value::Bool(true)));
    network.sim.with(|mesh| mesh.air.lost_per_mille = 150);
    let mut right = 0;
    for _ in 0..40 {
        match read(&mut plug, &switch()).await {
            Ok(value) => {
                assert_eq!(value, Value::Bool(true));
                right += 1;
            }
            Err(fault) => assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}"),
        }
    }
    assert!(right >= 20, "{right} of 40");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_where_a_number_should_be_is_no_value() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Plug).await;
    network.node(Kind::Plug, |node| node.fault = NodeFault::WrongType);
    assert!(matches!(read(&mut session, &switch()).await, Err(Fault::NotAValue(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_reports_neither_fills_the_memory_nor_hides_the_newest_value() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let mut session = session(&driver, &network, Kind::Plug).await;
    session.watch(&[watch(switch())]).await.unwrap();
    network.node(Kind::Plug, |node| node.fault = NodeFault::Flood);
    // Nobody listens meanwhile.
    until("a flood", async || network.node(Kind::Plug, |node| node.reports > 300).then_some(())).await;
    network.node(Kind::Plug, |node| node.set(id::ON_OFF, 0, Scalar::Bool(false)));
    until("the newest", async || (told(&mut session).await.1 == Ok(Value::Bool(false))).then_some(())).await;
    assert_eq!(read(&mut session, &switch()).await, Ok(Value::Bool(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_never_joined_is_named_with_the_command_that_mends_it() {
    let network = Network::start_empty(&[Kind::Plug]).await;
    let driver = network.driver();
    let fault = driver.connect(&network.link(Kind::Plug)).await.unwrap_err();
    assert!(matches!(&fault, Fault::Denied(text) if text.contains("twinspan zigbee permit-join")), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sessions_leave_nothing_behind() {
    let network = Network::start(&[Kind::Plug]).await;
    let driver = network.driver();
    let link = network.link(Kind::Plug);
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for _ in 0..1_000 {
        let mut session = driver.connect(&link).await.unwrap();
        session.watch(&[]).await.unwrap();
        session.close().await;
    }
    let mut session = driver.connect(&link).await.unwrap();
    assert_eq!(read(&mut session, &switch()).await, Ok(Value::Bool(true)));
    let after = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    // That of the port, and that which listens to operators.
    assert!(after <= before + 2, "{before} tasks before, {after} after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_removed_leaves_and_is_forgotten() {
    let network = Network::start(&[Kind::Plug]).await;
    let admin = network.admin().await;
    admin.remove(network.ieee(Kind::Plug), false).await.unwrap();
    assert!(admin.network().unwrap().devices.is_empty());
    admin.close(network.data_dir()).await.unwrap();
    until("its leaving", async || network.node(Kind::Plug, |node| node.nwk.is_none()).then_some(())).await;
}
