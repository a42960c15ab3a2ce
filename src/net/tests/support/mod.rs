//! A shard for tests: real sockets on loopback, and everything that they tell.

#![allow(dead_code, clippy::print_stdout, reason = "each test file uses its own part, and a skipped test says so")]

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ringway_net::{
    Admission, Clock, Counters, Listener, Outgoing, Preamble, Received, SendError, SocketOptions, Sockets, bind,
    handshakes,
};
use ringway_sip::{Flow, ListenerId, Monotonic, Problem, ShardId, Transport};
use socket2::{Domain, Socket, Type};

/// What came from the sockets, owned.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Message(Flow, Vec<u8>),
    FrameError(Flow, Problem, Option<Vec<u8>>),
    Closed(Flow),
    SendFailed(Flow, SendError),
}

impl Event {
    pub fn flow(&self) -> Flow {
        match self {
            Self::Message(flow, _) | Self::FrameError(flow, ..) | Self::Closed(flow) | Self::SendFailed(flow, _) => {
                *flow
            }
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Message(_, bytes) => bytes,
            other => panic!("not a message: {other:?}"),
        }
    }
}

/// One shard.
pub struct Shard {
    pub sockets: Sockets,
    pub address: SocketAddr,
    pub clock: Clock,
    pub arrivals: Vec<Monotonic>,
    /// Since when it waited, of each message of which that is known.
    pub waits_since: Vec<Monotonic>,
    /// The datagrams that were shown ahead.
    pub ahead: Vec<Vec<u8>>,
    /// How long a turn may have nothing to do before the test fails.
    pub patience: Duration,
}

impl Shard {
    /// A shard that listens on one address.
    pub fn listen(transport: Transport, address: &str, options: &SocketOptions) -> Self {
        let mut shards = Self::listen_many(1, transport, address, options);
        shards.remove(0)
    }

    /// Shards that share one address.
    pub fn listen_many(count: usize, transport: Transport, address: &str, options: &SocketOptions) -> Vec<Self> {
        Self::listen_with(count, transport, address, options, Preamble::default())
    }

    /// A shard whose connections begin with `preamble`. Handshakes are done by the test's own runtime.
    pub fn greet(transport: Transport, options: &SocketOptions, preamble: Preamble) -> Self {
        Self::listen_with(1, transport, "127.0.0.1:0", options, preamble).remove(0)
    }

    fn listen_with(
        count: usize,
        transport: Transport,
        address: &str,
        options: &SocketOptions,
        preamble: Preamble,
    ) -> Vec<Self> {
        let preambles = HashMap::from([(ListenerId(3), preamble)]);
        let (handshakes, handshaker) = handshakes(preambles, &options.streams);
        tokio::spawn(handshaker.run());
        let listener = Listener { id: ListenerId(3), transport, address: address.parse().unwrap() };
        let admission = Admission::new(&options.streams);
        let clock = Clock::start();
        let bound = bind(&[listener], count, options.receive_buffer).unwrap();
        let open = |(number, bound): (usize, ringway_net::Bound)| {
            let address = bound.listeners().unwrap()[0].0.address;
            let shard = ShardId(u8::try_from(number).unwrap());
            let sockets = Sockets::new(shard, bound, options, admission.clone(), handshakes.clone(), clock).unwrap();
            let (arrivals, waits_since, ahead) = Default::default();
            Self { sockets, address, clock, arrivals, waits_since, ahead, patience: Duration::from_secs(20) }
        };
        bound.into_iter().enumerate().map(open).collect()
    }

    pub fn counters(&self) -> Counters {
        *self.sockets.counters()
    }

    /// Waits, receives once and flushes, with `answer` deciding what is sent.
    pub async fn turn(&mut self, budget: usize, answer: impl FnMut(&Event, &mut Outgoing)) -> Vec<Event> {
        let waited = tokio::time::timeout(self.patience, self.sockets.ready()).await;
        assert!(waited.is_ok(), "the shard has nothing to do, and never will: {:?}", self.counters());
        self.receive(budget, answer)
    }

    /// Receives once and flushes.
    fn receive(&mut self, budget: usize, mut answer: impl FnMut(&Event, &mut Outgoing)) -> Vec<Event> {
        let mut events = Vec::new();
        self.sockets.receive(budget, |received, outgoing| {
            if let Received::Message { arrived, waits_since, .. } = &received {
                self.arrivals.push(*arrived);
                self.waits_since.extend(*waits_since);
            }
            let event = match received {
                Received::Message { flow, bytes, .. } => Event::Message(flow, bytes.to_vec()),
                Received::FrameError { flow, problem, head } => {
                    Event::FrameError(flow, problem, head.map(<[u8]>::to_vec))
                }
                Received::Ahead(ahead) => {
                    self.ahead.extend(ahead.datagrams().map(<[u8]>::to_vec));
                    return;
                }
                Received::Closed(flow) => Event::Closed(flow),
                Received::SendFailed(flow, error) => Event::SendFailed(flow, error),
            };
            answer(&event, outgoing);
            events.push(event);
        });
        self.sockets.flush();
        events
    }

    /// Runs until `count` events have come, and answers nothing.
    pub async fn events(&mut self, count: usize) -> Vec<Event> {
        self.answered_events(count, |_, _| ()).await
    }

    /// Runs until `count` events have come.
    pub async fn answered_events(&mut self, count: usize, mut answer: impl FnMut(&Event, &mut Outgoing)) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.turn(256, &mut answer).await);
        }
        assert_eq!(events.len(), count, "{events:?}");
        events
    }

    /// The one event that comes next.
    pub async fn event(&mut self) -> Event {
        self.events(1).await.remove(0)
    }

    /// Runs until the counters are as `is_reached` wants them.
    pub async fn until(&mut self, is_reached: impl Fn(&Counters) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            // Some counters change while the sockets wait, without their becoming ready: hence a look at each wake-up.
            poll_fn(|context| {
                let is_ready = pin!(self.sockets.ready()).poll(context).is_ready();
                if is_ready || is_reached(self.sockets.counters()) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            if is_reached(self.sockets.counters()) {
                return events;
            }
            events.extend(self.receive(256, |_, _| ()));
        }
    }
}

/// Sends back what came.
pub fn echo(event: &Event, outgoing: &mut Outgoing) {
    if let Event::Message(flow, bytes) = event {
        outgoing.send(flow, 1, bytes);
    }
}

/// Whether this machine has IPv6; says so when a test has to be left out.
pub fn has_ipv6() -> bool {
    let has_it = std::net::UdpSocket::bind("[::1]:0").is_ok();
    if !has_it {
        println!("skipped: this machine has no IPv6");
    }
    has_it
}

/// A small whole message; `number` makes it distinct.
pub fn options_request(number: usize, body: &str) -> Vec<u8> {
    format!("OPTIONS sip:example.com SIP/2.0\r\nCall-ID: {number}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A client whose reading fails in the end, instead of waiting for ever.
pub fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client
}

/// A client with a source address of its own.
pub fn connect_from(source: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let client = TcpStream::from(socket);
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client
}

/// An address where connections neither open nor fail, because as many wait to be accepted as may; and what keeps it so.
pub fn full_listener() -> (SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut held = vec![listener];
    for _ in 0..4 {
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        // The first fill the queue, the others stay unanswered.
        let _ = client.connect(&address.into());
        held.push(client);
    }
    (address, held)
}
