//! Two sessions joined by hand.

use super::*;
use crate::codec::encode;
use proptest::prelude::*;
use twin_core::replica::{Base, Batch};
use twin_core::{Change, Cursor, Entry, Incarnation, PropertyId, Quality, Reported, Revision, Value};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn edge() -> Session {
    Session::edge("line-1".parse().unwrap(), "edge 1".into(), streams(), Timing::default())
}

fn cloud() -> Session {
    Session::cloud("cloud 1".into(), streams(), Timing::default())
}

fn streams() -> Vec<StreamId> {
    vec![StreamId::new(1), StreamId::TWIN]
}

/// Carries all frames both ways until none is left, answering `Opening` with yes.
fn talk(edge: &mut Session, cloud: &mut Session, now: Timestamp) -> (Vec<Event>, Vec<Event>) {
    let (mut at_edge, mut at_cloud) = (Vec::new(), Vec::new());
    loop {
        let mut moved = false;
        while let Some(bytes) = edge.poll_transmit() {
            let _ = cloud.handle_frame(&bytes, now);
            moved = true;
        }
        while let Some(event) = cloud.poll_event() {
            if matches!(event, Event::Opening(_)) {
                cloud.accept(now);
            }
            at_cloud.push(event);
        }
        while let Some(bytes) = cloud.poll_transmit() {
            let _ = edge.handle_frame(&bytes, now);
            moved = true;
        }
        while let Some(event) = edge.poll_event() {
            at_edge.push(event);
        }
        if !moved {
            return (at_edge, at_cloud);
        }
    }
}

fn established() -> (Session, Session) {
    let (mut edge, mut cloud) = (edge(), cloud());
    edge.handle_opened(at(0));
    cloud.handle_opened(at(0));
    let (at_edge, at_cloud) = talk(&mut edge, &mut cloud, at(0));
    assert!(matches!(at_edge.as_slice(), [Event::Established(e)] if e.peer_software == "cloud 1"));
    assert!(matches!(at_cloud.as_slice(), [Event::Opening(_), Event::Established(_)]));
    (edge, cloud)
}

fn cursor(revision: u64) -> Cursor {
    Cursor { incarnation: Incarnation::new(9), revision: Revision::new(revision) }
}

/// Text that LZ4 cannot shorten much.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'!' + u8::try_from(state % 90).unwrap())
        })
        .collect()
}

fn batch(entries: u64, bytes: usize, base: Base) -> Batch {
    let entry = |n: u64| {
        let id = PropertyId::new("pump".parse().unwrap(), format!("p{n}").parse().unwrap());
        let reported = Reported {
            value: Some(Value::String(noise(n, bytes))),
            quality: Quality::Good,
            source_time: None,
            gateway_time: None,
            outcome: None,
        };
        Entry { revision: Revision::new(n), change: Change::Reported(id, Some(reported)) }
    };
    Batch { base, cursor: cursor(entries + 5), entries: (1..=entries).map(entry).collect() }
}

fn messages(events: Vec<Event>) -> Vec<Message> {
    events
        .into_iter()
        .map(|event| if let Event::Message { message, .. } = event { message } else { panic!("{event:?}") })
        .collect()
}

#[test]
fn messages_cross_both_ways() {
    let (mut edge, mut cloud) = established();
    edge.send(StreamId::TWIN, Message::Hello(None)).unwrap();
    cloud.send(StreamId::TWIN, Message::Hello(Some(cursor(3)))).unwrap();
    let (at_edge, at_cloud) = talk(&mut edge, &mut cloud, at(1));
    assert_eq!(messages(at_edge), [Message::Hello(Some(cursor(3)))]);
    assert_eq!(messages(at_cloud), [Message::Hello(None)]);
}

#[test]
fn the_urgent_goes_first() {
    let (mut edge, mut cloud) = established();
    let first = StreamId::new(1);
    edge.send(StreamId::TWIN, Message::Batch(batch(1, 9, Base::Cursor(cursor(0))))).unwrap();
    edge.send(StreamId::TWIN, Message::Ack(cursor(1))).unwrap();
    edge.send(first, Message::Ack(cursor(2))).unwrap();
    let (_, at_cloud) = talk(&mut edge, &mut cloud, at(1));
    let acks: Vec<_> = messages(at_cloud);
    assert_eq!(acks[..2], [Message::Ack(cursor(2)), Message::Ack(cursor(1))]);
    assert!(matches!(acks[2], Message::Batch(_)));
}

