//! Documents of tenants and of the carrier: trunks, rules, services, rates, roles. All kinds are served alike.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use ringway_directory::model::{Kind, Members, Resource};
use ringway_directory::{Code, Fault};
use ringway_store::directory::MOST_OF_A_PAGE;
use ringway_store::directory::resources::{Owner, Stored, Way};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{OpenApi, RefOr, Schema};

use super::{expected_version, rfc3339, versioned};
use crate::answer::Refusal;
use crate::body::{Asked, Body, Named};
use crate::caller::Caller;
use crate::router::{App, Publisher};
use crate::schema::{Described, joined, list, note, of, optional};

/// Documents of a page unless another number is asked for.
const OF_A_PAGE: u16 = 100;

/// Whose documents a path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Tenants,
    Carriers,
}

/// What every document has beside what it says.
#[derive(Serialize, ToSchema)]
struct About {
    /// Grows with each change; the ETag. 0: nobody has written it, and this is how it is anyway.
    version: u64,
    /// Missing when nobody has written it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// Missing when nobody has written it.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
}

#[derive(Serialize)]
struct View<R> {
    #[serde(flatten)]
    document: R,
    #[serde(flatten)]
    about: About,
}

#[derive(Serialize)]
struct Page<R> {
    items: Vec<View<R>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which documents are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    cursor: Option<String>,
    limit: Option<u16>,
}

/// What a path names.
struct Place {
    domain: Option<String>,
    key: String,
}

impl Place {
    fn read(mut names: HashMap<String, String>) -> Self {
        Self { domain: names.remove("domain"), key: names.remove("key").unwrap_or_default() }
    }

    fn owner<'a>(&'a self, caller: &Caller) -> Result<Owner<'a>, Refusal> {
        match &self.domain {
            Some(domain) => caller.may_manage(domain)?,
            None => caller.may_manage_all()?,
        }
        Ok(Owner { domain: self.domain.as_deref(), is_carrier: caller.may_manage_all().is_ok() })
    }
}

fn view<R: Resource>(stored: Stored<R>) -> View<R> {
    let when = |at| (stored.version > 0).then(|| rfc3339(at));
    let about = About { version: stored.version, created: when(stored.created), updated: when(stored.updated) };
    View { document: stored.document, about }
}

