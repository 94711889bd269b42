//! A plain loop with the client library: the same requests, and nothing done with the answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;
use tokio_modbus::client::Reader as _;

use super::super::process::own_cpu;
use super::Load;

pub(super) struct Raw {
    pub(super) requests: f64,
    pub(super) cores: f64,
}

/// Requests a second, one at a time on each connection.
pub(super) async fn measure(load: &Load, ports: &[u16], window: Duration) -> anyhow::Result<Raw> {
    let (cpu, started) = (own_cpu()?, Instant::now());
    let mut tasks: JoinSet<anyhow::Result<u64>> = JoinSet::new();
    for port in ports {
        let (address, load) = (SocketAddr::from(([127, 0, 0, 1], *port)), *load);
        tasks.spawn(async move {
            let mut client = tokio_modbus::client::tcp::connect(address).await?;
            let mut requests = 0;
            while started.elapsed() < window {
                for start in (0..load.registers).step_by(load.block.into()) {
                    let count = load.block.min(load.registers - start);
                    let words = client.read_holding_registers(start, count).await??;
                    ensure!(words.len() == usize::from(count) && words[0] == start, "{words:?}");
                    requests += 1;
                }
            }
            Ok(requests)
        });
    }
    let mut requests = 0;
    while let Some(done) = tasks.join_next().await {
        requests += done??;
    }
    let took = started.elapsed().as_secs_f64();
    let cores = own_cpu()?.saturating_sub(cpu).as_secs_f64() / took;
    Ok(Raw { requests: requests as f64 / took, cores })
}