#[test]
fn a_long_batch_goes_in_parts_that_join_on_and_is_acknowledged_once() {
    let (mut edge, mut cloud) = established();
    let base = Base::Cursor(cursor(0));
    edge.send(StreamId::TWIN, Message::Batch(batch(100, 30_000, base))).unwrap();
    let (_, at_cloud) = talk(&mut edge, &mut cloud, at(1));
    let (mut place, mut entries, mut parts) = (cursor(0), 0, 0);
    for message in messages(at_cloud) {
        let Message::Batch(part) = message else { panic!("{message:?}") };
        assert_eq!(part.base, Base::Cursor(place));
        assert_eq!(
            part.cursor.is_on_the_way(),
            part.cursor != cursor(105),
            "a cut is no place to resume from"
        );
        place = part.cursor;
        parts += 1;
        entries += part.entries.len();
        cloud.send(StreamId::TWIN, Message::Ack(part.cursor)).unwrap();
    }
    assert_eq!((place, entries), (cursor(105), 100));
    assert!(!place.is_on_the_way() && parts > 10);
    let (at_edge, _) = talk(&mut edge, &mut cloud, at(2));
    assert_eq!(messages(at_edge), [Message::Ack(cursor(105))]);
    cloud.send(StreamId::TWIN, Message::Ack(cursor(50))).unwrap();
    let (at_edge, _) = talk(&mut edge, &mut cloud, at(3));
    assert_eq!(messages(at_edge).len(), 1, "said again it tells where the peer stands");
}

#[test]
fn a_long_reset_goes_in_parts_of_which_only_the_last_is_the_last() {
    let (mut edge, mut cloud) = established();
    let base = Base::Reset { after: None, last: true };
    edge.send(StreamId::TWIN, Message::Batch(batch(20, 20_000, base))).unwrap();
    let (_, at_cloud) = talk(&mut edge, &mut cloud, at(1));
    let parts = messages(at_cloud);
    let mut before = None;
    for (n, message) in parts.iter().enumerate() {
        let Message::Batch(part) = message else { panic!("{message:?}") };
        assert_eq!(part.base, Base::Reset { after: before, last: n == parts.len() - 1 });
        before = Some(part.cursor);
    }
    assert!(parts.len() > 3);
}

#[test]
fn an_entry_that_no_frame_can_hold_closes_the_session_by_name() {
    let (mut edge, mut cloud) = established();
    let base = Base::Cursor(cursor(0));
    edge.send(StreamId::TWIN, Message::Batch(batch(1, 2 << 20, base))).unwrap();
    let (at_edge, at_cloud) = talk(&mut edge, &mut cloud, at(1));
    let too_large = |events: &[Event], who| matches!(events, [Event::Closed(Closed { by, code: Code::TooLarge, .. })] if *by == who);
    assert!(too_large(&at_edge, By::Us), "{at_edge:?}");
    assert!(too_large(&at_cloud, By::Peer), "{at_cloud:?}");
}

#[test]
fn heartbeats_keep_an_idle_connection_alive() {
    let (mut edge, mut cloud) = established();
    for second in 1..200 {
        edge.handle_timeout(at(second * 1000));
        cloud.handle_timeout(at(second * 1000));
        let (at_edge, at_cloud) = talk(&mut edge, &mut cloud, at(second * 1000));
        assert!(at_edge.is_empty() && at_cloud.is_empty());
    }
}

#[test]
fn a_half_open_connection_is_noticed_within_30_s() {
    let (mut edge, mut cloud) = established();
    for session in [&mut edge, &mut cloud] {
        let mut now = at(0);
        while !session.is_over() {
            now = session.poll_timeout().unwrap();
            session.handle_timeout(now);
            while session.poll_transmit().is_some() {}
        }
        assert_eq!(now, at(30_000));
        assert!(matches!(session.poll_event(), Some(Event::Closed(Closed { code: Code::Silent, .. }))));
    }
}

