//! Writing: by the command that the cluster has for it, or the attribute itself.

use mapper_sdk::Fault;
use twin_core::Value;

use super::peer::{Peer, group_of, refusal};
use crate::host::{Place, Trouble};
use crate::point::{Resolved, Writes};
use crate::zcl::clusters::{Command, id};
use crate::zcl::global::{self, Attribute};
use crate::zcl::{Message as ZclMessage, Scalar, status};

/// At once, not over some time.
const NO_TRANSITION: [u8; 2] = [0, 0];

/// Writes a point and waits until the device has said that it did.
pub(super) async fn write(peer: &Peer, resolved: &Resolved, value: &Value) -> Result<(), Fault> {
    if resolved.writes == Writes::Never {
        return Err(Fault::Refused("the attribute can only be read".to_owned()));
    }
    let factor = peer.factor(resolved).await.map_err(|trouble| fault(peer, trouble))?;
    let scalar = resolved.encode(value, factor)?;
    let (specific, command, payload) = match resolved.writes {
        Writes::Command(command) => {
            let (command, payload) = command_for(command, &scalar)?;
            (true, command, payload)
        }
        Writes::Attribute | Writes::Never => {
            let mut payload = Vec::new();
            let attribute = Attribute { id: resolved.place.attribute, kind: resolved.kind, value: scalar };
            attribute.put(&mut payload);
            (false, global::WRITE, payload)
        }
    };
    let message = |sequence| {
        let mut message = ZclMessage::specific(sequence, command, payload.clone());
        message.header.cluster_specific = specific;
        message
    };
    let answer =
        peer.talk(group_of(resolved), true, message).await.map_err(|trouble| fault(peer, trouble))?;
    forget(peer, resolved);
    outcome(&answer)
}

/// The command that sets an attribute, with its payload.
fn command_for(command: Command, scalar: &Scalar) -> Result<(u8, Vec<u8>), Fault> {
    let wrong = || Fault::Unsuitable("the command cannot carry the value".to_owned());
    let number = match scalar {
        Scalar::Unsigned(number) => *number,
        Scalar::Bool(bit) => u64::from(*bit),
        Scalar::None | Scalar::Signed(_) | Scalar::Float(_) | Scalar::Text(_) | Scalar::Bytes(_) => {
            return Err(wrong());
        }
    };
    let byte = || u8::try_from(number).map_err(|_| wrong());
    Ok(match command {
        Command::OnOff => (byte()?.min(1), Vec::new()),
        Command::MoveToLevel => (0x04, [[byte()?].as_slice(), &NO_TRANSITION].concat()),
        Command::MoveToColorTemperature => {
            let mireds = u16::try_from(number).map_err(|_| wrong())?;
            (0x0A, [mireds.to_le_bytes(), NO_TRANSITION].concat())
        }
        Command::GoToLiftPercentage => (0x05, vec![byte()?]),
    })
}

/// What was told before the write is not true any more.
fn forget(peer: &Peer, resolved: &Resolved) {
    let registry = peer.coordinator.registry();
    registry.forget_told(peer.ieee, &resolved.place);
    if resolved.writes == Writes::Command(Command::MoveToLevel) {
        // It switches too.
        let place = Place { cluster: id::ON_OFF, attribute: 0, ..resolved.place };
        registry.forget_told(peer.ieee, &place);
    }
}

fn outcome(answer: &ZclMessage) -> Result<(), Fault> {
    let garbled = || Fault::Protocol("the device does not say whether it did it".to_owned());
    if answer.header.cluster_specific {
        return Ok(());
    }
    let code = match answer.header.command {
        global::WRITE_RESPONSE => {
            let refused = global::write_response(&answer.payload).ok_or_else(garbled)?;
            refused.first().map_or(status::SUCCESS, |(_, code)| *code)
        }
        global::DEFAULT_RESPONSE => *answer.payload.get(1).ok_or_else(garbled)?,
        _ => return Err(garbled()),
    };
    if code == status::SUCCESS { Ok(()) } else { Err(refusal(code)) }
}

/// A device that sleeps and does not ask for its messages is sound: the value waits for it.
fn fault(peer: &Peer, trouble: Trouble) -> Fault {
    match trouble {
        Trouble::NotDelivered(_) | Trouble::Silent(_) if peer.patience.is_some() => {
            Fault::Unreachable(format!("it sleeps, and did not ask for its messages ({trouble})"))
        }
        Trouble::NotDelivered(_)
        | Trouble::Silent(_)
        | Trouble::Lost(_)
        | Trouble::NotSent(_)
        | Trouble::NotKnown
        | Trouble::TooMuch
        | Trouble::Garbled => trouble.into(),
    }
}
