//! Documents of tenants and of the carrier: trunks, rules, services, rates, roles. One way to read and change all kinds.

use ringway_directory::model::did::{DidPool, Stretch, stretches};
use ringway_directory::model::{Kind, Members, Resource, merge, written};
use ringway_directory::{Code, Fault, TenantId};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqliteTransaction};

use super::audit::{self, Entry};
use super::surroundings::Surroundings;
use super::{Directory, Error, next_change, now, tenants};

const COLUMNS: &str = "id, key, document, sealed, created, updated, version";

/// Whose documents are meant.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The domain of a tenant; `None` for the carrier.
    pub domain: Option<&'a str>,
    /// Whether whoever asks is the carrier, to whom all numbers of its trunks belong.
    pub is_carrier: bool,
}

/// A document with what its row says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<R> {
    /// What it says, without what is never shown.
    pub document: R,
    /// Grows by one with each change; 0 when nobody has written one and this is how it is anyway.
    pub version: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: i64,
    /// When it was changed last.
    pub updated: i64,
}

/// How a document is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// There is none yet.
    Create,
    /// Members that are named change; all else stays.
    Patch,
    /// It is as it says, and nothing else; what is never shown stays unless it is named.
    Replace,
}

/// A document as its row has it.
struct Found {
    id: i64,
    members: Members,
    sealed: Option<Vec<u8>>,
    created: i64,
    updated: i64,
    version: u64,
}

