//! How a device is reached: what is tried when a message did not arrive, and how long one waits for a device that sleeps.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Ieee;
use crate::host::coordinator::Coordinator;
use crate::host::exchange::Awaited;
use crate::host::trouble::Trouble;
use crate::zcl::Message as ZclMessage;
use crate::znp::af::RADIUS;
use crate::znp::zdo::{ExtRouteDisc, NwkAddrReq, NwkAddrRsp};
use crate::znp::{Frame, Message as _, status};

/// What to do after a message that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Send it again after this time.
    Again(Duration),
    /// Let the coordinator look for the way, and send it again.
    FindWay,
    /// Find out whether the device has another short address, and send it again.
    FindAddress,
    /// Wait until the device is heard, and send it again at once.
    AwaitDevice,
    /// Give up.
    GiveUp,
}

/// Decides what to do after the `attempt`-th message (from 1) that did not arrive.
#[must_use]
pub fn recovery(trouble: &Trouble, attempt: u32, sleeps: bool) -> Recovery {
    match trouble {
        Trouble::NotDelivered(code) if sleeps && *code == status::TRANSACTION_EXPIRED => {
            Recovery::AwaitDevice
        }
        Trouble::NotDelivered(_) | Trouble::NotSent(status::BUFFER_FULL) => match attempt {
            1 => Recovery::Again(Duration::from_millis(50)),
            2 => Recovery::FindWay,
            3 => Recovery::FindAddress,
            _ => Recovery::GiveUp,
        },
        Trouble::Silent(_) if sleeps => Recovery::AwaitDevice,
        Trouble::Silent(_)
        | Trouble::Lost(_)
        | Trouble::NotSent(_)
        | Trouble::NotKnown
        | Trouble::TooMuch
        | Trouble::Garbled => Recovery::GiveUp,
    }
}

/// How a device is reached.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// The device.
    pub ieee: Ieee,
    /// How long one answer may take.
    pub within: Duration,
    /// How long a device that sleeps may take to ask for its messages; none when it does not sleep.
    pub patience: Option<Duration>,
}

impl Coordinator {
    /// Sends a frame of the cluster library to a device, again where that may help, and waits for the answer.
    ///
    /// # Errors
    /// [`Trouble`] when there is none.
    pub async fn talk_to(
        &self,
        reach: Reach,
        (endpoint, cluster): (u8, u16),
        message: impl Fn(u8) -> ZclMessage,
    ) -> Result<ZclMessage, Trouble> {
        let until = Instant::now() + reach.patience.unwrap_or(reach.within);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Some(nwk) = self.registry().device(reach.ieee).and_then(|device| device.nwk) else {
                return Err(Trouble::NotDelivered(status::NO_ROUTE));
            };
            let trouble = match self.talk((nwk, endpoint, cluster), &message, reach.within).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let left = until.saturating_duration_since(Instant::now());
            let recovery = recovery(&trouble, attempt, reach.patience.is_some());
            tracing::debug!(device = %reach.ieee, attempt, %trouble, ?recovery, "a message did not arrive");
            match recovery {
                Recovery::GiveUp => return Err(trouble),
                _ if left.is_zero() => return Err(trouble),
                Recovery::Again(pause) => sleep(pause.min(left)).await,
                Recovery::FindWay => {
                    self.find_way(nwk).await?;
                    sleep(Duration::from_millis(250).min(left)).await;
                }
                Recovery::FindAddress => {
                    // An answer changes the registry by itself.
                    let _ = self.find_address(reach.ieee, left.min(Duration::from_secs(3))).await;
                }
                Recovery::AwaitDevice => {
                    if !self.registry().until_heard(reach.ieee, left).await {
                        return Err(trouble);
                    }
                }
            }
        }
    }

    /// Asks the objects of a device, once more after looking for the way to it; `id` is the command of the answer.
    ///
    /// # Errors
    /// [`Trouble`] when there is none.
    pub async fn ask_device(
        &self,
        nwk: u16,
        frame: Frame,
        id: u8,
        within: Duration,
    ) -> Result<Frame, Trouble> {
        let awaited = Awaited::Object { id, source: nwk };
        match self.ask_object(frame.clone(), awaited, within).await {
            Err(Trouble::Silent(_)) => {
                self.find_way(nwk).await?;
                self.ask_object(frame, awaited, within).await
            }
            answer => answer,
        }
    }

    /// Lets the coordinator look for the way to a device.
    ///
    /// # Errors
    /// [`Trouble`] when the coordinator does not answer.
    pub async fn find_way(&self, nwk: u16) -> Result<(), Trouble> {
        self.ask(&ExtRouteDisc { nwk, options: 0, radius: RADIUS }).await.map(|_| ())
    }

    /// Asks the whole network for the short address of a device.
    ///
    /// # Errors
    /// [`Trouble`] when nobody answers.
    pub async fn find_address(&self, ieee: Ieee, within: Duration) -> Result<u16, Trouble> {
        let request = NwkAddrReq { ieee, kind: 0, start: 0 }.frame();
        let answer = self.ask_object(request, Awaited::Address(ieee), within).await?;
        let found = NwkAddrRsp::of(&answer).filter(|found| found.status == 0);
        found.map(|found| found.nwk).ok_or(Trouble::Garbled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_looked_for_before_a_device_is_given_up() {
        let trouble = Trouble::NotDelivered(status::NO_ROUTE);
        let tried: Vec<_> = (1..=4).map(|attempt| recovery(&trouble, attempt, false)).collect();
        let again = Recovery::Again(Duration::from_millis(50));
        assert_eq!(tried, [again, Recovery::FindWay, Recovery::FindAddress, Recovery::GiveUp]);
        let silent = Trouble::Silent(Duration::from_secs(1));
        assert_eq!(recovery(&silent, 1, false), Recovery::GiveUp);
        assert_eq!(recovery(&silent, 1, true), Recovery::AwaitDevice);
    }
}
