//! The simulated network without a clock: the same seed gives the same run.

use std::time::Duration;

use super::{Air, Kind, Mesh};
use crate::znp::Message as _;
use crate::znp::af::{DataRequest, Register};
use crate::znp::app_cnf::{MODE_FORM, StartCommissioning};
use crate::znp::zdo::{BROADCAST, MgmtPermitJoinReq, ROUTERS};

/// Everything that a network says within two minutes, with its times.
fn run(seed: u64) -> Vec<(Duration, Vec<u8>)> {
    let mut mesh = Mesh::new(seed);
    mesh.air = Air { lost_per_mille: 100, ..Air::default() };
    let devices = Kind::ALL.map(|kind| mesh.add(kind));
    let register = Register {
        endpoint: 1,
        profile: 0x0104,
        device: 7,
        version: 0,
        latency: 0,
        inputs: Default::default(),
        outputs: Default::default(),
    };
    let requests = [
        StartCommissioning { mode: MODE_FORM }.frame(),
        register.frame(),
        MgmtPermitJoinReq { mode: BROADCAST, nwk: ROUTERS, seconds: 60, significance: 1 }.frame(),
    ];
    let mut said = Vec::new();
    let mut advance = |mesh: &mut Mesh, until: Duration| {
        while let Some(at) = mesh.poll_timeout().filter(|at| *at <= until) {
            mesh.handle_timeout(at);
            said.extend(std::iter::from_fn(|| mesh.poll_frame()).map(|frame| (at, frame.encode())));
        }
    };
    for (second, request) in (1..).zip(requests) {
        advance(&mut mesh, Duration::from_secs(second));
        mesh.handle_bytes(&request.encode(), Duration::from_secs(second));
    }
    advance(&mut mesh, Duration::from_secs(60));
    for (number, ieee) in (1u8..).zip(devices) {
        let Some(nwk) = mesh.node(ieee).and_then(|node| node.nwk) else { continue };
        let data = crate::bytes::List(vec![0x00, number, 0x00, 0x05, 0x00]);
        let request = DataRequest {
            nwk,
            to_endpoint: 1,
            from_endpoint: 1,
            cluster: 0,
            transaction: number,
            options: 0,
            radius: 30,
            data,
        };
        let now = mesh.now();
        mesh.handle_bytes(&request.frame().encode(), now);
    }
    advance(&mut mesh, Duration::from_secs(120));
    said
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let first = run(42);
    assert!(first.len() > 30, "{} frames", first.len());
    assert_eq!(first, run(42));
    assert_ne!(first, run(43));
}

#[test]
fn a_battery_drains_and_says_so_in_its_alarm() {
    let mut mesh = Mesh::new(1);
    let ieee = mesh.add(Kind::Contact);
    let joined = StartCommissioning { mode: MODE_FORM }.frame();
    mesh.handle_bytes(&joined.encode(), Duration::ZERO);
    mesh.handle_timeout(Duration::from_secs(1));
    let open = MgmtPermitJoinReq { mode: BROADCAST, nwk: ROUTERS, seconds: 60, significance: 1 };
    mesh.handle_bytes(&open.frame().encode(), Duration::from_secs(1));
    let level = |mesh: &mut Mesh, minutes: u64| {
        mesh.handle_timeout(Duration::from_secs(60 * minutes));
        while mesh.poll_frame().is_some() {}
        let node = mesh.node(ieee).unwrap();
        (node.get(0x0001, 0x0021).cloned(), node.get(0x0500, 0x0002).cloned())
    };
    use crate::zcl::Scalar::Unsigned;
    let (Some(Unsigned(early)), _) = level(&mut mesh, 10) else { panic!() };
    let (Some(Unsigned(late)), Some(Unsigned(zone))) = level(&mut mesh, 118) else { panic!() };
    assert!(early > 150 && late < 10, "{early} {late}");
    assert_eq!(zone >> 3 & 1, 1);
}
