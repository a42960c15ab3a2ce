//! Changing and removing tenants.

use ringway_directory::validation::{Domain, TenantName, check_call_seconds, parse_network};
use ringway_directory::{Acknowledge, Budgets, Code, Fault, MediaPolicy, Tenant, WhenFull};
use sqlx::SqliteTransaction;

use super::super::audit::{self, Entry};
use super::super::settings::TenantSettings;
use super::super::{Directory, Error, hosts, next_change, now};
use super::{TenantRow, find_row, insert_hosts};

/// What a sealed secret of a tenant belongs to.
const SMTP: &str = "smtp";

/// The longest password of a mail server.
const LONGEST_PASSWORD: usize = 256;

/// Aliases and trusted networks of a tenant.
const MOST_HOSTS: usize = 1000;

/// What is changed of a tenant; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantChange {
    /// What people call it.
    pub name: Option<String>,
    /// Its other domains, all of them.
    pub aliases: Option<Vec<String>>,
    /// Its trusted networks, all of them.
    pub trust: Option<Vec<String>>,
    /// Whether it is served at all.
    pub enabled: Option<bool>,
    /// Whether new extensions have their number as auth name.
    pub auth_name_equals_number: Option<bool>,
    /// At most so many extensions; within, `None` is no limit.
    pub max_extensions: Option<Option<u32>>,
    /// At most so many calls at once; within, `None` is no limit.
    pub max_calls: Option<Option<u32>>,
    /// What becomes of a device too many.
    pub when_full: Option<WhenFull>,
    /// Whether the media of its calls is relayed.
    pub media: Option<MediaPolicy>,
    /// The most streams that it may have relayed at once; within, `None` is no limit of its own.
    pub max_media: Option<Option<u32>>,
    /// How many seconds a call may last; within, `None` is as long as any on this node.
    pub max_call_seconds: Option<Option<u32>>,
    /// When its REGISTERs are answered.
    pub acknowledge: Option<Acknowledge>,
    /// Its budgets, as [`Budgets`] has them; within, `None` is what the node's configuration says.
    pub requests: Option<Option<u32>>,
    /// REGISTERs a second.
    pub registers: Option<Option<u32>>,
    /// INVITEs a second.
    pub calls: Option<Option<u32>>,
    /// Connections at once.
    pub connections: Option<Option<u32>>,
    /// How much it counts beside others.
    pub weight: Option<u16>,
    /// Whether whoever signs in needs a second factor.
    pub require_totp: Option<bool>,
    /// The password of its mail server; within, `None` takes it away.
    pub smtp_password: Option<Option<String>>,
}

/// A tenant that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedTenant {
    /// As it was.
    pub before: TenantRow,
    /// As it is.
    pub after: TenantRow,
    /// Whether its mail server has another password.
    pub has_new_secret: bool,
}

