//! Extensions of a tenant.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ringway_directory::model::{Members, Settings, read};
use ringway_directory::validation::{Email, Number};
use ringway_directory::{Code, ExtensionDraft, Fault, Pin, Secret, Tenant};
use ringway_store::directory::audit::Entry;
use ringway_store::directory::{
    AddedExtension, ChangedExtension, Error, ExtensionFilter, ExtensionRow, MOST_OF_A_PAGE,
};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::{expected_version, rfc3339, versioned};
use crate::answer::{Complaint, Errors, Refusal};
use crate::body::{Asked, Body, Named};
use crate::caller::Caller;
use crate::control::{Live, Registration};
use crate::router::Publisher;
use crate::schema::joined;

/// Extensions of a page unless another number is asked for.
const OF_A_PAGE: u16 = 100;

/// Extensions that are made together at most.
const MOST_OF_A_BATCH: usize = 200;

/// Copies that are made at once at most.
const MOST_COPIES: u32 = 100;

/// An extension. No secret is ever shown.
#[derive(Serialize)]
pub(crate) struct ExtensionView {
    #[serde(flatten)]
    names: NamesView,
    #[serde(flatten)]
    settings: Settings,
}

/// An extension, and what it is doing.
#[derive(Serialize)]
pub(crate) struct LiveView {
    #[serde(flatten)]
    extension: ExtensionView,
    #[serde(flatten)]
    doing: Doing,
}

/// What an extension is doing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Doing {
    live: Live,
}

/// What an extension is called and known by.
#[derive(Serialize, ToSchema)]
pub(crate) struct NamesView {
    #[schema(example = "101")]
    extension_number: String,
    #[schema(example = "alice@acme.example")]
    email: String,
    /// The user name of its SIP credentials.
    auth_name: String,
    display_name: String,
    first_name: Option<String>,
    last_name: Option<String>,
    /// A disabled one neither registers nor calls.
    enabled: bool,
    /// Phones that may be registered at once.
    max_phones: u8,
    /// Apps that may be registered at once.
    max_apps: u8,
    /// Grows with each change; the ETag.
    version: u64,
    created: String,
    updated: String,
}

/// An extension that was made, with what was drawn for it. It is shown this once.
#[derive(Serialize)]
pub(crate) struct CreatedView {
    #[serde(flatten)]
    extension: ExtensionView,
    #[serde(flatten)]
    drawn: Drawn,
}

/// What was drawn for an extension.
#[derive(Serialize, ToSchema)]
pub(crate) struct Drawn {
    /// The SIP password, when none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    extension_password: Option<String>,
    /// The PIN of its voicemail box, when none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    voicemail_pin: Option<String>,
    /// What was done and may be a mistake.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Complaint>,
}

/// What an extension is to be, or what is to change of it: [`ExtensionBody`] and [`Settings`].
pub(crate) struct ExtensionWords;

/// Describes a type that has the members of others.
macro_rules! described_as {
    ($name:ident, $($part:ty),+) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                joined([$(<$part>::schema()),+])
            }
        }

        impl ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(<$part>::schemas(schemas);)+
            }
        }
    };
}

described_as!(ExtensionView, NamesView, Settings);
described_as!(LiveView, NamesView, Settings, Doing);
described_as!(CreatedView, NamesView, Settings, Drawn);
described_as!(ExtensionWords, ExtensionBody, Settings);

/// What an extension is to be. All that is missing is drawn or has its default; in a change it stays as it is.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtensionBody {
    #[schema(example = "101")]
    extension_number: Option<String>,
    #[schema(example = "alice@acme.example")]
    email: Option<String>,
    auth_name: Option<String>,
    #[schema(format = Password)]
    extension_password: Option<String>,
    display_name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    enabled: Option<bool>,
    #[schema(minimum = 1, maximum = 10)]
    max_phones: Option<u32>,
    #[schema(minimum = 0, maximum = 10)]
    max_apps: Option<u32>,
    /// The HA1 of another server, in place of a password.
    ha1_md5: Option<String>,
    ha1_sha256: Option<String>,
    /// 6 to 10 digits that are not easily guessed.
    #[schema(format = Password)]
    voicemail_pin: Option<String>,
}

/// What is the copy's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopyBody {
    /// The number of the copy; of several copies the first.
    #[schema(example = "201")]
    extension_number: String,
    /// Its e-mail address. Of several copies each has `+` and its number before the `@`.
    #[schema(example = "bob@acme.example")]
    email: String,
    /// For the portal; a copy has none of its own yet.
    username: Option<String>,
    /// How many, with numbers that follow each other (1).
    #[schema(minimum = 1, maximum = 100)]
    count: Option<u32>,
}

