//! Taking a whole job back: what it has made is removed, and what it has changed is again as it was. All of it, or nothing.

use sqlx::{AssertSqlSafe, Row, SqliteTransaction};

use super::end::log;
use super::images::{columns, restoration};
use super::recover::forget_images;
use super::{Job, Kind, expect, find, number};
use crate::directory::resources::check_extensions;
use crate::directory::write::Writing;
use crate::directory::{Directory, Error, now, tenants};

/// Numbers that a refusal names.
const NAMED: i64 = 5;

/// Rows that are fetched at once.
const PAGE: i64 = 500;

/// Why a job can't be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotUndo {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// What an undo has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// The numbers of the extensions that are gone.
    pub removed: Vec<String>,
    /// How many others are again as they were.
    pub restored: u64,
}

impl Directory {
    /// Whether a job could be taken back now, and if not, why.
    pub async fn can_undo(&self, id: &str) -> Result<Result<(), CannotUndo>, Error> {
        let mut transaction = self.begin_read().await?;
        let Some(job) = find(&mut transaction, id).await? else {
            return Ok(Err(refused("NOT_FOUND", format!("there is no job {id}"))));
        };
        look(&mut transaction, &job).await
    }

    /// Does what this job, an undo, is to do, and writes down that it has. `progress` is told how many extensions are done.
    pub async fn undo(
        &self,
        id: &str,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Result<Undone, CannotUndo>, Error> {
        let mut transaction = self.begin_write().await?;
        let job = expect(&mut transaction, id).await?;
        let undoes = job.undoes.clone().unwrap_or_default();
        let Some(earlier) = find(&mut transaction, &undoes).await? else {
            return Ok(Err(refused("NOT_FOUND", format!("there is no job {undoes} any more"))));
        };
        if let Err(refusal) = look(&mut transaction, &earlier).await? {
            return Ok(Err(refusal));
        }
        let tenant = tenants::find(&mut transaction, &earlier.tenant).await?.id;
        let mut undone = Undone::default();
        let mut writing = Writing::begin(&mut transaction, tenant).await?;
        let mut after = -1;
        loop {
            let sql = "SELECT place, number FROM job_changes WHERE job_id = ? AND place > ? AND image IS NULL ORDER BY place LIMIT ?";
            let rows = sqlx::query(sql).bind(&undoes).bind(after).bind(PAGE).fetch_all(&mut *transaction).await?;
            let Some(last) = rows.last() else { break };
            after = last.try_get(0)?;
            for row in &rows {
                let number: String = row.try_get(1)?;
                writing.remove(&mut transaction, &number).await?;
                undone.removed.push(number);
            }
            self.go_on()?;
            progress(undone.removed.len() as u64);
        }
        writing.finish(&mut transaction).await?;
        if let Err(refusal) = self.restore(&mut transaction, &undoes, &mut undone, &mut progress).await? {
            return Ok(Err(refusal));
        }
        // What they show and keep has to be there still.
        match check_extensions(&mut transaction, Some(tenant), "job").await {
            Ok(()) => {}
            Err(Error::Refused(_)) => {
                let message = "an extension would have need again of a number, trunk or holiday that is gone by now";
                return Ok(Err(refused("CHANGED_SINCE", message.to_owned())));
            }
            Err(error) => return Err(error),
        }
        let sql = "UPDATE jobs SET state = 'done', is_applied = 1, ended = ?, rows = ?, changed = ?, removed = ? WHERE id = ?";
        let removed = undone.removed.len() as u64;
        sqlx::query(sql)
            .bind(now())
            .bind(number(removed + undone.restored))
            .bind(number(undone.restored))
            .bind(number(removed))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        // The job before that one can be taken back in its turn: its extensions are as it has left them.
        let sql = "WITH taken AS MATERIALIZED \
                   (SELECT extension_id AS extension, image ->> '$.version' AS earlier FROM job_changes WHERE job_id = ?1 AND image IS NOT NULL) \
                   UPDATE job_changes SET version = extensions.version FROM taken JOIN extensions ON extensions.id = taken.extension \
                   WHERE extension_id = taken.extension AND job_changes.version = taken.earlier AND job_id <> ?1";
        sqlx::query(sql).bind(&undoes).execute(&mut *transaction).await?;
        forget_images(&mut transaction, &undoes).await?;
        let sql = "UPDATE jobs SET undone_by = ? WHERE id = ?";
        sqlx::query(sql).bind(id).bind(&undoes).execute(&mut *transaction).await?;
        let job = expect(&mut transaction, id).await?;
        log(&mut transaction, &job).await?;
        transaction.commit().await?;
        Ok(Ok(undone))
    }

    /// A node that ends does not wait for this.
    fn go_on(&self) -> Result<(), Error> {
        if self.is_closing() { Err(sqlx::Error::PoolClosed.into()) } else { Ok(()) }
    }

    /// Gives back what was changed, the last change first: names that one row gave up and another took go back the same way.
    async fn restore(
        &self,
        transaction: &mut SqliteTransaction<'_>,
        undoes: &str,
        undone: &mut Undone,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<Result<(), CannotUndo>, Error> {
        let sql = "SELECT change FROM directory";
        let mut change: i64 = sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?;
        let given = restoration(&columns(transaction).await?);
        let restore =
            format!("UPDATE extensions SET {given}, version = version + 1, updated = ?2, change = ?3 WHERE id = ?4");
        let mut before = i64::MAX;
        loop {
            let sql = "SELECT place, number, extension_id, image FROM job_changes \
                       WHERE job_id = ? AND place < ? AND image IS NOT NULL ORDER BY place DESC LIMIT ?";
            let rows = sqlx::query(sql).bind(undoes).bind(before).bind(PAGE).fetch_all(&mut **transaction).await?;
            let Some(last) = rows.last() else { break };
            before = last.try_get(0)?;
            for row in &rows {
                change += 1;
                let (image, extension): (&str, i64) = (row.try_get(3)?, row.try_get(2)?);
                let query = sqlx::query(AssertSqlSafe(restore.as_str())).bind(image).bind(now()).bind(change);
                match query.bind(extension).execute(&mut **transaction).await {
                    Ok(_) => undone.restored += 1,
                    Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                        let number: &str = row.try_get(1)?;
                        let message = format!(
                            "{number} can't have its earlier auth name and address back: another extension has one of them by now; \
                             nothing was undone"
                        );
                        return Ok(Err(refused("CHANGED_SINCE", message)));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            self.go_on()?;
            progress(undone.removed.len() as u64 + undone.restored);
        }
        let sql = "UPDATE directory SET change = ?1 WHERE change <> ?1";
        sqlx::query(sql).bind(change).execute(&mut **transaction).await?;
        Ok(Ok(()))
    }
}

async fn look(transaction: &mut SqliteTransaction<'_>, job: &Job) -> Result<Result<(), CannotUndo>, Error> {
    let no = |message: &str| Ok(Err(refused("NOT_UNDOABLE", message.to_owned())));
    if job.kind == Kind::Undo {
        return no("an undo can't be undone: import the file again");
    }
    if !job.state.is_over() {
        return no("the job is not over yet: wait until it is");
    }
    if job.undone_by.is_some() {
        return no("the job was undone already");
    }
    if !job.is_applied || job.created + job.changed == 0 {
        return no("the job has changed nothing");
    }
    if job.undo_until().is_none() {
        return no(
            "what the job has changed is not remembered any more: it is for 30 days, and for 500,000 extensions of a tenant",
        );
    }
    let sql = "SELECT job_changes.number, count(*) OVER () FROM job_changes LEFT JOIN extensions ON extensions.id = extension_id \
               WHERE job_id = ? AND extensions.version IS NOT job_changes.version ORDER BY place LIMIT ?";
    let rows = sqlx::query(sql).bind(&job.id).bind(NAMED).fetch_all(&mut **transaction).await?;
    let Some(first) = rows.first() else { return Ok(Ok(())) };
    let all: i64 = first.try_get(1)?;
    let numbers = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?.join(", ");
    let others = match all - NAMED {
        ..=0 => String::new(),
        others => format!(" and {others} more"),
    };
    let message = format!("changed or removed since the job: {numbers}{others}; nothing was undone");
    Ok(Err(refused("CHANGED_SINCE", message)))
}

fn refused(code: &'static str, message: String) -> CannotUndo {
    CannotUndo { code, message }
}
