//! Jobs: work that takes longer than a request. What came of it is kept, what it has changed can be taken back, and the
//! passwords that it has drawn are told once.
//!
//! A job's record is made before it runs, and its end is written in the transaction that changes the extensions: whatever
//! happens to the node, a job that is done has changed everything that it tells, and any other has changed nothing.

mod end;
mod id;
mod images;
mod recover;
mod secrets;
mod undo;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqliteTransaction};

use crate::csv::{Mode, RowFault};
use crate::directory::{Directory, Error, now, tenants};

pub(crate) use end::end_import;
pub(crate) use images::Recorder;
pub(crate) use recover::recover;
pub use undo::{CannotUndo, Undone};

/// Jobs of a tenant that are remembered.
pub const MOST_JOBS: u32 = 200;

/// Changed extensions of a tenant that can be taken back, whichever jobs have changed them.
pub const MOST_IMAGES: u64 = 500_000;

/// How long a job can be undone, in milliseconds.
pub const UNDO_FOR: i64 = 30 * 24 * 3600 * 1000;

/// How long the passwords that a job has drawn are told, in milliseconds.
pub const SECRETS_FOR: i64 = 3600 * 1000;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It imports a file.
    Import,
    /// It takes back what another one has changed.
    Undo,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Undo => "undo",
        }
    }
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// It is at it.
    Running,
    /// It has done what it was to do.
    Done,
    /// It has changed nothing.
    Failed,
}

impl State {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing will come of it any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// A job that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    /// Who wants it, as they sign in.
    pub actor: &'a str,
    /// From where.
    pub source: &'a str,
    /// The job that it takes back; without one it is an import.
    pub undoes: Option<&'a str>,
    /// Of an import: what becomes of numbers that are there.
    pub mode: Mode,
    /// Of an import: whether rows with a fault are left out and the others kept.
    pub keeps_good: bool,
    /// Of an import: whether it only looks.
    pub is_dry_run: bool,
}

/// A job as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it is called.
    pub id: String,
    /// The domain of the tenant whose it is.
    pub tenant: String,
    /// What it does.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// Who wanted it.
    pub actor: String,
    /// From where.
    pub source: String,
    /// What becomes of numbers that are there.
    pub mode: Mode,
    /// Whether rows with a fault are left out and the others kept.
    pub keeps_good: bool,
    /// Whether it only looks.
    pub is_dry_run: bool,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made: i64,
    /// When it began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// Rows of its file.
    pub rows: u64,
    /// Extensions that it has made.
    pub created: u64,
    /// Extensions that it has changed.
    pub changed: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Rows that were passed over.
    pub skipped: u64,
    /// Extensions that it has removed.
    pub removed: u64,
    /// How many faults its file has.
    pub fault_count: u64,
    /// Whether it has changed anything.
    pub is_applied: bool,
    /// Why it failed, when that was no fault of its file: a code, and a sentence.
    pub reason: Option<(String, String)>,
    /// Until when the passwords that it has drawn are told, once.
    pub secrets_until: Option<i64>,
    /// Whether what takes it back is there still.
    pub has_images: bool,
    /// The job that it takes back.
    pub undoes: Option<String>,
    /// The job that has taken it back.
    pub undone_by: Option<String>,
}

impl Job {
    /// Until when it can be taken back, if it can.
    pub fn undo_until(&self) -> Option<i64> {
        self.ended
            .filter(|_| self.has_images)
            .map(|ended| ended.saturating_add(UNDO_FOR))
            .filter(|until| *until >= now())
    }
}

/// The columns that [`read`] wants, in its order.
const COLUMNS: &str = "jobs.id, tenants.domain, kind, state, actor, source, mode, keeps_good, is_dry_run, made, started, ended, \
     rows, jobs.created, changed, unchanged, skipped, removed, faults, is_applied, reason_code, reason, secrets_until, \
     has_images, undoes, undone_by";
const FROM: &str = "FROM jobs JOIN tenants ON tenants.id = jobs.tenant_id";

impl Directory {
    /// Makes the record of a job of the tenant with this domain or alias; it waits for its turn then.
    pub async fn add_job(&self, domain: &str, new: &NewJob<'_>) -> Result<Job, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?.id;
        recover::tidy(&mut transaction, tenant).await?;
        let id = id::draw(now());
        let kind = if new.undoes.is_some() { Kind::Undo } else { Kind::Import };
        let sql = "INSERT INTO jobs (id, tenant_id, kind, actor, source, mode, keeps_good, is_dry_run, undoes, made) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(&id)
            .bind(tenant.0)
            .bind(kind.as_str())
            .bind(new.actor)
            .bind(new.source)
            .bind(mode_word(new.mode))
            .bind(new.keeps_good)
            .bind(new.is_dry_run)
            .bind(new.undoes)
            .bind(now())
            .execute(&mut *transaction)
            .await?;
        let job = find(&mut transaction, &id).await?;
        transaction.commit().await?;
        job.ok_or_else(|| Error::Corrupt("a job that was made is not there".to_owned()))
    }