/// Which extensions are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Those behind this one: `next` of the page before.
    cursor: Option<String>,
    /// So many at most (100).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// Those with this in number, display name or e-mail address.
    search: Option<String>,
    /// Those that are enabled, or are not.
    enabled: Option<bool>,
}

/// A page of extensions.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExtensionPage {
    items: Vec<LiveView>,
    /// The cursor of the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The numbers of a body as words, which is what drafts are made of.
struct Words {
    max_phones: Option<String>,
    max_apps: Option<String>,
}

impl ExtensionBody {
    fn words(&self) -> Words {
        let text = |number: Option<u32>| number.map(|number| number.to_string());
        Words { max_phones: text(self.max_phones), max_apps: text(self.max_apps) }
    }

    /// The body of a request, and what it says of settings.
    fn read(mut members: Members) -> Result<(Self, Members), Refusal> {
        // What an answer has beside this may come back with it, and says nothing.
        ["version", "created", "updated", "live"].iter().for_each(|name| _ = members.remove(*name));
        let (settings, words): (Members, Members) = members.into_iter().partition(|(name, _)| Settings::has(name));
        let body = read(words).map_err(|fault| Refusal::from(vec![fault]))?;
        Ok((body, settings))
    }

    fn draft<'a>(&'a self, words: &'a Words, settings: Members) -> ExtensionDraft<'a> {
        ExtensionDraft {
            number: self.extension_number.as_deref(),
            email: self.email.as_deref(),
            auth_name: self.auth_name.as_deref(),
            password: self.extension_password.as_deref(),
            display_name: self.display_name.as_deref(),
            first_name: self.first_name.as_deref(),
            last_name: self.last_name.as_deref(),
            enabled: self.enabled.map(|enabled| if enabled { "true" } else { "false" }),
            max_phones: words.max_phones.as_deref(),
            max_apps: words.max_apps.as_deref(),
            ha1_md5: self.ha1_md5.as_deref(),
            ha1_sha256: self.ha1_sha256.as_deref(),
            voicemail_pin: self.voicemail_pin.as_deref(),
            settings,
        }
    }
}

fn view(row: &ExtensionRow) -> ExtensionView {
    let profile = &row.profile;
    let names = NamesView {
        extension_number: profile.number.as_str().to_owned(),
        email: profile.email.as_str().to_owned(),
        auth_name: profile.auth_name.as_str().to_owned(),
        display_name: profile.display_name.as_str().to_owned(),
        first_name: profile.first_name.as_ref().map(|name| name.as_str().to_owned()),
        last_name: profile.last_name.as_ref().map(|name| name.as_str().to_owned()),
        enabled: profile.enabled,
        max_phones: profile.max_phones,
        max_apps: profile.max_apps,
        version: row.version,
        created: rfc3339(row.created),
        updated: rfc3339(row.updated),
    };
    ExtensionView { names, settings: (*profile.settings).clone() }
}

fn live_view(row: &ExtensionRow, publisher: &Publisher, domain: &str) -> LiveView {
    let live = publisher.live(domain, row.profile.number.as_str());
    LiveView { extension: view(row), doing: Doing { live } }
}

/// What the log says of extensions that were made.
fn entries(caller: &Caller, added: &[AddedExtension], action: &str) -> Vec<Entry> {
    let entry = |added: &AddedExtension| {
        let number = added.row.profile.number.as_str();
        caller.entry(Some(&added.tenant.domain), action, number).is_now(&view(&added.row))
    };
    added.iter().map(entry).collect()
}

/// What is shown of an extension that was made. What was drawn is shown this once, also when it is `late` in coming into force.
fn created(added: &AddedExtension, late: Option<&Refusal>) -> CreatedView {
    let extension = view(&added.row);
    let extension_password = match &added.secret {
        Secret::Generated(password) => Some(password.as_str().to_owned()),
        Secret::Typed(_) | Secret::Hashes(_) => None,
    };
    let late = late.into_iter().flat_map(|late| late.complaints.iter().cloned());
    let warnings = added.clash.iter().cloned().map(Complaint::from).chain(late).collect();
    let voicemail_pin = match &added.pin {
        Some(Pin::Generated(digits)) => Some(digits.to_string()),
        Some(Pin::Typed(_)) | None => None,
    };
    CreatedView { extension, drawn: Drawn { extension_password, voicemail_pin, warnings } }
}

/// Some of a tenant's extensions, by number as text.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/extensions", tag = "extensions", params(("domain" = String, Path), Wanted),
    responses((status = 200, body = ExtensionPage), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 422, body = Errors)))]
