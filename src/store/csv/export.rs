//! An export: the same columns that an import reads, secrets left blank.

use std::io::Write;

use ringway_directory::Profile;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::cells;
use super::columns::{COLUMNS, Cell};
use crate::directory::{Directory, Error, PROFILE_COLUMNS, read_profile, tenants};

/// Rows fetched and written at once.
const PAGE: usize = 1_000;

impl Directory {
    /// Writes the extensions of the tenant with this domain or alias, by number, and tells how many there are. The file can
    /// be imported again: mode upsert leaves the secrets as they are.
    pub async fn export(&self, domain: &str, out: &mut (dyn Write + Send)) -> Result<u64, Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = tenants::find(&mut transaction, domain).await?;
        let names = COLUMNS.map(|column| column.name);
        writeln!(out, "{}\r", names.join(","))?;
        let mut count = 0;
        let mut last = String::new();
        loop {
            let sql = AssertSqlSafe(format!(
                "SELECT {PROFILE_COLUMNS} FROM extensions WHERE tenant_id = ? AND number > ? \
                 ORDER BY number LIMIT {PAGE}"
            ));
            let rows = sqlx::query(sql).bind(tenant.id.0).bind(&last).fetch_all(&mut *transaction).await?;
            let mut lines = String::new();
            for row in &rows {
                let profile = read_profile(row)?;
                write_row(&mut lines, &profile);
                last = profile.number.as_str().to_owned();
                count += 1;
            }
            out.write_all(lines.as_bytes())?;
            if rows.len() < PAGE {
                out.flush()?;
                return Ok(count);
            }
        }
    }
}

fn write_row(lines: &mut String, profile: &Profile) {
    // What is as it would be anyway is left blank.
    let settings = profile.settings.kept();
    for (index, column) in COLUMNS.iter().enumerate() {
        if index > 0 {
            lines.push(',');
        }
        match column.cell {
            Cell::Word { value, .. } => cells::write(lines, &value(profile)),
            Cell::Setting => match settings.get(column.name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => cells::write(lines, text),
                Some(value) => cells::write(lines, &value.to_string()),
            },
        }
    }
    lines.push_str("\r\n");
}
