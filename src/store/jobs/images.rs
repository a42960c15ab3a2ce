//! Extensions as they were before a job, written beside what it changes and in the same transaction.
//!
//! A row is kept whole whatever columns it has, so that a column that is added later is given back, too. Its secrets are in
//! it as they are in the row: sealed.

use ringway_directory::TenantId;
use sqlx::{AssertSqlSafe, SqliteConnection, SqliteTransaction};

use crate::directory::Error;

/// Columns of one `json_object`: SQLite takes 127 arguments.
const OF_AN_OBJECT: usize = 60;

/// What an undo leaves alone: what a row is, and what tells that it has changed.
const OWN: [&str; 7] = ["id", "tenant_id", "number", "created", "updated", "version", "change"];

/// Writes down what a job is about to change.
pub(crate) struct Recorder {
    job: String,
    /// SQL for the row as JSON.
    image: String,
    place: i64,
    batch: i64,
    /// How many passwords were drawn.
    pub(crate) drawn: u64,
}

impl Recorder {
    pub(crate) async fn new(transaction: &mut SqliteTransaction<'_>, job: &str) -> Result<Self, Error> {
        let image = image(&columns(transaction).await?);
        Ok(Self { job: job.to_owned(), image, place: 0, batch: 0, drawn: 0 })
    }

    /// Takes the extensions that a batch is going to change, in its order.
    pub(crate) async fn before(
        &mut self,
        transaction: &mut SqliteTransaction<'_>,
        tenant: TenantId,
        numbers: &[&str],
    ) -> Result<(), Error> {
        self.batch = self.place;
        if numbers.is_empty() {
            return Ok(());
        }
        // CROSS JOIN: first the few that are wanted, and then not each extension of the tenant.
        let sql = AssertSqlSafe(format!(
            "INSERT INTO job_changes (job_id, place, number, extension_id, version, image) \
             SELECT ?1, ?2 + wanted_place, number, id, version, {} \
             FROM (SELECT key AS wanted_place, value AS wanted_number FROM json_each(?4)) \
             CROSS JOIN extensions ON tenant_id = ?3 AND number = wanted_number",
            self.image
        ));
        let query = sqlx::query(sql).bind(&self.job).bind(self.place).bind(tenant.0);
        query.bind(serde_json::Value::from(numbers).to_string()).execute(&mut **transaction).await?;
        self.place += i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        Ok(())
    }

    /// The batch is written: takes those that it has made (and whether their password was drawn), and the versions of
    /// those that it has changed.
    pub(crate) async fn after(
        &mut self,
        transaction: &mut SqliteTransaction<'_>,
        tenant: TenantId,
        made: &[(String, bool)],
    ) -> Result<(), Error> {
        if self.place > self.batch {
            let sql = "UPDATE job_changes SET version = (SELECT version FROM extensions WHERE id = extension_id) \
                       WHERE job_id = ? AND place >= ?";
            sqlx::query(sql).bind(&self.job).bind(self.batch).execute(&mut **transaction).await?;
        }
        if made.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO job_changes (job_id, place, number, extension_id, version, drawn) \
                   SELECT ?1, ?2 + made_place, number, id, version, iif(made ->> 1, sealed_password, NULL) \
                   FROM (SELECT key AS made_place, value AS made FROM json_each(?4)) \
                   CROSS JOIN extensions ON tenant_id = ?3 AND number = made ->> 0";
        let query = sqlx::query(sql).bind(&self.job).bind(self.place).bind(tenant.0);
        query.bind(serde_json::json!(made).to_string()).execute(&mut **transaction).await?;
        self.place += i64::try_from(made.len()).unwrap_or(i64::MAX);
        self.drawn += made.iter().filter(|(_, is_drawn)| *is_drawn).count() as u64;
        Ok(())
    }
}

/// The columns of an extension.
pub(super) async fn columns(connection: &mut SqliteConnection) -> Result<Vec<String>, Error> {
    let sql = "SELECT name FROM pragma_table_info('extensions') ORDER BY cid";
    Ok(sqlx::query_scalar(sql).fetch_all(connection).await?)
}

/// SQL that makes one JSON object of a row.
fn image(columns: &[String]) -> String {
    let member = |name: &String| {
        format!("'{name}', CASE typeof(\"{name}\") WHEN 'blob' THEN json_array(hex(\"{name}\")) ELSE \"{name}\" END")
    };
    let objects = columns.chunks(OF_AN_OBJECT);
    let members = objects.map(|columns| columns.iter().map(member).collect::<Vec<_>>().join(", "));
    // No value ends or begins with a brace: texts are in quotes, and of JSON there are only arrays.
    let objects: Vec<_> = members.map(|members| format!("trim(json_object({members}), '{{}}')")).collect();
    format!("'{{' || {} || '}}'", objects.join(" || ',' || "))
}

/// SQL that gives a row back what its image `?1` has; columns that the image does not know stay.
pub(super) fn restoration(columns: &[String]) -> String {
    let columns = columns.iter().filter(|name| !OWN.contains(&name.as_str()));
    let given = columns.map(|name| {
        format!(
            "\"{name}\" = CASE json_type(?1, '$.{name}') WHEN 'array' THEN unhex(?1 ->> '$.{name}[0]') \
             ELSE iif(json_type(?1, '$.{name}') IS NULL, \"{name}\", ?1 ->> '$.{name}') END"
        )
    });
    given.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_of_many_columns_is_given_back_as_it_was_whatever_is_in_it() {
        let pool = sqlx::SqlitePool::connect("sqlite::memory:").await.unwrap();
        let columns: Vec<_> = (0..150).map(|number| format!("c{number}")).collect();
        let values: Vec<_> = (0..150)
            .map(|number| match number % 5 {
                0 => "'}{\"\u{e9},[1]}'".to_owned(),
                1 => format!("x'00ff{number:04}'"),
                2 => "NULL".to_owned(),
                3 => "9223372036854775807".to_owned(),
                _ => "x''".to_owned(),
            })
            .collect();
        let sql = format!("CREATE TABLE t ({}) ", columns.join(","));
        sqlx::query(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        let sql = format!("INSERT INTO t VALUES ({})", values.join(","));
        sqlx::query(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        let all = columns.iter().map(|name| format!("quote({name})")).collect::<Vec<_>>().join("||','||");
        let look = || async {
            let sql = format!("SELECT {all} FROM t");
            sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap()
        };
        let before = look().await;
        let sql = format!("SELECT {} FROM t", image(&columns));
        let image: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap();
        let emptied = columns.iter().map(|name| format!("{name} = 7")).collect::<Vec<_>>().join(",");
        sqlx::query(AssertSqlSafe(format!("UPDATE t SET {emptied}"))).execute(&pool).await.unwrap();
        assert_ne!(look().await, before);
        // A column that came later keeps what it has.
        sqlx::query("ALTER TABLE t ADD COLUMN later NOT NULL DEFAULT 'kept'").execute(&pool).await.unwrap();
        let known: Vec<_> = columns.iter().cloned().chain(["later".to_owned()]).collect();
        let sql = format!("UPDATE t SET {}", restoration(&known));
        sqlx::query(AssertSqlSafe(sql)).bind(&image).execute(&pool).await.unwrap();
        assert_eq!(look().await, before);
        let later: String = sqlx::query_scalar("SELECT later FROM t").fetch_one(&pool).await.unwrap();
        assert_eq!(later, "kept");
    }
}