#[test]
fn a_handshake_that_does_not_end_is_given_up_after_10_s() {
    for mut session in [edge(), cloud()] {
        session.handle_opened(at(0));
        assert_eq!(session.poll_timeout(), Some(at(10_000)));
        session.handle_timeout(at(10_000));
        assert!(matches!(session.poll_event(), Some(Event::Closed(Closed { code: Code::Silent, .. }))));
    }
}

#[test]
fn a_refusal_reaches_the_edge_with_its_time() {
    let (mut edge, mut cloud) = (edge(), cloud());
    edge.handle_opened(at(0));
    cloud.handle_opened(at(0));
    cloud.handle_frame(&edge.poll_transmit().unwrap(), at(0)).unwrap();
    let refused = Refused { code: Code::Busy, reason: "full".into(), retry_after_ms: Some(7000) };
    cloud.refuse(refused.clone());
    edge.handle_frame(&cloud.poll_transmit().unwrap(), at(0)).unwrap();
    assert_eq!(edge.poll_event(), Some(Event::Refused(refused)));
    assert!(edge.is_over() && cloud.is_over());
}

#[test]
fn no_version_in_common_is_refused_and_both_are_named() {
    let mut cloud = cloud();
    cloud.handle_opened(at(0));
    let versions = VersionRange { min: 7, max: 9 };
    let open = Open { versions, node: "a".parse().unwrap(), software: String::new(), streams: vec![] };
    cloud.handle_frame(&encode(&Frame::Open(open), FrameLimits::default()).unwrap(), at(0)).unwrap();
    let Some(Event::Refused(refused)) = cloud.poll_event() else { panic!() };
    assert_eq!(refused.code, Code::Version);
    assert!(refused.reason.contains("7 to 9") && refused.reason.contains("1 to 1"), "{}", refused.reason);
}

#[test]
fn frames_out_of_place_close_the_session_with_a_named_error() {
    let bytes = |frame: Frame| encode(&frame, FrameLimits::default()).unwrap();
    let message = |stream| Frame::Stream(StreamFrame { stream, message: Message::Hello(None) });
    let mut early = cloud();
    early.handle_opened(at(0));
    let error = early.handle_frame(&bytes(message(StreamId::TWIN)), at(0)).unwrap_err();
    assert!(matches!(error, ProtocolError::OutOfPlace { kind: "stream", .. }), "{error}");
    let (_, mut cloud) = established();
    let error = cloud.handle_frame(&bytes(message(StreamId::new(77))), at(0)).unwrap_err();
    assert_eq!(error, ProtocolError::StreamNotAgreed { stream: StreamId::new(77) });
    assert!(cloud.is_over() && cloud.poll_transmit().is_some(), "the peer is told why");
    let (mut edge, _) = established();
    assert!(edge.handle_frame(b"garbage", at(0)).is_err());
    assert!(matches!(
        edge.poll_event(),
        Some(Event::Closed(Closed { by: By::Us, code: Code::Protocol, .. }))
    ));
}

#[test]
fn a_frame_kind_from_the_future_is_ignored_and_counted() {
    let (mut edge, _) = established();
    // Format 1, kind 40, null.
    edge.handle_frame(&[0x10, 0x18, 40, 0xf6], at(0)).unwrap();
    assert!(!edge.is_over());
    assert_eq!(edge.unknown_frames(), 1);
}

#[test]
fn a_full_queue_is_an_error_and_not_memory() {
    let (mut edge, _) = established();
    let full = (0..1000).find_map(|n| edge.send(StreamId::TWIN, Message::Ack(cursor(n))).err());
    assert_eq!(full, Some(SendError::QueueFull { stream: StreamId::TWIN }));
}

proptest! {
    #[test]
    fn no_frames_in_any_order_make_a_session_panic(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..20), kinds in proptest::collection::vec(0u8..9, 0..20),
    ) {
        let (edge_side, cloud_side) = established();
        for mut session in [edge(), cloud(), edge_side, cloud_side] {
            session.handle_opened(at(0));
            for (bytes, kind) in frames.iter().zip(&kinds) {
                let _ = session.handle_frame(&[&[0x10, *kind][..], bytes].concat(), at(1));
                session.accept(at(1));
                session.handle_timeout(at(5));
                while session.poll_transmit().is_some() {}
                while session.poll_event().is_some() {}
            }
        }
    }
}
