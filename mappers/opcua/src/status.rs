//! What a status code means for a point and for the connection. (OPC 10000-4, 7.39)

use std::time::Duration;

use mapper_sdk::Fault;
use opcua_types::StatusCode;
use twin_core::Why;

/// The code's name and what it says.
#[must_use]
pub fn words(status: StatusCode) -> String {
    match status.sub_code().name() {
        "Invalid" => format!("status 0x{:08X}", status.bits()),
        name => name.to_owned(),
    }
}

/// Codes that say that asking for this again gives the same answer.
const REFUSED: [StatusCode; 23] = [
    StatusCode::BadNodeIdUnknown,
    StatusCode::BadNodeIdInvalid,
    StatusCode::BadAttributeIdInvalid,
    StatusCode::BadIndexRangeInvalid,
    StatusCode::BadIndexRangeNoData,
    StatusCode::BadDataEncodingInvalid,
    StatusCode::BadDataEncodingUnsupported,
    StatusCode::BadNotReadable,
    StatusCode::BadNotWritable,
    StatusCode::BadNotSupported,
    StatusCode::BadNotImplemented,
    StatusCode::BadServiceUnsupported,
    StatusCode::BadWriteNotSupported,
    StatusCode::BadMethodInvalid,
    StatusCode::BadNotExecutable,
    StatusCode::BadUserAccessDenied,
    StatusCode::BadSecurityModeInsufficient,
    StatusCode::BadConfigurationError,
    StatusCode::BadNotFound,
    StatusCode::BadObjectDeleted,
    StatusCode::BadNodeIdRejected,
    StatusCode::BadNodeClassInvalid,
    StatusCode::BadNodeNotInView,
];

/// Codes that say that the value does not suit.
const UNSUITABLE: [StatusCode; 7] = [
    StatusCode::BadTypeMismatch,
    StatusCode::BadOutOfRange,
    StatusCode::BadInvalidArgument,
    StatusCode::BadArgumentsMissing,
    StatusCode::BadTooManyArguments,
    StatusCode::BadSyntaxError,
    StatusCode::BadDominantValueChanged,
];

/// Codes that say that the server does not reach what it speaks for.
const UNREACHABLE: [StatusCode; 4] = [
    StatusCode::BadNotConnected,
    StatusCode::BadNoCommunication,
    StatusCode::BadCommunicationError,
    StatusCode::BadServerNotConnected,
];

/// What a bad status of one point means.
#[must_use]
pub fn point_fault(status: StatusCode) -> Fault {
    let is = |codes: &[StatusCode]| codes.iter().any(|code| code.sub_code() == status.sub_code());
    let words = words(status);
    if is(&REFUSED) {
        Fault::Refused(words)
    } else if is(&UNSUITABLE) {
        Fault::Unsuitable(words)
    } else if is(&UNREACHABLE) {
        Fault::Unreachable(words)
    } else {
        Fault::Busy(words)
    }
}

/// Codes that say that the session or its channel is gone.
const GONE: [StatusCode; 16] = [
    StatusCode::BadConnectionClosed,
    StatusCode::BadConnectionRejected,
    StatusCode::BadNotConnected,
    StatusCode::BadServerNotConnected,
    StatusCode::BadCommunicationError,
    StatusCode::BadSessionClosed,
    StatusCode::BadSessionIdInvalid,
    StatusCode::BadSessionNotActivated,
    StatusCode::BadSecureChannelClosed,
    StatusCode::BadSecureChannelIdInvalid,
    StatusCode::BadSecureChannelTokenUnknown,
    StatusCode::BadTcpSecureChannelUnknown,
    StatusCode::BadSequenceNumberInvalid,
    StatusCode::BadShutdown,
    StatusCode::BadServerHalted,
    StatusCode::BadSubscriptionIdInvalid,
];

/// Whether the session or its channel is gone.
#[must_use]
pub fn is_gone(status: StatusCode) -> bool {
    status == StatusCode::BadTimeout || GONE.contains(&status)
}

/// Codes that say that a request or its answer was too large.
const TOO_MUCH: [StatusCode; 7] = [
    StatusCode::BadTooManyOperations,
    StatusCode::BadEncodingLimitsExceeded,
    StatusCode::BadRequestTooLarge,
    StatusCode::BadResponseTooLarge,
    StatusCode::BadTcpMessageTooLarge,
    StatusCode::BadOutOfMemory,
    StatusCode::BadTcpNotEnoughResources,
];

/// Whether asking for less may help.
#[must_use]
pub fn is_too_much(status: StatusCode) -> bool {
    TOO_MUCH.contains(&status)
}

/// What a service that failed as a whole means for the device.
#[must_use]
pub fn service_fault(status: StatusCode, timeout: Duration) -> Fault {
    if status == StatusCode::BadTimeout {
        return Fault::TimedOut(timeout);
    }
    if is_gone(status) {
        return Fault::Link(words(status));
    }
    match point_fault(status) {
        Fault::Busy(words) => Fault::Protocol(words),
        fault @ (Fault::Link(_)
        | Fault::TimedOut(_)
        | Fault::Protocol(_)
        | Fault::Unreachable(_)
        | Fault::Denied(_)
        | Fault::Refused(_)
        | Fault::NotAValue(_)
        | Fault::NotTold(_)
        | Fault::Stale(_)
        | Fault::Unsuitable(_)) => fault,
    }
}

/// Why a value with this status is not quite to be believed.
#[must_use]
pub fn doubt(status: StatusCode) -> Option<Why> {
    status.is_uncertain().then(|| Why::Other(words(status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper_sdk::Verdict;

    #[test]
    fn a_code_says_what_to_do() {
        assert_eq!(point_fault(StatusCode::BadNodeIdUnknown), Fault::Refused("BadNodeIdUnknown".into()));
        assert_eq!(point_fault(StatusCode::BadSensorFailure).verdict(), Verdict::RetryLater);
        assert_eq!(point_fault(StatusCode::BadTypeMismatch).verdict(), Verdict::GiveUpOnPoint);
        let timeout = Duration::from_secs(1);
        assert_eq!(service_fault(StatusCode::BadTimeout, timeout), Fault::TimedOut(timeout));
        assert_eq!(service_fault(StatusCode::BadSessionIdInvalid, timeout).verdict(), Verdict::Reconnect);
        assert_eq!(service_fault(StatusCode::BadUnexpectedError, timeout).verdict(), Verdict::Reconnect);
        assert_eq!(service_fault(StatusCode::BadUserAccessDenied, timeout).verdict(), Verdict::GiveUpOnPoint);
    }

    #[test]
    fn the_info_bits_do_not_hide_the_code() {
        let overflowing = StatusCode::from(StatusCode::BadNodeIdUnknown.bits() | 0x480);
        assert_eq!(point_fault(overflowing), Fault::Refused("BadNodeIdUnknown".into()));
        let last = StatusCode::from(StatusCode::UncertainLastUsableValue.bits() | 0x480);
        assert_eq!(doubt(last), Some(Why::Other("UncertainLastUsableValue".into())));
        assert_eq!(doubt(StatusCode::GoodClamped), None);
        assert_eq!(words(StatusCode::from(0x8FFF_0000)), "status 0x8FFF0000");
    }
}
