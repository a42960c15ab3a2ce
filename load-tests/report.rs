//! What a run of the generator found, and how it is told: as JSON, as text, as a page with plots.
//!
//! Nothing here sends or receives SIP. The generator's loop fills a [`Recorder`]; when the run is over, [`RunReport::new`]
//! makes the report of what was recorded, what the run was asked for, and what the generator and the server cost.
//!
//! Clocks are arguments: every `now` is in nanoseconds of one monotonic clock, whichever the generator reads.

mod clock;
mod html;
mod interval;
mod latency;
mod plots;
mod progress;
mod recorder;
mod run;
#[cfg(test)]
mod sample;
mod server;
mod text;
mod time;
mod units;
mod verdict;

pub use clock::thread_cpu;
pub use html::html;
pub use interval::Interval;
pub use latency::{LatencySummary, Point};
pub use progress::Progress;
pub use recorder::{Measure, Recorder};
pub use run::{
    Arrivals, Generator, GeneratorCpu, Messages, Operations, RunReport, SCHEMA, ServerLatency, ServerProcess,
    ServerShare, Setup,
};
pub use server::ServerWatch;
pub use text::text;
pub use time::rfc3339;
pub use verdict::Verdict;