pub(crate) async fn list(
    caller: Caller,
    publisher: Publisher,
    Named(domain): Named<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<ExtensionPage>, Refusal> {
    caller.may_manage(&domain)?;
    let limit = wanted.limit.unwrap_or(OF_A_PAGE);
    if limit == 0 || limit > MOST_OF_A_PAGE {
        let message = format!("1 to {MOST_OF_A_PAGE} extensions a page");
        return Err(vec![Fault::new("limit", Code::BadFormat, message)].into());
    }
    let filter = ExtensionFilter { after: wanted.cursor, search: wanted.search, enabled: wanted.enabled, limit };
    let (tenant, rows, has_more) = caller.directory.extensions(&domain, &filter).await?;
    let next = rows.last().filter(|_| has_more).map(|row| row.profile.number.as_str().to_owned());
    let items = rows.iter().map(|row| live_view(row, &publisher, &tenant.domain)).collect();
    Ok(Json(ExtensionPage { items, next }))
}

/// Adds an extension. When this is answered it can register.
#[utoipa::path(post, path = "/api/v1/tenants/{domain}/extensions", tag = "extensions", params(("domain" = String, Path)),
    request_body = ExtensionWords,
    responses((status = 201, body = CreatedView), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 404, body = Errors), (status = 409, body = Errors), (status = 422, body = Errors)))]
pub(crate) async fn create(
    caller: Caller,
    publisher: Publisher,
    Named(domain): Named<String>,
    Body(members): Body<Members>,
) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let (mut body, settings) = ExtensionBody::read(members)?;
    // A blank one is drawn.
    body.voicemail_pin.get_or_insert_default();
    let words = body.words();
    let drafts = [body.draft(&words, settings)];
    let log = |added: &[AddedExtension]| entries(&caller, added, "extension.create");
    let added = caller.directory.add_extensions(&domain, &drafts, log).await?;
    let late = publisher.publish().await.err();
    let Some(created) = added.first().map(|added| created(added, late.as_ref())) else {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "DATABASE", "the extension is not there"));
    };
    Ok(versioned(StatusCode::CREATED, created.extension.names.version, created))
}

/// An extension.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/extensions/{number}", tag = "extensions",
    params(("domain" = String, Path), ("number" = String, Path)),
    responses((status = 200, body = LiveView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn show(
    caller: Caller,
    publisher: Publisher,
    Named((domain, number)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let (tenant, row) = caller.directory.extension(&domain, &number).await?;
    Ok(versioned(StatusCode::OK, row.version, live_view(&row, &publisher, &tenant.domain)))
}

/// Changes an extension: what the body does not mention stays. With `If-Match` nothing is changed that has changed since.
#[utoipa::path(patch, path = "/api/v1/tenants/{domain}/extensions/{number}", tag = "extensions",
    params(("domain" = String, Path), ("number" = String, Path), ("if-match" = Option<String>, Header)),
    request_body = ExtensionWords,
    responses((status = 200, body = ExtensionView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors), (status = 412, body = Errors), (status = 422, body = Errors)))]
pub(crate) async fn change(
    caller: Caller,
    publisher: Publisher,
    Named((domain, number)): Named<(String, String)>,
    headers: HeaderMap,
    Body(members): Body<Members>,
) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let (body, settings) = ExtensionBody::read(members)?;
    let words = body.words();
    let expected = expected_version(&headers)?;
    let row = write(&caller, &publisher, &domain, &number, &body.draft(&words, settings), expected).await?;
    Ok(versioned(StatusCode::OK, row.version, view(&row)))
}

/// Changes an extension, brings it into force and logs it.
pub(super) async fn write(
    caller: &Caller,
    publisher: &Publisher,
    domain: &str,
    number: &str,
    draft: &ExtensionDraft<'_>,
    expected: Option<u64>,
) -> Result<ExtensionRow, Refusal> {
    let log = |changed: &ChangedExtension| {
        let action = if changed.has_new_secret { "extension.change-with-password" } else { "extension.change" };
        let entry = caller.entry(Some(&changed.tenant.domain), action, number);
        Some(entry.was(&view(&changed.before)).is_now(&view(&changed.after)))
    };
    let changed = caller.directory.change_extension(domain, number, draft, expected, log).await?;
    // What an earlier request has stored and could not bring into force is brought now.
    publisher.publish().await?;
    Ok(changed.after)
}

/// Removes an extension. It can neither register nor be called any more when this is answered.
#[utoipa::path(delete, path = "/api/v1/tenants/{domain}/extensions/{number}", tag = "extensions",
    params(("domain" = String, Path), ("number" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 412, body = Errors)))]
