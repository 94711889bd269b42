//! The driver against a server that others wrote: asyncua, from a virtual environment.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{PATIENCE, Server, float, values, variable};
use config::{NoSecrets, Source, load};
use mapper_sdk::{Driver as _, Fault, Session as _, Verdict, Watch};
use opcua::browse::{Wanted, browse, yaml};
use opcua::sim::{SimFault, SimWire};
use opcua::{Link, Mode, OpcUa, OpcUaSession, Point, Security, SecurityMode};
use serde_json::json;
use twin_core::{Value, Why};

fn types(name: &str) -> Point {
    variable(&format!("Types.{name}"))
}

#[tokio::test]
async fn all_types_are_read() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let expected = [
        ("Boolean", Value::Bool(true)),
        ("SByte", Value::Int(-5)),
        ("Byte", Value::Int(250)),
        ("Int16", Value::Int(-3000)),
        ("UInt16", Value::Int(60_000)),
        ("Int32", Value::Int(-70_000)),
        ("UInt32", Value::Int(4_000_000_000)),
        ("Int64", Value::Int(-5_000_000_000)),
        ("UInt64", Value::Int(5_000_000_000)),
        ("Float", float(0.1)),
        ("Double", float(0.25)),
        ("String", Value::String("pump".into())),
        ("ByteString", Value::Bytes(vec![1, 2, 255])),
        ("LocalizedText", Value::String("warm".into())),
        ("Array", Value::Json(json!([1, 2, 3, 4]))),
        ("Motor", Value::Json(json!({"Speed": 12.5, "Name": "M1", "Phases": [1, 2, 3]}))),
    ];
    let points: Vec<Point> = expected.iter().map(|(name, _)| types(name)).collect();
    let found = values(&mut session, &points).await;
    for ((name, value), found) in expected.into_iter().zip(found) {
        assert_eq!(found, Ok(value), "{name}");
    }
    session.close().await;
}

#[tokio::test]
async fn every_policy_mode_and_identity_is_spoken() {
    let Some(server) = Server::start().await else { return };
    server.trust();
    let secured = |security, mode| Link { mode: Some(mode), ..server.link().with_security(security) };
    let mut links = vec![server.link()];
    for security in [Security::Basic256sha256, Security::Aes128, Security::Aes256] {
        for mode in [SecurityMode::Sign, SecurityMode::SignAndEncrypt] {
            links.push(secured(security, mode));
        }
    }
    let user =
        |link: Link| Link { user: Some("gw".into()), password: Some(config::Secret::new("secret")), ..link };
    // The user's certificate is any that the server knows: here a copy of the gateway's own.
    std::fs::copy(server.data.path().join("own/cert.der"), server.folder().join("user.der")).unwrap();
    let path = |name: &str| Some(server.data.path().join(name).display().to_string());
    let owner = |link: Link| Link { certificate: path("own/cert.der"), key: path("own/key.pem"), ..link };
    let with_names: Vec<Link> = links.iter().cloned().map(user).collect();
    let with_certificates: Vec<Link> = links[1..].iter().cloned().map(owner).collect();
    for link in links.into_iter().chain(with_names).chain(with_certificates) {
        let mut session = match server.driver.connect(&link).await {
            Ok(session) => session,
            Err(fault) => {
                panic!("{} {:?} {:?} {:?}: {fault}", link.security, link.mode, link.user, link.certificate)
            }
        };
        let points = [variable("Boiler.Serial")];
        assert_eq!(values(&mut session, &points).await, [Ok(Value::String("TW-4711".into()))]);
        session.write(&variable("Boiler.Setpoint"), &float(61.5)).await.unwrap();
        session.close().await;
    }
}

