//! Rows become extensions: a batch of them is compared with the directory, row by row, and then written.

use ringway_directory::validation::check_not_emergency;
use ringway_directory::{CheckedExtension, ExtensionDraft, Fault, NewExtension, Pin, Profile, Secret, Tenant};
use sqlx::SqliteTransaction;

use super::header::Header;
use super::import::Mode;
use super::records::Record;
use super::report::{ImportReport, RowFault};
use super::seen::Seen;
use crate::directory::extensions::limit_fault;
use crate::directory::neighbours::Neighbours;
use crate::directory::write::{NewRow, Writing};
use crate::directory::{Error, SealedSecret, Secrets, StoredExtension};
use crate::jobs::Recorder;
use crate::random;

/// Rows that are compared and written at once.
pub(super) const BATCH: usize = 500;

/// What the batches of one import have in common.
pub(super) struct Application {
    pub(super) tenant: Tenant,
    /// Numbers that help is called by, whoever has them.
    pub(super) emergency_numbers: Vec<String>,
    pub(super) mode: Mode,
    pub(super) writing: Writing,
    /// How many extensions the tenant has, with those of this import.
    pub(super) count: u32,
    pub(super) seen: Seen,
    /// Writes down what takes the import back, when it is a job's.
    pub(super) recorder: Option<Recorder>,
}

/// What a row comes to.
enum Step {
    /// With whether its password was drawn.
    Create(NewRow, bool),
    Change(Profile, Option<SealedSecret>, Option<Vec<u8>>),
}

