//! What the commands do to the directory: the same here for a running node and for a command without one.

use std::io;
use std::time::Duration;

use ringway_directory::{Acknowledge, ExtensionDraft, MediaPolicy, Secret, Tenant, TenantDraft, WhenFull};
use ringway_store::csv::{ImportLimits, ImportOptions};
use ringway_store::directory::audit::unlogged;
use ringway_store::directory::{Directory, Error, TenantChange};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use crate::control::protocol::{
    Event, ExtensionRow, NO_LIMIT, NewExtension, NewExtensions, NewTenant, Request, TenantRow, TenantSettings,
};

/// Bytes of a file that are taken in at a time.
const PIECE: usize = 64 * 1024;

/// An import holds the one connection that writes: a file that stops coming for so long is given up.
const STALL: Duration = Duration::from_secs(30);

/// Rows of an import between two events that tell how far it has come.
const ROWS_BETWEEN_PROGRESS: u64 = 1_000;

/// Where the events of a command go, in their order. The receiver may be slow: whoever sends waits.
pub(crate) type Events = mpsc::Sender<Event>;

/// Does what is asked. `file` is what follows an import's request. Whether the directory has changed is told; the last
/// event, which ends the answer, is the caller's.
///
/// # Errors
/// Why it was not done, with what to do.
pub(crate) async fn execute(
    directory: &Directory,
    request: Request,
    file: &mut (impl AsyncRead + Unpin),
    events: &Events,
) -> Result<(), String> {
    match request {
        Request::TenantAdd(new) => add_tenant(directory, new, events).await,
        Request::TenantList => list_tenants(directory, events).await,
        Request::TenantSet(new) => set_tenant(directory, &new, events).await,
        Request::ExtensionAdd(new) => add_extension(directory, new, events).await,
        Request::ExtensionImport(new) => import(directory, new, file, events).await,
        Request::ExtensionRegistrations { .. } => {
            Err("no node runs on this data directory, and devices are registered at a running one only".to_owned())
        }
        Request::ExtensionExport { tenant } => export(directory, &tenant, events).await,
        // Only a node that runs has messages, and it takes this one itself.
        Request::Capture(_) => Err("there is no node to capture from".to_owned()),
        Request::Bans(_) => Err("no node runs on this data directory, and only a running node has bans".to_owned()),
    }
}

async fn add_tenant(directory: &Directory, new: NewTenant, events: &Events) -> Result<(), String> {
    let draft = TenantDraft {
        domain: new.domain,
        aliases: new.aliases,
        name: new.name,
        trust: new.trust,
        max_extensions: new.max_extensions,
        max_calls: new.max_calls,
        budgets: new.budgets.into(),
        when_full: new.when_full,
        media: new.media,
        max_media: new.max_media,
        max_call_seconds: new.max_call_seconds,
        acknowledge: new.acknowledge,
        auth_name_equals_number: false,
    };
    let added = directory.add_tenant(&draft, unlogged).await.map_err(told)?;
    tell(events, Event::Tenant(row(&added.tenant, 0))).await;
    Ok(())
}

async fn set_tenant(directory: &Directory, new: &TenantSettings, events: &Events) -> Result<(), String> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let when_full = given(&new.when_full).map(|text| WhenFull::parse("when_full", &text));
    let media = given(&new.media).map(|text| MediaPolicy::parse("media", &text));
    let acknowledge = given(&new.acknowledge).map(|text| Acknowledge::parse("acknowledge", &text));
    let changes = TenantChange {
        when_full: when_full.transpose().map_err(|fault| fault.to_string())?,
        media: media.transpose().map_err(|fault| fault.to_string())?,
        max_media: limit("max_media", &new.max_media)?,
        max_call_seconds: new.max_call_seconds.map(|seconds| Some(seconds).filter(|seconds| *seconds > 0)),
        acknowledge: acknowledge.transpose().map_err(|fault| fault.to_string())?,
        requests: limit("rps", &new.rps)?,
        registers: limit("registers_ps", &new.registers_ps)?,
        calls: limit("calls_ps", &new.calls_ps)?,
        connections: limit("connections", &new.connections)?,
        weight: new.weight,
        ..TenantChange::default()
    };
    let changed = directory.change_tenant(&new.domain, &changes, None, |_| (), unlogged).await.map_err(told)?;
    tell(events, Event::Tenant(row(&changed.after.tenant, changed.after.extensions))).await;
    Ok(())
}

/// What a limit becomes: nothing was said of it, it is taken back, or it is a number.
fn limit(name: &str, text: &str) -> Result<Option<Option<u32>>, String> {
    match text {
        "" => Ok(None),
        NO_LIMIT => Ok(Some(None)),
        number => match number.parse() {
            Ok(number) => Ok(Some(Some(number))),
            Err(_) => Err(format!("{name}: \"{number}\" is neither a number nor {NO_LIMIT}")),
        },
    }
}