impl Directory {
    /// Changes a tenant: all that is asked for, or nothing. `edit` changes what else is set. `expected` is the version that whoever
    /// asks has seen; another has come in between when the tenant has a later one, and then nothing is changed.
    pub async fn change_tenant(
        &self,
        domain: &str,
        changes: &TenantChange,
        expected: Option<u64>,
        edit: impl FnOnce(&mut TenantSettings),
        log: impl FnOnce(&ChangedTenant) -> Option<Entry>,
    ) -> Result<ChangedTenant, Error> {
        let mut transaction = self.begin_write().await?;
        let before = find_row(&mut transaction, domain).await?;
        if expected.is_some_and(|expected| expected != before.version) {
            return Err(Error::Stale);
        }
        let mut faults = changes.faults();
        let tenant = changes.applied(&before.tenant, &mut faults);
        for alias in tenant.aliases.iter().filter(|alias| !before.tenant.aliases.contains(alias)) {
            let alias = Domain::parse("aliases", alias)?;
            faults.extend(hosts::clash(&mut transaction, "aliases", &alias).await?);
        }
        let mut settings = before.settings.clone();
        edit(&mut settings);
        // What was there before its rules were is left alone.
        if settings != before.settings {
            faults.extend(settings.check());
        }
        if !faults.is_empty() {
            return Err(Error::Refused(faults));
        }
        if settings.emergency_numbers != before.settings.emergency_numbers {
            refuse_extensions(&mut transaction, &before, &settings).await?;
        }
        let require_totp = changes.require_totp.unwrap_or(before.require_totp);
        let smtp_password = match (&settings.smtp, &changes.smtp_password) {
            (None, _) => before.has_smtp_password.then_some(None),
            (Some(_), change) => change.clone(),
        };
        let is_same = (&tenant, &settings, require_totp) == (&before.tenant, &before.settings, before.require_totp);
        if is_same && smtp_password.is_none() {
            let after = before.clone();
            return Ok(ChangedTenant { before, after, has_new_secret: false });
        }
        write(&mut transaction, &tenant, &settings, require_totp).await?;
        if let Some(password) = &smtp_password {
            let row = i64::from(tenant.id.0);
            let sealed = password.as_ref().map(|password| self.secrets().seal_for(SMTP, row, password.as_bytes()));
            let sql = "UPDATE tenants SET smtp_password = ? WHERE id = ?";
            sqlx::query(sql).bind(sealed).bind(row).execute(&mut *transaction).await?;
        }
        let after = find_row(&mut transaction, &tenant.domain).await?;
        let changed = ChangedTenant { before, after, has_new_secret: smtp_password.is_some_and(|new| new.is_some()) };
        audit::write_all(&mut transaction, log(&changed)).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// The password of a tenant's mail server, if it has one.
    pub async fn smtp_password(&self, domain: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = super::find(&mut transaction, domain).await?;
        let sql = "SELECT smtp_password FROM tenants WHERE id = ?";
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(sql).bind(tenant.id.0).fetch_one(&mut *transaction).await?;
        let open = |sealed: Vec<u8>| self.secrets().open_for(SMTP, tenant.id.0.into(), &sealed);
        let damaged = |error| Error::Corrupt(format!("the mail password of {}: {error}", tenant.domain));
        sealed.map(open).transpose().map_err(damaged)
    }

    /// Removes a tenant with all that is its own. One that has extensions stays, unless it is to go `with_extensions`.
    pub async fn remove_tenant(
        &self,
        domain: &str,
        with_extensions: bool,
        expected: Option<u64>,
        log: impl FnOnce(&TenantRow) -> Option<Entry>,
    ) -> Result<TenantRow, Error> {
        let mut transaction = self.begin_write().await?;
        let before = find_row(&mut transaction, domain).await?;
        if expected.is_some_and(|expected| expected != before.version) {
            return Err(Error::Stale);
        }
        if before.extensions > 0 && !with_extensions {
            let message =
                format!("{} has {} extensions; remove it with ?force=true", before.tenant.domain, before.extensions);
            return Err(Error::Clash(vec![Fault::new("force", Code::Conflict, message)]));
        }
        let change = next_change(&mut transaction).await?;
        // Everything else of it goes with it.
        sqlx::query("DELETE FROM tenants WHERE id = ?").bind(before.tenant.id.0).execute(&mut *transaction).await?;
        let sql = "INSERT INTO removed_tenants (tenant_id, change) VALUES (?, ?)";
        sqlx::query(sql).bind(before.tenant.id.0).bind(change).execute(&mut *transaction).await?;
        audit::write_all(&mut transaction, log(&before)).await?;
        transaction.commit().await?;
        Ok(before)
    }
}

impl TenantChange {
    /// What is wrong whatever the tenant is.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(Some(seconds)) = self.max_call_seconds {
            faults.extend(check_call_seconds("max_call_seconds", seconds).err());
        }
        faults.extend(Budgets { weight: self.weight, ..Budgets::default() }.fault());
        for (field, count) in
            [("aliases", self.aliases.as_ref().map_or(0, Vec::len)), ("trust", self.trust.as_ref().map_or(0, Vec::len))]
        {
            if count > MOST_HOSTS {
                faults.push(Fault::new(field, Code::LimitReached, format!("{MOST_HOSTS} at most")));
            }
        }
        if let Some(Some(password)) = &self.smtp_password
            && (password.is_empty() || password.len() > LONGEST_PASSWORD)
        {
            let message = format!("a password of 1 to {LONGEST_PASSWORD} bytes, or null for none");
            faults.push(Fault::new("smtp/password", Code::BadFormat, message));
        }
        faults
    }

    /// The tenant as it is to be.
    fn applied(&self, tenant: &Tenant, faults: &mut Vec<Fault>) -> Tenant {
        let mut faulty = |fault: Fault| faults.push(fault);
        let name = self.name.as_ref().map(|name| {
            let name = if name.trim().is_empty() { &*tenant.domain } else { name };
            TenantName::parse("name", name).map(|name| name.as_str().into()).map_err(&mut faulty)
        });
        let name = name.and_then(Result::ok);
        let aliases = self.aliases.as_ref().map(|aliases| {
            let mut parsed: Vec<Box<str>> = Vec::with_capacity(aliases.len());
            for alias in aliases.iter().take(MOST_HOSTS) {
                match Domain::parse("aliases", alias) {
                    Ok(alias) => parsed.push(alias.as_str().into()),
                    Err(fault) => faulty(fault),
                }
            }
            parsed.sort();
            parsed.dedup();
            parsed.retain(|alias| *alias != tenant.domain);
            parsed.into_boxed_slice()
        });
        let trust = self.trust.as_ref().map(|networks| {
            let mut parsed = Vec::with_capacity(networks.len());
            for network in networks.iter().take(MOST_HOSTS) {
                match parse_network("trust", network) {
                    Ok(network) if parsed.contains(&network) => {}
                    Ok(network) => parsed.push(network),
                    Err(fault) => faulty(fault),
                }
            }
            // As the database gives them back.
            parsed.sort_by_key(|network| network.to_string());
            parsed.into_boxed_slice()
        });
        let before = tenant.clone();
        Tenant {
            name: name.unwrap_or(before.name),
            aliases: aliases.unwrap_or(before.aliases),
            trust: trust.unwrap_or(before.trust),
            enabled: self.enabled.unwrap_or(before.enabled),
            auth_name_equals_number: self.auth_name_equals_number.unwrap_or(before.auth_name_equals_number),
            max_extensions: self.max_extensions.unwrap_or(before.max_extensions),
            max_calls: self.max_calls.unwrap_or(before.max_calls),
            when_full: self.when_full.unwrap_or(before.when_full),
            media: self.media.unwrap_or(before.media),
            max_media: self.max_media.unwrap_or(before.max_media),
            max_call_seconds: self.max_call_seconds.unwrap_or(before.max_call_seconds),
            acknowledge: self.acknowledge.unwrap_or(before.acknowledge),
            budgets: Budgets {
                requests: self.requests.unwrap_or(before.budgets.requests),
                registers: self.registers.unwrap_or(before.budgets.registers),
                calls: self.calls.unwrap_or(before.budgets.calls),
                connections: self.connections.unwrap_or(before.budgets.connections),
                weight: self.weight.or(before.budgets.weight),
            },
            id: before.id,
            domain: before.domain,
        }
    }
}

