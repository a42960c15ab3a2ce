//! Who manages: accounts, and the tokens that stand for having signed in.
//!
//! A password is kept as its argon2id hash, which the caller makes: that takes tens of milliseconds and is not the database's
//! business. Of a token only its SHA-256 is kept, so that whoever reads the database can't use one.

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqliteTransaction};

use ringway_directory::{Code, Fault};

use super::{Directory, Error, now, tenants};

/// Characters of a key by which it is known again: 72 bits of it.
pub const SHOWN: usize = 16;

/// Accounts of one tenant, or of the carrier, that are listed.
const MOST: i64 = 500;

/// The columns that [`read`] wants, in its order.
const COLUMNS: &str = "accounts.id, accounts.username, accounts.role, accounts.password, accounts.must_change, \
     accounts.enabled, accounts.version, tenants.domain";
const FROM: &str = "FROM accounts LEFT JOIN tenants ON tenants.id = accounts.tenant_id";

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

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is shown with each request.
    Access,
    /// It is exchanged for new ones, once.
    Refresh,
    /// A program's own, which stays until it is revoked.
    Key,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Key => "key",
        }
    }
}

/// A token that is to be kept.
#[derive(Clone, Copy)]
pub struct NewToken<'a> {
    /// The token itself.
    pub token: &'a str,
    /// What it is for.
    pub kind: Kind,
    /// Whose it is.
    pub account: i64,
    /// Which sign-in it came from; `None` for a key.
    pub sign_in: Option<[u8; 16]>,
    /// What a key is called.
    pub name: &'a str,
    /// Whether it may change anything.
    pub may_write: bool,
    /// When it ends, in milliseconds since the Unix epoch; `None`: never.
    pub expires: Option<i64>,
}

/// A key as it is listed: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// How it begins.
    pub shown: String,
    /// Whether it may change anything.
    pub may_write: bool,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: i64,
    /// When it ends.
    pub expires: Option<i64>,
}

/// What became of a refresh token.
#[derive(Debug)]
pub enum Exchanged {
    /// It was good and is used now; the new tokens are kept.
    Good(Account),
    /// It had been used before: somebody has a copy. All tokens of its sign-in are void now.
    Reused(Account),
    /// There is none, or it has expired.
    Unknown,
}

impl Directory {
    /// Makes an account.
    pub async fn add_account(&self, new: &NewAccount<'_>) -> Result<Account, Error> {
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
        transaction.commit().await?;
        Ok(account)
    }

