//! What the generator's loop calls for each thing that happens. Nothing here allocates on that path, but for a reason of
//! failure that was not seen before.

use hdrhistogram::Histogram;

use super::interval::{Interval, Second};
use super::latency::{Digits, LatencySummary, histogram, seconds};
use super::run::{Messages, Operations};

/// One second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// How many reasons of failure are told apart. What goes beyond is counted under [`OTHER_REASONS`].
const REASONS: usize = 64;
/// How much of a reason is shown, in characters.
const LONGEST_REASON: usize = 100;
const OTHER_REASONS: &str = "other reasons";

/// Names what a latency is of. Made by [`Recorder::measure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure(usize);

impl Measure {
    /// The whole operation, from when it was due to its final response.
    pub const OPERATION: Measure = Measure(0);
}

/// Counts and latencies of one thread of the generator, while the run lasts.
///
/// A run has three parts. Until [`begin`](Recorder::begin) it warms up, and nothing of that is kept. Until
/// [`end`](Recorder::end) it is measured. After that nothing new starts, but what is still in progress may come to its
/// end and counts: leaving out the slowest would make any server look good.
#[derive(Debug)]
pub struct Recorder {
    /// Messages of the measured part; the generator counts them itself.
    pub messages: Messages,
    /// Datagrams to the generator that its own sockets had no room for.
    pub receive_drops: u64,
    /// Arrivals that were given up when they were due, since no user or socket was free.
    pub arrivals_dropped: u64,
    pub(super) measures: Vec<(String, Histogram<u64>)>,
    pub(super) lag: Histogram<u64>,
    operations: Operations,
    failures: Vec<(String, u64)>,
    in_progress: u64,
    succeeded_by_the_end: u64,
    begun: u64,
    ended: Option<u64>,
    second_begins: u64,
    second: Interval,
    second_latencies: Histogram<u64>,
    seconds: Vec<Second>,
}

impl Recorder {
    /// A recorder whose measured part begins at `now`, unless [`begin`](Recorder::begin) says otherwise later.
    pub fn new(now: u64) -> Recorder {
        Recorder {
            messages: Messages::default(),
            receive_drops: 0,
            arrivals_dropped: 0,
            measures: vec![("operation".to_owned(), histogram(Digits::Three))],
            lag: histogram(Digits::Three),
            operations: Operations::default(),
            failures: Vec::new(),
            in_progress: 0,
            succeeded_by_the_end: 0,
            begun: now,
            ended: None,
            second_begins: now,
            second: Interval::default(),
            second_latencies: histogram(Digits::Two),
            seconds: Vec::new(),
        }
    }

