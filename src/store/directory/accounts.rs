//! Who manages: accounts, and the tokens that stand for having signed in.
//!
//! A password is kept as its argon2id hash, which the caller makes: that takes tens of milliseconds and is not the database's
//! business. Of a token only its SHA-256 is kept, so that whoever reads the database can't use one.

mod second_factor;
mod tokens;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqliteTransaction};

use ringway_directory::{Code, Fault};

use super::audit::{self, Entry};
use super::{Directory, Error, now, tenants};

pub use tokens::{Bearer, Exchanged, Key, Kind, NewToken, SHOWN};

/// Accounts of one page at most.
pub const MOST_ACCOUNTS_OF_A_PAGE: u16 = 500;

/// The columns that [`read`] wants, in its order.
const COLUMNS: &str = "accounts.id, accounts.username, accounts.role, accounts.password, accounts.must_change, \
     accounts.enabled, accounts.version, tenants.domain, accounts.has_totp, coalesce(tenants.require_totp, FALSE)";
/// How many they are.
const COLUMN_COUNT: usize = 10;
const FROM: &str = "FROM accounts LEFT JOIN tenants ON tenants.id = accounts.tenant_id";
/// Nobody of a tenant that is disabled gets in.
const MAY_ENTER: &str = "accounts.enabled AND coalesce(tenants.enabled, TRUE)";

/// Somebody who manages.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its row.
    pub id: i64,
    /// Its tenant's domain; `None` for the carrier's own.
    pub tenant: Option<String>,
    /// The name to sign in with; case does not count.
    pub username: String,
    /// What it may do.
    pub role: String,
    /// The hash of its password, a PHC string; `None` when it has none.
    pub password: Option<String>,
    /// Whether the password is to be changed before anything else.
    pub must_change: bool,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Whether a code is wanted beside the password.
    pub has_totp: bool,
    /// Whether its tenant wants everybody to have a second factor.
    pub needs_totp: bool,
    /// Grows by one with each change.
    pub version: u64,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Account({} of {:?}, {})", self.username, self.tenant, self.role)
    }
}

/// An account that is to be made.
#[derive(Clone, Copy)]
pub struct NewAccount<'a> {
    /// The domain of its tenant; `None` for one of the carrier's.
    pub tenant: Option<&'a str>,
    /// The name to sign in with.
    pub username: &'a str,
    /// What it may do.
    pub role: &'a str,
    /// The hash of its password.
    pub password: Option<&'a str>,
    /// Whether the password is to be changed at the first sign-in.
    pub must_change: bool,
}

/// What is changed of an account; what is `None` stays.
#[derive(Clone, Copy, Default)]
pub struct AccountChange<'a> {
    /// What it may do.
    pub role: Option<&'a str>,
    /// Whether it may sign in.
    pub enabled: Option<bool>,
    /// The hash of a password that somebody else has chosen for it: it is to be changed at the next sign-in.
    pub password: Option<&'a str>,
}

/// An account that was changed.
#[derive(Debug, PartialEq, Eq)]
pub struct ChangedAccount {
    /// As it was.
    pub before: Account,
    /// As it is.
    pub after: Account,
}

