//! The start-up against a simulated coordinator.

use std::collections::VecDeque;

use super::*;
use crate::host::exchange::{Event, Exchange, Token};
use crate::sim::Mesh;

fn formation() -> Formation {
    let ids = NetworkIds { pan_id: 0x1A62, ext_pan_id: 0x0102_0304_0506_0708, channel: 15 };
    Formation { ids, key: Key::new([7; 16]) }
}

/// Runs a start-up against a simulated coordinator, without a clock.
fn run(mesh: &mut Mesh, known: Option<(NetworkIds, Option<Key>)>) -> Result<(Started, StartUp), StartFault> {
    let mut start_up = StartUp::new(formation());
    let mut exchange = Exchange::default();
    let mut events = VecDeque::new();
    loop {
        let (frame, then) = match start_up.poll_step() {
            Step::Ask { frame, then } => (frame, then),
            Step::LookUp(_) => {
                start_up.handle_known(known.clone());
                continue;
            }
            Step::Done(started) => return Ok((started, start_up)),
            Step::Failed(fault) => return Err(fault),
        };
        let wanted = if then.is_some() { Token(2) } else { Token(1) };
        if let Some((awaited, within)) = then {
            exchange.handle_wait(Token(2), awaited, within, mesh.now());
        }
        exchange.handle_request(Token(1), frame, mesh.now());
        let answer = loop {
            while let Some(bytes) = exchange.poll_transmit() {
                mesh.handle_bytes(&bytes, mesh.now());
            }
            while let Some(frame) = mesh.poll_frame() {
                exchange.handle_bytes(&frame.encode(), mesh.now());
            }
            events.extend(std::iter::from_fn(|| exchange.poll_event()));
            match events.pop_front() {
                Some(Event::Answer(token, result)) if token == wanted => break result.unwrap(),
                Some(_) => {}
                None => mesh.handle_timeout(mesh.poll_timeout().unwrap()),
            }
        };
        start_up.handle_answer(&answer);
    }
}

#[test]
fn a_new_coordinator_forms_the_network_and_takes_it_up_again_after_a_reset() {
    let mut mesh = Mesh::new(1);
    let (started, first) = run(&mut mesh, None).unwrap();
    assert!(started.formed);
    assert_eq!(started.ids, formation().ids);
    assert_eq!(started.ieee, mesh.ieee());
    assert!(first.key().is_some());
    mesh.reset_coordinator();
    let later = mesh.now() + Duration::from_secs(1);
    mesh.handle_timeout(later);
    let known = Some((started.ids.clone(), Some(Key::new([7; 16]))));
    let (again, second) = run(&mut mesh, known).unwrap();
    assert!(!again.formed);
    assert_eq!(again.ids, started.ids);
    assert!(second.key().is_none());
}

#[test]
fn a_coordinator_of_another_network_is_refused_and_left_as_it_is() {
    let mut mesh = Mesh::new(1);
    run(&mut mesh, None).unwrap();
    let other = NetworkIds { pan_id: 0x2222, ..formation().ids };
    let fault = run(&mut mesh, Some((other, None))).unwrap_err();
    assert!(matches!(fault, StartFault::OtherNetwork { .. }), "{fault}");
    assert!(run(&mut mesh, Some((formation().ids, None))).is_ok());
}

#[test]
fn a_new_coordinator_forms_the_network_that_is_known() {
    let known = NetworkIds { pan_id: 0x3333, ext_pan_id: 9, channel: 20 };
    let (started, _) = run(&mut Mesh::new(2), Some((known.clone(), Some(Key::new([1; 16]))))).unwrap();
    assert_eq!(started.ids, known);
    assert!(started.formed);
}
