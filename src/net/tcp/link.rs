//! What lies under a connection's bytes: the kernel, or a TLS session and then the kernel.
//!
//! A session whose handshake is over needs no more than its bytes moved, so it is driven here by hand. An idle one holds its keys
//! and a read buffer of 4 KB.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConnection;
use socket2::SockRef;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

/// Encrypted bytes that a session may hold until the kernel takes them: one record.
const ENCRYPTED: usize = 16_384;

/// Reads that bring no byte of a message, such as records of TLS itself, before the others have their turn.
const FRUITLESS_READS: usize = 16;

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

impl Link {
    pub(super) fn new(stream: TcpStream, mut tls: Option<Box<ServerConnection>>) -> Self {
        if let Some(session) = &mut tls {
            session.set_buffer_limit(Some(ENCRYPTED));
        }
        Self { stream, tls }
    }

    /// Whether a connection that we called for is open.
    pub(super) fn poll_open(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.poll_write_ready(context) {
            Poll::Ready(Ok(())) => Poll::Ready(match self.stream.take_error() {
                Ok(None) => Ok(()),
                Ok(Some(error)) | Err(error) => Err(error),
            }),
            other => other,
        }
    }

    /// Reads once into `buffer` and returns how much came; 0 is the end.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut socket = Socket { stream: &mut self.stream, context };
        let Some(session) = &mut self.tls else { return polled(socket.read(buffer)) };
        for _ in 0..FRUITLESS_READS {
            match session.reader().read(buffer) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Closed without a goodbye. Every SIP message tells its own end, so nothing can have been cut off unseen.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(0)),
                Err(error) => return Poll::Ready(Err(error)),
            }
            match session.read_tls(&mut socket) {
                Ok(0) => return Poll::Ready(Ok(0)),
                Ok(_) => {}
                other => return polled(other),
            }
            if let Err(error) = session.process_new_packets() {
                // The alert says why; whether it arrives is the other end's concern.
                let _ = session.write_tls(&mut socket);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
        socket.context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether TLS itself has something to write, such as the answer to a change of keys.
    pub(super) fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|session| session.wants_write())
    }

    /// Writes what TLS still holds.
    pub(super) fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(session) = &mut self.tls else { return Poll::Ready(Ok(0)) };
        let mut socket = Socket { stream: &mut self.stream, context };
        let mut written = 0;
        while session.wants_write() {
            match session.write_tls(&mut socket) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && written > 0 => {
                    return Poll::Ready(Ok(written));
                }
                other => return polled(other),
            }
        }
        Poll::Ready(Ok(written))
    }

    /// Takes bytes to be written: the kernel's count, or what TLS has encrypted and [`Self::poll_drain`] will write.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.tls {
            None => polled(Socket { stream: &mut self.stream, context }.write(bytes)),
            Some(session) => polled(session.writer().write(bytes)),
        }
    }

    /// Closes our direction.
    pub(super) fn shut_down(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(session) = &mut self.tls {
            session.send_close_notify();
            // A few bytes after everything else was written: the kernel has room, or the other end does without.
            let _ = self.poll_drain(context);
        }
        SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }

    /// Makes the kernel forget at once what could not be written.
    pub(super) fn abort(&self) {
        // Failure leaves the kernel's own time-outs to do it.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

fn polled<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        other => Poll::Ready(other),
    }
}

/// The socket as something to read and write; when it is not ready the connection is woken when it is.
struct Socket<'a, 'c> {
    stream: &'a mut TcpStream,
    context: &'a mut Context<'c>,
}

impl io::Read for Socket<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.stream).poll_read(self.context, &mut buffer) {
            Poll::Ready(outcome) => outcome.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Socket<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.stream).poll_write(self.context, bytes) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