    /// The measure of that name, such as `REGISTER` or `INVITE to 180`; made when it is new. Not for the loop.
    pub fn measure(&mut self, name: &str) -> Measure {
        let place = self.measures.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.measures.push((name.to_owned(), histogram(Digits::Three)));
            self.measures.len() - 1
        });
        Measure(place)
    }

    /// Ends the warm-up: forgets what was counted so far. Operations in progress are kept, as if they had started now.
    pub fn begin(&mut self, now: u64) {
        let mut fresh = Recorder::new(now);
        for (name, _) in &self.measures {
            fresh.measure(name);
        }
        fresh.in_progress = self.in_progress;
        fresh.operations.started = self.in_progress;
        *self = fresh;
    }

    /// A latency of one part of an operation, in nanoseconds.
    pub fn latency(&mut self, measure: Measure, nanoseconds: u64) {
        if let Some((_, latencies)) = self.measures.get_mut(measure.0) {
            latencies.saturating_record(nanoseconds);
        }
    }

    /// An operation starts, `lag` nanoseconds after it was due. In a closed loop there is no lag.
    pub fn started(&mut self, lag: u64) {
        self.lag.saturating_record(lag);
        self.in_progress += 1;
        self.operations.started += 1;
        self.second.started += 1;
    }

    /// An operation succeeded, `nanoseconds` after it was due (in a closed loop: after it was sent).
    pub fn succeeded(&mut self, nanoseconds: u64) {
        self.latency(Measure::OPERATION, nanoseconds);
        self.second_latencies.saturating_record(nanoseconds);
        self.in_progress = self.in_progress.saturating_sub(1);
        self.operations.succeeded += 1;
        self.second.succeeded += 1;
    }

    /// An operation failed. The reason is for people, and the same for all that failed alike: `403 Forbidden`.
    pub fn failed(&mut self, reason: &str) {
        self.in_progress = self.in_progress.saturating_sub(1);
        self.operations.failed += 1;
        self.second.failed += 1;
        self.count_failures(reason, 1);
    }

    /// To be called often. Once a second, and when a second was missed, it returns the one that is over.
    pub fn tick(&mut self, now: u64) -> Option<Interval> {
        let mut closed = None;
        while self.ended.is_none() && now.saturating_sub(self.second_begins) >= SECOND {
            closed = Some(self.close_second(SECOND));
        }
        closed
    }

    /// Ends the measured part. Operations in progress may still succeed or fail, and do count; throughput is of what had
    /// succeeded by now.
    pub fn end(&mut self, now: u64) {
        if self.ended.is_some() {
            return;
        }
        self.tick(now);
        let rest = now.saturating_sub(self.second_begins);
        if rest > 0 {
            self.close_second(rest);
        }
        self.ended = Some(now.max(self.begun));
        self.succeeded_by_the_end = self.operations.succeeded;
    }

    /// How many operations are in progress.
    pub fn in_progress(&self) -> u64 {
        self.in_progress
    }

    /// What the operations have come to so far.
    pub fn operations(&self) -> Operations {
        let mut operations = self.operations.clone();
        operations.unfinished = self.in_progress;
        for (reason, count) in &self.failures {
            *operations.failures.entry(printable(reason)).or_default() += count;
        }
        operations
    }

    /// Adds what another thread of the same run recorded. Both have ended.
    pub fn merge(&mut self, other: Recorder) {
        self.messages.add(&other.messages);
        self.receive_drops += other.receive_drops;
        self.arrivals_dropped += other.arrivals_dropped;
        self.in_progress += other.in_progress;
        self.succeeded_by_the_end += other.succeeded_by_the_end;
        self.operations.started += other.operations.started;
        self.operations.succeeded += other.operations.succeeded;
        self.operations.failed += other.operations.failed;
        self.begun = self.begun.min(other.begun);
        self.ended = self.ended.max(other.ended);
        add(&mut self.lag, &other.lag);
        for (reason, count) in &other.failures {
            self.count_failures(reason, *count);
        }
        for (name, latencies) in &other.measures {
            let Measure(place) = self.measure(name);
            if let Some((_, ours)) = self.measures.get_mut(place) {
                add(ours, latencies);
            }
        }
        let shared = self.seconds.len().min(other.seconds.len());
        for (ours, theirs) in self.seconds.iter_mut().zip(&other.seconds) {
            ours.add(theirs, &mut self.second_latencies);
        }
        self.seconds.extend(other.seconds.into_iter().skip(shared));
    }

    pub(super) fn duration(&self) -> f64 {
        self.ended.map_or(0.0, |ended| seconds(ended - self.begun))
    }

    pub(super) fn throughput(&self) -> f64 {
        let duration = self.duration();
        if duration > 0.0 { self.succeeded_by_the_end as f64 / duration } else { 0.0 }
    }

    pub(super) fn succeeded_by_the_end(&self) -> u64 {
        self.succeeded_by_the_end
    }

    pub(super) fn timeline(&self) -> Vec<Interval> {
        self.seconds.iter().map(|second| second.interval).collect()
    }

    pub(super) fn summaries(&self) -> impl Iterator<Item = (String, LatencySummary)> {
        let used = self.measures.iter().filter(|(_, latencies)| !latencies.is_empty());
        used.map(|(name, latencies)| (name.clone(), LatencySummary::of(latencies)))
    }

    fn count_failures(&mut self, reason: &str, count: u64) {
        if let Some((_, failures)) = self.failures.iter_mut().find(|(known, _)| known == reason) {
            *failures += count;
        } else if self.failures.len() < REASONS {
            self.failures.push((reason.to_owned(), count));
        } else if reason != OTHER_REASONS {
            match self.failures.last_mut() {
                Some((last, failures)) if last == OTHER_REASONS => *failures += count,
                _ => self.failures.push((OTHER_REASONS.to_owned(), count)),
            }
        }
    }

    fn close_second(&mut self, length: u64) -> Interval {
        let mut interval = std::mem::take(&mut self.second);
        interval.start = seconds(self.second_begins - self.begun);
        interval.length = seconds(length);
        self.second_begins += length;
        let second = Second::take(interval, &mut self.second_latencies);
        let interval = second.interval;
        self.seconds.push(second);
        interval
    }
}

/// A reason may come from the server: as one short line without what would move a terminal's cursor.
fn printable(reason: &str) -> String {
    reason.chars().take(LONGEST_REASON).map(|character| if character.is_control() { '?' } else { character }).collect()
}

fn add(sum: &mut Histogram<u64>, other: &Histogram<u64>) {
    for step in other.iter_recorded() {
        sum.saturating_record_n(step.value_iterated_to(), step.count_since_last_iteration());
    }
}

#[cfg(test)]
mod tests;
