//! The operator's end: through the gateway where it runs, else with the coordinator itself.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Reply, Request, path, read_line, write_line};
use crate::Ieee;
use crate::admin::{Admin, AdminFault};
use crate::host::{Device, NetworkIds, PortPlace};

/// How long the gateway may take for anything but waiting for devices to join: an interview asks many questions.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorFault {
    /// At the coordinator.
    #[error(transparent)]
    Admin(#[from] AdminFault),
    /// The gateway says so.
    #[error("{0}")]
    Gateway(String),
    /// The gateway does not answer.
    #[error("the gateway does not answer on {}: {error}", path.display())]
    Socket {
        /// Its socket.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
}

/// A network in the hands of an operator.
#[derive(Debug)]
pub enum Operator {
    /// A gateway that runs holds the coordinator and does what is asked.
    Gateway(PathBuf),
    /// The coordinator is held here.
    Own(Box<Admin>, PathBuf),
}

impl Operator {
    /// Reaches the network of a coordinator: through the gateway that runs with this data folder, or else by opening it; where it
    /// has no network, one is formed on this channel, with this PAN id or a random one.
    ///
    /// # Errors
    /// [`OperatorFault`] when it cannot be used.
    pub async fn reach(
        place: PortPlace,
        channel: u8,
        pan_id: Option<u16>,
        data_dir: &Path,
    ) -> Result<Self, OperatorFault> {
        let socket = path(&place, data_dir);
        if UnixStream::connect(&socket).await.is_ok() {
            return Ok(Self::Gateway(socket));
        }
        let admin = Admin::open(place, channel, pan_id, data_dir).await?;
        Ok(Self::Own(Box::new(admin), data_dir.to_owned()))
    }

    /// Lets devices join for so many seconds (1 to 254), or until so many have; tells what each is, or why that is not known.
    ///
    /// # Errors
    /// [`OperatorFault`] when the coordinator is gone.
    pub async fn admit(
        &self,
        seconds: u8,
        most: usize,
        mut tell: impl FnMut(Ieee, Result<Device, String>),
    ) -> Result<(), OperatorFault> {
        match self {
            Self::Own(admin, _) => {
                let tell = |ieee, found: &Result<Device, AdminFault>| {
                    tell(ieee, found.as_ref().cloned().map_err(ToString::to_string));
                };
                Ok(admin.admit(seconds, most, tell).await?)
            }
            Self::Gateway(socket) => {
                let request = Request::PermitJoin { seconds, count: most };
                let within = PATIENCE + Duration::from_secs(u64::from(seconds));
                ask(socket, &request, within, |reply| match reply {
                    Reply::Device { ieee, device } => tell(ieee, Ok(device)),
                    Reply::Mute { ieee, why } => tell(ieee, Err(why)),
                    Reply::Network { .. } | Reply::Failed { .. } | Reply::Done {} => {}
                })
                .await
            }
        }
    }

    /// The coordinator, its network, and the devices.
    ///
    /// # Errors
    /// [`OperatorFault`] when the gateway does not say.
    pub async fn devices(&self) -> Result<(Option<(Ieee, NetworkIds)>, Vec<(Ieee, Device)>), OperatorFault> {
        match self {
            Self::Own(admin, _) => Ok(admin.network().map_or_else(Default::default, |network| {
                (Some((network.coordinator, network.ids)), network.devices.into_iter().collect())
            })),
            Self::Gateway(socket) => {
                let (mut network, mut devices) = (None, Vec::new());
                ask(socket, &Request::Devices {}, PATIENCE, |reply| match reply {
                    Reply::Network { coordinator, ids } => network = Some((coordinator, ids)),
                    Reply::Device { ieee, device } => devices.push((ieee, device)),
                    Reply::Mute { .. } | Reply::Failed { .. } | Reply::Done {} => {}
                })
                .await?;
                Ok((network, devices))
            }
        }
    }

    /// Asks a device what it is.
    ///
    /// # Errors
    /// [`OperatorFault`] when it does not say.
    pub async fn interview(&self, ieee: Ieee) -> Result<Device, OperatorFault> {
        match self {
            Self::Own(admin, _) => Ok(admin.interview(ieee).await?),
            Self::Gateway(socket) => {
                let mut found = None;
                ask(socket, &Request::Interview { device: ieee }, PATIENCE, |reply| {
                    if let Reply::Device { device, .. } = reply {
                        found = Some(device);
                    }
                })
                .await?;
                found.ok_or_else(|| OperatorFault::Gateway("it says nothing of the device".to_owned()))
            }
        }
    }

    /// Makes a device leave, and forgets it; with `force` also when it does not answer.
    ///
    /// # Errors
    /// [`OperatorFault`] when it is not there, or does not leave.
    pub async fn remove(&self, ieee: Ieee, force: bool) -> Result<(), OperatorFault> {
        match self {
            Self::Own(admin, _) => Ok(admin.remove(ieee, force).await?),
            Self::Gateway(socket) => {
                ask(socket, &Request::Remove { device: ieee, force }, PATIENCE, |_| {}).await
            }
        }
    }

    /// Ends; what is known is on the disk then.
    ///
    /// # Errors
    /// [`OperatorFault`] when it cannot be written.
    pub async fn close(self) -> Result<(), OperatorFault> {
        match self {
            Self::Own(admin, data_dir) => Ok(admin.close(&data_dir).await?),
            Self::Gateway(_) => Ok(()),
        }
    }
}

/// Asks the gateway one thing, and takes all that it answers.
async fn ask(
    socket: &Path,
    request: &Request,
    within: Duration,
    mut take: impl FnMut(Reply),
) -> Result<(), OperatorFault> {
    let asked = async {
        let (from, mut to) = UnixStream::connect(socket).await?.into_split();
        write_line(&mut to, request).await?;
        let mut from = BufReader::new(from);
        loop {
            match read_line::<Reply>(&mut from).await? {
                Some(Reply::Done {}) => return Ok(Ok(())),
                Some(Reply::Failed { why }) => return Ok(Err(OperatorFault::Gateway(why))),
                Some(reply) => take(reply),
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        }
    };
    let fault = |error| OperatorFault::Socket { path: socket.to_owned(), error };
    let asked = timeout(within, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    asked.map_err(fault)?
}
