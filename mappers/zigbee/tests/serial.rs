//! The host over a serial port, which is a pseudo-terminal with a simulated coordinator at its other end.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zigbee::admin::Admin;
use zigbee::sim::demo;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_is_formed_and_a_device_interviewed_over_a_serial_port() {
    let sim = demo(5).sim;
    let pty = sim.open_pty().unwrap();
    let path = pty.path().to_owned();
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (serving, token) = (sim.clone(), stop.clone());
    tasks.spawn(async move { serving.run_pty(pty, token).await });
    let folder = tempfile::tempdir().unwrap();
    let admin = Admin::open(path.parse().unwrap(), 20, Some(0x1234), folder.path()).await.unwrap();
    let mut models = Vec::new();
    admin.admit(30, 2, |_, device| models.push(device.as_ref().unwrap().model.clone())).await.unwrap();
    assert_eq!(models.len(), 2);
    assert!(models.iter().all(|model| model.starts_with("SIM-")), "{models:?}");
    let network = admin.network().unwrap();
    assert_eq!((network.ids.pan_id, network.ids.channel), (0x1234, 20));
    admin.close(folder.path()).await.unwrap();
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}
