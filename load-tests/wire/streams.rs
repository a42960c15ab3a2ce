//! Connections that stay open. One that is lost is opened again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::framing::{Frame, frame};
use super::outbox::Outbox;
use super::system::{Poll, Ready};
use super::tls::Tls;
use super::{Event, Place};

/// How long all connections may take to be there at the start.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it takes until a connection that failed is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// One endpoint.
#[derive(Debug)]
struct Line {
    connection: Option<Connection>,
    /// When to connect again.
    again: Option<Instant>,
    /// Told, and not lost since.
    is_up: bool,
}

/// All connections of a run.
pub(crate) struct Streams {
    lines: Vec<Line>,
    places: Vec<Place>,
    target: SocketAddr,
    tls: Option<Tls>,
    poll: Poll,
    ready: Vec<Ready>,
    chunk: Vec<u8>,
    /// Endpoints that were lost while sending, and why.
    lost: Vec<(u16, String)>,
    down: usize,
    /// The last error in words.
    pub(crate) last_error: Option<String>,
}

impl Streams {
    /// Opens a connection from each place, and waits until all stand.
    pub(crate) fn open(places: &[Place], target: SocketAddr, tls: Option<Tls>) -> Result<Self, String> {
        let poll = Poll::new(places.len()).map_err(|error| error.to_string())?;
        let lines = places.iter().map(|_| Line { connection: None, again: None, is_up: false }).collect();
        let mut streams = Self {
            lines,
            places: places.to_vec(),
            target,
            tls,
            poll,
            ready: Vec::new(),
            chunk: Vec::new(),
            lost: Vec::new(),
            down: 0,
            last_error: None,
        };
        let end = Instant::now() + PATIENCE;
        for endpoint in 0..places.len() {
            streams.connect(endpoint).map_err(|error| format!("can't connect to {target}: {error}"))?;
        }
        let mut standing = 0;
        while standing < places.len() {
            let received = streams.receive(Duration::from_millis(100), |_, event| {
                standing += usize::from(matches!(event, Event::Connected(_)));
            });
            received.map_err(|error| error.to_string())?;
            if let Some(error) = &streams.last_error {
                return Err(format!("can't connect to {target}: {error}"));
            }
            if Instant::now() > end {
                return Err(format!("only {standing} of {} connections to {target} stand after 30 s", places.len()));
            }
        }
        Ok(streams)
    }

    pub(crate) fn local(&self, endpoint: usize) -> io::Result<SocketAddr> {
        match &self.lines[endpoint].connection {
            Some(connection) => connection.local(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn connect(&mut self, endpoint: usize) -> io::Result<()> {
        let Place { ip: bind, port } = self.places[endpoint];
        let any = if self.target.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0_u16; 8]) };
        let local = (port != 0 || bind.is_some()).then(|| SocketAddr::new(bind.unwrap_or(any), port));
        let connection = Connection::open(local, self.target, self.tls.as_ref())?;
        self.poll.watch(connection.fd(), endpoint as u32, true, true)?;
        self.lines[endpoint].connection = Some(connection);
        Ok(())
    }

    /// The connection is of no more use.
    fn lose(&mut self, endpoint: usize, error: &io::Error) {
        let line = &mut self.lines[endpoint];
        // Closing takes it out of the poll.
        line.connection = None;
        if line.again.replace(Instant::now() + PAUSE).is_none() {
            self.down += 1;
        }
        self.last_error = Some(error.to_string());
        if std::mem::take(&mut line.is_up) {
            self.lost.push((endpoint as u16, error.to_string()));
        }
    }

    /// Connects those again whose pause is over.
    fn mend(&mut self) {
        let now = Instant::now();
        for endpoint in 0..self.lines.len() {
            if self.lines[endpoint].again.is_some_and(|again| again <= now) {
                self.lines[endpoint].again = None;
                self.down -= 1;
                if let Err(error) = self.connect(endpoint) {
                    self.lose(endpoint, &error);
                }
            }
        }
    }

    /// Waits until something happens, then tells `handle` of it.
    pub(crate) fn receive(&mut self, patience: Duration, mut handle: impl FnMut(u16, Event<'_>)) -> io::Result<()> {
        if self.down > 0 {
            self.mend();
        }
        for (endpoint, why) in self.lost.drain(..) {
            handle(endpoint, Event::Lost(&why));
        }
        let patience = if self.down > 0 { patience.min(PAUSE) } else { patience };
        self.ready.clear();
        self.poll.wait(patience, &mut self.ready)?;
        for index in 0..self.ready.len() {
            let ready = self.ready[index];
            if let Err(error) = self.serve(ready, &mut handle) {
                self.lose(ready.key as usize, &error);
            }
        }
        Ok(())
    }

    /// Does what a connection is ready for.
    fn serve(&mut self, ready: Ready, handle: &mut impl FnMut(u16, Event<'_>)) -> io::Result<()> {
        let line = &mut self.lines[ready.key as usize];
        let Some(connection) = &mut line.connection else { return Ok(()) };
        let endpoint = ready.key as u16;
        if connection.is_connecting {
            if !ready.is_writable {
                return Ok(());
            }
            connection.connected()?;
            self.poll.watch(connection.fd(), ready.key, false, false)?;
        }
        if ready.is_readable {
            connection.receive(&mut self.chunk)?;
        }
        if !line.is_up && connection.is_open() {
            line.is_up = true;
            handle(endpoint, Event::Connected(connection.local()?));
        }
        let mut begin = 0;
        loop {
            match frame(&connection.input[begin..]).map_err(|what| io::Error::other(format!("the server {what}")))? {
                Frame::Partial => break,
                Frame::KeepAlive(length) => begin += length,
                Frame::Message(length) => {
                    handle(endpoint, Event::Message(&connection.input[begin..begin + length]));
                    begin += length;
                }
            }
        }
        connection.input.drain(..begin);
        Ok(())
    }

    /// Sends what waits. What waits for a connection that is gone goes with it.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox) {
        let mut failed = Vec::new();
        outbox.flush(|endpoint, queue| match &mut self.lines[usize::from(endpoint)].connection {
            None => true,
            Some(connection) => connection.send(queue).unwrap_or_else(|error| {
                failed.push((endpoint, error));
                true
            }),
        });
        for (endpoint, error) in failed {
            self.lose(usize::from(endpoint), &error);
        }
    }
}
