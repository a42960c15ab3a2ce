//! What a run costs the server: time on the processor, memory, and its own histogram of how long requests take.
//!
//! The processes are on this machine, and are only looked at: nothing is attached to them, and no request of the run is held up
//! for it. What takes long (memory, metrics) is read by a thread beside the generator's.

mod http;
mod process;
mod prometheus;

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use super::latency::seconds;
use super::run::{ServerLatency, ServerProcess, ServerShare};
use http::Address;
use prometheus::Histogram;

/// The histogram that is read: Ringway's share of a request, from the kernel's receipt to the send of what follows.
const REQUEST_DURATION: &str = "ringway_sip_request_duration_seconds";

/// Looks at a server when the measured part begins and when it ends.
#[derive(Debug)]
pub struct ServerWatch {
    processes: Vec<(u32, String)>,
    metrics: Option<Address>,
    begun: Option<Look>,
    ended: Option<Look>,
}

/// What was seen at one moment.
#[derive(Debug)]
struct Look {
    /// Nanoseconds on a processor, by process; `None` when it is gone.
    cpu: Vec<Option<u64>>,
    slow: JoinHandle<Slow>,
}

/// What takes milliseconds to read.
#[derive(Debug, Default)]
struct Slow {
    /// Bytes, by process.
    memory: Vec<Option<u64>>,
    requests: Option<Result<BTreeMap<String, Histogram>, String>>,
}

impl ServerWatch {
    /// Watches these processes, all of the server's, and the metrics at that URL. To be called before the run: it tells
    /// what it could not read later.
    ///
    /// # Errors
    /// A sentence for a person: a process does not exist, or the URL answers without the histogram.
    pub fn new(pids: &[u32], metrics: Option<&str>) -> Result<ServerWatch, String> {
        let processes =
            pids.iter().map(|pid| process::name(*pid).map(|name| (*pid, name))).collect::<Result<_, _>>()?;
        let metrics = metrics.map(Address::parse).transpose()?;
        if let Some(address) = &metrics {
            requests(address)?;
        }
        Ok(ServerWatch { processes, metrics, begun: None, ended: None })
    }

    /// The measured part begins.
    pub fn begin(&mut self) {
        self.begun = Some(self.look());
    }

    /// The measured part ends.
    pub fn end(&mut self) {
        self.ended = Some(self.look());
    }

    /// What the server used between the two. What could not be read is missing, and a note says so.
    pub fn share(mut self) -> ServerShare {
        let mut share = ServerShare::default();
        let (Some(before), Some(after)) = (self.begun.take(), self.ended.take()) else {
            share.notes.push("The server was not looked at: the measured part never ended.".to_owned());
            return share;
        };
        let slow_before = before.slow.join().unwrap_or_default();
        let slow_after = after.slow.join().unwrap_or_default();
        for (place, (pid, name)) in self.processes.iter().enumerate() {
            let used =
                at(&before.cpu, place).zip(at(&after.cpu, place)).map(|(then, now)| seconds(now.saturating_sub(then)));
            if used.is_none() {
                share
                    .notes
                    .push(format!("Process {pid} ({name}) ended during the run: the server's CPU time is not known."));
            }
            share.processes.push(ServerProcess {
                pid: *pid,
                name: name.clone(),
                cpu_seconds: used,
                memory_before: at(&slow_before.memory, place),
                memory_after: at(&slow_after.memory, place),
            });
        }
        if !share.processes.is_empty() {
            share.cpu_seconds = share.processes.iter().map(|process| process.cpu_seconds).sum();
        }
        match slow_before.requests.zip(slow_after.requests).map(|(then, now)| between(then?, now?)) {
            Some(Ok(requests)) => share.requests = requests,
            Some(Err(fault)) => share.notes.push(format!("The server's own latencies are not known: {fault}")),
            None => {}
        }
        share
    }

    fn look(&self) -> Look {
        let pids: Vec<u32> = self.processes.iter().map(|(pid, _)| *pid).collect();
        let cpu = pids.iter().map(|pid| process::cpu(*pid)).collect();
        let metrics = self.metrics.clone();
        let slow = std::thread::spawn(move || Slow {
            memory: pids.iter().map(|pid| process::memory(*pid)).collect(),
            requests: metrics.as_ref().map(requests),
        });
        Look { cpu, slow }
    }
}

fn at(values: &[Option<u64>], place: usize) -> Option<u64> {
    values.get(place).copied().flatten()
}

fn requests(address: &Address) -> Result<BTreeMap<String, Histogram>, String> {
    let text = address.get()?;
    let histograms =
        prometheus::histograms(&text, REQUEST_DURATION, "method").map_err(|fault| format!("{address}: {fault}"))?;
    if histograms.is_empty() {
        return Err(format!("{address} has no histogram {REQUEST_DURATION}: give the URL of Ringway's own metrics"));
    }
    Ok(histograms)
}

fn between(
    before: BTreeMap<String, Histogram>,
    after: BTreeMap<String, Histogram>,
) -> Result<BTreeMap<String, ServerLatency>, String> {
    let mut shares = BTreeMap::new();
    for (method, after) in after {
        let run = match before.get(&method) {
            Some(before) => after.since(before).ok_or("it was started anew during the run")?,
            None => after,
        };
        if run.count() > 0 {
            let latency = ServerLatency {
                count: run.count(),
                mean: run.sum / run.count() as f64,
                p50: run.quantile(0.5),
                p99: run.quantile(0.99),
                p999: run.quantile(0.999),
            };
            shares.insert(method, latency);
        }
    }
    Ok(shares)
}

#[cfg(test)]
mod tests;