    /// The account that signs in with this domain and name.
    pub async fn account(&self, domain: Option<&str>, username: &str) -> Result<Option<Account>, Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = match domain {
            Some(domain) => match tenants::find(&mut transaction, domain).await {
                Ok(tenant) => tenant.id.0,
                Err(Error::UnknownTenant(_)) => return Ok(None),
                Err(error) => return Err(error),
            },
            None => 0,
        };
        let sql =
            format!("SELECT {COLUMNS} {FROM} WHERE coalesce(accounts.tenant_id, 0) = ? AND accounts.username = ?");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(username);
        row.fetch_optional(&mut *transaction).await?.map(|row| read(&row)).transpose()
    }

    /// The accounts of a tenant, or of the carrier.
    pub async fn accounts(&self, domain: Option<&str>) -> Result<Vec<Account>, Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = match domain {
            Some(domain) => tenants::find(&mut transaction, domain).await?.id.0,
            None => 0,
        };
        let sql = format!(
            "SELECT {COLUMNS} {FROM} WHERE coalesce(accounts.tenant_id, 0) = ? ORDER BY accounts.username LIMIT ?"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(MOST).fetch_all(&mut *transaction).await?;
        rows.iter().map(read).collect()
    }

    /// Gives an account another password. Whoever has signed in with the old one is signed out, but for the sign-in that
    /// asks.
    pub async fn change_password(
        &self,
        account: i64,
        password: &str,
        must_change: bool,
        but: Option<[u8; 16]>,
    ) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE accounts SET password = ?, must_change = ?, updated = ?, version = version + 1 WHERE id = ?";
        sqlx::query(sql).bind(password).bind(must_change).bind(now()).bind(account).execute(&mut *transaction).await?;
        let sql = "DELETE FROM tokens WHERE account_id = ? AND kind <> 'key' AND sign_in IS NOT ?";
        sqlx::query(sql).bind(account).bind(but.map(Vec::from)).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Removes an account of a tenant, with all its tokens. The last of those with `needed` as their role stays.
    pub async fn remove_account(&self, domain: &str, username: &str, needed: &str) -> Result<Option<Account>, Error> {
        let mut transaction = self.begin_write().await?;
        let tenant = tenants::find(&mut transaction, domain).await?.id.0;
        let sql = format!("SELECT {COLUMNS} {FROM} WHERE accounts.tenant_id = ? AND accounts.username = ?");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).bind(username);
        let Some(account) = row.fetch_optional(&mut *transaction).await?.map(|row| read(&row)).transpose()? else {
            return Ok(None);
        };
        let sql = "SELECT count(*) FROM accounts WHERE tenant_id = ? AND role = ? AND enabled AND id <> ?";
        let others: i64 =
            sqlx::query_scalar(sql).bind(tenant).bind(needed).bind(account.id).fetch_one(&mut *transaction).await?;
        if account.role == needed && others == 0 {
            let message = format!("{} is the last {needed} of {domain}, and a tenant needs one", account.username);
            return Err(Fault::new("username", Code::LimitReached, message).into());
        }
        sqlx::query("DELETE FROM accounts WHERE id = ?").bind(account.id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some(account))
    }

    /// Keeps tokens, all or none. False, and none, when their account has another version than this one, or is gone. Those that have
    /// expired are forgotten meanwhile.
    pub async fn add_tokens(&self, tokens: &[NewToken<'_>], version: Option<u64>) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM tokens WHERE expires < ?").bind(now()).execute(&mut *transaction).await?;
        if let (Some(version), Some(token)) = (version, tokens.first()) {
            let sql = "SELECT version FROM accounts WHERE id = ? AND enabled";
            let found: Option<i64> =
                sqlx::query_scalar(sql).bind(token.account).fetch_optional(&mut *transaction).await?;
            if found.map(i64::unsigned_abs) != Some(version) {
                return Ok(false);
            }
        }
        insert_tokens(&mut transaction, tokens).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Whose token this is that is shown with a request, of which sign-in, and whether it may change anything.
    pub async fn token(&self, token: &str) -> Result<Option<(Account, Option<[u8; 16]>, bool)>, Error> {
        let mut transaction = self.begin_read().await?;
        let sql = format!(
            "SELECT {COLUMNS}, tokens.sign_in, tokens.may_write {FROM} JOIN tokens ON tokens.account_id = accounts.id \
             WHERE tokens.hash = ? AND tokens.kind <> 'refresh' AND coalesce(tokens.expires > ?, TRUE) AND accounts.enabled"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(hash(token)).bind(now());
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(None) };
        let sign_in: Option<Vec<u8>> = row.try_get(8)?;
        Ok(Some((read(&row)?, sign_in.and_then(|bytes| bytes.try_into().ok()), row.try_get(9)?)))
    }

    /// Uses a refresh token up and keeps new tokens of its sign-in, each with its kind and when it ends.
    pub async fn exchange(&self, token: &str, new: &[(&str, Kind, i64)]) -> Result<Exchanged, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = format!(
            "SELECT {COLUMNS}, tokens.sign_in, tokens.used {FROM} JOIN tokens ON tokens.account_id = accounts.id \
             WHERE tokens.hash = ? AND tokens.kind = 'refresh' AND tokens.expires > ? AND accounts.enabled"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(hash(token)).bind(now());
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(Exchanged::Unknown) };
        let account = read(&row)?;
        let sign_in: Vec<u8> = row.try_get(8)?;
        let used: Option<i64> = row.try_get(9)?;
        if used.is_some() {
            end_sign_in(&mut transaction, &sign_in).await?;
            transaction.commit().await?;
            return Ok(Exchanged::Reused(account));
        }
        sqlx::query("UPDATE tokens SET used = ? WHERE hash = ?")
            .bind(now())
            .bind(hash(token))
            .execute(&mut *transaction)
            .await?;
        let sign_in = sign_in.try_into().map_err(|_| Error::Corrupt("a sign-in without a number".to_owned()))?;
        for &(token, kind, expires) in new {
            let token = NewToken {
                token,
                kind,
                account: account.id,
                sign_in: Some(sign_in),
                name: "",
                may_write: true,
                expires: Some(expires),
            };
            insert_tokens(&mut transaction, &[token]).await?;
        }
        transaction.commit().await?;
        Ok(Exchanged::Good(account))
    }

    /// Voids every token of a sign-in.
    pub async fn sign_out(&self, sign_in: [u8; 16]) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        end_sign_in(&mut transaction, &sign_in).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The keys of an account.
    pub async fn keys(&self, account: i64) -> Result<Vec<Key>, Error> {
        let mut transaction = self.begin_read().await?;
        let sql = "SELECT name, shown, may_write, created, expires FROM tokens \
                   WHERE account_id = ? AND kind = 'key' ORDER BY created LIMIT ?";
        let rows = sqlx::query(sql).bind(account).bind(MOST).fetch_all(&mut *transaction).await?;
        rows.iter()
            .map(|row| {
                Ok(Key {
                    name: row.try_get(0)?,
                    shown: row.try_get(1)?,
                    may_write: row.try_get(2)?,
                    created: row.try_get(3)?,
                    expires: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Voids the key of an account that begins so. False when there is none.
    pub async fn remove_key(&self, account: i64, shown: &str) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "DELETE FROM tokens WHERE account_id = ? AND kind = 'key' AND shown = ?";
        let removed = sqlx::query(sql).bind(account).bind(shown).execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        Ok(removed > 0)
    }
}

async fn insert_tokens(transaction: &mut SqliteTransaction<'_>, tokens: &[NewToken<'_>]) -> Result<(), Error> {
    for token in tokens {
        let sql = "INSERT INTO tokens (hash, kind, account_id, name, shown, sign_in, may_write, created, expires) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let shown = if token.kind == Kind::Key { token.token.get(..SHOWN).unwrap_or_default() } else { "" };
        sqlx::query(sql)
            .bind(hash(token.token))
            .bind(token.kind.as_str())
            .bind(token.account)
            .bind(token.name)
            .bind(shown)
            .bind(token.sign_in.map(Vec::from))
            .bind(token.may_write)
            .bind(now())
            .bind(token.expires)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

async fn end_sign_in(transaction: &mut SqliteTransaction<'_>, sign_in: &[u8]) -> Result<(), Error> {
    sqlx::query("DELETE FROM tokens WHERE sign_in = ?").bind(sign_in).execute(&mut **transaction).await?;
    Ok(())
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
    })
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