#[tokio::test]
async fn a_server_that_shows_its_issuer_too_is_trusted_by_its_own_certificate() {
    let Some(server) = Server::start_with(&["chain"]).await else { return };
    let fault = server.driver.connect(&Link::to(&server.url())).await.unwrap_err();
    let leaf = std::fs::read(server.folder().join("cert.der")).unwrap();
    let thumbprint = opcua::pki::Certificate::parse(&leaf).unwrap().thumbprint;
    let command = format!("twinspan opcua trust accept {thumbprint}");
    assert!(matches!(&fault, Fault::Denied(text) if text.contains(&command)), "{fault}");
    server.trust();
    let secured = |security, mode| Link { mode: Some(mode), ..server.link().with_security(security) };
    let user = Link {
        user: Some("gw".into()),
        password: Some(config::Secret::new("secret")),
        ..secured(Security::Basic256sha256, SecurityMode::SignAndEncrypt)
    };
    let links = [
        server.link(),
        secured(Security::Basic256sha256, SecurityMode::Sign),
        secured(Security::Aes128, SecurityMode::SignAndEncrypt),
        secured(Security::Aes256, SecurityMode::SignAndEncrypt),
        user,
    ];
    for link in links {
        let connected = server.driver.connect(&link).await;
        let mut session =
            connected.unwrap_or_else(|fault| panic!("{} {:?}: {fault}", link.security, link.user));
        let points = [variable("Boiler.Serial")];
        assert_eq!(values(&mut session, &points).await, [Ok(Value::String("TW-4711".into()))]);
        session.close().await;
    }
}

#[tokio::test]
async fn an_untrusted_server_is_named_with_the_command_that_mends_it() {
    let Some(server) = Server::start().await else { return };
    let link = Link::to(&server.url());
    let fault = server.driver.connect(&link).await.unwrap_err();
    let list = OpcUa::trust_list(server.data.path()).unwrap();
    let thumbprint = list.entries().unwrap()[0].certificate.thumbprint.clone();
    let command = format!("twinspan opcua trust accept {thumbprint}");
    assert!(
        matches!(&fault, Fault::Denied(text) if text.contains(&command) && text.chars().count() <= 200),
        "{fault}"
    );
    let standing = opcua::pki::Standing::Trusted;
    list.decide(&thumbprint, standing).unwrap();
    server.driver.connect(&link).await.unwrap().close().await;
    list.decide(&thumbprint, opcua::pki::Standing::Rejected).unwrap();
    let fault = server.driver.connect(&link).await.unwrap_err();
    assert!(fault.to_string().contains("rejected"), "{fault}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_a_fault_of_its_own() {
    let Some(server) = Server::start().await else { return };
    server.trust();
    let link = Link::to(&format!("opc.tcp://localhost:{}", server.port()));
    let fault = server.driver.connect(&link).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Denied(text) if text.contains("names 127.0.0.1, not localhost")),
        "{fault}"
    );
    let link = Link { check_host: false, ..link };
    server.driver.connect(&link).await.unwrap().close().await;
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_not_tried_again_and_again() {
    let Some(server) = Server::start().await else { return };
    server.trust();
    let password = Some(config::Secret::new("wrong"));
    let link = Link { user: Some("gw".into()), password, ..Link::to(&server.url()) };
    for _ in 0..20 {
        let fault = server.driver.connect(&link).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Denied(text) if text.contains("check `user` and `password`")),
            "{fault}"
        );
    }
    let logins = std::fs::read_to_string(server.folder().join("logins")).unwrap();
    assert_eq!(logins.lines().filter(|user| *user == "gw").count(), 1);
}