pub(crate) async fn remove(
    caller: Caller,
    publisher: Publisher,
    Named((domain, number)): Named<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    caller.may_manage(&domain)?;
    let log = |tenant: &Tenant, before: &ExtensionRow| {
        Some(caller.entry(Some(&tenant.domain), "extension.remove", &number).was(&view(before)))
    };
    let expected = expected_version(&headers)?;
    let (tenant, _) = caller.directory.remove_extension(&domain, &number, expected, log).await?;
    publisher.publish_removal(&tenant.domain, &number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Copies an extension, once or into a row of numbers. A copy has new secrets, and neither e-mail address, auth name nor names of
/// the one that is copied.
#[utoipa::path(post, path = "/api/v1/tenants/{domain}/extensions/{number}/copy", tag = "extensions",
    params(("domain" = String, Path), ("number" = String, Path)),
    responses((status = 201, body = Vec<CreatedView>), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 404, body = Errors), (status = 409, body = Errors), (status = 422, body = Errors)))]
pub(crate) async fn copy(
    caller: Caller,
    publisher: Publisher,
    Named((domain, number)): Named<(String, String)>,
    Body(body): Body<CopyBody>,
) -> Result<(StatusCode, Json<Vec<CreatedView>>), Refusal> {
    caller.may_manage(&domain)?;
    if body.username.as_deref().is_some_and(|username| !username.is_empty()) {
        let message = "an extension has no portal user of its own yet: leave username out";
        return Err(vec![Fault::new("username", Code::Conflict, message)].into());
    }
    let count = body.count.unwrap_or(1);
    if count == 0 || count > MOST_COPIES {
        let message = format!("1 to {MOST_COPIES} copies at once");
        return Err(vec![Fault::new("count", Code::BadFormat, message)].into());
    }
    let mut faults = Vec::new();
    faults.extend(Number::parse("extension_number", &body.extension_number).err());
    faults.extend(Email::parse("email", &body.email).err());
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let (_, row) = caller.directory.extension(&domain, &number).await?;
    let bodies = (0..count).map(|place| copy_of(&row, &body, place, count)).collect::<Result<Vec<_>, _>>()?;
    let words: Vec<_> = bodies.iter().map(ExtensionBody::words).collect();
    let settings = row.profile.settings.copied().kept();
    let drafts: Vec<_> = bodies.iter().zip(&words).map(|(body, words)| body.draft(words, settings.clone())).collect();
    let log = |added: &[AddedExtension]| entries(&caller, added, "extension.copy");
    // What is wrong is wrong with what was asked for, whichever copy it is of.
    let unplaced = |error| match error {
        Error::Refused(mut faults) => {
            for fault in &mut faults {
                let member = fault.field.split_once('/').filter(|(at, _)| at.bytes().all(|one| one.is_ascii_digit()));
                if let Some((_, member)) = member {
                    fault.field = member.to_owned().into();
                }
            }
            Error::Refused(faults)
        }
        other => other,
    };
    let added = caller.directory.add_extensions(&domain, &drafts, log).await.map_err(unplaced)?;
    let late = publisher.publish().await.err();
    Ok((StatusCode::CREATED, Json(added.iter().map(|added| created(added, late.as_ref())).collect())))
}

/// Extensions that are to be made together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    /// As for one.
    #[schema(value_type = Vec<ExtensionWords>, min_items = 1, max_items = 200)]
    extensions: Vec<Members>,
}

/// Makes up to 200 extensions, all or none. What is wrong has its place: `/extensions/3/email`.
#[utoipa::path(post, path = "/api/v1/tenants/{domain}/extensions:batch", tag = "extensions", params(("domain" = String, Path)),
    request_body = BatchBody,
    responses((status = 201, body = Vec<CreatedView>), (status = 400, body = Errors), (status = 401, body = Errors),
    (status = 403, body = Errors), (status = 404, body = Errors), (status = 409, body = Errors), (status = 422, body = Errors)))]
