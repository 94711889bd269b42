//! An operator's commands while a mapper holds the coordinator.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[expect(dead_code, reason = "every test uses a part of it")]
mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use common::{Network, until};
use mapper_sdk::{Driver as _, Session as _};
use twin_core::Value;
use zigbee::control::{Operator, OperatorFault};
use zigbee::host::load;
use zigbee::sim::Kind;
use zigbee::{Ieee, Point, Zigbee};

/// A mapper's driver that has opened the coordinator although its device has not joined.
async fn holding(network: &Network, kind: Kind) -> Zigbee {
    let driver = network.driver();
    assert!(driver.connect(&network.link(kind)).await.is_err(), "nobody has joined");
    driver
}

async fn operator(network: &Network) -> Operator {
    let place = network.coordinator.parse().unwrap();
    Operator::reach(place, 15, None, network.data_dir()).await.unwrap()
}

fn socket(network: &Network) -> PathBuf {
    let mut files = std::fs::read_dir(network.data_dir()).unwrap().map(|file| file.unwrap().path());
    files.find(|path| path.extension().is_some_and(|end| end == "sock")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_joins_while_the_mapper_runs_is_there_without_a_restart() {
    let network = Network::start_empty(&[Kind::Plug]).await;
    let driver = holding(&network, Kind::Plug).await;
    let ieee = network.ieee(Kind::Plug);
    let hands = operator(&network).await;
    assert!(matches!(hands, Operator::Gateway(_)), "{hands:?}");
    let mut joined = Vec::new();
    hands.admit(60, 1, |ieee, device| joined.push((ieee, device))).await.unwrap();
    let [(found, Ok(device))] = joined.as_slice() else { panic!("{joined:?}") };
    assert_eq!((*found, device.interviewed), (ieee, true));
    let (known, devices) = hands.devices().await.unwrap();
    let coordinator = known.unwrap().0;
    assert_eq!(devices.as_slice(), [(ieee, device.clone())]);
    // The mapper has it, and so has the disk.
    let mut session = driver.connect(&network.link(Kind::Plug)).await.unwrap();
    let switch = Point::named("on_off", "on_off");
    session.write(&switch, &Value::Bool(true)).await.unwrap();
    assert_eq!(session.read(std::slice::from_ref(&switch)).await.unwrap()[0].value, Ok(Value::Bool(true)));
    until("the file of the network", async || {
        let saved = load(network.data_dir(), coordinator).await.ok()??;
        saved.devices.get(&ieee).filter(|device| device.interviewed).map(|_| ())
    })
    .await;
    assert_eq!(hands.interview(ieee).await.unwrap().model, device.model);
    let fault = hands.interview(Ieee(5)).await.unwrap_err();
    assert!(
        matches!(&fault, OperatorFault::Gateway(why) if why.contains("is not in the network")),
        "{fault}"
    );
    hands.remove(ieee, false).await.unwrap();
    assert_eq!(hands.devices().await.unwrap().1, []);
    until("the fault of the session", async || session.read(std::slice::from_ref(&switch)).await.err()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_reaches_the_socket_and_nonsense_on_it_is_answered_by_name() {
    let network = Network::start_empty(&[Kind::Plug]).await;
    let _driver = holding(&network, Kind::Plug).await;
    let path = socket(&network);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for nonsense in [&b"{\"fly\":{}}\n"[..], b"\xFF\x00\n", b"\n"] {
        let path = path.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = UnixStream::connect(path).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(nonsense).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = answer.await.unwrap();
        assert!(answer.contains("failed") && answer.contains("not a request"), "{answer}");
    }
    assert!(operator(&network).await.devices().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_who_goes_away_ends_the_joining() {
    let network = Network::start_empty(&[Kind::Plug]).await;
    let _driver = holding(&network, Kind::Plug).await;
    network.sim.with(|mesh| assert!(!mesh.is_open()));
    let hands = operator(&network).await;
    {
        let mut waiting = std::pin::pin!(hands.admit(200, 5, |_, _| {}));
        until("the network is open", async || {
            let step = Duration::from_millis(20);
            assert!(tokio::time::timeout(step, &mut waiting).await.is_err());
            network.sim.with(|mesh| mesh.is_open()).then_some(())
        })
        .await;
    }
    until("the network is closed", async || network.sim.with(|mesh| !mesh.is_open()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_mapper_runs_the_operator_opens_the_coordinator_itself() {
    let network = Network::start_empty(&[Kind::Plug]).await;
    let driver = holding(&network, Kind::Plug).await;
    // The socket of the mapper is left behind.
    drop(driver);
    let place: zigbee::host::PortPlace = network.coordinator.parse().unwrap();
    let hands = until("the coordinator is free", async || {
        let hands = Operator::reach(place.clone(), 15, None, network.data_dir()).await.ok()?;
        matches!(hands, Operator::Own(..)).then_some(hands)
    })
    .await;
    assert!(socket(&network).exists());
    hands.admit(60, 1, |_, device| assert!(device.is_ok())).await.unwrap();
    hands.close().await.unwrap();
    let driver = network.driver();
    until("a session", async || driver.connect(&network.link(Kind::Plug)).await.ok()).await;
    assert!(matches!(operator(&network).await, Operator::Gateway(_)), "the mapper listens on it again");
}
