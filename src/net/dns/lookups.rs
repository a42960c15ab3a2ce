//! Questions under way and answers that are kept.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::ResolverOptions;
use super::naptr::Naptr;
use super::question::{Answer, Failure, Kind, MOST_RECORDS, Question, Records};
use super::srv::Srv;

/// An answer is kept for no longer, whatever it says of itself.
const LONGEST: Duration = Duration::from_secs(3600);

/// How often a question is put before it has failed. The library counts how often it is repeated.
const ATTEMPTS: usize = 2;

type Waiting = watch::Receiver<Option<Answer>>;

#[derive(Debug, Default)]
struct Table {
    kept: HashMap<Question, (Answer, Instant)>,
    open: HashMap<Question, Waiting>,
}

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    kept_answers: usize,
    open_questions: usize,
    deadline: Duration,
    remember_failure: Duration,
}

#[derive(Debug)]
pub(super) struct Lookups {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
    /// The thread that asks.
    asker: Handle,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

/// A question whose answer is known, or on its way.
#[derive(Debug)]
pub(super) struct Flight {
    question: Question,
    state: State,
}

#[derive(Debug)]
enum State {
    Known(Answer),
    Waiting(Waiting),
}

impl Flight {
    pub(super) fn question(&self) -> &Question {
        &self.question
    }

    /// Waits for the answer, but no longer than until then. One that is there is given however late it is.
    pub(super) async fn end(self, until: Instant) -> Answer {
        let mut waiting = match self.state {
            State::Known(answer) => return answer,
            State::Waiting(waiting) => waiting,
        };
        if let Some(answer) = &*waiting.borrow() {
            return answer.clone();
        }
        match timeout_at(until, waiting.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Err(Failure::TimedOut)),
            Ok(Err(_)) => Err(Failure::Server("the resolver has ended".into())),
            Err(_) => Err(Failure::TimedOut),
        }
    }
}

impl Lookups {
    pub(super) fn start(options: &ResolverOptions) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let clients = Arc::new(Clients::new(options)?);
        let asker = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            // It ends when the sender is dropped: an error then, and no value ever.
            let _ = runtime.block_on(stopped);
        };
        thread::Builder::new().name("dns".to_owned()).spawn(run)?;
        let shared = Shared {
            table: Mutex::default(),
            kept_answers: options.kept_answers,
            open_questions: options.open_questions,
            deadline: options.deadline,
            remember_failure: options.remember_failure,
        };
        Ok(Self { shared: Arc::new(shared), clients, asker, _stop: stop })
    }

    /// Begins to ask, unless the answer is known or somebody asks already. It never waits.
    pub(super) fn begin(&self, question: Question) -> Flight {
        let mut table = self.shared.hold();
        let state = match table.kept.get(&question) {
            Some((answer, until)) if *until > Instant::now() => State::Known(answer.clone()),
            _ => match table.open.get(&question) {
                Some(waiting) => State::Waiting(waiting.clone()),
                None if table.open.len() >= self.shared.open_questions => State::Known(Err(Failure::Busy)),
                None => {
                    let (tell, waiting) = watch::channel(None);
                    table.open.insert(question.clone(), waiting.clone());
                    let (shared, clients) = (Arc::clone(&self.shared), Arc::clone(&self.clients));
                    let asked = question.clone();
                    self.asker.spawn(async move {
                        let outcome = tokio::time::timeout(shared.deadline, clients.ask(&asked)).await;
                        let (answer, lives) = outcome.unwrap_or((Err(Failure::TimedOut), None));
                        shared.keep(asked, answer.clone(), lives);
                        tell.send_replace(Some(answer));
                    });
                    State::Waiting(waiting)
                }
            },
        };
        Flight { question, state }
    }
}

impl Shared {
    /// Keeps an answer for as long as it lives; one that does not say for as long as a failure is remembered.
    fn keep(&self, question: Question, answer: Answer, lives: Option<Duration>) {
        let now = Instant::now();
        let until = now + lives.unwrap_or(self.remember_failure).min(LONGEST);
        let mut table = self.hold();
        table.open.remove(&question);
        if table.kept.len() >= self.kept_answers && !table.kept.contains_key(&question) {
            table.make_room(now, self.kept_answers);
        }
        if until > now && self.kept_answers > 0 {
            table.kept.insert(question, (answer, until));
        } else {
            table.kept.remove(&question);
        }
    }

