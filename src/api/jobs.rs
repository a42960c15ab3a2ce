//! The jobs of this node: one after the other, each tenant's in its turn, and never more than there are places for.
//!
//! The database has one connection that writes, so two imports at once would only wait for each other, and everybody else
//! for both. How far the one at work has come is known here alone until it ends: its records wait for that connection, too.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use ringway_store::csv::{ImportLimits, Mode};
use ringway_store::directory::audit::unlogged;
use ringway_store::directory::{Directory, Error};
use ringway_store::jobs::{Job, NewJob, State};

use crate::answer::Refusal;
use crate::caller::Caller;
use crate::control::Control;
use crate::router::App;

/// Files of one tenant that come, wait or are imported.
const MOST_OF_A_TENANT: usize = 5;
/// The same of all tenants.
const MOST: usize = 40;
/// Seconds after which it is worth trying again when there is no place.
const RETRY_AFTER: u64 = 10;

/// Bytes of a file that are taken in at a time.
const PIECE: usize = 256 << 10;

/// Devices of removed extensions that are unregistered in one go: the shards have their calls to see to.
const UNREGISTERED_AT_ONCE: usize = 100;
const BETWEEN_UNREGISTRATIONS: Duration = Duration::from_millis(10);

/// What waits and what is at work.
#[derive(Default)]
pub(crate) struct Jobs {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    places: HashMap<String, usize>,
    waiting: VecDeque<Waiting>,
    live: HashMap<String, Arc<Live>>,
    is_at_work: bool,
}

/// How far a job has come that is not over.
#[derive(Debug, Default)]
pub(crate) struct Live {
    is_running: AtomicBool,
    rows: AtomicU64,
}

impl Live {
    /// Whether it is its turn, and how many rows are done.
    pub(crate) fn progress(&self) -> (State, u64) {
        let state = if self.is_running.load(Ordering::Relaxed) { State::Running } else { State::Queued };
        (state, self.rows.load(Ordering::Relaxed))
    }
}

/// What a job is to do.
pub(crate) enum Work {
    /// To import this file.
    Import(File),
    /// To take another one back.
    Undo,
}

/// A job that somebody wants.
pub(crate) struct Wanted {
    /// The job that it takes back.
    pub(crate) undoes: Option<String>,
    /// Of an import: what becomes of numbers that are there, whether good rows are kept, and whether it only looks.
    pub(crate) mode: Mode,
    pub(crate) keeps_good: bool,
    pub(crate) is_dry_run: bool,
}

struct Waiting {
    job: Job,
    work: Work,
    directory: Directory,
    control: Arc<dyn Control>,
    place: Place,
}

/// A place that is given back when it is dropped.
pub(crate) struct Place {
    jobs: Arc<Jobs>,
    tenant: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.jobs.lock();
        let left = inner.places.get(&self.tenant).map_or(0, |taken| taken.saturating_sub(1));
        if left == 0 {
            inner.places.remove(&self.tenant);
        } else {
            inner.places.insert(self.tenant.clone(), left);
        }
    }
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a job has come that is not over.
    pub(crate) fn live(&self, id: &str) -> Option<Arc<Live>> {
        self.lock().live.get(id).cloned()
    }

    fn place(self: &Arc<Self>, tenant: &str) -> Result<Place, Refusal> {
        let mut inner = self.lock();
        let full = |whose: &str| {
            let message = format!("{whose} as many files and jobs under way as there may be: wait for one of them");
            Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_JOBS", message).after(RETRY_AFTER))
        };
        if inner.places.get(tenant).is_some_and(|taken| *taken >= MOST_OF_A_TENANT) {
            return full("the tenant has");
        }
        if inner.places.values().sum::<usize>() >= MOST {
            return full("this node has");
        }
        *inner.places.entry(tenant.to_owned()).or_default() += 1;
        Ok(Place { jobs: Arc::clone(self), tenant: tenant.to_owned() })
    }

    fn add(self: &Arc<Self>, waiting: Waiting) {
        let mut inner = self.lock();
        inner.live.insert(waiting.job.id.clone(), Arc::default());
        inner.waiting.push_back(waiting);
        if !std::mem::replace(&mut inner.is_at_work, true) {
            tokio::spawn(Arc::clone(self).work());
        }
    }

    /// The next job, of another tenant than the last one if there is any.
    fn next(&self, last: &str) -> Option<(Waiting, Arc<Live>)> {
        let mut inner = self.lock();
        let other = inner.waiting.iter().position(|waiting| waiting.job.tenant != last);
        let next = inner.waiting.remove(other.unwrap_or(0));
        inner.is_at_work = next.is_some();
        let next = next?;
        let live = inner.live.get(&next.job.id).cloned().unwrap_or_default();
        Some((next, live))
    }

    async fn work(self: Arc<Self>) {
        let mut last = String::new();
        while let Some((Waiting { job, work, directory, control, place }, live)) = self.next(&last) {
            let (id, store) = (job.id.clone(), directory.clone());
            last.clone_from(&job.tenant);
            live.is_running.store(true, Ordering::Relaxed);
            // A task of its own: what goes wrong in it ends this job, and no other.
            let done = tokio::spawn(async move { run(job, work, directory, control, &live).await }).await;
            let failed = match done {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => Some(failure),
                Err(_) => Some(("INTERNAL", "the job was cut off; the log of the node says why".to_owned())),
            };
            // With the database closed it can't be written; the next start does it.
            if let Some((code, reason)) = failed
                && let Err(error) = store.fail_job(&id, code, &reason).await
            {
                tracing::warn!(job = id, %error, "the end of a job can't be written");
            }
            self.lock().live.remove(&id);
            drop(place);
        }
    }
}