impl Directory {
    /// Some documents of a kind by key, and whether there are more.
    pub async fn resources<R: Resource>(
        &self,
        owner: Owner<'_>,
        after: &str,
        limit: u16,
    ) -> Result<(Vec<Stored<R>>, bool), Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = tenant_of(&mut transaction, owner).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM resources WHERE coalesce(tenant_id, 0) = ? AND kind = ? AND key > ? ORDER BY key LIMIT ?"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(tenant.map_or(0, |tenant| tenant.0))
            .bind(R::KIND.name)
            .bind(after)
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *transaction)
            .await?;
        let has_more = rows.len() > usize::from(limit);
        let documents = rows.iter().take(limit.into()).map(|row| stored(read(row)?)).collect::<Result<_, _>>()?;
        Ok((documents, has_more))
    }

    /// A document.
    pub async fn resource<R: Resource>(&self, owner: Owner<'_>, key: &str) -> Result<Stored<R>, Error> {
        let mut transaction = self.begin_read().await?;
        let tenant = tenant_of(&mut transaction, owner).await?;
        match find(&mut transaction, tenant, R::KIND, key).await? {
            Some(row) => stored(row),
            None if is_single(R::KIND) => stored(Found::none()),
            None => Err(unknown(R::KIND, key)),
        }
    }

    /// Writes a document. `expected` is the version that whoever asks has seen. `log` is told what it was and is, without
    /// what is never shown; its entry is kept together with the change.
    pub async fn write_resource<R: Resource>(
        &self,
        owner: Owner<'_>,
        way: Way,
        key: &str,
        change: &Members,
        expected: Option<u64>,
        log: impl FnOnce(Option<&R>, &R) -> Entry,
    ) -> Result<Stored<R>, Error> {
        let kind = R::KIND;
        let mut transaction = self.begin_write().await?;
        let tenant = tenant_of(&mut transaction, owner).await?;
        let row = if way == Way::Create { None } else { find(&mut transaction, tenant, kind, key).await? };
        let before = match row {
            Some(row) => Some(row),
            None if way == Way::Create => None,
            None if is_single(kind) => None,
            None => return Err(unknown(kind, key)),
        };
        let version = before.as_ref().map_or(0, |row| row.version);
        if expected.is_some_and(|expected| expected != version) {
            return Err(Error::Stale);
        }
        let mut members = match (&before, way) {
            (Some(row), Way::Patch) => row.members.clone(),
            _ => Members::new(),
        };
        match way {
            Way::Patch => merge(&mut members, change),
            Way::Create | Way::Replace => members.extend(change.clone()),
        }
        if way == Way::Replace && !kind.key.is_empty() {
            members.entry(kind.key).or_insert_with(|| key.into());
        }
        let document: R = written(members.clone()).map_err(Error::Refused)?;
        if let Some(row) = &before
            && !kind.key.is_empty()
            && row.members.get(kind.key).and_then(Value::as_str) != Some(document.key())
        {
            let message = format!("a {} keeps its {}: make another one and remove this", kind.one, kind.key);
            return Err(Fault::new(kind.key, Code::Conflict, message).into());
        }
        let secrets = self.secrets_of(tenant, kind, document.key(), before.as_ref(), change, R::SECRETS)?;
        let Value::Object(mut kept) = serde_json::to_value(&document).unwrap_or_default() else {
            return Err(Error::Corrupt(format!("a {} that is no object", kind.one)));
        };
        R::SECRETS.iter().for_each(|name| _ = kept.remove(*name));
        let document: R = serde_json::from_value(Value::Object(kept.clone()))
            .map_err(|error| Error::Corrupt(format!("a {}: {error}", kind.one)))?;
        if let Some(row) = &before
            && row.members == kept
            && secrets.is_none()
        {
            return stored_from(document, row.version, row.created, row.updated);
        }
        check_surroundings(&mut transaction, owner, tenant, &document, before.as_ref()).await?;
        let sealed = match secrets {
            Some(sealed) => sealed,
            None => before.as_ref().and_then(|row| row.sealed.clone()),
        };
        let entry = match &before {
            Some(row) => log(Some(&parse(&row.members)?), &document),
            None => log(None, &document),
        };
        let change = next_change(&mut transaction).await?;
        let id = match &before {
            Some(row) => {
                let sql = "UPDATE resources SET document = ?, sealed = ?, number = ?, updated = ?, change = ?, version = version + 1 \
                           WHERE id = ?";
                sqlx::query(sql)
                    .bind(Value::Object(kept).to_string())
                    .bind(sealed)
                    .bind(document.number())
                    .bind(now())
                    .bind(change)
                    .bind(row.id)
                    .execute(&mut *transaction)
                    .await?;
                row.id
            }
            None => {
                let sql = "INSERT INTO resources (tenant_id, kind, key, number, document, sealed, created, updated, change) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8) RETURNING id";
                sqlx::query_scalar(sql)
                    .bind(tenant.map(|tenant| tenant.0))
                    .bind(kind.name)
                    .bind(document.key())
                    .bind(document.number())
                    .bind(Value::Object(kept).to_string())
                    .bind(sealed)
                    .bind(now())
                    .bind(change)
                    .fetch_one(&mut *transaction)
                    .await?
            }
        };
        sqlx::query("DELETE FROM needs WHERE resource_id = ?").bind(id).execute(&mut *transaction).await?;
        for (kind, key, _) in document.needs() {
            let sql = "INSERT INTO needs (resource_id, kind, key) VALUES (?, ?, ?)";
            sqlx::query(sql).bind(id).bind(kind.name).bind(key).execute(&mut *transaction).await?;
        }
        if kind == Kind::DID_POOL && before.is_some() {
            check_extensions(&mut transaction, tenant, "numbers").await?;
        }
        audit::write(&mut transaction, &entry).await?;
        let key = document.key().to_owned();
        let row = find(&mut transaction, tenant, kind, &key).await?.ok_or_else(|| unknown(kind, &key))?;
        transaction.commit().await?;
        stored(row)
    }

    /// Removes a document that nothing else needs.
    pub async fn remove_resource<R: Resource>(
        &self,
        owner: Owner<'_>,
        key: &str,
        expected: Option<u64>,
        log: impl FnOnce(&R) -> Entry,
    ) -> Result<(), Error> {
        let kind = R::KIND;
        let mut transaction = self.begin_write().await?;
        let tenant = tenant_of(&mut transaction, owner).await?;
        let row = find(&mut transaction, tenant, kind, key).await?.ok_or_else(|| unknown(kind, key))?;
        if expected.is_some_and(|expected| expected != row.version) {
            return Err(Error::Stale);
        }
        let document: R = parse(&row.members)?;
        let sql = "SELECT resources.kind, resources.key FROM needs JOIN resources ON resources.id = needs.resource_id \
                   WHERE needs.kind = ?1 AND needs.key = ?2 AND (?3 = 0 OR resources.tenant_id = ?3) LIMIT 1";
        let user = sqlx::query(sql)
            .bind(kind.name)
            .bind(key)
            .bind(tenant.map_or(0, |tenant| tenant.0))
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(user) = user {
            let (its_kind, its_key): (&str, &str) = (user.try_get(0)?, user.try_get(1)?);
            // What another tenant has is nobody else's business.
            let message = match tenant {
                Some(_) => format!("{its_kind} {its_key} needs this {}: change that first", kind.one),
                None => format!("some of a tenant's {its_kind} need this {}: change those first", kind.one),
            };
            return Err(Fault::new(kind.key, Code::InUse, message).into());
        }
        if kind == Kind::ROLE {
            let sql = "SELECT username FROM accounts WHERE tenant_id = ? AND role = ? LIMIT 1";
            let user: Option<String> = sqlx::query_scalar(sql)
                .bind(tenant.map(|tenant| tenant.0))
                .bind(document.key())
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some(user) = user {
                let message = format!("{user} has this role: give them another first");
                return Err(Fault::new(kind.key, Code::InUse, message).into());
            }
        }
        sqlx::query("DELETE FROM resources WHERE id = ?").bind(row.id).execute(&mut *transaction).await?;
        next_change(&mut transaction).await?;
        if kind == Kind::DID_POOL || kind == Kind::TRUNK || kind == Kind::HOLIDAY {
            check_extensions(&mut transaction, tenant, kind.key).await?;
        }
        audit::write(&mut transaction, &log(&document)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The sealed secrets that a document gets; `None` when it keeps what it has.
    fn secrets_of(
        &self,
        tenant: Option<TenantId>,
        kind: Kind,
        key: &str,
        before: Option<&Found>,
        change: &Members,
        names: &[&str],
    ) -> Result<Option<Option<Vec<u8>>>, Error> {
        if !names.iter().any(|name| change.contains_key(*name)) {
            return Ok(None);
        }
        let mut members = Members::new();
        if let Some(sealed) = before.and_then(|row| row.sealed.as_deref()) {
            let opened = self.secrets().open_members(tenant, kind.name, key, sealed);
            let opened = opened.map_err(|error| Error::Corrupt(format!("{} {key}: {error}", kind.one)))?;
            if let Ok(Value::Object(opened)) = serde_json::from_slice(&opened) {
                members = opened;
            }
        }
        for name in names {
            match change.get(*name) {
                Some(Value::String(text)) if !text.is_empty() => {
                    _ = members.insert((*name).to_owned(), text.clone().into())
                }
                Some(_) => _ = members.remove(*name),
                None => {}
            }
        }
        let sealed = (!members.is_empty()).then(|| {
            let text = zeroize::Zeroizing::new(Value::Object(members).to_string());
            self.secrets().seal_members(tenant, kind.name, key, &text)
        });
        Ok(Some(sealed))
    }
}

impl Found {
    /// That of a document which nobody has written.
    fn none() -> Self {
        Self { id: 0, members: Members::new(), sealed: None, created: 0, updated: 0, version: 0 }
    }
}

/// What a document says of others, and others of it.
async fn check_surroundings<R: Resource>(
    transaction: &mut SqliteTransaction<'_>,
    owner: Owner<'_>,
    tenant: Option<TenantId>,
    document: &R,
    before: Option<&Found>,
) -> Result<(), Error> {
    let kind = R::KIND;
    let number_of_tenant = tenant.map_or(0, |tenant| tenant.0);
    if before.is_none() {
        if find(transaction, tenant, kind, document.key()).await?.is_some() {
            let message = format!("there is a {} {} already", kind.one, document.key());
            return Err(Fault::new(kind.key, Code::Duplicate, message).into());
        }
        // Else a tenant could make what it has of its own trunk mean the carrier's, numbers above all.
        if kind == Kind::TRUNK {
            let sql = "SELECT count(*) FROM resources WHERE kind = ?1 AND key = ?2 AND (tenant_id IS NULL) <> (?3 = 0)";
            let row = sqlx::query_scalar(sql).bind(kind.name).bind(document.key()).bind(number_of_tenant);
            let others: i64 = row.fetch_one(&mut **transaction).await?;
            if others > 0 {
                let message = match tenant {
                    Some(_) => "the carrier has a trunk of this name: choose another",
                    None => "a tenant has a trunk of this name: choose another",
                };
                return Err(Fault::new(kind.key, Code::Duplicate, message).into());
            }
        }
        let sql = "SELECT count(*) FROM resources WHERE coalesce(tenant_id, 0) = ? AND kind = ?";
        let row = sqlx::query_scalar(sql).bind(number_of_tenant).bind(kind.name);
        let count: i64 = row.fetch_one(&mut **transaction).await?;
        if count >= i64::from(kind.most) {
            let message = format!("there may be {} of this kind, and are", kind.most);
            return Err(Fault::new(kind.key, Code::LimitReached, message).into());
        }
    }
    let mut faults = Vec::new();
    for (needed, key, place) in document.needs() {
        let is_there = find(transaction, tenant, needed, &key).await?.is_some()
            || (needed == Kind::TRUNK && find(transaction, None, needed, &key).await?.is_some());
        if !is_there {
            faults.push(Fault::new(place, Code::Unknown, format!("there is no {} {key}", needed.one)));
        }
    }
    if let (Some(number), Some(tenant)) = (document.number(), tenant) {
        faults.extend(number_taken(transaction, tenant, kind, document.key(), number).await?);
    }
    if !faults.is_empty() {
        return Err(Error::Refused(faults));
    }
    if kind == Kind::DID_POOL {
        let Value::Object(members) = serde_json::to_value(document).unwrap_or_default() else { return Ok(()) };
        check_pool(transaction, owner, tenant, &parse::<DidPool>(&members)?).await?;
    }
    Ok(())
}

/// Whoever else is dialled by this number.
async fn number_taken(
    transaction: &mut SqliteTransaction<'_>,
    tenant: TenantId,
    kind: Kind,
    key: &str,
    number: &str,
) -> Result<Option<Fault>, Error> {
    let duplicate = |message: String| Some(Fault::new("number", Code::Duplicate, message));
    let sql = "SELECT number FROM extensions WHERE tenant_id = ? AND number = ?";
    let extension: Option<String> =
        sqlx::query_scalar(sql).bind(tenant.0).bind(number).fetch_optional(&mut **transaction).await?;
    if extension.is_some() {
        return Ok(duplicate(format!("{number} is an extension")));
    }
    let sql = "SELECT kind FROM resources WHERE tenant_id = ? AND number = ? AND NOT (kind = ? AND key = ?)";
    let other: Option<String> = sqlx::query_scalar(sql)
        .bind(tenant.0)
        .bind(number)
        .bind(kind.name)
        .bind(key)
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(other.and_then(|other| duplicate(format!("{number} is dialled for one of the tenant's {other} already"))))
}

/// Numbers of a trunk belong to one tenant only; which of a carrier's trunk are whose, the carrier says.
async fn check_pool(
    transaction: &mut SqliteTransaction<'_>,
    owner: Owner<'_>,
    tenant: Option<TenantId>,
    pool: &DidPool,
) -> Result<(), Error> {
    let is_own_trunk = tenant.is_some() && find(transaction, tenant, Kind::TRUNK, &pool.trunk).await?.is_some();
    if !is_own_trunk {
        if find(transaction, None, Kind::TRUNK, &pool.trunk).await?.is_none() {
            return Err(Fault::new("trunk", Code::Unknown, format!("there is no trunk {}", pool.trunk)).into());
        }
        if !owner.is_carrier {
            let message =
                format!("{} is the carrier's trunk: the carrier says which of its numbers are yours", pool.trunk);
            return Err(Fault::new("trunk", Code::Conflict, message).into());
        }
    }
    let sql =
        "SELECT tenant_id, document FROM resources WHERE kind = ?1 AND NOT (coalesce(tenant_id, 0) = ?2 AND key = ?3)";
    let rows = sqlx::query(sql)
        .bind(Kind::DID_POOL.name)
        .bind(tenant.map_or(0, |tenant| tenant.0))
        .bind(&pool.name)
        .fetch_all(&mut **transaction)
        .await?;
    // In their order none overlaps the next: the one that another could overlap is found by halves.
    let mut own: Vec<_> = stretches(&pool.numbers).collect();
    own.sort_unstable_by_key(|part| (part.length, part.first));
    let is_own = |part: &Stretch| {
        let at = own.partition_point(|own| (own.length, own.last) < (part.length, part.first));
        own.get(at).is_some_and(|own| own.overlaps(part))
    };
    for row in &rows {
        let its_tenant = row.try_get::<Option<u32>, _>(0)?.map(TenantId);
        let other: DidPool = serde_json::from_str(row.try_get(1)?).map_err(|error| damaged(&error))?;
        if !other.trunk.eq_ignore_ascii_case(&pool.trunk) || (is_own_trunk && its_tenant != tenant) {
            continue;
        }
        if !is_own_trunk
            && its_tenant.is_some()
            && find(transaction, its_tenant, Kind::TRUNK, &other.trunk).await?.is_some()
        {
            continue;
        }
        if let Some(both) = stretches(&other.numbers).find(is_own) {
            let message = match its_tenant == tenant {
                true => format!("pool {} has {} to {} of this trunk already", other.name, both.first, both.last),
                false => "another tenant has some of these numbers already".to_owned(),
            };
            return Err(Fault::new("numbers", Code::Duplicate, message).into());
        }
    }
    Ok(())
}

/// Extensions that speak of what is no longer there, after a document was changed or removed; `field` is the member that
/// keeps them.
pub(crate) async fn check_extensions(
    transaction: &mut SqliteTransaction<'_>,
    tenant: Option<TenantId>,
    field: &'static str,
) -> Result<(), Error> {
    let mut tenants: Vec<u32> = tenant.map(|tenant| tenant.0).into_iter().collect();
    if tenants.is_empty() {
        tenants = sqlx::query_scalar("SELECT id FROM tenants").fetch_all(&mut **transaction).await?;
    }
    for id in tenants {
        let sql = "SELECT number, settings FROM extensions WHERE tenant_id = ? AND \
                   (settings LIKE '%\"outbound_caller_ids\"%' OR settings LIKE '%\"global_holidays\"%')";
        let rows = sqlx::query(sql).bind(id).fetch_all(&mut **transaction).await?;
        if rows.is_empty() {
            continue;
        }
        let surroundings = Surroundings::load(transaction, TenantId(id)).await?;
        for row in &rows {
            let number: &str = row.try_get(0)?;
            let settings = ringway_directory::model::Settings::read(row.try_get(1)?).map_err(Error::Corrupt)?;
            let mut faults = Vec::new();
            surroundings.check(&settings, &mut faults);
            if !faults.is_empty() {
                let message = match tenant {
                    Some(_) => format!("extension {number} has need of it: change that first"),
                    None => "an extension of a tenant has need of it: change that first".to_owned(),
                };
                return Err(Fault::new(field, Code::InUse, message).into());
            }
        }
    }
    Ok(())
}

async fn tenant_of(connection: &mut SqliteConnection, owner: Owner<'_>) -> Result<Option<TenantId>, Error> {
    match owner.domain {
        Some(domain) => Ok(Some(tenants::find(connection, domain).await?.id)),
        None => Ok(None),
    }
}

async fn find(
    connection: &mut SqliteConnection,
    tenant: Option<TenantId>,
    kind: Kind,
    key: &str,
) -> Result<Option<Found>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM resources WHERE coalesce(tenant_id, 0) = ? AND kind = ? AND key = ?");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(tenant.map_or(0, |tenant| tenant.0))
        .bind(kind.name)
        .bind(key)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<Found, Error> {
    let document: &str = row.try_get(2)?;
    let version: i64 = row.try_get(6)?;
    Ok(Found {
        id: row.try_get(0)?,
        members: serde_json::from_str(document).map_err(|error| damaged(&error))?,
        sealed: row.try_get(3)?,
        created: row.try_get(4)?,
        updated: row.try_get(5)?,
        version: version.unsigned_abs(),
    })
}

fn parse<R: Resource>(members: &Members) -> Result<R, Error> {
    serde_json::from_value(Value::Object(members.clone())).map_err(|error| damaged(&error))
}

fn stored<R: Resource>(row: Found) -> Result<Stored<R>, Error> {
    stored_from(parse(&row.members)?, row.version, row.created, row.updated)
}

#[expect(clippy::unnecessary_wraps, reason = "it ends functions that can fail")]
fn stored_from<R: Resource>(document: R, version: u64, created: i64, updated: i64) -> Result<Stored<R>, Error> {
    Ok(Stored { document, version, created, updated })
}

fn damaged(error: &serde_json::Error) -> Error {
    Error::Corrupt(format!("a document: {error}"))
}

/// Whether there is one of this kind only.
fn is_single(kind: Kind) -> bool {
    kind.key.is_empty()
}

fn unknown(kind: Kind, key: &str) -> Error {
    Error::UnknownResource { kind, key: key.to_owned() }
}
