//! One connection, TCP or TLS: bytes in, bytes out, never waiting.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use rustls::ClientConnection;
use socket2::{Domain, Protocol, Socket, Type};

use super::outbox::Queue;
use super::tls::Tls;

/// Read at once.
const CHUNK: usize = 64 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What has come and is not yet a whole message.
    pub(crate) input: Vec<u8>,
    /// The kernel has not said yet whether it stands.
    pub(crate) is_connecting: bool,
}

impl Connection {
    /// Begins to connect.
    pub(crate) fn open(local: Option<SocketAddr>, target: SocketAddr, tls: Option<&Tls>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(local) = local {
            socket.set_reuse_address(true)?;
            socket.bind(&local.into())?;
        }
        match socket.connect(&target.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let tls = tls.map(Tls::connection).transpose().map_err(io::Error::other)?;
        Ok(Self { stream: socket.into(), tls: tls.map(Box::new), input: Vec::new(), is_connecting: true })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// It has become writable for the first time: whether it stands.
    pub(crate) fn connected(&mut self) -> io::Result<()> {
        self.is_connecting = false;
        match self.stream.take_error()? {
            Some(error) => Err(error),
            None => self.push(),
        }
    }

    /// Whether messages can be sent: connected, hands shaken.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_connecting && self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// Takes what waits. Whether all of it is with the kernel.
    pub(crate) fn send(&mut self, queue: &mut Queue) -> io::Result<bool> {
        if self.is_connecting {
            return Ok(false);
        }
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(&queue.bytes[queue.sent..])?;
            queue.sent = queue.bytes.len();
            self.push()?;
            return Ok(self.tls.as_ref().is_none_or(|tls| !tls.wants_write() && !tls.is_handshaking()));
        }
        while queue.sent < queue.bytes.len() {
            match (&self.stream).write(&queue.bytes[queue.sent..]) {
                Ok(count) => queue.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Sends the records that TLS has ready.
    fn push(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Appends what has come to the input, up to a bound, so that one connection doesn't hold up the others.
    pub(crate) fn receive(&mut self, chunk: &mut Vec<u8>) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            chunk.resize(CHUNK, 0);
            return match (&self.stream).read(chunk) {
                Ok(0) => Err(closed()),
                Ok(count) => {
                    self.input.extend_from_slice(&chunk[..count]);
                    Ok(())
                }
                Err(error) if is_nothing(&error) => Ok(()),
                Err(error) => Err(error),
            };
        };
        match tls.read_tls(&mut self.stream) {
            Ok(0) => return Err(closed()),
            Ok(_) => {}
            Err(error) if is_nothing(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
        let state = tls.process_new_packets().map_err(|error| io::Error::other(format!("TLS: {error}")))?;
        let begin = self.input.len();
        self.input.resize(begin + state.plaintext_bytes_to_read(), 0);
        tls.reader().read_exact(&mut self.input[begin..])?;
        self.push()
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server has closed the connection")
}
