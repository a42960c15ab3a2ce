//! The extensions that a new or changed one could clash with: same number, auth name or e-mail address.

use std::collections::HashMap;

use ringway_directory::{Code, Fault, Profile, TenantId};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::rows::SECRET_COLUMNS;
use super::{Error, PROFILE_COLUMNS, StoredExtension};

/// Some of a tenant's extensions, as the database has them and as the changes under way leave them.
#[derive(Default)]
pub(crate) struct Neighbours {
    extension_by_number: HashMap<Box<str>, StoredExtension>,
    number_by_auth_name: HashMap<Box<str>, Box<str>>,
    number_by_email: HashMap<Box<str>, Box<str>>,
}

impl Neighbours {
    /// Loads the extensions that have one of these numbers, auth names or e-mail addresses.
    pub(crate) async fn load<'k>(
        &mut self,
        connection: &mut SqliteConnection,
        tenant: TenantId,
        keys: impl Iterator<Item = (&'k str, &'k str, &'k str)>,
    ) -> Result<(), Error> {
        let (mut numbers, mut auth_names, mut emails) = (Vec::new(), Vec::new(), Vec::new());
        for (number, auth_name, email) in keys {
            numbers.push(number);
            auth_names.push(auth_name);
            emails.push(email);
        }
        let sql = AssertSqlSafe(format!(
            "SELECT {PROFILE_COLUMNS}, {SECRET_COLUMNS} FROM extensions WHERE id IN ( \
               SELECT id FROM extensions WHERE tenant_id = ?1 AND number IN (SELECT value FROM json_each(?2)) \
               UNION SELECT id FROM extensions WHERE tenant_id = ?1 AND auth_name IN (SELECT value FROM json_each(?3)) \
               UNION SELECT id FROM extensions WHERE tenant_id = ?1 AND email IN (SELECT value FROM json_each(?4)))"
        ));
        let json = |texts: &[&str]| serde_json::Value::from(texts).to_string();
        let rows = sqlx::query(sql)
            .bind(tenant.0)
            .bind(json(&numbers))
            .bind(json(&auth_names))
            .bind(json(&emails))
            .fetch_all(connection)
            .await?;
        for row in &rows {
            self.put(StoredExtension::read(row)?);
        }
        Ok(())
    }

    /// The extension with this number, if it is there.
    pub(crate) fn extension(&self, number: &str) -> Option<&StoredExtension> {
        self.extension_by_number.get(number)
    }

    /// What keeps this extension from being created.
    pub(crate) fn clashes(&self, profile: &Profile) -> Vec<Fault> {
        let number = profile.number.as_str();
        if self.extension_by_number.contains_key(number) {
            let message = format!("there is an extension {number} already");
            return vec![Fault::new("extension_number", Code::Duplicate, message)];
        }
        self.shared_names(profile)
    }

    /// What of this extension belongs to another one.
    pub(crate) fn shared_names(&self, profile: &Profile) -> Vec<Fault> {
        let mut faults = Vec::new();
        let number = profile.number.as_str();

        if let Some(owner) = self.number_by_auth_name.get(profile.auth_name.as_str())
            && **owner != *number
        {
            let message = format!("extension {owner} has the auth name {} already", profile.auth_name.as_str());
            faults.push(Fault::new("auth_name", Code::Duplicate, message));
        }
        if let Some(owner) = self.number_by_email.get(&profile.email.key())
            && **owner != *number
        {
            let message = format!("extension {owner} has the e-mail address {} already", profile.email.as_str());
            faults.push(Fault::new("email", Code::Duplicate, message));
        }
        faults
    }

    /// Remembers an extension that is there now, in place of the one with the same number.
    pub(crate) fn put(&mut self, neighbour: StoredExtension) {
        let profile = &neighbour.profile;
        let number: Box<str> = profile.number.as_str().into();
        if let Some(old) = self.extension_by_number.get(&number) {
            self.number_by_auth_name.remove(old.profile.auth_name.as_str());
            self.number_by_email.remove(&old.profile.email.key());
        }
        self.number_by_auth_name.insert(profile.auth_name.as_str().into(), number.clone());
        self.number_by_email.insert(profile.email.key(), number.clone());
        self.extension_by_number.insert(number, neighbour);
    }
}