impl Directory {
    /// Makes an account.
    pub async fn add_account(
        &self,
        new: &NewAccount<'_>,
        log: impl FnOnce(&Account) -> Option<Entry>,
    ) -> Result<Account, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = match new.tenant {
            Some(domain) => Some(tenants::find(&mut transaction, domain).await?.id.0),
            None => None,
        };
        let sql = "INSERT INTO accounts (tenant_id, username, role, password, must_change, created, updated) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT DO NOTHING RETURNING id";
        let id: Option<i64> = sqlx::query_scalar(sql)
            .bind(tenant)
            .bind(new.username)
            .bind(new.role)
            .bind(new.password)
            .bind(new.must_change)
            .bind(now())
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(id) = id else {
            let message = format!("somebody signs in as {} already", new.username);
            return Err(Fault::new("username", Code::Duplicate, message).into());
        };
        let account = by_id(&mut transaction, id).await?;
        audit::write_all(&mut transaction, log(&account)).await?;
        transaction.commit().await?;
        Ok(account)
    }

    /// The account that signs in with this domain and name, if it may at all.
    pub async fn account(&self, domain: Option<&str>, username: &str) -> Result<Option<Account>, Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = match domain {
            Some(domain) => match tenants::find(&mut transaction, domain).await {
                Ok(tenant) if tenant.enabled => tenant.id.0,
                Ok(_) | Err(Error::UnknownTenant(_)) => return Ok(None),
                Err(error) => return Err(error),
            },
            None => 0,
        };
        by_name(&mut transaction, tenant, username).await
    }

    /// The account of a tenant with this name, whether it may sign in or not.
    pub async fn account_of(&self, domain: &str, username: &str) -> Result<Option<Account>, Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = tenants::find(&mut transaction, domain).await?.id.0;
        by_name(&mut transaction, tenant, username).await
    }

    /// Some accounts of a tenant, or of the carrier: those behind this name, by name, and whether there are more.
    pub async fn accounts(
        &self,
        domain: Option<&str>,
        after: Option<&str>,
        limit: u16,
    ) -> Result<(Vec<Account>, bool), Error> {
        let limit = limit.clamp(1, MOST_ACCOUNTS_OF_A_PAGE);
        let mut transaction = self.begin_read().await?;
        let tenant = match domain {
            Some(domain) => tenants::find(&mut transaction, domain).await?.id.0,
            None => 0,
        };
        let sql = format!(
            "SELECT {COLUMNS} {FROM} WHERE coalesce(accounts.tenant_id, 0) = ? AND accounts.username > ? \
             ORDER BY accounts.username LIMIT ?"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(tenant)
            .bind(after.unwrap_or_default())
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *transaction)
            .await?;
        let has_more = rows.len() > usize::from(limit);
        Ok((rows.iter().take(limit.into()).map(read).collect::<Result<_, _>>()?, has_more))
    }

    /// Gives an account another password. Whoever has signed in with the old one is signed out, but for the sign-in that
    /// asks.
    pub async fn change_password(
        &self,
        account: i64,
        password: &str,
        must_change: bool,
        but: Option<[u8; 16]>,
        log: impl FnOnce(&Account) -> Option<Entry>,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE accounts SET password = ?, must_change = ?, updated = ?, version = version + 1 WHERE id = ?";
        sqlx::query(sql).bind(password).bind(must_change).bind(now()).bind(account).execute(&mut *transaction).await?;
        tokens::end_sign_ins(&mut transaction, account, but).await?;
        let account = by_id(&mut transaction, account).await?;
        audit::write_all(&mut transaction, log(&account)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Changes an account of a tenant; `None` when there is none. The last one that is enabled and has `needed` as its role stays
    /// so. Whoever may no longer sign in, or not with the old password, is signed out. `expected` is the version that whoever asks
    /// has seen.
    pub async fn change_account(
        &self,
        domain: &str,
        username: &str,
        change: &AccountChange<'_>,
        (needed, expected): (&str, Option<u64>),
        log: impl FnOnce(&ChangedAccount) -> Option<Entry>,
    ) -> Result<Option<ChangedAccount>, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?.id.0;
        let Some(before) = by_name(&mut transaction, tenant, username).await? else { return Ok(None) };
        if expected.is_some_and(|expected| expected != before.version) {
            return Err(Error::Stale);
        }
        let role = change.role.unwrap_or(&before.role);
        let enabled = change.enabled.unwrap_or(before.enabled);
        if (role, enabled) == (&*before.role, before.enabled) && change.password.is_none() {
            let after = before.clone();
            return Ok(Some(ChangedAccount { before, after }));
        }
        if before.enabled && before.role == needed && (role != needed || !enabled) {
            keep_one(&mut transaction, tenant, domain, &before).await?;
        }
        let sql = "UPDATE accounts SET role = ?2, enabled = ?3, password = coalesce(?4, password), \
                   must_change = must_change OR ?4 IS NOT NULL, updated = ?5, version = version + 1 WHERE id = ?1";
        sqlx::query(sql)
            .bind(before.id)
            .bind(role)
            .bind(enabled)
            .bind(change.password)
            .bind(now())
            .execute(&mut *transaction)
            .await?;
        if !enabled || change.password.is_some() {
            tokens::end_sign_ins(&mut transaction, before.id, None).await?;
        }
        let after = by_id(&mut transaction, before.id).await?;
        let changed = ChangedAccount { before, after };
        audit::write_all(&mut transaction, log(&changed)).await?;
        transaction.commit().await?;
        Ok(Some(changed))
    }

    /// Removes an account of a tenant, with all its tokens. The last of those with `needed` as their role stays.
    pub async fn remove_account(
        &self,
        domain: &str,
        username: &str,
        (needed, expected): (&str, Option<u64>),
        log: impl FnOnce(&Account) -> Option<Entry>,
    ) -> Result<Option<Account>, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?.id.0;
        let Some(account) = by_name(&mut transaction, tenant, username).await? else { return Ok(None) };
        if expected.is_some_and(|expected| expected != account.version) {
            return Err(Error::Stale);
        }
        if account.role == needed {
            keep_one(&mut transaction, tenant, domain, &account).await?;
        }
        sqlx::query("DELETE FROM accounts WHERE id = ?").bind(account.id).execute(&mut *transaction).await?;
        audit::write_all(&mut transaction, log(&account)).await?;
        transaction.commit().await?;
        Ok(Some(account))
    }
}

/// Refuses what would leave a tenant without anybody enabled who has this account's role.
async fn keep_one(
    transaction: &mut SqliteTransaction<'_>,
    tenant: u32,
    domain: &str,
    account: &Account,
) -> Result<(), Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM accounts WHERE tenant_id = ? AND role = ? AND enabled AND id <> ?)";
    let others = sqlx::query_scalar(sql).bind(tenant).bind(&account.role).bind(account.id);
    if others.fetch_one(&mut **transaction).await? {
        return Ok(());
    }
    let message = format!("{} is the last {} of {domain}, and a tenant needs one", account.username, account.role);
    Err(Fault::new("username", Code::LimitReached, message).into())
}

async fn by_name(connection: &mut SqliteConnection, tenant: u32, username: &str) -> Result<Option<Account>, Error> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE coalesce(accounts.tenant_id, 0) = ? AND accounts.username = ?");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(username);
    row.fetch_optional(connection).await?.map(|row| read(&row)).transpose()
}

async fn by_id(connection: &mut SqliteConnection, id: i64) -> Result<Account, Error> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE accounts.id = ?");
    read(&sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(connection).await?)
}

fn read(row: &SqliteRow) -> Result<Account, Error> {
    let version: i64 = row.try_get(6)?;
    Ok(Account {
        id: row.try_get(0)?,
        username: row.try_get(1)?,
        role: row.try_get(2)?,
        password: row.try_get(3)?,
        must_change: row.try_get(4)?,
        enabled: row.try_get(5)?,
        version: version.unsigned_abs(),
        tenant: row.try_get(7)?,
        has_totp: row.try_get(8)?,
        needs_totp: row.try_get(9)?,
    })
}