    /// The job's turn has come.
    pub async fn start_job(&self, id: &str) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE jobs SET state = 'running', started = ? WHERE id = ? AND state = 'queued'";
        sqlx::query(sql).bind(now()).bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The job with this id.
    pub async fn job(&self, id: &str) -> Result<Option<Job>, Error> {
        let mut transaction = self.begin_read().await?;
        find(&mut transaction, id).await
    }

    /// Some jobs of a tenant before this one (or the last), the latest first, and whether there are more.
    pub async fn jobs(&self, domain: &str, before: Option<&str>, limit: u16) -> Result<(Vec<Job>, bool), Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = tenants::find(&mut transaction, domain).await?.id;
        let sql = AssertSqlSafe(format!(
            "SELECT {COLUMNS} {FROM} WHERE jobs.tenant_id = ?1 AND (?2 IS NULL OR jobs.id < ?2) ORDER BY jobs.id DESC LIMIT ?3"
        ));
        let rows = sqlx::query(sql).bind(tenant.0).bind(before).bind(i64::from(limit) + 1);
        let rows = rows.fetch_all(&mut *transaction).await?;
        let has_more = rows.len() > usize::from(limit);
        Ok((rows.iter().take(limit.into()).map(read).collect::<Result<_, _>>()?, has_more))
    }

    /// The first faults of a job's file, or its warnings.
    pub async fn job_faults(&self, id: &str, are_warnings: bool, most: u16) -> Result<Vec<RowFault>, Error> {
        let mut transaction = self.begin_read().await?;
        let sql = "SELECT line, name, code, message FROM job_faults WHERE job_id = ? AND is_warning = ? ORDER BY place LIMIT ?";
        let rows = sqlx::query(sql).bind(id).bind(are_warnings).bind(most).fetch_all(&mut *transaction).await?;
        rows.iter()
            .map(|row| {
                Ok(RowFault {
                    line: count(row, 0)?,
                    column: row.try_get(1)?,
                    code: row.try_get::<String, _>(2)?.into(),
                    message: row.try_get::<String, _>(3)?.into(),
                })
            })
            .collect()
    }
}

/// The job with this id.
async fn find(connection: &mut SqliteConnection, id: &str) -> Result<Option<Job>, Error> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} {FROM} WHERE jobs.id = ?"));
    sqlx::query(sql).bind(id).fetch_optional(connection).await?.map(|row| read(&row)).transpose()
}

/// The same, which must be there.
async fn expect(transaction: &mut SqliteTransaction<'_>, id: &str) -> Result<Job, Error> {
    find(transaction, id).await?.ok_or_else(|| Error::Corrupt(format!("the job {id} is gone")))
}

fn read(row: &SqliteRow) -> Result<Job, Error> {
    let strange = |word: &str| Error::Corrupt(format!("a job is \"{word}\""));
    let kind = match row.try_get(2)? {
        "import" => Kind::Import,
        "undo" => Kind::Undo,
        other => return Err(strange(other)),
    };
    let state = match row.try_get(3)? {
        "queued" => State::Queued,
        "running" => State::Running,
        "done" => State::Done,
        "failed" => State::Failed,
        other => return Err(strange(other)),
    };
    let mode = match row.try_get(6)? {
        "create" => Mode::Create,
        "skip" => Mode::Skip,
        "upsert" => Mode::Upsert,
        other => return Err(strange(other)),
    };
    let code: Option<String> = row.try_get(20)?;
    Ok(Job {
        id: row.try_get(0)?,
        tenant: row.try_get(1)?,
        kind,
        state,
        actor: row.try_get(4)?,
        source: row.try_get(5)?,
        mode,
        keeps_good: row.try_get(7)?,
        is_dry_run: row.try_get(8)?,
        made: row.try_get(9)?,
        started: row.try_get(10)?,
        ended: row.try_get(11)?,
        rows: count(row, 12)?,
        created: count(row, 13)?,
        changed: count(row, 14)?,
        unchanged: count(row, 15)?,
        skipped: count(row, 16)?,
        removed: count(row, 17)?,
        fault_count: count(row, 18)?,
        is_applied: row.try_get(19)?,
        reason: code.zip(row.try_get(21)?),
        secrets_until: row.try_get::<Option<i64>, _>(22)?.filter(|until| *until >= now()),
        has_images: row.try_get(23)?,
        undoes: row.try_get(24)?,
        undone_by: row.try_get(25)?,
    })
}

fn count(row: &SqliteRow, column: usize) -> Result<u64, Error> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The word for a mode.
pub const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Create => "create",
        Mode::Skip => "skip",
        Mode::Upsert => "upsert",
    }
}
