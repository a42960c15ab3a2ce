//! `ringway capture`: messages of a running node to a file, to a ladder, or on to Homer.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};
use ringway_capture::{Seen, Style, hep, ladders, pcap};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::grammar::CaptureArguments;
use crate::capture::{Homer, parse_hep};
use crate::config::{Config, HEP_ID, Overrides};
use crate::console::{complain, say};
use crate::control::client::Client;
use crate::control::protocol::{CaptureEnd, NewCapture};
use crate::control::{Event, Request};
use crate::environment::environment;
use crate::failure::Failure;

/// Events that wait to be written.
const EVENTS: usize = 1024;

/// How often the bar is drawn anew.
const TICK: Duration = Duration::from_millis(200);

pub(super) fn capture(overrides: &Overrides, arguments: &CaptureArguments) -> Result<(), Failure> {
    let CaptureArguments { tenant, number, call, source, all, .. } = arguments;
    if !all && [tenant, number, call, source].iter().all(|wanted| wanted.is_none()) {
        let reason =
            "say what to capture: --tenant, --number, --call or --source; or --all for every message of the node";
        return Err(Failure::Usage(reason.to_owned()));
    }
    if arguments.out.is_none() && arguments.hep.is_none() && !arguments.ladder {
        let reason = "say what to do with the messages: --out FILE, --ladder, --hep, or several of them";
        return Err(Failure::Usage(reason.to_owned()));
    }
    if arguments.ladder && is_stdout(arguments.out.as_deref()) {
        let reason = "--out - and --ladder both write to standard output; draw the ladder from a file: ringway capture … --out \
                      call.pcap --ladder";
        return Err(Failure::Usage(reason.to_owned()));
    }
    let hep = arguments.hep.as_deref().map(parse_hep).transpose().map_err(Failure::Usage)?;
    let config = Config::load(overrides, environment())?;
    let homer = hep.map(|address| {
        let agent = hep::Agent { id: HEP_ID, password: String::new() };
        Homer::connect(address, agent).map_err(|error| Failure::Failed(format!("{address}: {error}")))
    });
    let homer = homer.transpose()?;
    let request = Request::Capture(NewCapture {
        tenant: tenant.clone(),
        number: number.clone(),
        call_id: call.clone(),
        source: source.clone(),
        seconds: arguments.seconds,
        max_messages: arguments.max_messages,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    runtime.block_on(async {
        let client = connect(&config).await?;
        // Only now, so that a file is not made in vain.
        let out = arguments.out.as_deref().map(open).transpose()?;
        let mut sink = Sink::new(out, homer, arguments);
        follow(client, &request, &mut sink).await
    })
}

async fn connect(config: &Config) -> Result<Client, Failure> {
    let path = config.node.data_dir.display();
    let client = Client::connect(&config.node.data_dir).await;
    let client = client.map_err(|error| Failure::Failed(format!("{path}: the node can't be reached: {error}")))?;
    client.ok_or_else(|| {
        let reason = "no node runs on this data directory; name another with --data, or start one: ringway serve";
        Failure::Failed(format!("{path}: {reason}"))
    })
}

/// Takes what the node shows until it has shown everything.
async fn follow(client: Client, request: &Request, sink: &mut Sink) -> Result<(), Failure> {
    let (events, mut told) = mpsc::channel(EVENTS);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::of)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::of)?;
    let stopping = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            // The sender only goes when everything is over.
            _ = stopped => {}
        }
    };
    let asking = async {
        let outcome = client.follow(request, stopping, &events).await;
        drop(events);
        outcome
    };
    let taking = async {
        let mut stop = Some(stop);
        let mut outcome = Ok(());
        while let Some(event) = told.recv().await {
            if outcome.is_ok() {
                outcome = sink.take(event);
            }
            if outcome.is_err() {
                // Nobody reads any more: the node need not send any more.
                drop(stop.take());
            }
        }
        // Until here, or the node would be told to stop.
        drop(stop);
        outcome
    };
    let (asked, taken) = tokio::join!(asking, taking);
    let is_broken_pipe = taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if asked.is_err() && sink.messages == 0 {
        // An empty file would be in the way of the next try.
        sink.discard();
    } else {
        sink.finish();
    }
    asked.map_err(Failure::Failed)?;
    match taken {
        // Wireshark was closed: that is how one ends it there.
        _ if is_broken_pipe => Ok(()),
        taken => taken.map_err(|error| Failure::Failed(format!("the messages can't be written: {error}"))),
    }
}

