//! Simulated devices that cost as little as they can: they share two cores with what is measured.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;

use super::Load;

/// A request for holding registers: the header, the function, place and count.
const REQUEST: usize = 12;

/// What the devices were asked so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) requests: u64,
    pub(super) registers: u64,
    /// What is added to the number of a register now; it grows by one a second where values change.
    pub(super) tick: u64,
}

impl Seen {
    pub(super) fn since(self, before: Self) -> Self {
        let (requests, registers) = (self.requests - before.requests, self.registers - before.registers);
        Self { requests, registers, tick: self.tick }
    }
}

/// The process of the simulated devices.
pub(in crate::bench) struct Plant {
    _child: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(in crate::bench) ports: Vec<u16>,
}

impl Plant {
    pub(super) async fn start(load: &Load) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("modbus-plant").arg(load.devices.to_string());
        if load.change {
            command.arg("--change");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let ask = child.stdin.take().context("no stdin")?;
        let mut answers = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let ports = answers.next_line().await?.context("the plant does not say where it listens")?;
        let ports = ports.split(' ').map(str::parse).collect::<Result<Vec<u16>, _>>()?;
        ensure!(ports.len() == load.devices, "{} ports", ports.len());
        Ok(Self { _child: child, ask, answers, ports })
    }

    pub(super) async fn seen(&mut self) -> anyhow::Result<Seen> {
        self.ask.write_all(b"\n").await?;
        let line = self.answers.next_line().await?.context("the plant has ended")?;
        let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        let [requests, registers, tick] = numbers[..] else { anyhow::bail!("{line}") };
        Ok(Seen { requests, registers, tick })
    }
}

struct Counters {
    requests: AtomicU64,
    registers: AtomicU64,
    started: Instant,
    change: bool,
}

impl Counters {
    fn tick(&self) -> u64 {
        if self.change { self.started.elapsed().as_secs() } else { 0 }
    }
}

/// Serves devices until its standard input ends; each line there is answered with what they saw.
///
/// # Errors
/// When there are no ports.
#[expect(clippy::print_stdout, reason = "it answers its parent")]
pub async fn serve(devices: usize, change: bool) -> anyhow::Result<()> {
    let (requests, registers) = (AtomicU64::new(0), AtomicU64::new(0));
    let counters = Arc::new(Counters { requests, registers, started: Instant::now(), change });
    let (mut tasks, mut ports) = (JoinSet::new(), Vec::with_capacity(devices));
    for _ in 0..devices {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ports.push(listener.local_addr()?.port().to_string());
        let counters = Arc::clone(&counters);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(device(stream, Arc::clone(&counters)));
            }
        });
    }
    println!("{}", ports.join(" "));
    while tokio::task::spawn_blocking(asked).await?? {
        let (requests, registers) = (&counters.requests, &counters.registers);
        let (requests, registers) = (requests.load(Ordering::Relaxed), registers.load(Ordering::Relaxed));
        println!("{requests} {registers} {}", counters.tick());
    }
    Ok(())
}

/// Waits for a line of the standard input; false at its end.
fn asked() -> std::io::Result<bool> {
    std::io::stdin().read_line(&mut String::new()).map(|read| read > 0)
}

/// Answers requests for holding registers, of which number n holds n and the tick.
async fn device(mut stream: TcpStream, counters: Arc<Counters>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut bytes, mut filled, mut answer) = ([0; 4096], 0, Vec::with_capacity(300));
    loop {
        let read = stream.read(&mut bytes[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        while filled >= REQUEST {
            let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
            let (start, count) = (word(8), word(10));
            if bytes[7] != 3 || !(1..=125).contains(&count) {
                return Ok(());
            }
            let (tick, data) = (counters.tick(), u8::try_from(2 * count).unwrap_or(0));
            answer.clear();
            answer.extend_from_slice(&bytes[..4]);
            answer.extend_from_slice(&[0, data + 3, bytes[6], 3, data]);
            for register in start..start.saturating_add(count) {
                answer.extend_from_slice(&register.wrapping_add(tick as u16).to_be_bytes());
            }
            stream.write_all(&answer).await?;
            counters.requests.fetch_add(1, Ordering::Relaxed);
            counters.registers.fetch_add(u64::from(count), Ordering::Relaxed);
            bytes.copy_within(REQUEST..filled, 0);
            filled -= REQUEST;
        }
    }
}