#[tokio::test]
async fn what_a_point_has_instead_of_a_value_is_its_own_fault() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let points = [
        variable("Boiler.Serial"),
        variable("Nothing"),
        types("Nan"),
        types("Failed"),
        Point::node("nsu=urn:elsewhere;s=X"),
        types("Uncertain"),
    ];
    let samples = session.read(&points).await.unwrap();
    assert_eq!(samples[0].value, Ok(Value::String("TW-4711".into())));
    assert_eq!(samples[1].value, Err(Fault::Refused("BadNodeIdUnknown".into())));
    assert_eq!(samples[2].value, Err(Fault::NotAValue("NaN".into())));
    assert_eq!(samples[3].value, Err(Fault::Busy("BadSensorFailure".into())));
    let fault = samples[4].value.clone().unwrap_err();
    assert!(fault.to_string().contains("http://example.org/plant"), "{fault}");
    assert_eq!(fault.verdict(), Verdict::GiveUpOnPoint);
    assert_eq!(samples[5].value, Ok(float(1.5)));
    assert_eq!(samples[5].doubt, Some(Why::Other("UncertainLastUsableValue".into())));
    assert_eq!(samples[0].doubt, None);
}

#[tokio::test]
async fn what_is_written_takes_the_type_of_the_node() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let names = BTreeMap::from([(0, "open".to_owned()), (7, "shut".to_owned())]);
    let range = |range: &str| Point { index_range: Some(range.into()), ..types("Array") };
    let writes = [
        (variable("Boiler.Setpoint"), Value::Int(70)),
        (types("Byte"), Value::Int(7)),
        (types("Int16"), float(-12.0)),
        (types("Float"), float(1.1)),
        (types("Boolean"), Value::Int(0)),
        (types("String"), Value::String("grün".into())),
        (types("ByteString"), Value::Bytes(vec![9, 8])),
        (types("LocalizedText"), Value::String("cold".into())),
        (types("Array"), Value::Json(json!([9, 8, 7, 6]))),
        (Point { server_enum: true, ..types("Mode") }, Value::String("cooling".into())),
        (Point { names, ..types("UInt16") }, Value::String("shut".into())),
    ];
    for (point, value) in &writes {
        session.write(point, value).await.unwrap_or_else(|fault| panic!("{}: {fault}", point.node));
        let found = values(&mut session, std::slice::from_ref(point)).await.remove(0).unwrap();
        let same = if *value == Value::Int(0) { Value::Bool(false) } else { value.clone() };
        assert!(
            found.matches(&same, None) || found.as_number() == same.as_number(),
            "{}: {found:?}",
            point.node
        );
    }
    assert_eq!(values(&mut session, &[types("Mode")]).await, [Ok(Value::Int(2))]);
    assert_eq!(
        values(&mut session, &[types("UInt16"), range("1:2")]).await,
        [Ok(Value::Int(7)), Ok(Value::Json(json!([8, 7])))]
    );
    for (point, value) in [
        (types("Byte"), Value::Int(256)),
        (types("Int32"), Value::String("x".into())),
        (Point { server_enum: true, ..types("Mode") }, Value::String("flying".into())),
        (types("Array"), Value::Int(1)),
    ] {
        let fault = session.write(&point, &value).await.unwrap_err();
        assert!(matches!(fault, Fault::Unsuitable(_)), "{}: {fault}", point.node);
    }
    let fault = session.write(&variable("Boiler.Serial"), &Value::String("x".into())).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::GiveUpOnPoint, "{fault}");
}

#[tokio::test]
async fn enumerations_have_the_names_of_the_server() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let named = |name: &str| Point { server_enum: true, ..types(name) };
    let found = values(&mut session, &[named("Mode"), named("State")]).await;
    assert_eq!(found, ["heating", "Failed"].map(|name| Ok(Value::String(name.into()))));
}

#[tokio::test]
async fn a_method_is_called_by_writing() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let method = Some("nsu=http://example.org/plant;s=Boiler.Start".to_owned());
    let start = Point { method, ..variable("Boiler") };
    session.write(&start, &Value::Json(json!([1.5, "fast"]))).await.unwrap();
    let begun = Instant::now();
    let called = [variable("Boiler.Called")];
    while values(&mut session, &called).await != [Ok(Value::String("[(1.5, 'fast')]".into()))] {
        assert!(begun.elapsed() < PATIENCE, "{:?}", values(&mut session, &called).await);
    }
    let fault = session.write(&start, &Value::Json(json!([1.5]))).await.unwrap_err();
    assert!(fault.to_string().contains("takes 2 arguments [speed, name], not 1"), "{fault}");
    let fault = session.write(&start, &Value::Json(json!(["x", "y"]))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unsuitable(text) if text.contains("`speed`")), "{fault}");
}