/// Refuses new emergency numbers that extensions have: dialling them would ring there before.
async fn refuse_extensions(
    transaction: &mut SqliteTransaction<'_>,
    before: &TenantRow,
    settings: &TenantSettings,
) -> Result<(), Error> {
    let added = settings.emergency_numbers.iter().filter(|number| !before.settings.emergency_numbers.contains(number));
    let mut faults = Vec::new();
    for number in added {
        let sql = "SELECT EXISTS (SELECT 1 FROM extensions WHERE tenant_id = ? AND number = ?)";
        let is_taken = sqlx::query_scalar(sql).bind(before.tenant.id.0).bind(number);
        if is_taken.fetch_one(&mut **transaction).await? {
            let message = format!("extension {number} has this number; give it another first");
            faults.push(Fault::new("emergency_numbers", Code::Conflict, message));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Clash(faults)) }
}

async fn write(
    transaction: &mut SqliteTransaction<'_>,
    tenant: &Tenant,
    settings: &TenantSettings,
    require_totp: bool,
) -> Result<(), Error> {
    let change = next_change(transaction).await?;
    let settings = serde_json::to_string(settings)
        .map_err(|error| Error::Corrupt(format!("settings that can't be written: {error}")))?;
    let budgets = &tenant.budgets;
    let sql = "UPDATE tenants SET when_full = ?, media = ?, max_media = ?, max_call_seconds = ?, acknowledge = ?, requests_ps = ?, \
               registers_ps = ?, calls_ps = ?, connections = ?, weight = ?, name = ?, enabled = ?, auth_name_equals_number = ?, \
               max_extensions = ?, max_calls = ?, settings = ?, require_totp = ?, updated = ?, change = ?, version = version + 1 \
               WHERE id = ?";
    sqlx::query(sql)
        .bind(tenant.when_full.as_str())
        .bind(tenant.media.as_str())
        .bind(tenant.max_media)
        .bind(tenant.max_call_seconds)
        .bind(tenant.acknowledge.as_str())
        .bind(budgets.requests)
        .bind(budgets.registers)
        .bind(budgets.calls)
        .bind(budgets.connections)
        .bind(budgets.weight)
        .bind(&*tenant.name)
        .bind(tenant.enabled)
        .bind(tenant.auth_name_equals_number)
        .bind(tenant.max_extensions)
        .bind(tenant.max_calls)
        .bind(settings)
        .bind(require_totp)
        .bind(now())
        .bind(change)
        .bind(tenant.id.0)
        .execute(&mut **transaction)
        .await?;
    for sql in ["DELETE FROM tenant_aliases WHERE tenant_id = ?", "DELETE FROM tenant_trust WHERE tenant_id = ?"] {
        sqlx::query(sql).bind(tenant.id.0).execute(&mut **transaction).await?;
    }
    let aliases: Vec<_> = tenant.aliases.iter().map(|alias| &**alias).collect();
    insert_hosts(transaction, tenant.id.0, &aliases, &tenant.trust).await
}
