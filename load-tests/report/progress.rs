//! How a run is getting on, while it lasts: one line, rewritten each second on a terminal; elsewhere a line every five.

use std::io::{IsTerminal, Stderr, Write};
use std::time::Duration;

use super::interval::Interval;
use super::units;

/// How many seconds lie between two lines that are not rewritten.
const SECONDS_BETWEEN_LINES: u64 = 5;

/// The line. What cannot be written is not shown: a run doesn't fail for want of a terminal.
#[derive(Debug)]
pub struct Progress<W = Stderr> {
    out: W,
    is_terminal: bool,
    label: String,
    rate: Option<f64>,
    whole: Duration,
    seconds: u64,
    failed: u64,
    is_open: bool,
}

impl Progress {
    /// Shows on standard error a run, or a part of it, that is called `label` and takes `whole`. `rate` is what an open
    /// loop is to offer.
    pub fn to_stderr(label: &str, rate: Option<f64>, whole: Duration) -> Progress {
        let out = std::io::stderr();
        let is_terminal = out.is_terminal();
        Progress::to(out, is_terminal, label, rate, whole)
    }
}

impl<W: Write> Progress<W> {
    /// The same, on whatever can be written to.
    pub fn to(out: W, is_terminal: bool, label: &str, rate: Option<f64>, whole: Duration) -> Progress<W> {
        Progress { out, is_terminal, label: label.to_owned(), rate, whole, seconds: 0, failed: 0, is_open: false }
    }

    /// A second is over, in which the generator's thread was busy for a share of it.
    pub fn show(&mut self, interval: &Interval, busy: f64) {
        self.seconds += 1;
        self.failed += interval.failed;
        if !self.is_terminal && !self.seconds.is_multiple_of(SECONDS_BETWEEN_LINES) {
            return;
        }
        let line = self.line(interval, busy);
        let shown = if self.is_terminal { write!(self.out, "\r{line}\x1b[K") } else { writeln!(self.out, "{line}") };
        self.is_open = self.is_terminal && shown.and_then(|()| self.out.flush()).is_ok();
    }

    /// The run is over: what is written next begins on a line of its own.
    pub fn finish(&mut self) {
        if std::mem::take(&mut self.is_open) && writeln!(self.out).is_err() {
            self.is_terminal = false;
        }
    }

    fn line(&self, interval: &Interval, busy: f64) -> String {
        let a_second = |count: u64| units::rate(count as f64 / interval.length.max(0.001));
        let wanted = self.rate.map(|rate| format!(" of {}", units::rate(rate))).unwrap_or_default();
        let elapsed = (interval.start + interval.length).round();
        format!(
            "{} {elapsed:.0}/{:.0} s  offered {}{wanted}/s  done {}/s  failed {}  p99 {}  generator {} busy",
            self.label,
            self.whole.as_secs_f64().round(),
            a_second(interval.started),
            a_second(interval.succeeded),
            units::count(self.failed),
            units::duration(interval.p99),
            units::share(busy),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "options 3/10 s  offered 1,000 of 1,000/s  done 990/s  failed 10  p99 1.20 ms  generator 61 % busy";

    fn second(start: f64) -> Interval {
        Interval { start, length: 1.0, started: 1000, succeeded: 990, failed: 10, p50: 0.001, p99: 0.0012, max: 0.002 }
    }

    #[test]
    fn a_terminals_line_is_rewritten_each_second_and_ended_once() {
        let mut shown = Vec::new();
        let mut progress = Progress::to(&mut shown, true, "options", Some(1000.0), Duration::from_secs(10));
        progress.show(&second(2.0), 0.614);
        progress.show(&second(3.0), 0.5);
        progress.finish();
        progress.finish();
        let shown = String::from_utf8(shown).unwrap();
        let next = "options 4/10 s  offered 1,000 of 1,000/s  done 990/s  failed 20  p99 1.20 ms  generator 50 % busy";
        assert_eq!(shown, format!("\r{LINE}\x1b[K\r{next}\x1b[K\n"));
    }

    #[test]
    fn elsewhere_there_is_a_line_every_five_seconds() {
        let mut shown = Vec::new();
        let mut progress = Progress::to(&mut shown, false, "calls", None, Duration::from_secs(12));
        (0..12).for_each(|start| progress.show(&second(f64::from(start)), 1.0));
        progress.finish();
        let shown = String::from_utf8(shown).unwrap();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[1],
            "calls 10/12 s  offered 1,000/s  done 990/s  failed 100  p99 1.20 ms  generator 100 % busy"
        );
    }
}
