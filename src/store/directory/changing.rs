//! Single extensions read, listed, changed and removed.

use ringway_directory::{Code, ExtensionDraft, Fault, Profile, Secret, Tenant, TenantId};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::audit::{self, Entry};
use super::neighbours::Neighbours;
use super::write::Writing;
use super::{Directory, Error, PROFILE_COLUMNS, read_profile, tenants};

/// Extensions of one page at most.
pub const MOST_OF_A_PAGE: u16 = 500;

/// An extension with what its row says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionRow {
    /// Its data.
    pub profile: Profile,
    /// Grows by one with each change.
    pub version: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: i64,
    /// When it was changed last.
    pub updated: i64,
}

/// Which extensions of a tenant are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionFilter {
    /// Those behind this number, in the order of numbers as text.
    pub after: Option<String>,
    /// Those with this in number, display name or e-mail address, whatever the case.
    pub search: Option<String>,
    /// Those that are enabled, or are not.
    pub enabled: Option<bool>,
    /// So many at most.
    pub limit: u16,
}

/// An extension that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedExtension {
    /// Whose it is.
    pub tenant: Tenant,
    /// As it was.
    pub before: ExtensionRow,
    /// As it is.
    pub after: ExtensionRow,
    /// Whether it has another secret.
    pub has_new_secret: bool,
}

impl Directory {
    /// The extension with this number.
    pub async fn extension(&self, domain: &str, number: &str) -> Result<(Tenant, ExtensionRow), Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = tenants::find(&mut transaction, domain).await?;
        let row = read(&mut transaction, &tenant, number).await?;
        Ok((tenant, row))
    }

    /// Some of a tenant's extensions, by number, and whether there are more.
    pub async fn extensions(
        &self,
        domain: &str,
        filter: &ExtensionFilter,
    ) -> Result<(Tenant, Vec<ExtensionRow>, bool), Error> {
        let limit = filter.limit.clamp(1, MOST_OF_A_PAGE);
        let mut transaction = self.begin_read().await?;
        let tenant = tenants::find(&mut transaction, domain).await?;
        let sql = AssertSqlSafe(format!(
            "SELECT {PROFILE_COLUMNS}, version, created, updated FROM extensions WHERE tenant_id = ?1 AND number > ?2 \
             AND (?3 IS NULL OR enabled = ?3) \
             AND (?4 IS NULL OR instr(number, ?4) OR instr(lower(display_name), ?4) OR instr(lower(email), ?4)) \
             ORDER BY number LIMIT ?5"
        ));
        let rows = sqlx::query(sql)
            .bind(tenant.id.0)
            .bind(filter.after.as_deref().unwrap_or_default())
            .bind(filter.enabled)
            .bind(filter.search.as_ref().map(|text| text.to_lowercase()))
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *transaction)
            .await?;
        let has_more = rows.len() > usize::from(limit);
        let rows = rows.iter().take(limit.into()).map(read_row).collect::<Result<_, _>>()?;
        Ok((tenant, rows, has_more))
    }

    /// Changes an extension: what the draft does not mention stays. `expected` is the version that whoever asks has seen;
    /// another has come in between when the extension has a later one, and then nothing is changed. What `log` says of it is
    /// kept together with it.
    pub async fn change_extension(
        &self,
        domain: &str,
        number: &str,
        draft: &ExtensionDraft<'_>,
        expected: Option<u64>,
        log: impl FnOnce(&ChangedExtension) -> Option<Entry>,
    ) -> Result<ChangedExtension, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?;
        let before = read(&mut transaction, &tenant, number).await?;
        check_version(&before, expected)?;
        if draft.number.is_some_and(|other| other != number) {
            let message = "an extension keeps its number; copy it to another one and remove this";
            return Err(Fault::new("extension_number", Code::Conflict, message).into());
        }
        let email = draft.email.unwrap_or(before.profile.email.as_str());
        let draft = ExtensionDraft { number: Some(number), email: Some(email), ..draft.clone() };
        let checked = draft.check()?;
        let mut neighbours = Neighbours::default();
        neighbours.load_for(&mut transaction, tenant.id, std::iter::once(&checked)).await?;
        let stored = neighbours.extension(number).cloned().ok_or_else(|| unknown(&tenant, number))?;
        let changed = checked.change(&stored.profile, stored.secret.password.is_some())?;
        let (profile, secret) = (changed.profile, changed.secret);
        let clashes = neighbours.shared_names(&profile);
        if !clashes.is_empty() {
            return Err(Error::Refused(clashes));
        }
        let secrets = self.secrets();
        let secret = secret.filter(|secret| !secrets.is_same(tenant.id, number, &stored.secret, secret));
        let pin = changed.pin.map(|pin| secrets.pin(tenant.id, number, &pin));
        let pin = pin.filter(|pin| stored.pin.as_ref() != Some(pin));
        if secret.is_none() && pin.is_none() && profile == stored.profile {
            let after = before.clone();
            return Ok(ChangedExtension { tenant, before, after, has_new_secret: false });
        }
        let sealed = secret.as_ref().map(|secret: &Secret| secrets.seal(tenant.id, number, secret));
        let mut writing = Writing::begin(&mut transaction, tenant.id).await?;
        writing.update(&mut transaction, &profile, sealed.as_ref(), pin.as_deref()).await?;
        writing.finish(&mut transaction).await?;
        let after = read(&mut transaction, &tenant, number).await?;
        let has_new_secret = secret.is_some() || pin.is_some();
        let changed = ChangedExtension { tenant, before, after, has_new_secret };
        audit::write_all(&mut transaction, log(&changed)).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Removes an extension, and gives what it was. `expected` is as for [`change_extension`](Self::change_extension).
    pub async fn remove_extension(
        &self,
        domain: &str,
        number: &str,
        expected: Option<u64>,
        log: impl FnOnce(&Tenant, &ExtensionRow) -> Option<Entry>,
    ) -> Result<(Tenant, ExtensionRow), Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?;
        let before = read(&mut transaction, &tenant, number).await?;
        check_version(&before, expected)?;
        let mut writing = Writing::begin(&mut transaction, tenant.id).await?;
        writing.remove(&mut transaction, number).await?;
        writing.finish(&mut transaction).await?;
        audit::write_all(&mut transaction, log(&tenant, &before)).await?;
        transaction.commit().await?;
        Ok((tenant, before))
    }
}

