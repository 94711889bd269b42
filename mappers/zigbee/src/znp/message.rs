//! Commands with their fields, so that both ends of the link read and write the same bytes.

use crate::bytes::Reader;
use crate::znp::frame::{Frame, Kind, Subsystem};

/// A command with its fields.
pub trait Message: Sized {
    /// Request, answer or neither.
    const KIND: Kind;
    /// The part of the coordinator.
    const SUBSYSTEM: Subsystem;
    /// The command within it.
    const ID: u8;

    /// Appends the fields.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads the fields; none when there are too few bytes. Bytes after the last field are for newer firmware.
    fn take(input: &mut Reader<'_>) -> Option<Self>;

    /// The frame that carries it.
    fn frame(&self) -> Frame {
        let mut data = Vec::new();
        self.put(&mut data);
        Frame { kind: Self::KIND, subsystem: Self::SUBSYSTEM, id: Self::ID, data }
    }

    /// Takes it out of a frame; none when the frame carries something else or too little.
    fn of(frame: &Frame) -> Option<Self> {
        let same = (frame.kind, frame.subsystem, frame.id) == (Self::KIND, Self::SUBSYSTEM, Self::ID);
        if same { Self::take(&mut Reader::new(&frame.data)) } else { None }
    }
}

/// A command that the coordinator answers at once.
pub trait Request: Message {
    /// The answer.
    type Answer: Message;
}

/// Defines commands: `Sreq Sys 0x01 Ping {} -> PingAnswer { capabilities: u16 }`.
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        $kind:ident $subsystem:ident $id:literal $name:ident {
            $( $(#[$field_meta:meta])* $field:ident : $ty:ty ),* $(,)?
        }
        $( -> $answer:ident { $( $(#[$answer_meta:meta])* $answer_field:ident : $answer_ty:ty ),* $(,)? } )?
    )*) => {$(
        $crate::znp::message::messages!(@one $kind $subsystem $id $name [$(#[$meta])*] { $( $(#[$field_meta])* $field : $ty, )* });
        $(
            $crate::znp::message::messages!(@one Srsp $subsystem $id $answer [#[doc = concat!("The answer to [`", stringify!($name), "`].")]] { $( $(#[$answer_meta])* $answer_field : $answer_ty, )* });
            impl $crate::znp::message::Request for $name {
                type Answer = $answer;
            }
        )?
    )*};
    (@one $kind:ident $subsystem:ident $id:literal $name:ident [$(#[$meta:meta])*] { $( $(#[$field_meta:meta])* $field:ident : $ty:ty, )* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $( $(#[$field_meta])* pub $field: $ty, )* }

        impl $crate::znp::message::Message for $name {
            const KIND: $crate::znp::frame::Kind = $crate::znp::frame::Kind::$kind;
            const SUBSYSTEM: $crate::znp::frame::Subsystem = $crate::znp::frame::Subsystem::$subsystem;
            const ID: u8 = $id;

            fn put(&self, out: &mut Vec<u8>) {
                let _ = &out;
                $( $crate::bytes::Field::put(&self.$field, out); )*
            }

            fn take(input: &mut $crate::bytes::Reader<'_>) -> Option<Self> {
                let _ = &input;
                Some(Self { $( $field: $crate::bytes::Field::take(input)?, )* })
            }
        }
    };
}
pub(crate) use messages;