    // What is behind the lock is whole at any moment.
    fn hold(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Forgets what is over, and if that is not enough the tenth that would be over soonest: so that the search for them
    /// is paid once for many.
    fn make_room(&mut self, now: Instant, most: usize) {
        self.kept.retain(|_, (_, until)| *until > now);
        if self.kept.len() < most {
            return;
        }
        let mut ends: Vec<_> = self.kept.values().map(|(_, until)| *until).collect();
        let tenth = ends.len() / 10;
        let (_, end, _) = ends.select_nth_unstable(tenth);
        let end = *end;
        self.kept.retain(|_, (_, until)| *until > end);
    }
}

/// What puts questions to the servers.
struct Clients {
    /// Asks the servers that have answered best, two at once.
    best: TokioResolver,
    /// Each server alone, when there are several. The library takes the first answer, and that one server can't say is an
    /// answer too; what it can't say another may know.
    each: Vec<TokioResolver>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Clients").field("servers", &self.each.len()).finish_non_exhaustive()
    }
}

impl Clients {
    fn new(options: &ResolverOptions) -> io::Result<Self> {
        let (config, mut settings) = if options.servers.is_empty() {
            hickory_resolver::system_conf::read_system_conf().map_err(io::Error::other)?
        } else {
            let servers = options.servers.iter().map(|server| {
                let mut ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                for way in &mut ways {
                    way.port = server.port();
                }
                NameServerConfig::new(server.ip(), true, ways.into())
            });
            let mut settings = ResolverOpts::default();
            settings.use_hosts_file = ResolveHosts::Never;
            (ResolverConfig::from_name_servers(servers.collect()), settings)
        };
        settings.timeout = options.attempt;
        settings.attempts = ATTEMPTS - 1;
        settings.max_active_requests = options.open_questions;
        // Answers are kept in the table above, where what is known is found without a place among the open questions.
        settings.cache_size = 0;
        let client = |config: ResolverConfig, settings: ResolverOpts| {
            let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            builder.with_options(settings).build().map_err(io::Error::other)
        };
        let mut each = Vec::new();
        if config.name_servers().len() > 1 {
            for server in config.name_servers() {
                let mut settings = settings.clone();
                settings.attempts = 0;
                each.push(client(ResolverConfig::from_name_servers(vec![server.clone()]), settings)?);
            }
        }
        Ok(Self { best: client(config, settings)?, each })
    }

    /// Puts a question, and gives how long the answer lives.
    async fn ask(&self, question: &Question) -> (Answer, Option<Duration>) {
        let mut outcome = ask(&self.best, question).await;
        for server in &self.each {
            if !matches!(outcome.0, Err(Failure::Server(_))) {
                break;
            }
            let other = ask(server, question).await;
            if matches!(other.0, Ok(_) | Err(Failure::Nothing)) {
                outcome = other;
            }
        }
        outcome
    }
}

async fn ask(resolver: &TokioResolver, question: &Question) -> (Answer, Option<Duration>) {
    let kind = match question.kind {
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
    };
    // With the dot no search list is gone through.
    let Ok(name) = Name::from_ascii(format!("{}.", question.name)) else { return (Err(Failure::Nothing), None) };
    match resolver.lookup(name, kind).await {
        Ok(lookup) => {
            let lives = lookup.valid_until().saturating_duration_since(std::time::Instant::now());
            (Ok(Arc::new(read(&lookup))), Some(lives))
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => {
            let lives = nothing.negative_ttl.map(|seconds| Duration::from_secs(seconds.into()));
            (Err(Failure::Nothing), lives)
        }
        Err(NetError::Timeout) => (Err(Failure::TimedOut), None),
        Err(error) => (Err(Failure::Server(error.to_string().into())), None),
    }
}

fn read(lookup: &Lookup) -> Records {
    let mut records = Records::default();
    for record in lookup.answers().iter().take(MOST_RECORDS) {
        match &record.data {
            RData::NAPTR(naptr) => records.naptr.push(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: naptr.flags.to_vec(),
                services: naptr.services.to_vec(),
                has_regexp: !naptr.regexp.is_empty(),
                replacement: plain(&naptr.replacement),
            }),
            RData::SRV(srv) => records.srv.push(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: plain(&srv.target),
            }),
            RData::A(address) => records.addresses.push(IpAddr::V4(address.0)),
            RData::AAAA(address) => records.addresses.push(IpAddr::V6(address.0)),
            _ => {}
        }
    }
    records
}

/// A name in lower case without its dot; of the root nothing is left.
fn plain(name: &Name) -> Arc<str> {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase().into()
}