/// Why a job failed: for programs, and for people.
type Failure = (&'static str, String);

fn failed(error: Error) -> Failure {
    tracing::error!(%error, "a job could not be done");
    ("DATABASE", "the database can't be used at the moment; the log of the node says why".to_owned())
}

async fn run(
    job: Job,
    work: Work,
    directory: Directory,
    control: Arc<dyn Control>,
    live: &Live,
) -> Result<(), Failure> {
    directory.start_job(&job.id).await.map_err(failed)?;
    match work {
        Work::Import(file) => {
            if import(&job, file, &directory, live).await? {
                publish(&job, &*control).await;
            }
            Ok(())
        }
        Work::Undo => {
            let told = |done| live.rows.store(done, Ordering::Relaxed);
            let undone = directory.undo(&job.id, told).await.map_err(failed)?;
            let undone = undone.map_err(|refusal| (refusal.code, refusal.message))?;
            publish(&job, &*control).await;
            // Else they would ring for whoever gets the numbers next.
            for numbers in undone.removed.chunks(UNREGISTERED_AT_ONCE) {
                numbers.iter().for_each(|number| _ = control.unregister(&job.tenant, number, None));
                tokio::time::sleep(BETWEEN_UNREGISTRATIONS).await;
            }
            Ok(())
        }
    }
}

/// Whether it has changed anything.
async fn import(job: &Job, mut file: File, directory: &Directory, live: &Live) -> Result<bool, Failure> {
    let mut import = directory.import_of_job(job, ImportLimits::default()).await.map_err(failed)?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let length = file.read(&mut piece)?;
            Ok::<_, std::io::Error>((file, piece, length))
        });
        let unreadable = || failed(Error::Io(std::io::ErrorKind::Other.into()));
        let read = read.await.map_err(|_| unreadable())?;
        let (same_file, same_piece, length) = read.map_err(|error| failed(Error::Io(error)))?;
        if length == 0 {
            break;
        }
        import.push(&same_piece[..length]).await.map_err(failed)?;
        live.rows.store(import.progress().rows, Ordering::Relaxed);
        (file, piece) = (same_file, same_piece);
    }
    let report = import.finish(unlogged).await.map_err(failed)?;
    Ok(report.is_applied)
}

async fn publish(job: &Job, control: &dyn Control) {
    if let Err(error) = control.publish().await {
        tracing::warn!(
            job = job.id,
            error,
            "what a job has changed is stored and not in force; the next change brings it"
        );
    }
}

/// The queue, for whoever answers requests.
pub(crate) struct Queue {
    jobs: Arc<Jobs>,
    control: Arc<dyn Control>,
}

impl Queue {
    /// A place for a file or a job of this tenant.
    pub(crate) fn place(&self, tenant: &str) -> Result<Place, Refusal> {
        self.jobs.place(tenant)
    }

    /// Makes a job, which is done when its turn comes.
    pub(crate) async fn add(&self, caller: &Caller, wanted: Wanted, work: Work, place: Place) -> Result<Job, Refusal> {
        let (jobs, control) = (Arc::clone(&self.jobs), Arc::clone(&self.control));
        let (directory, actor, source) = (caller.directory.clone(), caller.name(), caller.source.clone());
        // A task of its own: whoever asks may be gone before the record is written, and then it would wait for ever.
        let making = tokio::spawn(async move {
            let Wanted { undoes, mode, keeps_good, is_dry_run } = wanted;
            let undoes = undoes.as_deref();
            let new = NewJob { actor: &actor, source: &source, undoes, mode, keeps_good, is_dry_run };
            let job = directory.add_job(&place.tenant, &new).await?;
            jobs.add(Waiting { job: job.clone(), work, directory, control, place });
            Ok::<_, Error>(job)
        });
        let cut_off = |_| Error::Io(std::io::ErrorKind::Other.into());
        Ok(making.await.map_err(cut_off).flatten()?)
    }

    /// How far a job has come that is not over.
    pub(crate) fn live(&self, id: &str) -> Option<Arc<Live>> {
        self.jobs.live(id)
    }
}

impl FromRequestParts<Arc<App>> for Queue {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self { jobs: Arc::clone(&app.jobs), control: Arc::clone(&app.control) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_its_places_and_all_together_have_theirs() {
        let jobs = Arc::new(Jobs::default());
        let of_one: Vec<_> = (0..MOST_OF_A_TENANT).map(|_| jobs.place("a.example").unwrap()).collect();
        assert_eq!(jobs.place("a.example").err().unwrap().status, StatusCode::TOO_MANY_REQUESTS);
        let others: Vec<_> = (MOST_OF_A_TENANT..MOST).map(|number| jobs.place(&number.to_string()).unwrap()).collect();
        assert!(jobs.place("b.example").is_err());
        drop(of_one);
        assert!(jobs.place("a.example").is_ok() && jobs.place("b.example").is_ok());
        drop(others);
        assert!(jobs.lock().places.is_empty());
    }
}
