//! A connection of its own for what this node publishes, and a thread that writes to it.
//!
//! What is sent is thousands of sections at once. The asynchronous connection, which all the rest goes by, copies each of them
//! three times on their way to the socket and wakes two tasks for every piece of an answer; here they are written as they lie.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use redis::{Client, Connection, RedisError, Value};
use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::store::{ANSWER, CONNECT};
use crate::wire::Wire;

/// Of so many commands the answers are not looked for before most of the time is over that they took the last time: a
/// server answers a batch bit by bit, and each bit would wake the thread.
const MANY: usize = 64;
/// How much of that time it sleeps, and for how long at most.
const EARLY: f32 = 0.8;
const LONGEST_SLEEP: Duration = Duration::from_millis(200);

/// So much is written at once: between two pieces it is looked whether anybody waits still.
const PIECE: usize = 64 * 1024;

/// What the thread is to send, and who waits for the answers. The wire comes back with them, so that its memory is used again.
struct Job {
    wire: Wire,
    answer: oneshot::Sender<(Wire, Result<Vec<Value>, RedisError>)>,
}

/// The thread, as whoever publishes sees it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Connects. As long as the thread runs it has `turn`: who comes next has to wait, for what is written late, after the next
    /// connection has written something newer, would bring back what is over.
    pub(crate) async fn start(client: Arc<Client>, turn: OwnedMutexGuard<()>) -> Result<Self, RedisError> {
        let (jobs, waiting) = mpsc::channel();
        let (ready, is_ready) = oneshot::channel();
        let run = move || {
            let _turn = turn;
            match connect(&client) {
                Ok(mut connection) => {
                    let _ = ready.send(Ok(()));
                    serve(&mut connection, &waiting);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        };
        thread::Builder::new().name("redis".to_owned()).spawn(run)?;
        is_ready.await.unwrap_or_else(|_| Err(has_ended()))?;
        Ok(Self { jobs })
    }

    /// Sends the commands and gives an answer to each, an error of the server's as a value.
    pub(crate) async fn ask(&self, wire: &mut Wire) -> Result<Vec<Value>, RedisError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { wire: std::mem::take(wire), answer }).map_err(|_| has_ended())?;
        let (back, outcome) = answered.await.map_err(|_| has_ended())?;
        *wire = back;
        outcome
    }
}

fn connect(client: &Client) -> Result<Connection, RedisError> {
    let connection = client.get_connection_with_timeout(CONNECT)?;
    connection.set_read_timeout(Some(ANSWER))?;
    connection.set_write_timeout(Some(ANSWER))?;
    Ok(connection)
}

/// Does what it is given, until something fails or nobody gives anything any more.
fn serve(connection: &mut Connection, jobs: &mpsc::Receiver<Job>) {
    let mut each = 0;
    while let Ok(Job { wire, answer }) = jobs.recv() {
        let outcome = ask(connection, &wire, &mut each, &answer).map_err(in_words);
        let has_failed = outcome.is_err();
        let _ = answer.send((wire, outcome));
        if has_failed {
            return;
        }
    }
}

/// `each` is how long the server took for a byte the last time, in picoseconds.
fn ask<T>(
    connection: &mut Connection,
    wire: &Wire,
    each: &mut u64,
    asker: &oneshot::Sender<T>,
) -> Result<Vec<Value>, RedisError> {
    let begun = Instant::now();
    for piece in wire.bytes.chunks(PIECE) {
        if asker.is_closed() {
            return Err(has_ended());
        }
        connection.send_packed_command(piece)?;
    }
    let is_much = wire.commands >= MANY;
    if is_much {
        let expected = Duration::from_nanos(*each * wire.bytes.len() as u64 / 1000);
        let until_then = expected.mul_f32(EARLY).saturating_sub(begun.elapsed());
        thread::sleep(until_then.min(LONGEST_SLEEP));
    }
    let mut answers = Vec::with_capacity(wire.commands);
    while answers.len() < wire.commands {
        if asker.is_closed() {
            return Err(has_ended());
        }
        match connection.recv_response()? {
            // Nobody has asked for it.
            Value::Push { .. } => {}
            answer => answers.push(answer),
        }
    }
    if is_much {
        *each = u64::try_from(begun.elapsed().as_nanos() * 1000 / wire.bytes.len() as u128).unwrap_or_default();
    }
    Ok(answers)
}

/// Of a time that is over the system says that a resource is temporarily unavailable.
fn in_words(error: RedisError) -> RedisError {
    if error.is_timeout() {
        let told = format!("nothing came for {} s", Duration::as_secs(&ANSWER));
        return io::Error::new(io::ErrorKind::TimedOut, told).into();
    }
    error
}

fn has_ended() -> RedisError {
    io::Error::new(io::ErrorKind::BrokenPipe, "nobody writes to Redis any more").into()
}
