//! The second factor: a secret that codes are made of, and codes for the day that it is lost.
//!
//! The secret is sealed like those of extensions. What a code is made of it is the caller's to know; here it is kept that each is
//! used once.

use sqlx::Row;
use zeroize::Zeroizing;

use super::super::audit::{self, Entry};
use super::super::{Directory, Error, now};
use super::tokens::{end_sign_ins, hash};
use super::{Account, by_id};

/// What a sealed secret of an account belongs to.
const PLACE: &str = "totp";

impl Directory {
    /// Keeps a secret that is not asked for yet, in place of the one before. False when one is in use.
    pub async fn begin_totp(&self, account: i64, secret: &[u8]) -> Result<bool, Error> {
        let sealed = self.secrets().seal_for(PLACE, account, secret);
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE accounts SET totp_secret = ?, updated = ? WHERE id = ? AND NOT has_totp";
        let kept = sqlx::query(sql).bind(sealed).bind(now()).bind(account).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(kept.rows_affected() > 0)
    }

    /// The secret of an account, in use or not.
    pub async fn totp_secret(&self, account: i64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let mut transaction = self.begin_read().await?;
        let sql = "SELECT totp_secret FROM accounts WHERE id = ?";
        let row = sqlx::query(sql).bind(account).fetch_optional(&mut *transaction).await?;
        let Some(row) = row else { return Ok(None) };
        let sealed: Option<Vec<u8>> = row.try_get(0)?;
        let open = |sealed: Vec<u8>| self.secrets().open_for(PLACE, account, &sealed);
        let damaged = |error| Error::Corrupt(format!("the second factor of account {account}: {error}"));
        sealed.map(open).transpose().map_err(damaged)
    }

    /// Asks for codes from now on. The code of this step is used up; `codes` are good once each. All other sign-ins end. False when
    /// it is so already.
    pub async fn finish_totp(
        &self,
        account: i64,
        step: i64,
        codes: &[String],
        but: Option<[u8; 16]>,
        log: impl FnOnce(&Account) -> Option<Entry>,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE accounts SET has_totp = TRUE, totp_step = ?, updated = ?, version = version + 1 \
                   WHERE id = ? AND NOT has_totp AND totp_secret IS NOT NULL";
        let set = sqlx::query(sql).bind(step).bind(now()).bind(account).execute(&mut *transaction).await?;
        if set.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM recovery_codes WHERE account_id = ?").bind(account).execute(&mut *transaction).await?;
        for code in codes {
            let sql = "INSERT INTO recovery_codes (account_id, hash) VALUES (?, ?)";
            sqlx::query(sql).bind(account).bind(hash(code)).execute(&mut *transaction).await?;
        }
        end_sign_ins(&mut transaction, account, but).await?;
        let account = by_id(&mut transaction, account).await?;
        audit::write_all(&mut transaction, log(&account)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Uses the code of this step up. False when it, or a later one, was used.
    pub async fn use_totp(&self, account: i64, step: i64) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE accounts SET totp_step = ?1 WHERE id = ?2 AND has_totp AND totp_step < ?1";
        let used = sqlx::query(sql).bind(step).bind(account).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(used.rows_affected() > 0)
    }

    /// Uses a recovery code up, and says how many are left; `None` when it is none.
    pub async fn use_recovery_code(
        &self,
        account: i64,
        code: &str,
        log: impl FnOnce(&i64) -> Option<Entry>,
    ) -> Result<Option<i64>, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "DELETE FROM recovery_codes WHERE account_id = ? AND hash = ?";
        let used = sqlx::query(sql).bind(account).bind(hash(code)).execute(&mut *transaction).await?;
        if used.rows_affected() == 0 {
            return Ok(None);
        }
        let sql = "SELECT count(*) FROM recovery_codes WHERE account_id = ?";
        let left: i64 = sqlx::query_scalar(sql).bind(account).fetch_one(&mut *transaction).await?;
        audit::write_all(&mut transaction, log(&left)).await?;
        transaction.commit().await?;
        Ok(Some(left))
    }

    /// Asks for codes no longer. False when none were asked for.
    pub async fn remove_totp(&self, account: i64, log: impl FnOnce(&Account) -> Option<Entry>) -> Result<bool, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE accounts SET has_totp = FALSE, totp_secret = NULL, updated = ?, version = version + 1 \
                   WHERE id = ? AND has_totp";
        let set = sqlx::query(sql).bind(now()).bind(account).execute(&mut *transaction).await?;
        if set.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM recovery_codes WHERE account_id = ?").bind(account).execute(&mut *transaction).await?;
        let account = by_id(&mut transaction, account).await?;
        audit::write_all(&mut transaction, log(&account)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