impl Application {
    /// Compares and writes a batch; the report takes what is wrong.
    pub(super) async fn batch(
        &mut self,
        transaction: &mut SqliteTransaction<'_>,
        secrets: &Secrets,
        header: &Header,
        records: &[Record],
        report: &mut ImportReport,
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            match header.draft(record) {
                Ok(draft) => rows.extend(check(record.line, &draft, header, report)),
                Err(fault) => report.fault(fault),
            }
        }
        let mut neighbours = Neighbours::default();
        neighbours.load_for(transaction, self.tenant.id, rows.iter().map(|(_, row)| row)).await?;
        let mut steps = Vec::with_capacity(rows.len());
        for (line, row) in rows {
            match self.step(line, row, &mut neighbours, secrets, header, report) {
                Ok(step) => steps.extend(step),
                Err(faults) => faults.into_iter().for_each(|fault| report.fault(fault)),
            }
        }
        self.write(transaction, steps).await
    }

    /// What a row comes to; nothing when it is skipped or changes nothing.
    fn step(
        &mut self,
        line: u64,
        row: CheckedExtension,
        neighbours: &mut Neighbours,
        secrets: &Secrets,
        header: &Header,
        report: &mut ImportReport,
    ) -> Result<Option<Step>, Vec<RowFault>> {
        let number_column = header.name_of("extension_number");
        self.seen.number(line, row.number(), number_column).map_err(|fault| vec![fault])?;
        let of_value = |fault: Fault| RowFault::of_value(line, header.name_of(&fault.field), fault.clone());
        let of_values = |faults: Vec<Fault>| faults.into_iter().map(of_value).collect::<Vec<_>>();
        let of_one = |fault: Fault| vec![of_value(fault)];
        let id = self.tenant.id;
        match (neighbours.extension(row.number().as_str()), self.mode) {
            (Some(_), Mode::Skip) => {
                report.skipped += 1;
                Ok(None)
            }
            (Some(stored), Mode::Upsert) => {
                let has_password = stored.secret.password.is_some();
                let changed = row.change(&stored.profile, has_password).map_err(of_values)?;
                let (profile, secret) = (changed.profile, changed.secret);
                self.see(line, &profile, header)?;
                none(of_values(neighbours.shared_names(&profile)))?;
                let number = profile.number.as_str();
                let secret = secret.filter(|secret| !secrets.is_same(id, number, &stored.secret, secret));
                let pin = changed.pin.map(|pin| secrets.pin(id, number, &pin));
                let pin = pin.filter(|pin| stored.pin.as_ref() != Some(pin));
                if secret.is_none() && pin.is_none() && profile == stored.profile {
                    report.unchanged += 1;
                    return Ok(None);
                }
                let sealed = secret.map(|secret| secrets.seal(id, number, &secret));
                let secret = sealed.clone().unwrap_or_else(|| stored.secret.clone());
                let kept_pin = pin.clone().or_else(|| stored.pin.clone());
                neighbours.put(StoredExtension { profile: profile.clone(), secret, pin: kept_pin });
                report.changed += 1;
                Ok(Some(Step::Change(profile, sealed, pin)))
            }
            _ => {
                let rule = self.tenant.auth_name_equals_number;
                let NewExtension { profile, secret, pin } = row.create(rule, &mut random::fill).map_err(of_values)?;
                self.see(line, &profile, header)?;
                none(of_values(neighbours.clashes(&profile)))?;
                let clash = check_not_emergency("extension_number", profile.number.as_str(), &self.emergency_numbers);
                if let Err(fault) = clash {
                    report.warn(of_value(fault));
                }
                limit_fault(&self.tenant, self.count).map_or(Ok(()), |fault| Err(of_one(fault)))?;
                self.count += 1;
                let number = profile.number.as_str();
                let sealed = secrets.seal(id, number, &secret);
                // A job can't tell what it drew unless it is kept sealed, and of a PIN only a hash is kept.
                let pin = pin.filter(|pin| self.recorder.is_none() || matches!(pin, Pin::Typed(_)));
                let kept_pin = pin.as_ref().map(|pin| secrets.pin(id, number, pin));
                let stored =
                    StoredExtension { profile: profile.clone(), secret: sealed.clone(), pin: kept_pin.clone() };
                neighbours.put(stored);
                if self.recorder.is_none() {
                    report.remember(number, profile.auth_name.as_str(), &secret, pin.as_ref());
                }
                report.created += 1;
                let is_drawn = matches!(secret, Secret::Generated(_));
                Ok(Some(Step::Create(NewRow { profile, secret: sealed, pin: kept_pin }, is_drawn)))
            }
        }
    }

    /// The faults of names that stand in earlier rows.
    fn see(&mut self, line: u64, profile: &Profile, header: &Header) -> Result<(), Vec<RowFault>> {
        let auth_name = self.seen.auth_name(line, profile, header.name_of("auth_name"));
        let email = self.seen.email(line, &profile.email, header.name_of("email"));
        let macs = self.seen.macs(line, profile, header.name_of("phones"));
        none([auth_name, email, macs].into_iter().filter_map(Result::err).collect())
    }

    /// Writes in the order of the rows, new ones together: the names that one row gives up are free for those below it.
    async fn write(&mut self, transaction: &mut SqliteTransaction<'_>, steps: Vec<Step>) -> Result<(), Error> {
        let mut made = Vec::new();
        if let Some(recorder) = &mut self.recorder {
            let mut changed = Vec::new();
            for step in &steps {
                match step {
                    Step::Create(row, is_drawn) => made.push((row.profile.number.as_str().to_owned(), *is_drawn)),
                    Step::Change(profile, _, _) => changed.push(profile.number.as_str()),
                }
            }
            recorder.before(transaction, self.tenant.id, &changed).await?;
        }
        let mut new = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                Step::Create(row, _) => new.push(row),
                Step::Change(profile, secret, pin) => {
                    self.writing.insert(transaction, &new).await?;
                    new.clear();
                    self.writing.update(transaction, &profile, secret.as_ref(), pin.as_deref()).await?;
                }
            }
        }
        self.writing.insert(transaction, &new).await?;
        if let Some(recorder) = &mut self.recorder {
            recorder.after(transaction, self.tenant.id, &made).await?;
        }
        Ok(())
    }
}

/// Checks a row's words; what is wrong goes to the report.
fn check(
    line: u64,
    draft: &ExtensionDraft<'_>,
    header: &Header,
    report: &mut ImportReport,
) -> Option<(u64, CheckedExtension)> {
    let faults = match draft.check() {
        Ok(row) => return Some((line, row)),
        Err(faults) => faults,
    };
    for fault in faults {
        report.fault(RowFault::of_value(line, header.name_of(&fault.field), fault.clone()));
    }
    None
}

fn none(faults: Vec<RowFault>) -> Result<(), Vec<RowFault>> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