pub(crate) async fn batch(
    caller: Caller,
    publisher: Publisher,
    Named(domain): Named<String>,
    Body(batch): Body<BatchBody>,
) -> Result<(StatusCode, Json<Vec<CreatedView>>), Refusal> {
    caller.may_manage(&domain)?;
    if batch.extensions.is_empty() || batch.extensions.len() > MOST_OF_A_BATCH {
        let message = format!("1 to {MOST_OF_A_BATCH} extensions at once; import a file for more");
        return Err(vec![Fault::new("extensions", Code::BadFormat, message)].into());
    }
    let is_one = batch.extensions.len() == 1;
    let mut read = Vec::with_capacity(batch.extensions.len());
    for (at, members) in batch.extensions.into_iter().enumerate() {
        let (mut body, settings) =
            ExtensionBody::read(members).map_err(|refusal| refusal.within(&format!("extensions/{at}")))?;
        body.voicemail_pin.get_or_insert_default();
        read.push((body, settings));
    }
    let words: Vec<_> = read.iter().map(|(body, _)| body.words()).collect();
    let drafts: Vec<_> =
        read.iter().zip(&words).map(|((body, settings), words)| body.draft(words, settings.clone())).collect();
    let log = |added: &[AddedExtension]| entries(&caller, added, "extension.create");
    let place = if is_one { "extensions/0" } else { "extensions" };
    let added = caller.directory.add_extensions(&domain, &drafts, log).await;
    let added = added.map_err(|error| Refusal::from(error).within(place))?;
    let late = publisher.publish().await.err();
    Ok((StatusCode::CREATED, Json(added.iter().map(|added| created(added, late.as_ref())).collect())))
}

/// What one copy is to be: the first has the number of the body, the next ones follow it.
fn copy_of(row: &ExtensionRow, body: &CopyBody, place: u32, count: u32) -> Result<ExtensionBody, Refusal> {
    let number = following(&body.extension_number, place).ok_or_else(|| {
        let message = "with several copies this is digits, and the last copy's number is no longer than the first's";
        Refusal::from(vec![Fault::new("extension_number", Code::BadFormat, message)])
    })?;
    let email = match body.email.rsplit_once('@').filter(|_| count > 1) {
        Some((local, domain)) => format!("{local}+{number}@{domain}"),
        None => body.email.clone(),
    };
    Ok(ExtensionBody {
        extension_number: Some(number),
        email: Some(email),
        enabled: Some(row.profile.enabled),
        max_phones: Some(row.profile.max_phones.into()),
        max_apps: Some(row.profile.max_apps.into()),
        voicemail_pin: Some(String::new()),
        ..ExtensionBody::default()
    })
}

/// The number so many places behind this one, of the same length.
fn following(number: &str, places: u32) -> Option<String> {
    if places == 0 {
        return Some(number.to_owned());
    }
    let sum = number.parse::<u64>().ok()?.checked_add(places.into())?;
    let next = format!("{sum:0length$}", length = number.len());
    (next.len() == number.len()).then_some(next)
}

/// The devices of an extension that are registered now.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/extensions/{number}/registrations", tag = "extensions",
    params(("domain" = String, Path), ("number" = String, Path)),
    responses((status = 200, body = Vec<Registration>), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn registrations(
    caller: Caller,
    publisher: Publisher,
    Named((domain, number)): Named<(String, String)>,
) -> Result<Json<Vec<Registration>>, Refusal> {
    caller.may_manage(&domain)?;
    let (tenant, _) = caller.directory.extension(&domain, &number).await?;
    Ok(Json(publisher.registrations(&tenant.domain, &number)))
}

/// Unregisters one device. It may register again: who is to be kept out needs another password too.
#[utoipa::path(delete, path = "/api/v1/tenants/{domain}/extensions/{number}/registrations/{id}", tag = "extensions",
    params(("domain" = String, Path), ("number" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn unregister(
    caller: Caller,
    publisher: Publisher,
    Named((domain, number, id)): Named<(String, String, String)>,
) -> Result<StatusCode, Refusal> {
    caller.may_manage(&domain)?;
    let (tenant, _) = caller.directory.extension(&domain, &number).await?;
    let registered = publisher.registrations(&tenant.domain, &number);
    let device = registered.iter().find(|device| device.id == id);
    let mark = device.and_then(|device| u64::from_str_radix(&device.id, 16).ok());
    let (Some(device), Some(mark)) = (device, mark) else {
        let message = format!("{number} has no device {id} registered");
        return Err(Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", message));
    };
    if !publisher.unregister(&tenant.domain, &number, mark) {
        let message = "the node has too much to do: the device is registered still, ask again";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", message));
    }
    let mut entry = caller.entry(Some(&tenant.domain), "registration.remove", &number);
    entry.before = serde_json::to_string(device).ok();
    caller.directory.log(&entry).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_each_other_and_keep_their_length() {
        assert_eq!(following("0099", 1).as_deref(), Some("0100"));
        assert_eq!(following("101", 99).as_deref(), Some("200"));
        assert_eq!(following("999", 1), None);
        assert_eq!(following("a1", 0).as_deref(), Some("a1"));
        assert_eq!(following("a1", 1), None);
    }
}