/// The extensions that were removed after this change of the directory.
pub(super) async fn read_removed(
    connection: &mut SqliteConnection,
    after: i64,
) -> Result<Vec<(TenantId, String)>, Error> {
    let sql = "SELECT tenant_id, number FROM removed_extensions WHERE change > ?";
    let rows = sqlx::query(sql).bind(after).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((TenantId(row.try_get(0)?), row.try_get(1)?))).collect()
}

pub(super) async fn read(
    connection: &mut SqliteConnection,
    tenant: &Tenant,
    number: &str,
) -> Result<ExtensionRow, Error> {
    let sql = AssertSqlSafe(format!(
        "SELECT {PROFILE_COLUMNS}, version, created, updated FROM extensions WHERE tenant_id = ? AND number = ?"
    ));
    let row = sqlx::query(sql).bind(tenant.id.0).bind(number).fetch_optional(connection).await?;
    read_row(&row.ok_or_else(|| unknown(tenant, number))?)
}

fn read_row(row: &SqliteRow) -> Result<ExtensionRow, Error> {
    let version: i64 = row.try_get(11)?;
    Ok(ExtensionRow {
        profile: read_profile(row)?,
        version: version.unsigned_abs(),
        created: row.try_get(12)?,
        updated: row.try_get(13)?,
    })
}

fn check_version(row: &ExtensionRow, expected: Option<u64>) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != row.version => Err(Error::Stale),
        _ => Ok(()),
    }
}

fn unknown(tenant: &Tenant, number: &str) -> Error {
    Error::UnknownExtension { tenant: tenant.domain.to_string(), number: number.to_owned() }
}
