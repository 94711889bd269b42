//! A coordinator that runs: the task that owns its port, and what others ask it for.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::bytes::List;
use crate::host::exchange::{ANSWER_WITHIN, Awaited, Failure};
use crate::host::port::{self, Place};
use crate::host::registry::Registry;
use crate::host::saved::{self, Saved};
use crate::host::shell::{Command, Shell, lock};
use crate::host::startup::{ENDPOINT, Formation, StartUp, Started, Step};
use crate::host::trouble::{OpenFault, Trouble};
use crate::zcl::Message as ZclMessage;
use crate::znp::af::{ACK, DataConfirm, DataRequest, RADIUS};
use crate::znp::{Frame, Message as _, Request, status};

/// Messages to devices on the way at a time; a coordinator has few buffers.
const MOST_ON_THE_WAY: usize = 8;
/// Requests that wait for the task of the port.
const MOST_COMMANDS: usize = 64;

/// How to open a coordinator.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Where it is.
    pub place: Place,
    /// What a network is formed with when there is none.
    pub formation: Formation,
    /// The folder with the files of networks.
    pub data_dir: PathBuf,
}

/// A coordinator that runs.
#[derive(Debug)]
pub struct Coordinator {
    registry: Arc<Registry>,
    started: Started,
    commands: mpsc::Sender<Command>,
    lost: watch::Receiver<Option<String>>,
    numbers: AtomicU32,
    room: Semaphore,
    /// Ends the task of the port with it.
    task: JoinSet<()>,
}

