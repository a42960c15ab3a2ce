//! Adding and listing tenants.

use std::collections::HashMap;

use ringway_directory::validation::{Domain, check_call_seconds};
use ringway_directory::{Acknowledge, Budgets, MediaPolicy, NewTenant, Tenant, TenantDraft, TenantId, WhenFull};
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqliteTransaction};

use super::rows::{TENANT_COLUMNS, complete_tenant, read_tenant};
use super::{Directory, Error, hosts, next_change, now};

/// What is changed of a tenant; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantChange {
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
}

impl Directory {
    /// Adds a tenant. A domain or alias that another tenant has, under either name, is refused.
    pub async fn add_tenant(&self, draft: &TenantDraft) -> Result<Tenant, Error> {
        let new = draft.validate()?;
        let mut transaction = self.begin_write().await?;
        let mut faults = Vec::new();
        faults.extend(hosts::clash(&mut transaction, "domain", &new.domain).await?);
        for alias in &new.aliases {
            faults.extend(hosts::clash(&mut transaction, "alias", alias).await?);
        }
        if !faults.is_empty() {
            return Err(Error::Refused(faults));
        }
        let id = insert(&mut transaction, &new).await?;
        transaction.commit().await?;
        Ok(Tenant {
            id,
            domain: new.domain.as_str().into(),
            aliases: new.aliases.iter().map(|alias| alias.as_str().into()).collect(),
            name: new.name.as_str().into(),
            trust: new.trust.into(),
            max_extensions: new.max_extensions,
            max_calls: new.max_calls,
            budgets: new.budgets,
            when_full: new.when_full,
            media: new.media,
            max_media: new.max_media,
            max_call_seconds: new.max_call_seconds,
            acknowledge: new.acknowledge,
            enabled: true,
            auth_name_equals_number: new.auth_name_equals_number,
        })
    }

    /// Changes a tenant: all that is asked for, or nothing.
    pub async fn change_tenant(&self, domain: &str, changes: &TenantChange) -> Result<Tenant, Error> {
        let mut faults = Vec::new();
        if let Some(Some(seconds)) = changes.max_call_seconds {
            faults.extend(check_call_seconds("max_call_seconds", seconds).err());
        }
        faults.extend(Budgets { weight: changes.weight, ..Budgets::default() }.fault());
        if !faults.is_empty() {
            return Err(Error::Refused(faults));
        }
        let mut transaction = self.begin_write().await?;
        let tenant = find(&mut transaction, domain).await?;
        let budgets = Budgets {
            requests: changes.requests.unwrap_or(tenant.budgets.requests),
            registers: changes.registers.unwrap_or(tenant.budgets.registers),
            calls: changes.calls.unwrap_or(tenant.budgets.calls),
            connections: changes.connections.unwrap_or(tenant.budgets.connections),
            weight: changes.weight.or(tenant.budgets.weight),
        };
        let tenant = Tenant {
            when_full: changes.when_full.unwrap_or(tenant.when_full),
            media: changes.media.unwrap_or(tenant.media),
            max_media: changes.max_media.unwrap_or(tenant.max_media),
            max_call_seconds: changes.max_call_seconds.unwrap_or(tenant.max_call_seconds),
            acknowledge: changes.acknowledge.unwrap_or(tenant.acknowledge),
            budgets,
            ..tenant
        };
        let change = next_change(&mut transaction).await?;
        let sql = "UPDATE tenants SET when_full = ?, media = ?, max_media = ?, max_call_seconds = ?, acknowledge = ?, requests_ps = ?, \
                   registers_ps = ?, calls_ps = ?, connections = ?, weight = ?, updated = ?, change = ? WHERE id = ?";
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
            .bind(now())
            .bind(change)
            .bind(tenant.id.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(tenant)
    }

    /// All tenants, by domain.
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>, Error> {
        let mut transaction = self.begin_read().await?;
        let mut tenants = read_tenants(&mut transaction, 0).await?;
        tenants.sort_by(|one, other| one.domain.cmp(&other.domain));
        Ok(tenants)
    }

    /// The tenant whose domain or alias this is.
    pub async fn tenant(&self, domain: &str) -> Result<Tenant, Error> {
        let mut transaction = self.begin_read().await?;
        find(&mut transaction, domain).await
    }

    /// How many extensions this tenant has.
    pub async fn extension_count(&self, tenant: TenantId) -> Result<u32, Error> {
        let mut transaction = self.begin_read().await?;
        count_extensions(&mut transaction, tenant).await
    }
}

/// The tenant whose domain or alias this is.
pub(crate) async fn find(connection: &mut SqliteConnection, domain: &str) -> Result<Tenant, Error> {
    let unknown = || Error::UnknownTenant(domain.to_owned());
    let host = Domain::parse("tenant", domain).map_err(|_| unknown())?;
    let TenantId(id) = hosts::tenant_of(connection, &host).await?.ok_or_else(unknown)?;
    let sql = AssertSqlSafe(format!("SELECT {TENANT_COLUMNS} FROM tenants WHERE id = ?"));
    let mut tenant = read_tenant(&sqlx::query(sql).bind(id).fetch_one(&mut *connection).await?)?;
    let sql = "SELECT domain FROM tenant_aliases WHERE tenant_id = ? ORDER BY domain";
    let aliases = sqlx::query_scalar(sql).bind(id).fetch_all(&mut *connection).await?;
    let sql = "SELECT network FROM tenant_trust WHERE tenant_id = ? ORDER BY network";
    let networks: Vec<String> = sqlx::query_scalar(sql).bind(id).fetch_all(&mut *connection).await?;
    complete_tenant(&mut tenant, aliases, &networks)?;
    Ok(tenant)
}

/// How many extensions this tenant has.
pub(crate) async fn count_extensions(connection: &mut SqliteConnection, tenant: TenantId) -> Result<u32, Error> {
    let sql = "SELECT extension_count FROM tenants WHERE id = ?";
    Ok(sqlx::query_scalar(sql).bind(tenant.0).fetch_optional(connection).await?.unwrap_or_default())
}

/// The tenants that changed after this change of the directory.
pub(super) async fn read_tenants(connection: &mut SqliteConnection, after: i64) -> Result<Vec<Tenant>, Error> {
    let sql = AssertSqlSafe(format!("SELECT {TENANT_COLUMNS} FROM tenants WHERE change > ? ORDER BY id"));
    let rows = sqlx::query(sql).bind(after).fetch_all(&mut *connection).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT tenant_id, domain FROM tenant_aliases ORDER BY domain";
    let mut aliases_by_tenant = texts_by_tenant(connection, sql).await?;
    let sql = "SELECT tenant_id, network FROM tenant_trust ORDER BY network";
    let mut networks_by_tenant = texts_by_tenant(connection, sql).await?;
    let mut tenants = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut tenant = read_tenant(row)?;
        let aliases = aliases_by_tenant.remove(&tenant.id).unwrap_or_default();
        let networks = networks_by_tenant.remove(&tenant.id).unwrap_or_default();
        complete_tenant(&mut tenant, aliases, &networks)?;
        tenants.push(tenant);
    }
    Ok(tenants)
}

