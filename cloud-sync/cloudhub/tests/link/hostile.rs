//! What a broken or hostile edge sends ends its own connection, by name, and nobody else's.

use futures_util::{SinkExt as _, StreamExt as _};
use sync_proto::{
    Close, Code, Decoded, Frame, FrameLimits, Open, StreamFrame, StreamId, VersionRange, decode, encode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message as Ws;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use twin_core::replica::{Base, Batch, Message};
use twin_core::{Change, Cursor, Desired, Entry, Incarnation, Revision, Timestamp, Value};

use crate::edge::{Edge, ws};
use crate::support::{Cloud, eventually, node, property, reported};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(cloud: &Cloud) -> Socket {
    let mut request = format!("{}/v1/link", ws(cloud.plain)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "twinspan.v1".parse().unwrap());
    connect_async(request).await.unwrap().0
}

fn bytes(frame: Frame) -> Ws {
    Ws::Binary(encode(&frame, FrameLimits { frame_bytes: 64 << 20, raw_bytes: 64 << 20 }).unwrap().into())
}

fn open(name: &str) -> Frame {
    let (versions, software) = (VersionRange::OURS, "test".to_owned());
    Frame::Open(Open { versions, node: node(name), software, streams: vec![StreamId::TWIN] })
}

fn twin(message: Message) -> Frame {
    Frame::Stream(StreamFrame { stream: StreamId::TWIN, message })
}

/// Reads until the cloud's `Close` frame, and then to the end of the WebSocket.
async fn closed(mut socket: Socket) -> Close {
    let mut close = None;
    while let Some(Ok(message)) = socket.next().await {
        let Ws::Binary(bytes) = message else { continue };
        if let Decoded::Frame(frame) = decode(&bytes, FrameLimits::default()).unwrap()
            && let Frame::Close(said) = *frame
        {
            close = Some(said);
        }
    }
    close.expect("the cloud says why")
}

#[tokio::test]
async fn bad_frames_close_their_own_connection_by_name_and_hurt_nobody_else() {
    let cloud = Cloud::start().await;
    let good = Edge::start(&ws(cloud.plain), "good", None);
    let connection = good.connected().await;
    let desired = Desired {
        value: Value::Int(1),
        set_by: "eve".into(),
        set_at: Timestamp::default(),
        valid_until: None,
    };
    let cursor = Cursor { incarnation: Incarnation::new(1), revision: Revision::new(5) };
    let entry = Entry { revision: Revision::new(2), change: Change::Desired(property(0), Some(desired)) };
    let forged = Batch { base: Base::Reset { after: None, last: true }, cursor, entries: vec![entry] };
    let bomb = [&[0x11][..], &(4_u32 << 20).to_le_bytes(), &[0; 200]].concat();
    for (name, frames, code, words) in [
        ("garbage", vec![Ws::Binary(vec![0xff; 300].into())], Code::Protocol, "not a format"),
        ("empty", vec![Ws::Binary(vec![].into())], Code::Protocol, "empty"),
        ("text", vec![Ws::Text("hello".into())], Code::Protocol, "text"),
        ("bomb", vec![Ws::Binary(bomb.into())], Code::Protocol, "can hold as much"),
        (
            "length",
            vec![Ws::Binary(vec![0x11, 255, 255, 255, 255, 0].into())],
            Code::Protocol,
            "over the limit",
        ),
        ("early", vec![bytes(twin(Message::Hello(None)))], Code::Protocol, "in the handshake"),
        ("twice", vec![bytes(open("twice")), bytes(open("twice"))], Code::Protocol, "once the session"),
        (
            "forger",
            vec![bytes(open("forger")), bytes(twin(Message::Batch(forged)))],
            Code::Protocol,
            "does not write",
        ),
        (
            "large",
            vec![bytes(open("large")), Ws::Binary(vec![0x10; (1 << 20) + 1].into())],
            Code::TooLarge,
            "too long",
        ),
    ] {
        let mut socket = connect(&cloud).await;
        for frame in frames {
            // The cloud may have hung up before the last.
            let _ = socket.send(frame).await;
        }
        let close = closed(socket).await;
        assert_eq!(close.code, code, "{name}: {}", close.reason);
        assert!(close.reason.contains(words), "{name}: {}", close.reason);
    }
    good.write(reported(1, Value::Int(3))).await;
    eventually("the good edge goes on", || async { cloud.reported("good", 1).await == Some(Value::Int(3)) })
        .await;
    assert_eq!(good.connected().await, connection, "on the same connection");
    eventually("only the good edge is left", || async { cloud.registry.nodes().len() == 1 }).await;
    good.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn connections_that_say_nothing_are_ended_and_do_not_keep_others_out() {
    let cloud = Cloud::start_with(|settings| {
        settings.max_pending = 4;
        settings.pending_limit = std::time::Duration::from_millis(300);
    })
    .await;
    let mut silent = Vec::new();
    for address in [cloud.tls, cloud.plain, cloud.tls, cloud.plain, cloud.tls, cloud.plain] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[0x16]).await.unwrap();
        silent.push(stream);
    }
    let edge = Edge::start(&ws(cloud.plain), "line-1", None);
    edge.connected().await;
    for mut stream in silent {
        let mut rest = Vec::new();
        // It ends, be it with an error.
        let _ = stream.read_to_end(&mut rest).await;
    }
    edge.stop().await;
    cloud.stop().await;
}
