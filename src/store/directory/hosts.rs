//! Domains and aliases: one name space for all tenants.

use ringway_directory::validation::Domain;
use ringway_directory::{Code, Fault, TenantId};
use sqlx::SqliteConnection;

use super::Error;

/// The tenant whose domain or alias this is.
pub(super) async fn tenant_of(connection: &mut SqliteConnection, host: &Domain) -> Result<Option<TenantId>, Error> {
    let sql = "SELECT id FROM tenants WHERE domain = ?1 UNION SELECT tenant_id FROM tenant_aliases WHERE domain = ?1";
    let id: Option<u32> = sqlx::query_scalar(sql).bind(host.as_str()).fetch_optional(connection).await?;
    Ok(id.map(TenantId))
}

/// The fault of a new tenant that wants this host, if another tenant has it.
pub(super) async fn clash(
    connection: &mut SqliteConnection,
    field: &'static str,
    host: &Domain,
) -> Result<Option<Fault>, Error> {
    let Some(TenantId(id)) = tenant_of(connection, host).await? else {
        return Ok(None);
    };
    let sql = "SELECT domain FROM tenants WHERE id = ?";
    let owner: String = sqlx::query_scalar(sql).bind(id).fetch_one(connection).await?;
    let host = host.as_str();
    let message = if owner == host {
        format!("there is a tenant {host} already")
    } else {
        format!("{host} is an alias of tenant {owner} already")
    };
    Ok(Some(Fault::new(field, Code::Duplicate, message)))
}
