//! The steps from an empty database to this version's, forward only. A step that was released is never changed.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

const SQLITE: [(i64, &str, &str); 10] = [
    (1, "directory", include_str!("../migrations/sqlite/0001_directory.sql")),
    (2, "device limits", include_str!("../migrations/sqlite/0002_device_limits.sql")),
    (3, "media", include_str!("../migrations/sqlite/0003_media.sql")),
    (4, "budgets", include_str!("../migrations/sqlite/0004_budgets.sql")),
    (5, "call length", include_str!("../migrations/sqlite/0005_call_length.sql")),
    (6, "acknowledge", include_str!("../migrations/sqlite/0006_acknowledge.sql")),
    (7, "accounts", include_str!("../migrations/sqlite/0007_accounts.sql")),
    (8, "settings", include_str!("../migrations/sqlite/0008_settings.sql")),
    (9, "people", include_str!("../migrations/sqlite/0009_people.sql")),
    (10, "jobs", include_str!("../migrations/sqlite/0010_jobs.sql")),
];

/// The steps for SQLite.
pub(super) fn sqlite() -> Migrator {
    let step = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(SQLITE.iter().map(step).collect())
}