async fn texts_by_tenant(
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<HashMap<TenantId, Vec<String>>, Error> {
    let mut texts: HashMap<TenantId, Vec<String>> = HashMap::new();
    for row in sqlx::query(sql).fetch_all(connection).await? {
        texts.entry(TenantId(row.try_get(0)?)).or_default().push(row.try_get(1)?);
    }
    Ok(texts)
}

async fn insert(transaction: &mut SqliteTransaction<'_>, new: &NewTenant) -> Result<TenantId, Error> {
    let change = next_change(transaction).await?;
    let sql = "INSERT INTO tenants (domain, name, auth_name_equals_number, max_extensions, max_calls, created, updated, change, \
               when_full, media, max_media, requests_ps, registers_ps, calls_ps, \
               connections, weight, max_call_seconds, acknowledge) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) RETURNING id";
    let id: u32 = sqlx::query_scalar(sql)
        .bind(new.domain.as_str())
        .bind(new.name.as_str())
        .bind(new.auth_name_equals_number)
        .bind(new.max_extensions)
        .bind(new.max_calls)
        .bind(now())
        .bind(change)
        .bind(new.when_full.as_str())
        .bind(new.media.as_str())
        .bind(new.max_media)
        .bind(new.budgets.requests)
        .bind(new.budgets.registers)
        .bind(new.budgets.calls)
        .bind(new.budgets.connections)
        .bind(new.budgets.weight)
        .bind(new.max_call_seconds)
        .bind(new.acknowledge.as_str())
        .fetch_one(&mut **transaction)
        .await?;
    for alias in &new.aliases {
        let sql = "INSERT INTO tenant_aliases (domain, tenant_id) VALUES (?, ?)";
        sqlx::query(sql).bind(alias.as_str()).bind(id).execute(&mut **transaction).await?;
    }
    for network in &new.trust {
        let sql = "INSERT INTO tenant_trust (tenant_id, network) VALUES (?, ?)";
        sqlx::query(sql).bind(id).bind(network.to_string()).execute(&mut **transaction).await?;
    }
    Ok(TenantId(id))
}
