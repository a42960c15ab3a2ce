//! An import: a file goes in piece by piece, a report comes out.

use std::io::Read;

use sqlx::SqliteTransaction;

use super::apply::{Application, BATCH};
use super::header::Header;
use super::problem::FileCode;
use super::records::{Record, Records};
use super::report::{ImportReport, Progress, RowFault};
use super::seen::Seen;
use crate::directory::audit::{self, Entry, unlogged};
use crate::directory::write::Writing;
use crate::directory::{Directory, Error, tenants};
use crate::jobs::{self, Job, Recorder};

/// What to do with a row whose number is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is a fault.
    #[default]
    Create,
    /// The row is passed over.
    Skip,
    /// The extension is changed as the row says.
    Upsert,
}

/// How much an import may take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// Rows, without the header.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Default for ImportLimits {
    /// A million rows, 1 GiB. While it lasts it remembers numbers, auth names and addresses, some 250 bytes a row.
    fn default() -> Self {
        Self { rows: 1_000_000, bytes: 1 << 30 }
    }
}

/// How to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What to do with a row whose number is there already.
    pub mode: Mode,
    /// Find everything out and change nothing.
    pub is_dry_run: bool,
    /// Leave out the rows that have a fault, and keep the others; without it one fault keeps everything out.
    pub keeps_good: bool,
    /// How much to take in.
    pub limits: ImportLimits,
}

/// An import under way. It holds the one connection that writes: feed it from a file, not from a slow network. Dropped
/// before its end it changes nothing.
pub struct Import {
    directory: Directory,
    transaction: SqliteTransaction<'static>,
    options: ImportOptions,
    application: Application,
    records: Records,
    header: Option<Header>,
    batch: Vec<Record>,
    bytes: u64,
    report: ImportReport,
    /// The rest of the file is not looked at: header or limits are broken.
    is_over: bool,
    /// The job that this is of.
    job: Option<String>,
}

/// Whether a file has more rows than so many, without the header and blank ones. It blocks while it reads, no further than it must.
pub fn has_more_rows(mut file: impl Read, most: u64) -> std::io::Result<bool> {
    let mut records = Records::new();
    let mut rows = 0;
    let mut piece = vec![0; 64 * 1024];
    let mut count = |record: &Record| {
        rows += u64::from(!record.is_blank());
        // The first is the header.
        rows > most + 1
    };
    loop {
        let length = match file.read(&mut piece) {
            Ok(0) => return Ok(records.finish().is_some_and(|record| count(&record))),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut input = &piece[..length];
        while let Some(record) = records.next(&mut input) {
            if count(&record) {
                return Ok(true);
            }
        }
    }
}

impl Directory {
    /// Begins an import into the tenant with this domain or alias.
    pub async fn import(&self, domain: &str, options: ImportOptions) -> Result<Import, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?;
        let count = tenants::count_extensions(&mut transaction, tenant.id).await?;
        let writing = Writing::begin(&mut transaction, tenant.id).await?;
        let emergency_numbers = tenants::emergency_numbers(&mut transaction, tenant.id).await?;
        let application = Application {
            tenant,
            emergency_numbers,
            mode: options.mode,
            writing,
            count,
            seen: Seen::default(),
            recorder: None,
        };
        Ok(Import {
            directory: self.clone(),
            transaction,
            options,
            application,
            records: Records::new(),
            header: None,
            batch: Vec::with_capacity(BATCH),
            bytes: 0,
            report: ImportReport::default(),
            is_over: false,
            job: None,
        })
    }

    /// Begins the import that this job is. Its end is written with what it changes, and so is what takes it back; the passwords
    /// that it draws are told by the job alone.
    pub async fn import_of_job(&self, job: &Job, limits: ImportLimits) -> Result<Import, Error> {
        let options = ImportOptions { mode: job.mode, is_dry_run: job.is_dry_run, keeps_good: job.keeps_good, limits };
        let mut import = self.import(&job.tenant, options).await?;
        if !job.is_dry_run {
            import.application.recorder = Some(Recorder::new(&mut import.transaction, &job.id).await?);
        }
        import.job = Some(job.id.clone());
        Ok(import)
    }

    /// Imports a file, and tells after each piece how far it has come. It blocks while it reads.
    pub async fn import_file(
        &self,
        domain: &str,
        options: ImportOptions,
        mut file: impl Read,
        mut progress: impl FnMut(Progress),
    ) -> Result<ImportReport, Error> {
        let mut import = self.import(domain, options).await?;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = match file.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            import.push(&piece[..length]).await?;
            progress(import.progress());
        }
        import.finish(unlogged).await
    }
}

