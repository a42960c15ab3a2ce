//! What a new or changed extension could clash with: extensions of the same number, auth name or e-mail address, services of the
//! same number, whoever has the same desk phone; and the documents of its tenant that it speaks of.

use std::collections::HashMap;

use ringway_directory::{CheckedExtension, Code, Fault, Profile, TenantId};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::rows::SECRET_COLUMNS;
use super::surroundings::Surroundings;
use super::{Error, PROFILE_COLUMNS, StoredExtension};

/// Some of a tenant's extensions, as the database has them and as the changes under way leave them.
#[derive(Default)]
pub(crate) struct Neighbours {
    extension_by_number: HashMap<Box<str>, StoredExtension>,
    number_by_auth_name: HashMap<Box<str>, Box<str>>,
    number_by_email: HashMap<Box<str>, Box<str>>,
    /// The kinds of the services that have a number.
    service_by_number: HashMap<Box<str>, Box<str>>,
    /// The numbers that desk phones belong to; `None` of another tenant.
    number_by_mac: HashMap<Box<str>, Option<Box<str>>>,
    /// Only when somebody speaks of them.
    surroundings: Option<Surroundings>,
}

impl Neighbours {
    /// Loads whatever these extensions could clash with.
    pub(crate) async fn load_for<'e>(
        &mut self,
        connection: &mut SqliteConnection,
        tenant: TenantId,
        extensions: impl Iterator<Item = &'e CheckedExtension> + Clone,
    ) -> Result<(), Error> {
        let keys = extensions.clone().map(|extension| {
            let number = extension.number().as_str();
            let auth_name = extension.auth_name().map_or(number, |auth_name| auth_name.as_str());
            (number, auth_name, extension.email().as_str())
        });
        self.load(connection, tenant, keys).await?;
        let numbers: Vec<_> = extensions.clone().map(|extension| extension.number().as_str()).collect();
        let sql =
            "SELECT number, kind FROM resources WHERE tenant_id = ? AND number IN (SELECT value FROM json_each(?))";
        let json = serde_json::Value::from(numbers).to_string();
        for row in sqlx::query(sql).bind(tenant.0).bind(json).fetch_all(&mut *connection).await? {
            let (number, kind): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            self.service_by_number.insert(number.into(), kind.into());
        }
        let macs: Vec<_> = extensions.clone().flat_map(CheckedExtension::macs).collect();
        if !macs.is_empty() {
            let sql = "SELECT mac, number, tenant_id FROM phones WHERE mac IN (SELECT value FROM json_each(?))";
            let json = serde_json::Value::from(macs).to_string();
            for row in sqlx::query(sql).bind(json).fetch_all(&mut *connection).await? {
                let (mac, number, owner): (&str, &str, u32) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                let number = (owner == tenant.0).then(|| number.into());
                self.number_by_mac.insert(mac.into(), number);
            }
        }
        if self.surroundings.is_none() && extensions.clone().any(CheckedExtension::needs_surroundings) {
            self.surroundings = Some(Surroundings::load(connection, tenant).await?);
        }
        Ok(())
    }

    /// Loads the extensions that have one of these numbers, auth names or e-mail addresses.
    async fn load<'k>(
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
        if let Some(kind) = self.service_by_number.get(number) {
            let message = format!("{number} is dialled for one of the tenant's {kind} already");
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
        for (at, phone) in profile.settings.phones.iter().enumerate() {
            let message = match self.number_by_mac.get(phone.mac.as_str()) {
                Some(Some(owner)) if **owner != *number => format!("this phone is extension {owner}'s already"),
                Some(None) => "this phone is somebody else's already".to_owned(),
                _ => continue,
            };
            faults.push(Fault::new(format!("phones/{at}/mac"), Code::Duplicate, message));
        }
        if let Some(surroundings) = &self.surroundings {
            surroundings.check(&profile.settings, &mut faults);
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
            for phone in &old.profile.settings.phones {
                self.number_by_mac.remove(phone.mac.as_str());
            }
        }
        for phone in &profile.settings.phones {
            self.number_by_mac.insert(phone.mac.as_str().into(), Some(number.clone()));
        }
        self.number_by_auth_name.insert(profile.auth_name.as_str().into(), number.clone());
        self.number_by_email.insert(profile.email.key(), number.clone());
        self.extension_by_number.insert(number, neighbour);
    }
}