async fn list_tenants(directory: &Directory, events: &Events) -> Result<(), String> {
    for tenant in directory.list_tenants().await.map_err(told)? {
        let count = directory.extension_count(tenant.id).await.map_err(told)?;
        tell(events, Event::Tenant(row(&tenant, count))).await;
    }
    Ok(())
}

fn row(tenant: &Tenant, extensions: u32) -> TenantRow {
    TenantRow {
        domain: tenant.domain.to_string(),
        name: tenant.name.to_string(),
        aliases: tenant.aliases.iter().map(|alias| alias.to_string()).collect(),
        trust: tenant.trust.iter().map(|network| network.to_string()).collect(),
        extensions,
        max_extensions: tenant.max_extensions,
        max_calls: tenant.max_calls,
        budgets: tenant.budgets.into(),
        when_full: tenant.when_full.as_str().to_owned(),
        media: tenant.media.as_str().to_owned(),
        max_media: tenant.max_media,
        max_call_seconds: tenant.max_call_seconds,
        acknowledge: tenant.acknowledge.as_str().to_owned(),
    }
}

async fn add_extension(directory: &Directory, new: NewExtension, events: &Events) -> Result<(), String> {
    let draft = ExtensionDraft {
        number: Some(&new.number),
        email: Some(&new.email),
        auth_name: new.auth_name.as_deref(),
        password: new.password.as_deref(),
        display_name: new.display_name.as_deref(),
        max_phones: new.max_phones.as_deref(),
        max_apps: new.max_apps.as_deref(),
        ..ExtensionDraft::default()
    };
    let added = directory.add_extension(&new.tenant, &draft).await.map_err(told)?;
    let password = match &added.secret {
        Secret::Generated(password) => Some(password.as_str().to_owned()),
        Secret::Typed(_) | Secret::Hashes(_) => None,
    };
    let row = ExtensionRow {
        domain: added.tenant.domain.to_string(),
        number: added.row.profile.number.as_str().to_owned(),
        auth_name: added.row.profile.auth_name.as_str().to_owned(),
        password,
    };
    tell(events, Event::Extension(row)).await;
    Ok(())
}

async fn import(
    directory: &Directory,
    new: NewExtensions,
    file: &mut (impl AsyncRead + Unpin),
    events: &Events,
) -> Result<(), String> {
    let options = ImportOptions {
        mode: new.mode.into(),
        is_dry_run: new.is_dry_run,
        keeps_good: new.keeps_good,
        limits: ImportLimits::default(),
    };
    let mut import = directory.import(&new.tenant, options).await.map_err(told)?;
    let mut rows_told = 0;
    let mut piece = vec![0; PIECE];
    let mut file = file.take(new.bytes);
    loop {
        let read = tokio::time::timeout(STALL, file.read(&mut piece)).await;
        let read = read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let length = read.map_err(|error| format!("the file can't be read: {error}; nothing was imported"))?;
        if length == 0 {
            break;
        }
        import.push(&piece[..length]).await.map_err(told)?;
        let progress = import.progress();
        if progress.rows >= rows_told + ROWS_BETWEEN_PROGRESS {
            rows_told = progress.rows;
            tell(events, Event::Progress { bytes: progress.bytes, rows: progress.rows }).await;
        }
    }
    if file.limit() > 0 {
        // Half a file would be imported as if it were a whole one.
        return Err("the file ended too early; nothing was imported".to_owned());
    }
    let report = import.finish(unlogged).await.map_err(told)?;
    tell(events, Event::Imported(Box::new(report))).await;
    Ok(())
}

async fn export(directory: &Directory, tenant: &str, events: &Events) -> Result<(), String> {
    // Whole, some hundred bytes an extension: a slow reader then holds memory, and not the database.
    let mut text = Vec::new();
    directory.export(tenant, &mut text).await.map_err(told)?;
    let mut rest = &text[..];
    while !rest.is_empty() {
        let end = rest.iter().skip(PIECE).position(|byte| *byte == b'\n').map_or(rest.len(), |end| PIECE + end + 1);
        let (piece, behind) = rest.split_at(end);
        tell(events, Event::Text { text: String::from_utf8_lossy(piece).into_owned() }).await;
        rest = behind;
    }
    Ok(())
}

/// That nobody listens any more is no reason to stop half-way.
async fn tell(events: &Events, event: Event) {
    let _ = events.send(event).await;
}

fn told(error: Error) -> String {
    error.to_string()
}