async fn show_all<R: Resource>(
    caller: Caller,
    Named(names): Named<HashMap<String, String>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refusal> {
    let place = Place::read(names);
    let owner = place.owner(&caller)?;
    let limit = wanted.limit.unwrap_or(OF_A_PAGE);
    if limit == 0 || limit > MOST_OF_A_PAGE {
        let message = format!("1 to {MOST_OF_A_PAGE} of a page");
        return Err(vec![Fault::new("limit", Code::BadFormat, message)].into());
    }
    let after = wanted.cursor.unwrap_or_default();
    let (found, has_more) = caller.directory.resources::<R>(owner, &after, limit).await?;
    let next = found.last().filter(|_| has_more).map(|last| last.document.key().to_owned());
    let page = Page { items: found.into_iter().map(view).collect(), next };
    Ok(axum::response::IntoResponse::into_response(axum::Json(page)))
}

async fn create<R: Resource>(
    caller: Caller,
    publisher: Publisher,
    Named(names): Named<HashMap<String, String>>,
    Body(members): Body<Members>,
) -> Result<Response, Refusal> {
    let place = Place::read(names);
    let owner = place.owner(&caller)?;
    let key = members.get(R::KIND.key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let log = |_: Option<&R>, after: &R| entry(&caller, &place, "create", None, Some(after));
    let stored = caller.directory.write_resource(owner, Way::Create, &key, &members, None, log).await?;
    publisher.publish().await?;
    Ok(versioned(StatusCode::CREATED, stored.version, view(stored)))
}

async fn show<R: Resource>(caller: Caller, Named(names): Named<HashMap<String, String>>) -> Result<Response, Refusal> {
    let place = Place::read(names);
    let owner = place.owner(&caller)?;
    let stored = caller.directory.resource::<R>(owner, &place.key).await?;
    Ok(versioned(StatusCode::OK, stored.version, view(stored)))
}

async fn change<R: Resource>(
    caller: Caller,
    publisher: Publisher,
    Named(names): Named<HashMap<String, String>>,
    headers: HeaderMap,
    Body(members): Body<Members>,
) -> Result<Response, Refusal> {
    write::<R>(caller, publisher, names, headers, members, Way::Patch).await
}

async fn replace<R: Resource>(
    caller: Caller,
    publisher: Publisher,
    Named(names): Named<HashMap<String, String>>,
    headers: HeaderMap,
    Body(members): Body<Members>,
) -> Result<Response, Refusal> {
    write::<R>(caller, publisher, names, headers, members, Way::Replace).await
}

async fn write<R: Resource>(
    caller: Caller,
    publisher: Publisher,
    names: HashMap<String, String>,
    headers: HeaderMap,
    mut members: Members,
    way: Way,
) -> Result<Response, Refusal> {
    let place = Place::read(names);
    let owner = place.owner(&caller)?;
    // What an answer has beside the document may come back with it, and says nothing.
    ["version", "created", "updated"].iter().for_each(|name| _ = members.remove(*name));
    let expected = expected_version(&headers)?;
    let log = |before: Option<&R>, after: &R| entry(&caller, &place, "change", before, Some(after));
    let stored = caller.directory.write_resource(owner, way, &place.key, &members, expected, log).await?;
    publisher.publish().await?;
    Ok(versioned(StatusCode::OK, stored.version, view(stored)))
}

async fn remove<R: Resource>(
    caller: Caller,
    publisher: Publisher,
    Named(names): Named<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let place = Place::read(names);
    let owner = place.owner(&caller)?;
    let log = |before: &R| entry(&caller, &place, "remove", Some(before), None);
    caller.directory.remove_resource(owner, &place.key, expected_version(&headers)?, log).await?;
    publisher.publish().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the log says of it. What is never shown is not in a document by then.
fn entry<R: Resource>(
    caller: &Caller,
    place: &Place,
    done: &str,
    before: Option<&R>,
    after: Option<&R>,
) -> ringway_store::directory::audit::Entry {
    let subject = after.or(before).map_or("", Resource::key);
    let subject = if subject.is_empty() { R::KIND.name } else { subject };
    let action = format!("{}.{done}", R::KIND.name);
    let mut entry = caller.entry(place.domain.as_deref(), &action, subject);
    entry.before = before.and_then(|before| serde_json::to_string(before).ok());
    entry.after = after.and_then(|after| serde_json::to_string(after).ok());
    entry
}

/// Adds the paths of a kind, and describes them.
pub(crate) fn add<R: Resource>(router: Router<Arc<App>>, api: &mut OpenApi, whose: Whose) -> Router<Arc<App>> {
    let kind = R::KIND;
    note::<R>(api);
    let all = match whose {
        Whose::Tenants => format!("/api/v1/tenants/{{domain}}/{}", kind.name),
        Whose::Carriers => format!("/api/v1/{}", kind.name),
    };
    if kind.key.is_empty() {
        describe_one::<R>(api, whose, &all, &["domain"]);
        return router.route(&all, one_of::<R>());
    }
    let one = format!("{all}/{{key}}");
    describe_all::<R>(api, whose, &all);
    let names: &'static [&'static str] = if whose == Whose::Tenants { &["domain", "key"] } else { &["key"] };
    describe_one::<R>(api, whose, &one, names);
    router.route(&all, get(show_all::<R>).post(create::<R>)).route(&one, one_of::<R>().delete(remove::<R>))
}

fn one_of<R: Resource>() -> MethodRouter<Arc<App>> {
    get(show::<R>).patch(change::<R>).put(replace::<R>)
}

const IF_MATCH: (&str, ParameterIn, Type) = ("If-Match", ParameterIn::Header, Type::String);

fn described<R: Resource>(whose: Whose, does: &str, summary: String, path: &'static [&'static str]) -> Described {
    let kind: Kind = R::KIND;
    let of_whom = if whose == Whose::Tenants { "" } else { "carriers_" };
    Described {
        tag: kind.name,
        summary,
        id: format!("{does}_{of_whom}{}", kind.name.replace('-', "_")),
        path,
        asked: Vec::new(),
        body: None,
        status: "200",
        answer: Some(joined([of::<R>(), of::<About>()])),
        refusals: &["401", "403", "404"],
    }
}

const REFUSALS: &[&str] = &["400", "401", "403", "404", "409", "412", "413", "415", "422"];

fn describe_all<R: Resource>(api: &mut OpenApi, whose: Whose, path: &str) {
    let kind = R::KIND;
    let names: &'static [&'static str] = if whose == Whose::Tenants { &["domain"] } else { &[] };
    let mut page = Object::with_type(Type::Object);
    page.properties.insert("items".to_owned(), list(joined([of::<R>(), of::<About>()])));
    page.properties.insert("next".to_owned(), RefOr::T(Schema::Object(Object::with_type(Type::String))));
    page.required.push("items".to_owned());
    let query = |name, kind| (name, ParameterIn::Query, kind);
    Described {
        asked: vec![query("cursor", Type::String), query("limit", Type::Integer)],
        answer: Some(RefOr::T(Schema::Object(page))),
        refusals: &["400", "401", "403", "404", "422"],
        ..described::<R>(whose, "list", format!("All {}, by {}.", kind.name, kind.key), names)
    }
    .add(api, HttpMethod::Get, path);
    Described {
        body: Some(of::<R>()),
        status: "201",
        refusals: REFUSALS,
        ..described::<R>(whose, "create", format!("Makes a {}.", kind.one), names)
    }
    .add(api, HttpMethod::Post, path);
}

fn describe_one<R: Resource>(api: &mut OpenApi, whose: Whose, path: &str, names: &'static [&'static str]) {
    let kind = R::KIND;
    described::<R>(whose, "show", format!("A {}.", kind.one), names).add(api, HttpMethod::Get, path);
    let changes = |does, summary, body| Described {
        asked: vec![IF_MATCH],
        body: Some(body),
        refusals: REFUSALS,
        ..described::<R>(whose, does, summary, names)
    };
    let summary = format!("Changes a {}: what is not mentioned stays, null makes it what it is anyway.", kind.one);
    changes("change", summary, optional(of::<R>())).add(api, HttpMethod::Patch, path);
    changes("replace", format!("Puts a {} in place of what is there.", kind.one), of::<R>()).add(
        api,
        HttpMethod::Put,
        path,
    );
    if !kind.key.is_empty() {
        Described {
            asked: vec![IF_MATCH],
            status: "204",
            answer: None,
            refusals: &["400", "401", "403", "404", "409", "412"],
            ..described::<R>(whose, "remove", format!("Removes a {} that nothing else needs.", kind.one), names)
        }
        .add(api, HttpMethod::Delete, path);
    }
}
