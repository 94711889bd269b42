//! What the exceptions of a device mean.

use mapper_sdk::Fault;
use tokio_modbus::ExceptionCode;

/// An exception in words. (MODBUS Application Protocol V1.1b3, 7)
fn exception_words(code: ExceptionCode) -> String {
    let words = match code {
        ExceptionCode::IllegalFunction => "illegal function",
        ExceptionCode::IllegalDataAddress => "illegal data address",
        ExceptionCode::IllegalDataValue => "illegal data value",
        ExceptionCode::ServerDeviceFailure => "server device failure",
        ExceptionCode::Acknowledge => "acknowledge, still working",
        ExceptionCode::ServerDeviceBusy => "server device busy",
        ExceptionCode::MemoryParityError => "memory parity error",
        ExceptionCode::GatewayPathUnavailable => "gateway path unavailable",
        ExceptionCode::GatewayTargetDevice => "gateway target device failed to respond",
        ExceptionCode::Custom(_) => "an exception that is not in the standard",
    };
    format!("{words} (exception {})", u8::from(code))
}

/// What an exception means for the point or device that was asked for.
pub(crate) fn exception_fault(code: ExceptionCode) -> Fault {
    let words = exception_words(code);
    match code {
        ExceptionCode::IllegalFunction
        | ExceptionCode::IllegalDataAddress
        | ExceptionCode::IllegalDataValue => Fault::Refused(words),
        ExceptionCode::GatewayPathUnavailable | ExceptionCode::GatewayTargetDevice => {
            Fault::Unreachable(words)
        }
        ExceptionCode::ServerDeviceFailure
        | ExceptionCode::Acknowledge
        | ExceptionCode::ServerDeviceBusy
        | ExceptionCode::MemoryParityError
        | ExceptionCode::Custom(_) => Fault::Busy(words),
    }
}
