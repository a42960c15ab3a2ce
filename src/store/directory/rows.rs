//! Rows of the database turned back into values.

use ringway_directory::model::Settings;
use ringway_directory::validation::{AuthName, DisplayName, Email, Number, PersonName, parse_network};
use ringway_directory::{Acknowledge, Budgets, Fault, MediaPolicy, Profile, Tenant, TenantId, WhenFull};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Error, SealedSecret};

/// The columns that [`read_profile`] wants, in its order.
pub(crate) const PROFILE_COLUMNS: &str =
    "id, number, auth_name, email, display_name, first_name, last_name, enabled, max_phones, max_apps, settings";

/// The columns that [`StoredExtension::read`] wants behind those of the profile, in its order.
pub(super) const SECRET_COLUMNS: &str = "sealed_password, sealed_hashes, pin";

/// An extension as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct StoredExtension {
    pub(crate) profile: Profile,
    pub(crate) secret: SealedSecret,
    /// What is kept of its PIN.
    pub(crate) pin: Option<Vec<u8>>,
}

impl StoredExtension {
    pub(super) fn read(row: &SqliteRow) -> Result<Self, Error> {
        let secret = SealedSecret { password: row.try_get(11)?, hashes: row.try_get(12)? };
        Ok(Self { profile: read_profile(row)?, secret, pin: row.try_get(13)? })
    }
}

/// An extension's data without its secret.
pub(crate) fn read_profile(row: &SqliteRow) -> Result<Profile, Error> {
    let id: i64 = row.try_get(0)?;
    let damaged = |fault: Fault| Error::Corrupt(format!("extension row {id}: {fault}"));
    let person = |field, text: Option<&str>| text.map(|text| PersonName::parse(field, text)).transpose();
    let settings = match row.try_get::<Option<&str>, _>(10)? {
        None => Settings::default(),
        Some(kept) => {
            Settings::read(kept).map_err(|error| Error::Corrupt(format!("extension row {id}: settings: {error}")))?
        }
    };
    Ok(Profile {
        number: Number::parse("extension_number", row.try_get(1)?).map_err(damaged)?,
        auth_name: AuthName::parse("auth_name", row.try_get(2)?).map_err(damaged)?,
        email: Email::parse("email", row.try_get(3)?).map_err(damaged)?,
        display_name: DisplayName::parse("display_name", row.try_get(4)?).map_err(damaged)?,
        first_name: person("first_name", row.try_get(5)?).map_err(damaged)?,
        last_name: person("last_name", row.try_get(6)?).map_err(damaged)?,
        enabled: row.try_get(7)?,
        max_phones: row.try_get(8)?,
        max_apps: row.try_get(9)?,
        settings: Box::new(settings),
    })
}

/// The columns that [`read_tenant`] wants, in its order.
pub(super) const TENANT_COLUMNS: &str = "id, domain, name, enabled, auth_name_equals_number, max_extensions, max_calls, when_full, \
     media, max_media, requests_ps, registers_ps, calls_ps, connections, weight, max_call_seconds, acknowledge";

/// A tenant as its row has it, still without aliases and trusted networks.
pub(super) fn read_tenant(row: &SqliteRow) -> Result<Tenant, Error> {
    let id: u32 = row.try_get(0)?;
    let when_full = WhenFull::parse("when_full", row.try_get(7)?);
    let media = MediaPolicy::parse("media", row.try_get(8)?);
    let acknowledge = Acknowledge::parse("acknowledge", row.try_get(16)?);
    Ok(Tenant {
        id: TenantId(id),
        domain: row.try_get::<String, _>(1)?.into(),
        aliases: Box::default(),
        name: row.try_get::<String, _>(2)?.into(),
        trust: Box::default(),
        enabled: row.try_get(3)?,
        auth_name_equals_number: row.try_get(4)?,
        max_extensions: row.try_get(5)?,
        max_calls: row.try_get(6)?,
        budgets: Budgets {
            requests: row.try_get(10)?,
            registers: row.try_get(11)?,
            calls: row.try_get(12)?,
            connections: row.try_get(13)?,
            weight: row.try_get(14)?,
        },
        when_full: when_full.map_err(|fault| Error::Corrupt(format!("tenant row {id}: {fault}")))?,
        media: media.map_err(|fault| Error::Corrupt(format!("tenant row {id}: {fault}")))?,
        max_media: row.try_get(9)?,
        max_call_seconds: row.try_get(15)?,
        acknowledge: acknowledge.map_err(|fault| Error::Corrupt(format!("tenant row {id}: {fault}")))?,
    })
}

/// Adds aliases and trusted networks, which have tables of their own.
pub(super) fn complete_tenant(tenant: &mut Tenant, aliases: Vec<String>, networks: &[String]) -> Result<(), Error> {
    tenant.aliases = aliases.into_iter().map(String::into).collect();
    let networks = networks.iter().map(|network| parse_network("trust", network));
    tenant.trust = networks
        .collect::<Result<_, _>>()
        .map_err(|fault| Error::Corrupt(format!("tenant {}: {fault}", tenant.domain)))?;
    Ok(())
}