impl Coordinator {
    /// Opens a coordinator and takes its network up, or forms it.
    ///
    /// # Errors
    /// [`OpenFault`] when it cannot be used.
    pub async fn open(opening: &Opening, registry: Arc<Registry>) -> Result<Self, OpenFault> {
        let place = &opening.place;
        let lock = lock(place, &opening.data_dir)?;
        let port = port::open(place).await;
        let port = port.map_err(|error| OpenFault::Port { place: place.clone(), error })?;
        let (commands, requests) = mpsc::channel(MOST_COMMANDS);
        let (tell_lost, lost) = watch::channel(None);
        let runs = Arc::new(AtomicBool::new(false));
        let shell = Shell::new(port, lock, Arc::clone(&registry), Arc::clone(&runs), &opening.data_dir);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let why = shell.run(requests).await;
            let _ = tell_lost.send(Some(why));
        });
        let mut coordinator = Self {
            registry,
            started: Started {
                ieee: crate::Ieee(0),
                ids: opening.formation.ids.clone(),
                formed: false,
                firmware: 0,
            },
            commands,
            lost,
            numbers: AtomicU32::new(fastrand::u32(..)),
            room: Semaphore::new(MOST_ON_THE_WAY),
            task,
        };
        coordinator.start(opening).await?;
        runs.store(true, Ordering::Relaxed);
        Ok(coordinator)
    }

    /// Gives the port back.
    pub async fn close(mut self) {
        self.task.shutdown().await;
    }

    async fn start(&mut self, opening: &Opening) -> Result<(), OpenFault> {
        let place = &opening.place;
        let mut start_up = StartUp::new(opening.formation.clone());
        let mut known: Option<Saved> = None;
        loop {
            match start_up.poll_step() {
                Step::Ask { frame, then } => {
                    let answer = self.exchange(frame, then).await;
                    let answer =
                        answer.map_err(|trouble| OpenFault::Trouble { place: place.clone(), trouble })?;
                    start_up.handle_answer(&answer);
                }
                Step::LookUp(ieee) => {
                    known = saved::load(&opening.data_dir, ieee).await?;
                    let saved = known.as_ref();
                    start_up.handle_known(saved.map(|saved| (saved.ids.clone(), saved.key.clone())));
                }
                Step::Failed(fault) => return Err(OpenFault::Start { place: place.clone(), fault }),
                Step::Done(started) => {
                    let (key, ids) = (start_up.key(), started.ids.clone());
                    let before = known.filter(|saved| saved.ids.is_same_network(&ids));
                    let saved = match before {
                        Some(saved) => Saved { key: key.or(saved.key), ids, ..saved },
                        None => Saved { coordinator: started.ieee, ids, key, devices: [].into() },
                    };
                    saved::save(&opening.data_dir, &saved).await?;
                    self.registry.adopt(saved);
                    tracing::info!(%place, coordinator = %started.ieee, network = %started.ids, formed = started.formed, "the ZigBee coordinator runs");
                    self.started = started;
                    return Ok(());
                }
            }
        }
    }

    /// Its address and its network.
    #[must_use]
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// Its devices.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Why the connection is gone, once it is.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        self.lost.borrow().clone()
    }

    /// Waits until the connection is gone; gives why.
    pub async fn until_lost(&self) -> String {
        let mut lost = self.lost.clone();
        let gone = lost.wait_for(Option::is_some).await;
        gone.ok().and_then(|why| why.clone()).unwrap_or_else(|| "its task has ended".to_owned())
    }

    /// Asks the coordinator itself.
    ///
    /// # Errors
    /// [`Trouble`] when there is no answer.
    pub async fn ask<R: Request>(&self, request: &R) -> Result<R::Answer, Trouble> {
        let answer = self.exchange(request.frame(), None).await?;
        R::Answer::of(&answer).ok_or(Trouble::Garbled)
    }

    /// Asks the objects of a device; gives what it says itself.
    ///
    /// # Errors
    /// [`Trouble`] when there is no answer.
    pub async fn ask_object(
        &self,
        frame: Frame,
        awaited: Awaited,
        within: Duration,
    ) -> Result<Frame, Trouble> {
        let _room = self.room.acquire().await.map_err(|_| Trouble::TooMuch)?;
        self.exchange(frame, Some((awaited, within))).await
    }

    /// Sends a frame; gives its answer, or what is awaited after it.
    async fn exchange(&self, frame: Frame, then: Option<(Awaited, Duration)>) -> Result<Frame, Trouble> {
        // What nobody answers is only waited for.
        let is_request = frame.kind == crate::znp::Kind::Sreq;
        let (mut answer, mut later) = self.submit(frame, then.into_iter().collect()).await?;
        if is_request {
            let first = self.fetch(&mut answer, ANSWER_WITHIN).await?;
            let Some((_, within)) = then else { return Ok(first) };
            // The status of a start says which network it is; of all other requests 0 is the one that goes on.
            let status = first.data.first().copied().unwrap_or(0);
            if status > 1 {
                return Err(Trouble::NotSent(status));
            }
            let later = later.first_mut().ok_or(Trouble::Garbled)?;
            return self.fetch(later, within).await;
        }
        let Some((_, within)) = then else { return Err(Trouble::Garbled) };
        let later = later.first_mut().ok_or(Trouble::Garbled)?;
        self.fetch(later, within).await
    }

    /// Sends a frame of the cluster library to a device and waits for the answer.
    ///
    /// # Errors
    /// [`Trouble`] when there is none.
    pub async fn talk(
        &self,
        (nwk, endpoint, cluster): (u16, u8, u16),
        message: impl FnOnce(u8) -> ZclMessage,
        within: Duration,
    ) -> Result<ZclMessage, Trouble> {
        let _room = self.room.acquire().await.map_err(|_| Trouble::TooMuch)?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        // Nought is for answers of ours, which nobody waits for.
        let transaction = u8::try_from(number % 255).unwrap_or(0) + 1;
        let sequence = transaction;
        let request = DataRequest {
            nwk,
            to_endpoint: endpoint,
            from_endpoint: ENDPOINT,
            cluster,
            transaction,
            options: ACK,
            radius: RADIUS,
            data: List(message(sequence).encode()),
        };
        let confirm = (Awaited::Confirm { transaction }, within);
        let reply = (Awaited::Reply { nwk, endpoint, cluster, sequence }, within);
        let (mut answer, mut later) = self.submit(request.frame(), vec![confirm, reply]).await?;
        let first = self.fetch(&mut answer, ANSWER_WITHIN).await?;
        match first.data.first() {
            Some(&status::SUCCESS) => {}
            Some(&refused) => return Err(Trouble::NotSent(refused)),
            None => return Err(Trouble::Garbled),
        }
        let [confirm, reply] = later.as_mut_slice() else { return Err(Trouble::Garbled) };
        let reply = tokio::select! {
            biased;
            reply = self.fetch(reply, within) => reply?,
            refused = self.refused(confirm, within) => return Err(refused),
        };
        let message = crate::znp::af::IncomingMsg::of(&reply).ok_or(Trouble::Garbled)?;
        ZclMessage::decode(&message.data.0).ok_or(Trouble::Garbled)
    }

    /// Ends when a message was not delivered.
    async fn refused(&self, confirm: &mut Later, within: Duration) -> Trouble {
        match self.fetch(confirm, within).await {
            Ok(frame) => match DataConfirm::of(&frame) {
                Some(confirm) if confirm.status != status::SUCCESS => Trouble::NotDelivered(confirm.status),
                Some(_) | None => std::future::pending().await,
            },
            // The answer has the same deadline, and says it better.
            Err(_) => std::future::pending().await,
        }
    }

    async fn submit(
        &self,
        frame: Frame,
        waits: Vec<(Awaited, Duration)>,
    ) -> Result<(Later, Vec<Later>), Trouble> {
        let (answer, first) = oneshot::channel();
        let mut later = Vec::new();
        let mut ends = Vec::new();
        for (awaited, within) in waits {
            let (tell, told) = oneshot::channel();
            ends.push((awaited, within, tell));
            later.push(told);
        }
        let command = Command { frame, answer, waits: ends };
        let sent = self.commands.send(command).await;
        sent.map_err(|_| Trouble::Lost(self.why_lost()))?;
        Ok((first, later))
    }

    async fn fetch(&self, later: &mut Later, within: Duration) -> Result<Frame, Trouble> {
        match later.await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(Failure::TimedOut)) => Err(Trouble::Silent(within)),
            Ok(Err(Failure::NotKnown)) => Err(Trouble::NotKnown),
            Ok(Err(Failure::TooMuch)) => Err(Trouble::TooMuch),
            Err(_) => Err(Trouble::Lost(self.why_lost())),
        }
    }

    fn why_lost(&self) -> String {
        self.lost().unwrap_or_else(|| "the connection has ended".to_owned())
    }
}

type Later = oneshot::Receiver<Result<Frame, Failure>>;
