//! The task that owns a port: it feeds the exchange and writes what comes of it.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::host::exchange::{Awaited, Event, Exchange, Failure, Token};
use crate::host::inbound::Inbound;
use crate::host::port::{Place, Port};
use crate::host::registry::Registry;
use crate::host::saved;
use crate::host::trouble::OpenFault;
use crate::znp::Frame;

/// How long a frame may take to be written.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// A request of the link.
pub(super) struct Command {
    pub(super) frame: Frame,
    pub(super) answer: Answer,
    pub(super) waits: Vec<(Awaited, Duration, Answer)>,
}

pub(super) type Answer = oneshot::Sender<Result<Frame, Failure>>;

/// The task of a port.
pub(super) struct Shell {
    port: Box<dyn Port>,
    exchange: Exchange,
    inbound: Inbound,
    registry: Arc<Registry>,
    answers: HashMap<Token, Answer>,
    next_token: u64,
    began: Instant,
    runs: Arc<AtomicBool>,
    data_dir: PathBuf,
    /// Held as long as the port is.
    _lock: File,
}

/// A token for what nobody waits for.
const NOBODY: Token = Token(0);

impl Shell {
    /// The task of this port; `runs` says when the start-up is over and a reset is a surprise.
    pub(super) fn new(
        port: Box<dyn Port>,
        lock: File,
        registry: Arc<Registry>,
        runs: Arc<AtomicBool>,
        data_dir: &Path,
    ) -> Self {
        Self {
            port,
            exchange: Exchange::default(),
            inbound: Inbound::default(),
            registry,
            answers: HashMap::new(),
            next_token: 1,
            began: Instant::now(),
            runs,
            data_dir: data_dir.to_owned(),
            _lock: lock,
        }
    }

    /// Works until the connection is gone or nobody needs it; gives why.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Command>) -> String {
        let mut buffer = [0; 1_024];
        loop {
            if let Err(why) = self.settle().await {
                return why;
            }
            let wake_at = self.exchange.poll_timeout().map(|at| self.began + at);
            let sleep = async {
                match wake_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                read = self.port.read(&mut buffer) => match read {
                    Ok(0) => return "it has closed the connection".to_owned(),
                    Ok(count) => self.exchange.handle_bytes(&buffer[..count], self.began.elapsed()),
                    Err(error) => return error.to_string(),
                },
                request = requests.recv() => match request {
                    Some(command) => self.begin(command),
                    None => return "nobody needs it any more".to_owned(),
                },
                () = sleep => {}
            }
            self.exchange.handle_timeout(self.began.elapsed());
        }
    }

    /// Does what there is to do, and writes what there is to write.
    async fn settle(&mut self) -> Result<(), String> {
        loop {
            while let Some(event) = self.exchange.poll_event() {
                self.happened(event)?;
            }
            let Some(bytes) = self.exchange.poll_transmit() else { break };
            let written = timeout(WRITE_DEADLINE, self.port.write_all(&bytes)).await;
            written.map_err(|_| "it does not take what is sent".to_owned())?.map_err(|e| e.to_string())?;
        }
        if self.runs.load(Ordering::Relaxed)
            && let Some(saved) = self.registry.take_changed()
            && let Err(error) = saved::save(&self.data_dir, &saved).await
        {
            tracing::warn!(%error, "the devices of the ZigBee network could not be saved");
        }
        Ok(())
    }

    fn happened(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Answer(token, result) => {
                if let Some(answer) = self.answers.remove(&token) {
                    let _ = answer.send(result);
                }
            }
            Event::Broken => return Err("it does not answer".to_owned()),
            Event::Indication(frame) => {
                if self.runs.load(Ordering::Relaxed) && Inbound::is_reset(&frame) {
                    return Err("it has restarted".to_owned());
                }
                for answer in self.inbound.handle(&self.registry, &frame, Instant::now()) {
                    self.exchange.handle_request(NOBODY, answer, self.began.elapsed());
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, command: Command) {
        let now = self.began.elapsed();
        // Those whose asker has gone are forgotten, so that none of them takes what another waits for.
        let gone: Vec<Token> =
            self.answers.iter().filter(|(_, answer)| answer.is_closed()).map(|(token, _)| *token).collect();
        for token in gone {
            self.answers.remove(&token);
            self.exchange.handle_cancel(token);
        }
        for (awaited, within, tell) in command.waits {
            let token = self.token(tell);
            self.exchange.handle_wait(token, awaited, within, now);
        }
        let token = self.token(command.answer);
        self.exchange.handle_request(token, command.frame, now);
    }

    fn token(&mut self, answer: Answer) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.answers.insert(token, answer);
        token
    }
}

/// One process to a coordinator: two would each undo what the other has told it.
pub(super) fn lock(place: &Place, data_dir: &Path) -> Result<File, OpenFault> {
    let failed = |error| OpenFault::Folder { path: data_dir.to_owned(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = place.to_string().chars().map(word).take(100).collect();
    let file = File::create(data_dir.join(format!("{name}.lock"))).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenFault::InUse(place.clone())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
