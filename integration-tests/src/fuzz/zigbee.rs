//! ZigBee: the serial link to a coordinator, and messages of devices.

use zigbee::bytes::Reader;
use zigbee::host::{Exchange, Inbound, NetworkIds, Registry, Saved};
use zigbee::sim::{Kind, Mesh};
use zigbee::zcl::{Message, Scalar, TypeId, global};
use zigbee::znp::Decoder;
use zigbee::{Ieee, Point};

/// Bytes of a serial link: every frame that is found is written again as it was, and neither a host nor a simulated
/// coordinator falls over it.
pub fn zigbee_link(data: &[u8]) {
    let mut decoder = Decoder::default();
    let frames: Vec<_> = data.chunks(7).flat_map(|chunk| decoder.handle_bytes(chunk)).collect();
    for frame in &frames {
        assert_eq!(Decoder::default().handle_bytes(&frame.encode()), std::slice::from_ref(frame));
    }
    let mut exchange = Exchange::default();
    exchange.handle_bytes(data, std::time::Duration::ZERO);
    while exchange.poll_event().is_some() {}
    let registry = Registry::default();
    let ids = NetworkIds { pan_id: 1, ext_pan_id: 2, channel: 15 };
    registry.adopt(Saved { coordinator: Ieee(1), ids, key: None, devices: [].into() });
    registry.update(Ieee(2), |device| device.nwk = Some(0x0101));
    let _ear = registry.listen(Ieee(2));
    let mut inbound = Inbound::default();
    for frame in &frames {
        let _ = inbound.handle(&registry, frame, tokio::time::Instant::now());
    }
    let mut mesh = Mesh::new(1);
    mesh.add(Kind::Plug);
    mesh.handle_bytes(data, std::time::Duration::ZERO);
    for _ in 0..200 {
        let Some(at) = mesh.poll_timeout().filter(|at| at.as_secs() < 5) else { break };
        mesh.handle_timeout(at);
        while mesh.poll_frame().is_some() {}
    }
}

/// A cluster, an attribute and a type in five bytes, and a message of a device: what it says is values or nothing, and
/// a value that a point takes is one of its type.
pub fn zigbee_message(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<5>() else { return };
    if let Some(message) = Message::decode(rest) {
        assert_eq!(Message::decode(&message.encode()), Some(message.clone()));
        let payload = &message.payload;
        let _ =
            (global::read_response(payload), global::attributes(payload), global::write_response(payload));
        let _ = (global::configure_response(payload), global::discover_response(payload));
        let _ = global::Reporting::take_all(payload);
    }
    let number = |low, high| format!("{:#06x}", u16::from_le_bytes([low, high]));
    let kind = TypeId(head[4]);
    let Some(name) = kind.name() else { return };
    let point = Point {
        data_type: Some(name.to_owned()),
        ..Point::named(&number(head[0], head[1]), &number(head[2], head[3]))
    };
    let Ok(resolved) = point.resolve(1) else { return };
    let Some(scalar) = Scalar::take(kind, &mut Reader::new(rest)) else { return };
    if let Ok(value) = resolved.decode(kind, &scalar, 1.0) {
        assert_eq!(value.value_type(), resolved.value_type());
        let _ = resolved.encode(&value, 1.0);
    }
}