impl Import {
    /// Takes the next piece of the file in.
    pub async fn push(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        if self.directory.is_closing() {
            // A node that ends does not wait for the whole file.
            return Err(sqlx::Error::PoolClosed.into());
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.bytes > self.options.limits.bytes && !self.is_over {
            let message = format!("the file has more than {} bytes; split it", self.options.limits.bytes);
            self.report.fault(RowFault::of_file(1, "", FileCode::FileTooLong, message));
            self.is_over = true;
        }
        while !self.is_over
            && let Some(record) = self.records.next(&mut piece)
        {
            self.take(record).await?;
        }
        Ok(())
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        Progress { bytes: self.bytes, rows: self.report.rows }
    }

    /// Ends the import: commits it, unless it is a dry run or has a fault that keeps it out. The next snapshot that is refreshed has it.
    /// What `log` says of it when it is applied is kept together with it.
    pub async fn finish(mut self, log: impl FnOnce(&ImportReport) -> Option<Entry>) -> Result<ImportReport, Error> {
        if !self.is_over
            && let Some(record) = self.records.finish()
        {
            self.take(record).await?;
        }
        self.apply_batch().await?;
        if self.header.is_none() && self.report.is_clean() {
            let message = "the file is empty; its first row names the columns";
            self.report.fault(RowFault::of_file(1, "", FileCode::EmptyFile, message));
        }
        self.report.faults.sort_by_key(|fault| fault.line);
        if self.options.keeps_good && self.is_over {
            // Half a file is no selection of its good rows.
            self.report.forget_rows();
        }
        let is_good = self.report.is_good(self.options.keeps_good);
        if is_good && !self.options.is_dry_run {
            self.application.writing.finish(&mut self.transaction).await?;
            self.report.is_applied = true;
            if let Some(job) = &self.job {
                let drawn = self.application.recorder.map_or(0, |recorder| recorder.drawn);
                jobs::end_import(&mut self.transaction, job, &self.report, drawn).await?;
            }
            audit::write_all(&mut self.transaction, log(&self.report)).await?;
            self.transaction.commit().await?;
        } else {
            self.transaction.rollback().await?;
            self.report.generated.clear();
            if let Some(job) = &self.job {
                let mut transaction = self.directory.begin_write().await?;
                jobs::end_import(&mut transaction, job, &self.report, 0).await?;
                transaction.commit().await?;
            }
        }
        Ok(self.report)
    }

    async fn take(&mut self, record: Record) -> Result<(), Error> {
        if self.header.is_none() {
            self.header = Header::read(&record, &mut self.report);
            self.is_over = self.header.is_none();
            return Ok(());
        }
        if record.is_blank() {
            return Ok(());
        }
        if self.report.rows == self.options.limits.rows {
            let message = format!("the file has more than {} rows; split it", self.options.limits.rows);
            self.report.fault(RowFault::of_file(record.line, "", FileCode::TooManyRows, message));
            self.is_over = true;
            return Ok(());
        }
        self.report.rows += 1;
        self.batch.push(record);
        if self.batch.len() == BATCH { self.apply_batch().await } else { Ok(()) }
    }

    async fn apply_batch(&mut self) -> Result<(), Error> {
        let records = std::mem::take(&mut self.batch);
        let Some(header) = &self.header else {
            return Ok(());
        };
        if records.is_empty() {
            return Ok(());
        }
        let secrets = self.directory.secrets();
        self.application.batch(&mut self.transaction, secrets, header, &records, &mut self.report).await
    }
}
