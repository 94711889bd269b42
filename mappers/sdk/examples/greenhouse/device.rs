//! A simulated controller, which can be made to misbehave.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What it holds, and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) temperature: f64,
    pub(crate) moisture: f64,
    pub(crate) lamp: bool,
    /// It answers nothing.
    pub(crate) silent: bool,
    /// It takes so long to answer.
    pub(crate) late: Duration,
}

/// The controller; it ends with this.
pub(crate) struct Device {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

impl Device {
    /// Starts it on a free port of this machine.
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { temperature: 21.5, moisture: 60.0, ..State::default() }));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, state.clone()));
        Ok(Self { address, state, _tasks: tasks })
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        clients.spawn(client(stream, state.clone()));
        while clients.try_join_next().is_some() {}
    }
}

async fn client(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
        let (answer, late, silent) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.answer(line.trim_end()), state.late, state.silent)
        };
        line.clear();
        tokio::time::sleep(late).await;
        if !silent && stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl State {
    fn answer(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let switch = |on: bool| if on { "on" } else { "off" };
        let number = words.first().copied().unwrap_or_default();
        let answer = match &words[1..] {
            ["GET", "temperature"] => format!("OK {}", self.temperature),
            ["GET", "moisture"] => format!("OK {}", self.moisture),
            ["GET", "lamp"] => format!("OK {}", switch(self.lamp)),
            ["SET", "lamp", word] if !self.silent => {
                self.lamp = *word == "on";
                "OK".to_owned()
            }
            ["SET", "temperature" | "moisture", _] => "ERR it can only be read".to_owned(),
            _ => "ERR there is nothing of that name".to_owned(),
        };
        format!("{number} {answer}\n")
    }
}
