//! A connection on which the answers that open a channel are read by us first.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead as _, AsyncRead, BufReader, ReadBuf};

use super::opening::{MOST_BYTES, Opening};

const HEAD: usize = 8;

/// Passes everything on but answers that open a channel, which come as [`Opening::read`] makes them.
pub(crate) struct LeafReader<R> {
    inner: BufReader<R>,
    opening: Arc<Opening>,
    /// The head of the next message, or all of one that opens a channel, as far as it has come.
    held: Vec<u8>,
    /// So much of `held` has been handed on; nothing yet where it is none.
    given: Option<usize>,
    /// So much of the message that is coming is passed on as it is.
    passing: usize,
}

impl<R: AsyncRead + Unpin> LeafReader<R> {
    pub(crate) fn new(inner: R, opening: Arc<Opening>) -> Self {
        let inner = BufReader::with_capacity(64 * 1_024, inner);
        Self { inner, opening, held: Vec::new(), given: None, passing: 0 }
    }

    /// What the message needs to be looked at: its head, then all of it where it opens a channel.
    fn wanted(&self) -> io::Result<usize> {
        let Some((kind, size)) = head(&self.held) else { return Ok(HEAD) };
        if kind != *b"OPN" {
            return Ok(HEAD);
        }
        if (HEAD..=MOST_BYTES).contains(&size) { Ok(size) } else { Err(odd("a message of an odd length")) }
    }

    /// `held` is as long as it was wanted.
    fn handle_held(&mut self) -> io::Result<()> {
        if let Some((kind, size)) = head(&self.held) {
            if kind == *b"OPN" {
                let message = std::mem::take(&mut self.held);
                self.held = self.opening.read(message).map_err(odd)?;
            } else {
                self.passing = size.checked_sub(HEAD).ok_or_else(|| odd("a message of an odd length"))?;
            }
        }
        self.given = Some(0);
        Ok(())
    }
}

/// The type and the size of a message.
fn head(held: &[u8]) -> Option<([u8; 3], usize)> {
    let kind = held.get(..3)?.try_into().ok()?;
    let size = held.get(4..HEAD)?.try_into().ok().map(u32::from_le_bytes)?;
    Some((kind, usize::try_from(size).ok()?))
}

fn odd(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: AsyncRead + Unpin> AsyncRead for LeafReader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Some(given) = this.given {
                let rest = &this.held[given..];
                let count = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..count]);
                this.given = Some(given + count);
                if given + count == this.held.len() {
                    this.held.clear();
                    this.given = None;
                }
                return Poll::Ready(Ok(()));
            }
            let came = ready!(Pin::new(&mut this.inner).poll_fill_buf(context))?;
            if came.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if this.passing > 0 {
                let count = came.len().min(this.passing).min(buffer.remaining());
                buffer.put_slice(&came[..count]);
                Pin::new(&mut this.inner).consume(count);
                this.passing -= count;
                return Poll::Ready(Ok(()));
            }
            let wanted = this.wanted()?;
            let came = ready!(Pin::new(&mut this.inner).poll_fill_buf(context))?;
            let count = came.len().min(wanted - this.held.len());
            this.held.extend_from_slice(&came[..count]);
            Pin::new(&mut this.inner).consume(count);
            if this.held.len() == this.wanted()? {
                this.handle_held()?;
            }
        }
    }
}
