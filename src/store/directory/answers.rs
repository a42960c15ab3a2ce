//! Requests that bear a key of their own, so that one that is sent twice is done once.

use sqlx::Row;

use super::{Directory, Error, now};

/// How long an answer is kept, in milliseconds.
const KEPT: i64 = 86_400_000;

/// Answers that are kept for one account. With more the oldest is forgotten.
const MOST: i64 = 10_000;

/// The longest answer that is kept.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What there is for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing was asked with it: it is to be done now.
    Nothing,
    /// Something else was asked with it.
    Other,
    /// It is being done, or was when the process died.
    UnderWay,
    /// It was done. Without an answer that was too long to be kept.
    Done {
        /// The status of the answer.
        status: u16,
        /// The answer itself.
        answer: Option<Vec<u8>>,
    },
}

impl Directory {
    /// Looks whether this was asked before with the same key. When not it is under way from now on.
    pub async fn begin_answer(&self, account: i64, key: &str, fingerprint: &[u8]) -> Result<Known, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "DELETE FROM answers WHERE account_id = ? AND at < ?";
        sqlx::query(sql).bind(account).bind(now() - KEPT).execute(&mut *transaction).await?;
        let sql = "SELECT fingerprint, status, answer FROM answers WHERE account_id = ? AND key = ?";
        let row = sqlx::query(sql).bind(account).bind(key).fetch_optional(&mut *transaction).await?;
        if let Some(row) = row {
            let asked: Vec<u8> = row.try_get(0)?;
            let status: Option<u16> = row.try_get(1)?;
            let sealed: Option<Vec<u8>> = row.try_get(2)?;
            transaction.commit().await?;
            if asked != fingerprint {
                return Ok(Known::Other);
            }
            let Some(status) = status else { return Ok(Known::UnderWay) };
            let open =
                |sealed: Vec<u8>| self.secrets().open_for(&place(key), account, &sealed).map(|answer| answer.to_vec());
            let damaged = |error| Error::Corrupt(format!("an answer for account {account}: {error}"));
            return Ok(Known::Done { status, answer: sealed.map(open).transpose().map_err(damaged)? });
        }
        let sql = "DELETE FROM answers WHERE account_id = ?1 AND at <= \
                   (SELECT at FROM answers WHERE account_id = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)";
        sqlx::query(sql).bind(account).bind(MOST - 1).execute(&mut *transaction).await?;
        let sql = "INSERT INTO answers (account_id, key, fingerprint, at) VALUES (?, ?, ?, ?)";
        sqlx::query(sql).bind(account).bind(key).bind(fingerprint).bind(now()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Known::Nothing)
    }

    /// Keeps the answer of what is under way, or only that it was done. It is sealed, for it may be the one place where a secret that was drawn stands.
    pub async fn finish_answer(
        &self,
        account: i64,
        key: &str,
        status: u16,
        answer: Option<&[u8]>,
    ) -> Result<(), Error> {
        let answer = answer.filter(|answer| answer.len() <= LONGEST_ANSWER);
        let sealed = answer.map(|answer| self.secrets().seal_for(&place(key), account, answer));
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE answers SET status = ?, answer = ? WHERE account_id = ? AND key = ?";
        sqlx::query(sql).bind(status).bind(sealed).bind(account).bind(key).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets what is under way: it was not done, and may be asked again with the same key.
    pub async fn forget_answer(&self, account: i64, key: &str) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "DELETE FROM answers WHERE account_id = ? AND key = ?";
        sqlx::query(sql).bind(account).bind(key).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets all answers that are older than a day.
    pub async fn prune_answers(&self) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM answers WHERE at < ?").bind(now() - KEPT).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// What a sealed answer belongs to: whoever asks has chosen the key, which must not read as another place.
fn place(key: &str) -> String {
    format!("answer {key}")
}