fn watch(points: &[Point], every: Duration) -> Vec<Watch<Point>> {
    points.iter().map(|point| Watch { point: point.clone(), every }).collect()
}

/// Waits until each of the points has been told with this value.
async fn told(session: &mut OpcUaSession, expected: &[(Point, Value)]) {
    let mut missing: BTreeMap<Point, Value> = expected.iter().cloned().collect();
    let all = async {
        while !missing.is_empty() {
            let sample = session.changed().await.unwrap();
            if missing.get(sample.point).is_some_and(|value| sample.value.as_ref() == Ok(value)) {
                missing.remove(sample.point);
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await.is_ok();
    assert!(in_time, "{} points were not told, {:?} is one", missing.len(), missing.first_key_value());
}

#[tokio::test]
async fn a_thousand_points_are_told_of_and_read_without_asking() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let points: Vec<Point> = (0..1000).map(|n| variable(&format!("Many.{n}"))).collect();
    session.watch(&watch(&points, Duration::from_millis(500))).await.unwrap();
    let expected =
        |add: i64| (0..).zip(&points).map(|(n, p)| (p.clone(), Value::Int(n + add))).collect::<Vec<_>>();
    told(&mut session, &expected(0)).await;
    let mut other = server.session(&server.link()).await;
    other.write(&variable("Control.Count"), &Value::Int(5000)).await.unwrap();
    told(&mut session, &expected(5000)).await;
    let found = values(&mut session, &points).await;
    assert_eq!(found, (0..1000).map(|n| Ok(Value::Int(n + 5000))).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_written_point_reads_back_as_the_server_holds_it() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let points = [variable("Boiler.Setpoint")];
    session.watch(&watch(&points, Duration::from_secs(1))).await.unwrap();
    for number in 0..10 {
        let value = float(f64::from(number) + 0.5);
        session.write(&points[0], &value).await.unwrap();
        assert_eq!(values(&mut session, &points).await, [Ok(value)]);
    }
}

#[tokio::test]
async fn a_deleted_node_is_bad_and_good_again_when_it_is_back() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let (flaky, remove) = (variable("Boiler.Flaky"), variable("Control.Remove"));
    let points = [flaky.clone(), variable("Boiler.Serial")];
    session.watch(&watch(&points, Duration::from_millis(200))).await.unwrap();
    told(&mut session, &[(flaky, Value::Int(7))]).await;
    let mut other = server.session(&server.link()).await;
    for (gone, expected) in [(true, None), (false, Some(Value::Int(8)))] {
        other.write(&remove, &Value::Bool(gone)).await.unwrap();
        let begun = Instant::now();
        loop {
            let found = values(&mut session, &points).await;
            assert_eq!(found[1], Ok(Value::String("TW-4711".into())));
            if found[0].clone().ok() == expected {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{found:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_forgets_its_subscriptions_loses_the_session_in_time() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let points = [variable("Boiler.Serial")];
    session.watch(&watch(&points, Duration::from_millis(200))).await.unwrap();
    told(&mut session, &[(points[0].clone(), Value::String("TW-4711".into()))]).await;
    session.write(&variable("Control.Forget"), &Value::Bool(true)).await.unwrap();
    let lost = async {
        loop {
            if let Err(fault) = session.changed().await {
                break fault;
            }
        }
    };
    let fault = tokio::time::timeout(PATIENCE, lost).await.unwrap();
    assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
    server.session(&server.link()).await.watch(&watch(&points, Duration::from_millis(200))).await.unwrap();
}

#[tokio::test]
async fn a_polled_point_is_not_told_of() {
    let Some(server) = Server::start().await else { return };
    let mut session = server.session(&server.link()).await;
    let point = Point { mode: Mode::Poll, ..variable("Boiler.Temp") };
    session.watch(&watch(std::slice::from_ref(&point), Duration::from_millis(100))).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_secs(1), session.changed());
    assert!(quiet.await.is_err());
    assert!(values(&mut session, &[point]).await[0].is_ok());
}

#[tokio::test]
async fn a_restarted_server_is_back_with_the_next_session_though_its_namespaces_moved() {
    let Some(mut server) = Server::start().await else { return };
    let points = [variable("Boiler.Serial")];
    for round in 0..3 {
        let mut session = server.session(&server.link()).await;
        session.watch(&watch(&points, Duration::from_millis(200))).await.unwrap();
        told(&mut session, &[(points[0].clone(), Value::String("TW-4711".into()))]).await;
        server.kill();
        let lost = tokio::time::timeout(PATIENCE, async { while session.changed().await.is_ok() {} }).await;
        assert!(lost.is_ok(), "the end of the server must be noticed");
        let fault = session.read(&points).await.unwrap_err();
        assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
        server.arguments = if round % 2 == 0 { vec!["moved".into()] } else { Vec::new() };
        server.restart();
    }
    server.session(&server.link()).await.close().await;
}

/// Source times that are an hour ahead, run backwards, are none, or lie in other centuries.
#[tokio::test]
async fn a_clock_that_is_wrong_is_data_and_never_order() {
    let Some(server) = Server::start().await else { return };
    let names = ["Ahead", "Backwards", "None", "Ancient", "Future"];
    let points = names.map(|name| variable(&format!("Clock.{name}")));
    let mut session = server.session(&server.link()).await;
    session.watch(&watch(&points, Duration::from_millis(100))).await.unwrap();
    let mut seen: BTreeMap<Point, Vec<(Value, Option<i64>)>> = BTreeMap::new();
    let begun = Instant::now();
    while seen.len() < points.len() || seen.values().any(|told| told.len() < 5) {
        assert!(begun.elapsed() < PATIENCE, "{seen:?}");
        let sample = tokio::time::timeout(PATIENCE, session.changed()).await.unwrap().unwrap();
        assert_eq!(sample.doubt, None, "a time is no reason for doubt");
        let time = sample.source_time.map(|time| time.as_millis());
        let told = seen.entry(sample.point.clone()).or_default();
        told.push((sample.value.unwrap(), time));
    }
    for told in seen.values() {
        let numbers: Vec<f64> = told.iter().filter_map(|(value, _)| value.as_number()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "as they came: {told:?}");
    }
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let last = |place: usize| seen[&points[place]].last().unwrap().1;
    assert!(last(0).unwrap() > now + 3_000_000, "{seen:?}");
    let backwards: Vec<_> = seen[&points[1]].iter().map(|(_, time)| time.unwrap()).collect();
    assert!(backwards.windows(2).all(|pair| pair[0] > pair[1]), "{backwards:?}");
    assert_eq!(last(2), None, "the first moment of 1601 means that there is no time");
    assert_eq!(last(3), Some(-11_631_427_200_000));
    assert_eq!(last(4), Some(32_472_144_000_000));
    // Asked, it says the same.
    let asked = session.read(&points).await.unwrap();
    assert_eq!(asked[3].source_time.map(|time| time.as_millis()), last(3));
    assert!(asked.iter().all(|sample| sample.value.is_ok() && sample.doubt.is_none()));
}

#[tokio::test]
async fn a_connection_that_is_cut_in_any_way_is_noticed_in_time_and_the_next_one_is_sound() {
    let Some(server) = Server::start().await else { return };
    let wire = SimWire::bind(([127, 0, 0, 1], server.port()).into()).await.unwrap();
    let url = format!("opc.tcp://{}", wire.address());
    let link = Link { url, ..server.link().with_timeout(Duration::from_secs(3)) };
    let fault_of = wire.fault();
    let mut task = tokio::task::JoinSet::new();
    task.spawn(wire.run());
    // Enough for messages that are longer than what the wire passes on at once.
    let mut points: Vec<Point> = (0..300).map(|n| variable(&format!("Many.{n}"))).collect();
    points.push(variable("Clock.Ahead"));
    for fault in [SimFault::Dropped, SimFault::Reset, SimFault::HalfOpen, SimFault::HalfClosed] {
        let mut session = server.session(&link).await;
        session.watch(&watch(&points, Duration::from_millis(200))).await.unwrap();
        session.changed().await.unwrap();
        fault_of.send_replace(fault);
        let begun = Instant::now();
        let lost = async {
            loop {
                if let Err(fault) = session.changed().await {
                    break fault;
                }
            }
        };
        let lost = tokio::time::timeout(PATIENCE, lost).await;
        let lost = lost.unwrap_or_else(|_| panic!("{fault:?} is not noticed"));
        assert_eq!(lost.verdict(), Verdict::Reconnect, "{fault:?}: {lost}");
        assert!(session.read(&points[..1]).await.is_err(), "{fault:?}: what was told is given for fresh");
        println!("{fault:?} is noticed after {} ms: {lost}", begun.elapsed().as_millis());
        let refused = server.driver.connect(&link).await;
        assert!(refused.is_err(), "{fault:?}");
        fault_of.send_replace(SimFault::None);
        let mut session = server.session(&link).await;
        assert_eq!(values(&mut session, &points[..1]).await.len(), 1);
        session.close().await;
    }
}

#[tokio::test]
async fn the_tree_is_shown_with_types_units_and_ranges_and_its_mapping_is_one_that_works() {
    let Some(server) = Server::start().await else { return };
    let wanted = Wanted { path: Some("Plant/Boiler".into()), ..Wanted::default() };
    let found = browse(&server.driver, &server.link(), &wanted).await.unwrap();
    let variable = |name: &str| {
        let node =
            found.iter().find(|found| found.path == [name]).unwrap_or_else(|| panic!("no {name}: {found:?}"));
        node.variable.clone().unwrap()
    };
    let temperature = variable("Temp");
    assert_eq!((temperature.data_type.as_str(), temperature.unit.as_str()), ("Double", "°C"));
    assert_eq!((temperature.range, temperature.writable), (Some((0.0, 120.0)), false));
    assert!(variable("Setpoint").writable);
    assert_eq!(variable("Serial").now, "TW-4711");

    for wanted in [
        wanted,
        Wanted { path: Some("Plant".into()), filter: Some("types".into()), ..Wanted::default() },
        Wanted { path: Some("nsu=http://example.org/plant;s=Types".into()), ..Wanted::default() },
    ] {
        let found = browse(&server.driver, &server.link(), &wanted).await.unwrap();
        let text = yaml(&found, &server.link(), wanted.path.as_deref());
        let whole = format!("gateway: {{node: demo}}\n{text}");
        let loaded = load(&[Source::new("found.yaml", &whole)], &[opcua::protocol()], &NoSecrets);
        let config = loaded.unwrap_or_else(|faults| panic!("{faults:?}\n{text}")).config;
        let device = config.devices.into_values().next().unwrap();
        let mut session = server.session(&server.link()).await;
        let mut read = 0;
        for (name, property) in &device.properties {
            let Some(point) = property.point::<Point>() else { panic!("{name}") };
            if !property.definition.access.readable() {
                continue;
            }
            if let Ok(value) = values(&mut session, std::slice::from_ref(point)).await.remove(0) {
                assert_eq!(value.value_type(), property.definition.value_type, "{name}");
                read += 1;
            }
        }
        assert!(read >= 3, "{text}");
    }
    let nowhere = Wanted { path: Some("Plant/Nothing".into()), ..Wanted::default() };
    let fault = browse(&server.driver, &server.link(), &nowhere).await.unwrap_err();
    assert!(fault.to_string().contains("Boiler"), "{fault}");
}
