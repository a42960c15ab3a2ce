//! What lets whoever has signed in do anything, and programs: tokens and keys.

use sha2::{Digest as _, Sha256};
use sqlx::{Row, SqliteTransaction};

use super::super::audit::{self, Entry};
use super::super::{Directory, Error, now};
use super::{Account, COLUMN_COUNT, COLUMNS, FROM, MAY_ENTER, read};

/// Characters of a key by which it is known again: 72 bits of it.
pub const SHOWN: usize = 16;

/// Keys of one account that are listed.
const MOST_KEYS: i64 = 500;

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
    /// The tenant that a system admin has entered with it, as its Admin.
    pub entered: Option<u32>,
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

/// Whose token it is that came with a request.
#[derive(Debug)]
pub struct Bearer {
    /// Who.
    pub account: Account,
    /// Which sign-in it came from; `None` for a key.
    pub sign_in: Option<[u8; 16]>,
    /// Whether it may change anything.
    pub may_write: bool,
    /// The domain of the tenant that a system admin has entered with it.
    pub entered: Option<String>,
}

impl Directory {
    /// Keeps tokens, all or none. False, and none, when their account has another version than this one, or is gone. Those that have
    /// expired are forgotten meanwhile.
    pub async fn add_tokens(
        &self,
        tokens: &[NewToken<'_>],
        version: Option<u64>,
        log: impl FnOnce(&()) -> Option<Entry>,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM tokens WHERE expires < ?").bind(now()).execute(&mut *transaction).await?;
        if let (Some(version), Some(token)) = (version, tokens.first()) {
            let sql = format!("SELECT accounts.version {FROM} WHERE accounts.id = ? AND {MAY_ENTER}");
            let found: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .bind(token.account)
                .fetch_optional(&mut *transaction)
                .await?;
            if found.map(i64::unsigned_abs) != Some(version) {
                return Ok(false);
            }
        }
        insert_tokens(&mut transaction, tokens).await?;
        audit::write_all(&mut transaction, log(&())).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Whose token this is that is shown with a request.
    pub async fn token(&self, token: &str) -> Result<Option<Bearer>, Error> {
        let mut transaction = self.begin_read().await?;
        let sql = format!(
            "SELECT {COLUMNS}, tokens.sign_in, tokens.may_write, \
             (SELECT domain FROM tenants WHERE id = tokens.tenant_id) \
             {FROM} JOIN tokens ON tokens.account_id = accounts.id \
             WHERE tokens.hash = ? AND tokens.kind <> 'refresh' AND coalesce(tokens.expires > ?, TRUE) AND {MAY_ENTER}"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(hash(token)).bind(now());
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(None) };
        let sign_in: Option<Vec<u8>> = row.try_get(COLUMN_COUNT)?;
        Ok(Some(Bearer {
            account: read(&row)?,
            sign_in: sign_in.and_then(|bytes| bytes.try_into().ok()),
            may_write: row.try_get(COLUMN_COUNT + 1)?,
            entered: row.try_get(COLUMN_COUNT + 2)?,
        }))
    }

    /// Uses a refresh token up and keeps new tokens of its sign-in, each with its kind and when it ends.
    pub async fn exchange(
        &self,
        token: &str,
        new: &[(&str, Kind, i64)],
        log: impl FnOnce(&Exchanged) -> Option<Entry>,
    ) -> Result<Exchanged, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = format!(
            "SELECT {COLUMNS}, tokens.sign_in, tokens.used {FROM} JOIN tokens ON tokens.account_id = accounts.id \
             WHERE tokens.hash = ? AND tokens.kind = 'refresh' AND tokens.expires > ? AND {MAY_ENTER}"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(hash(token)).bind(now());
        let Some(row) = row.fetch_optional(&mut *transaction).await? else { return Ok(Exchanged::Unknown) };
        let account = read(&row)?;
        let sign_in: Vec<u8> = row.try_get(COLUMN_COUNT)?;
        let used: Option<i64> = row.try_get(COLUMN_COUNT + 1)?;
        if used.is_some() {
            end_sign_in(&mut transaction, &sign_in).await?;
            let exchanged = Exchanged::Reused(account);
            audit::write_all(&mut transaction, log(&exchanged)).await?;
            transaction.commit().await?;
            return Ok(exchanged);
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
                entered: None,
                expires: Some(expires),
            };
            insert_tokens(&mut transaction, &[token]).await?;
        }
        let exchanged = Exchanged::Good(account);
        audit::write_all(&mut transaction, log(&exchanged)).await?;
        transaction.commit().await?;
        Ok(exchanged)
    }

    /// Voids every token of a sign-in.
    pub async fn sign_out(&self, sign_in: [u8; 16]) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        end_sign_in(&mut transaction, &sign_in).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Voids this token alone.
    pub async fn remove_token(&self, token: &str) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM tokens WHERE hash = ?").bind(hash(token)).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The keys of an account.
    pub async fn keys(&self, account: i64) -> Result<Vec<Key>, Error> {
        let mut transaction = self.begin_read().await?;
        let sql = "SELECT name, shown, may_write, created, expires FROM tokens \
                   WHERE account_id = ? AND kind = 'key' ORDER BY created LIMIT ?";
        let rows = sqlx::query(sql).bind(account).bind(MOST_KEYS).fetch_all(&mut *transaction).await?;
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
    pub async fn remove_key(
        &self,
        account: i64,
        shown: &str,
        log: impl FnOnce(&str) -> Option<Entry>,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "DELETE FROM tokens WHERE account_id = ? AND kind = 'key' AND shown = ?";
        let removed = sqlx::query(sql).bind(account).bind(shown).execute(&mut *transaction).await?.rows_affected();
        if removed == 0 {
            return Ok(false);
        }
        audit::write_all(&mut transaction, log(shown)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Ends all sign-ins of an account but this one. Its keys stay.
pub(super) async fn end_sign_ins(
    transaction: &mut SqliteTransaction<'_>,
    account: i64,
    but: Option<[u8; 16]>,
) -> Result<(), Error> {
    let sql = "DELETE FROM tokens WHERE account_id = ? AND kind <> 'key' AND sign_in IS NOT ?";
    sqlx::query(sql).bind(account).bind(but.map(Vec::from)).execute(&mut **transaction).await?;
    Ok(())
}

async fn insert_tokens(transaction: &mut SqliteTransaction<'_>, tokens: &[NewToken<'_>]) -> Result<(), Error> {
    for token in tokens {
        let sql = "INSERT INTO tokens (hash, kind, account_id, name, shown, sign_in, may_write, created, expires, tenant_id) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
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
            .bind(token.entered)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

async fn end_sign_in(transaction: &mut SqliteTransaction<'_>, sign_in: &[u8]) -> Result<(), Error> {
    sqlx::query("DELETE FROM tokens WHERE sign_in = ?").bind(sign_in).execute(&mut **transaction).await?;
    Ok(())
}

pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
