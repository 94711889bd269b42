//! What Bluetooth LE devices send.

use ble::Point;

use super::text;

/// A point as JSON, a zero byte, and the bytes of a characteristic: what they mean is a value or a fault, and a value that
/// is written is there afterwards, at the same length.
pub fn ble_codec(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(point), bytes) = (parts.next().and_then(text), parts.next().unwrap_or_default()) else {
        return;
    };
    let Ok(point) = serde_json::from_str::<Point>(point) else { return };
    let Ok(layout) = point.layout() else { return };
    let codec = &layout.codec;
    let Ok(value) = codec.decode(bytes) else { return };
    assert_eq!(value.value_type(), codec.value_type());
    let Ok(patch) = codec.encode(&value) else { return };
    if let Ok(after) = patch.over(bytes) {
        assert!(after.len() <= bytes.len(), "{value:?} makes {bytes:?} longer: {after:?}");
        // What is rounded away may lie beyond what the bytes can hold.
        let _ = codec.decode(&after);
    }
}
