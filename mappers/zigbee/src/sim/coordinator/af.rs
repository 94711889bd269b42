//! The application framework: endpoints of the host, and its messages to devices.

use std::time::Duration;

use crate::sim::mesh::{Envelope, Mesh, Parcel};
use crate::znp::af::{
    DataConfirm, DataRequest, DataRequestAnswer, DataRequestExt, DataRequestExtAnswer, Register,
    RegisterAnswer, SHORT_ADDRESS,
};
use crate::znp::{Frame, Message as _, status};

/// The endpoint is there already. (`afStatus_DUPLICATE`)
const DUPLICATE: u8 = 0xB8;
/// The first short address that means several devices.
const FIRST_BROADCAST: u16 = 0xFFF8;

impl Mesh {
    pub(super) fn af(&mut self, frame: &Frame) -> Option<Frame> {
        if let Some(register) = Register::of(frame) {
            let known = self.coordinator.endpoints.contains_key(&register.endpoint);
            self.coordinator.endpoints.entry(register.endpoint).or_insert(register);
            return Some(RegisterAnswer { status: if known { DUPLICATE } else { 0 } }.frame());
        }
        if let Some(request) = DataRequest::of(frame) {
            let status = self.send(
                request.nwk,
                Envelope {
                    endpoint: request.to_endpoint,
                    from_endpoint: request.from_endpoint,
                    cluster: request.cluster,
                    transaction: request.transaction,
                    data: request.data.0,
                },
            );
            return Some(DataRequestAnswer { status }.frame());
        }
        let request = DataRequestExt::of(frame)?;
        let envelope = Envelope {
            endpoint: request.to_endpoint,
            from_endpoint: request.from_endpoint,
            cluster: request.cluster,
            transaction: request.transaction,
            data: request.data.0,
        };
        let nwk = u16::try_from(request.address & 0xFFFF).unwrap_or(0);
        let status = if request.mode == SHORT_ADDRESS {
            self.send(nwk, envelope)
        } else {
            // Groups: no simulated device is in one.
            self.confirmed(&envelope)
        };
        Some(DataRequestExtAnswer { status }.frame())
    }

    fn send(&mut self, nwk: u16, envelope: Envelope) -> u8 {
        if !self.coordinator.runs() || !self.coordinator.endpoints.contains_key(&envelope.from_endpoint) {
            return status_of_a_wrong_request();
        }
        if nwk >= FIRST_BROADCAST {
            return self.confirmed(&envelope);
        }
        self.post(nwk, Parcel::Data(envelope));
        status::SUCCESS
    }

    /// Says that it was sent; nobody in particular gets it.
    fn confirmed(&mut self, envelope: &Envelope) -> u8 {
        let (endpoint, transaction) = (envelope.from_endpoint, envelope.transaction);
        let confirm = DataConfirm { status: status::SUCCESS, endpoint, transaction };
        self.tell_host(Duration::from_millis(10), confirm.frame());
        status::SUCCESS
    }
}

/// `afStatus_INVALID_PARAMETER`.
fn status_of_a_wrong_request() -> u8 {
    2
}