fn open(path: &Path) -> Result<Box<dyn Write>, Failure> {
    if is_stdout(Some(path)) {
        if io::stdout().is_terminal() {
            let reason =
                "--out - writes binary to standard output; pipe it: ringway capture … --out - | wireshark -k -i -";
            return Err(Failure::Usage(reason.to_owned()));
        }
        return Ok(Box::new(io::stdout()));
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map(|file| Box::new(file) as Box<dyn Write>)
        .map_err(|error| Failure::Failed(format!("{}: {error}; name a file that is not there yet", path.display())))
}

fn is_stdout(out: Option<&Path>) -> bool {
    out == Some(Path::new("-"))
}

/// Where the messages of a capture go.
struct Sink {
    /// The file that was made for them.
    file: Option<PathBuf>,
    out: Option<Box<dyn Write>>,
    homer: Option<Homer>,
    /// The messages for the ladders.
    kept: Option<Vec<Seen>>,
    style: Style,
    bar: ProgressBar,
    began: Instant,
    messages: u64,
    unsent: u64,
    end: Option<CaptureEnd>,
}

impl Sink {
    fn new(out: Option<Box<dyn Write>>, homer: Option<Homer>, arguments: &CaptureArguments) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TICK);
        let mut sink = Self {
            file: arguments.out.clone().filter(|path| !is_stdout(Some(path))),
            out,
            homer,
            kept: arguments.ladder.then(Vec::new),
            style: style(arguments.ascii),
            bar,
            began: Instant::now(),
            messages: 0,
            unsent: 0,
            end: None,
        };
        sink.show_progress();
        sink
    }

    fn show_progress(&mut self) {
        self.bar.set_message(format!("{}; Ctrl-C ends the capture", counted(self.messages, "message")));
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Seen(row) => {
                let Some(seen) = row.seen() else { return Ok(()) };
                self.write(&seen)?;
                self.messages += 1;
                self.show_progress();
                if let Some(kept) = &mut self.kept {
                    kept.push(seen);
                }
            }
            Event::CaptureEnded(end) => self.end = Some(end),
            _ => {}
        }
        Ok(())
    }

    fn write(&mut self, seen: &Seen) -> io::Result<()> {
        if let Some(homer) = &mut self.homer {
            let call_id = ringway_sip::Message::parse(&seen.bytes).ok();
            let call_id = call_id.and_then(|message| message.field(ringway_sip::Name::CallId));
            self.unsent += u64::from(!homer.send(seen, call_id.map(|field| field.value).unwrap_or_default()));
        }
        let Some(out) = &mut self.out else { return Ok(()) };
        let mut bytes = Vec::new();
        if self.messages == 0 {
            bytes = pcap::opening(env!("CARGO_PKG_VERSION"));
        }
        pcap::write(seen, &mut bytes);
        out.write_all(&bytes)?;
        out.flush()
    }

    /// Nothing came, for the capture was refused: nothing is left of it either.
    fn discard(&mut self) {
        self.bar.finish_and_clear();
        self.out = None;
        if let Some(file) = &self.file
            && let Err(error) = std::fs::remove_file(file)
        {
            complain(format_args!("{}: {error}", file.display()));
        }
    }

    /// Draws the ladders, and says what there was.
    fn finish(&mut self) {
        self.bar.finish_and_clear();
        if self.messages == 0
            && let Some(out) = &mut self.out
        {
            // A file without a message is still a good one.
            let _ = out.write_all(&pcap::opening(env!("CARGO_PKG_VERSION")));
        }
        if let Some(kept) = &self.kept {
            let drawn = ladders(kept, self.style);
            say(drawn.trim_end());
        }
        let seconds = self.began.elapsed().as_secs_f64();
        let mut line = format!("{} in {seconds:.1} s", counted(self.messages, "message"));
        if let Some(end) = &self.end {
            line += match end.reason.as_str() {
                "seconds" => "; ended by --seconds",
                "messages" => "; ended by --max-messages",
                "bytes" => "; ended: it was as large as a capture may be",
                _ => "",
            };
            if end.dropped > 0 {
                line += &format!("; {} missing, for they were not taken fast enough", counted(end.dropped, "message"));
            }
        }
        if self.unsent > 0 {
            line += &format!("; {} not taken by the HEP server", counted(self.unsent, "message"));
        }
        complain(line);
    }
}

pub(super) fn ladder(path: &Path, ascii: bool) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{}: {error}", path.display()));
    let file = std::fs::read(path).map_err(|error| failed(&error))?;
    let messages = pcap::read(&file).map_err(|error| failed(&error))?;
    say(ladders(&messages, style(ascii)).trim_end());
    Ok(())
}

/// Lines where the locale has them.
fn style(ascii: bool) -> Style {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|set| !set.is_empty()));
    let is_unicode = locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
    if is_unicode && !ascii { Style::Unicode } else { Style::Ascii }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
