//! The gateway's end: does what operators ask with the coordinator that it holds.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Reply, Request, read_line, write_line};
use crate::admin::{Admin, AdminFault};
use crate::host::{Coordinator, MOST_DEVICES};

/// Operators at a time.
const MOST_OPERATORS: usize = 4;
/// How long an operator may take to say what is wanted, and to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves operators for as long as it is polled.
pub(crate) async fn serve(listener: UnixListener, coordinator: Weak<Coordinator>) {
    let mut operators = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if operators.len() < MOST_OPERATORS => accepted,
            Some(_) = operators.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let coordinator = Weak::clone(&coordinator);
        operators.spawn(async move {
            if let Err(error) = attend(stream, &coordinator).await {
                tracing::debug!(%error, "an operator of the ZigBee network went away");
            }
        });
    }
}

/// Does the one thing that an operator asks.
async fn attend(stream: UnixStream, coordinator: &Weak<Coordinator>) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    let request = timeout(PATIENCE, read_line::<Request>(&mut from)).await?;
    let request = match request {
        Ok(Some(request)) => request,
        Ok(None) => return Ok(()),
        Err(error) => {
            let why = format!("not a request: {error}");
            return tell(&mut to, &Reply::Failed { why }).await;
        }
    };
    let Some(coordinator) = coordinator.upgrade() else {
        let why = "the gateway has lost its coordinator: try again in a moment".to_owned();
        return tell(&mut to, &Reply::Failed { why }).await;
    };
    tracing::info!(?request, "an operator asks something of the ZigBee network");
    let admin = Admin::of(Arc::clone(&coordinator));
    let last = match act(&admin, request, &mut from, &mut to).await? {
        Ok(()) => Reply::Done {},
        Err(fault) => Reply::Failed { why: fault.to_string() },
    };
    // The task of the port saves what has changed when there is something for it to do.
    let _ = admin.ping().await;
    tell(&mut to, &last).await
}

/// The outer fault is that of the operator, the inner that of the network.
async fn act(
    admin: &Admin,
    request: Request,
    from: &mut BufReader<OwnedReadHalf>,
    to: &mut OwnedWriteHalf,
) -> io::Result<Result<(), AdminFault>> {
    match request {
        Request::PermitJoin { seconds, count } => admit(admin, seconds.clamp(1, 254), count, from, to).await,
        Request::Devices {} => {
            let Some(network) = admin.network() else { return Ok(Ok(())) };
            tell(to, &Reply::Network { coordinator: network.coordinator, ids: network.ids }).await?;
            for (ieee, device) in network.devices {
                tell(to, &Reply::Device { ieee, device }).await?;
            }
            Ok(Ok(()))
        }
        Request::Interview { device: ieee } => match admin.interview(ieee).await {
            Ok(device) => tell(to, &Reply::Device { ieee, device }).await.map(Ok),
            Err(fault) => Ok(Err(fault)),
        },
        Request::Remove { device, force } => Ok(admin.remove(device, force).await),
    }
}

/// Lets devices in, until the time is up, enough have come, or the operator has gone.
async fn admit(
    admin: &Admin,
    seconds: u8,
    count: usize,
    from: &mut BufReader<OwnedReadHalf>,
    to: &mut OwnedWriteHalf,
) -> io::Result<Result<(), AdminFault>> {
    let (found, mut joined) = mpsc::channel(MOST_DEVICES);
    let admitted = admin.admit(seconds, count, |ieee, device| {
        let reply = match device {
            Ok(device) => Reply::Device { ieee, device: device.clone() },
            Err(fault) => Reply::Mute { ieee, why: fault.to_string() },
        };
        // A network has no room for more devices than this has.
        let _ = found.try_send(reply);
    });
    let mut admitted = pin!(admitted);
    let mut nothing = [0; 1];
    loop {
        tokio::select! {
            ended = &mut admitted => {
                while let Ok(reply) = joined.try_recv() {
                    tell(to, &reply).await?;
                }
                return Ok(ended);
            }
            Some(reply) = joined.recv() => tell(to, &reply).await?,
            // It has nothing more to say: this is its end.
            _ = from.read(&mut nothing) => {
                let _ = admin.permit_join(0).await;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }
}

async fn tell(to: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<()> {
    timeout(PATIENCE, write_line(to, reply)).await?
}
