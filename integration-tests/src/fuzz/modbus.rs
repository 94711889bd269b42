//! What a Modbus device says on the wire.

use std::cell::RefCell;
use std::time::Duration;

use modbus::frames::{Framing, Piece, first_answer, is_answer, longest, wrap};
use tokio::io::AsyncWriteExt as _;
use tokio_modbus::client::{Client as _, tcp};
use tokio_modbus::{Request, Response};

/// What comes from a serial line, in RTU frames when the first byte is even and in ASCII frames otherwise. A frame that was
/// taken is written again, and reads back the same; what waits for more is never longer than two frames.
pub fn modbus_frames(data: &[u8]) {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let framing = if kind & 1 == 0 { Framing::Rtu } else { Framing::Ascii };
    for count in 0.. {
        assert!(count <= data.len(), "it does not come to an end");
        match first_answer(framing, rest) {
            Piece::Unfinished => {
                assert!(rest.len() <= 2 * longest(framing), "{} bytes wait for more", rest.len());
                return;
            }
            Piece::Garbage(why) => {
                assert!(!why.is_empty());
                // As the line does: what was no frame is dropped up to the next byte.
                let Some((_, next)) = rest.split_first() else { return };
                rest = next;
            }
            Piece::Whole { unit, body, len } => {
                assert!((1..=rest.len()).contains(&len));
                let again = wrap(framing, unit, &body);
                let whole = Piece::Whole { unit, body: body.clone(), len: again.len() };
                assert_eq!(first_answer(framing, &again), whole);
                for count in [0, 1, 2, 125, 2000] {
                    let _ = is_answer(&body, count);
                }
                rest = &rest[len..];
            }
        }
    }
}

thread_local! {
    static RUNTIME: RefCell<tokio::runtime::Runtime> = RefCell::new(
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
    );
}

/// What comes over TCP in answer to a request for two registers: an answer, an exception, or a fault, and never a wait for
/// ever once the other side is gone.
pub fn modbus_tcp(data: &[u8]) {
    RUNTIME.with_borrow(|runtime| {
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let sent = data.get(..4096).unwrap_or(data);
            theirs.write_all(sent).await.expect("there is room");
            let mut client = tcp::attach(ours);
            let talk = async {
                // As the driver asks: how many registers came is looked at by itself, for `read_holding_registers` breaks down
                // when there are fewer than were asked for.
                let asked = client.call(Request::ReadHoldingRegisters(0, 2));
                // It reads what is there, and then the end.
                let hear = async move {
                    let mut request = [0; 12];
                    let _ = tokio::io::AsyncReadExt::read(&mut theirs, &mut request).await;
                    drop(theirs);
                };
                tokio::join!(asked, hear).0
            };
            let answer = tokio::time::timeout(Duration::from_millis(900), talk).await;
            if let Ok(Ok(response)) = answer.expect("it waits for ever") {
                assert!(matches!(response, Response::ReadHoldingRegisters(_)), "{response:?}");
            }
        });
    });
}
