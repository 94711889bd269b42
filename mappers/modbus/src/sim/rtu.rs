//! A simulated line with RTU frames.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::rtu::frame;
use crate::sim::plant::shorten;
use crate::sim::unit::{SimFault, SimUnit};
use crate::sim::wire;

/// Serves one connection until it breaks; how it broke is the client's matter.
pub(super) async fn serve(mut stream: TcpStream, units: Arc<BTreeMap<u8, SimUnit>>) {
    let _ = stream.set_nodelay(true);
    while let Ok(Some(())) = serve_one(&mut stream, &units).await {}
}

/// Serves one request; none when the connection is to be closed.
async fn serve_one(stream: &mut TcpStream, units: &BTreeMap<u8, SimUnit>) -> io::Result<Option<()>> {
    // Every request that is answered has at least four bytes behind the function.
    let mut request = vec![0; 6];
    stream.read_exact(&mut request).await?;
    let rest = match request[1] {
        1..=6 => 2,
        22 => 4,
        15 | 16 => {
            request.push(stream.read_u8().await?);
            usize::from(request[6]) + 2
        }
        _ => return Ok(None),
    };
    let begun = request.len();
    request.resize(begun + rest, 0);
    stream.read_exact(&mut request[begun..]).await?;
    let (said, sum) = request.split_at(request.len() - 2);
    if frame::checksum(said).to_le_bytes() != sum {
        return Ok(None);
    }
    let (mut id, request) = (said[0], &said[1..]);
    let Some(unit) = units.get(&id) else { return Ok(Some(())) };
    let (fault, mut body) = {
        let mut tables = unit.tables();
        tables.requests += 1;
        let silent = matches!(tables.fault, SimFault::Silent | SimFault::Reset | SimFault::Exception(_));
        (tables.fault, if silent { Vec::new() } else { wire::answer(&mut tables, request) })
    };
    match fault {
        SimFault::Silent => return Ok(Some(())),
        SimFault::Reset => return Ok(None),
        SimFault::Slow(time) => sleep(time).await,
        SimFault::WrongUnit => id = id.wrapping_add(1),
        SimFault::Short => shorten(&mut body),
        SimFault::Exception(code) => body = vec![request[0] | 0x80, code],
        SimFault::None | SimFault::WrongTransaction | SimFault::Truncated | SimFault::WrongChecksum => {}
    }
    let mut frame = frame::wrap(id, &body);
    match fault {
        SimFault::Truncated => frame.truncate(frame.len() / 2),
        SimFault::WrongChecksum => {
            if let Some(last) = frame.last_mut() {
                *last ^= 0x10;
            }
        }
        SimFault::None
        | SimFault::Silent
        | SimFault::Slow(_)
        | SimFault::WrongTransaction
        | SimFault::WrongUnit
        | SimFault::Short
        | SimFault::Reset
        | SimFault::Exception(_) => {}
    }
    stream.write_all(&frame).await?;
    Ok(Some(()))
}
