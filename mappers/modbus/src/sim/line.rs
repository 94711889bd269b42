//! A simulated line.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::link::Framing;
use crate::serial::{ascii, rtu};
use crate::sim::plant::{lengthen, shorten};
use crate::sim::unit::{SimFault, SimUnit};
use crate::sim::wire;

/// The longest frame that is read.
const LONGEST: u64 = 600;

/// Serves one connection until it breaks; how it broke is the client's matter.
pub(super) async fn serve(framing: Framing, stream: TcpStream, units: Arc<BTreeMap<u8, SimUnit>>) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Ok(Some(())) = serve_one(framing, &mut stream, &units).await {}
}

/// The unit and the body of the next request; none when it is not one.
async fn request(framing: Framing, stream: &mut BufReader<TcpStream>) -> io::Result<Option<(u8, Vec<u8>)>> {
    match framing {
        Framing::Rtu => rtu_request(stream).await,
        Framing::Ascii => {
            let mut frame = Vec::new();
            stream.take(LONGEST).read_until(b'\n', &mut frame).await?;
            let frame = frame.strip_prefix(b":").and_then(|frame| frame.strip_suffix(b"\n"));
            Ok(frame.and_then(|frame| ascii::said(frame).ok()))
        }
    }
}

async fn rtu_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<(u8, Vec<u8>)>> {
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
    let right = rtu::checksum(said).to_le_bytes() == sum;
    Ok(right.then(|| (said[0], said[1..].to_vec())))
}

/// Serves one request; none when the connection is to be closed.
async fn serve_one(
    framing: Framing,
    stream: &mut BufReader<TcpStream>,
    units: &BTreeMap<u8, SimUnit>,
) -> io::Result<Option<()>> {
    let Some((mut id, request)) = request(framing, stream).await? else { return Ok(None) };
    let Some(unit) = units.get(&id) else { return Ok(Some(())) };
    let (fault, mut body) = {
        let mut tables = unit.tables();
        tables.requests += 1;
        let silent = matches!(tables.fault, SimFault::Silent | SimFault::Reset | SimFault::Exception(_));
        (tables.fault, if silent { Vec::new() } else { wire::answer(&mut tables, &request) })
    };
    match fault {
        SimFault::Silent => return Ok(Some(())),
        SimFault::Reset => return Ok(None),
        SimFault::Slow(time) => sleep(time).await,
        SimFault::WrongUnit => id = id.wrapping_add(1),
        SimFault::Short => shorten(&mut body),
        SimFault::Long => lengthen(&mut body),
        SimFault::Exception(code) => body = vec![request[0] | 0x80, code],
        SimFault::None | SimFault::WrongTransaction | SimFault::Truncated | SimFault::WrongChecksum => {}
    }
    let mut frame = framing.wrap(id, &body);
    match fault {
        SimFault::Truncated => frame.truncate(frame.len() / 2),
        SimFault::WrongChecksum => {
            // The last byte of the sum, which in ASCII stands before the end of the line.
            let at = frame.len() - if framing == Framing::Ascii { 3 } else { 1 };
            frame[at] = if frame[at] == b'0' { b'1' } else { b'0' };
        }
        SimFault::None
        | SimFault::Silent
        | SimFault::Slow(_)
        | SimFault::WrongTransaction
        | SimFault::WrongUnit
        | SimFault::Short
        | SimFault::Long
        | SimFault::Reset
        | SimFault::Exception(_) => {}
    }
    stream.write_all(&frame).await?;
    Ok(Some(()))
}
