//! Parts of an extension's settings that have paths of their own: status, forwarding, hours, holidays, phones, keys.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use ringway_directory::model::{Members, PartOfSettings, Settings};
use ringway_directory::{Code, ExtensionDraft, Fault};
use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{HttpMethod, ParameterIn};
use utoipa::openapi::schema::Type;

use super::{expected_version, extensions, versioned};
use crate::answer::Refusal;
use crate::body::{Body, Named};
use crate::caller::Caller;
use crate::router::{App, Publisher};
use crate::schema::{Described, of, some};

/// Adds the paths of all parts, and describes them.
pub(crate) fn add(mut router: Router<Arc<App>>, api: &mut OpenApi) -> Router<Arc<App>> {
    for part in PartOfSettings::ALL {
        let path = format!("/api/v1/tenants/{{domain}}/extensions/{{number}}/{}", part.name);
        describe(api, part, &path);
        let show = async move |caller: Caller, Named((domain, number)): Named<(String, String)>| {
            show(caller, &domain, &number, part).await
        };
        let change = async move |caller: Caller,
                                 publisher: Publisher,
                                 Named((domain, number)): Named<(String, String)>,
                                 headers: HeaderMap,
                                 Body(value): Body<Value>| {
            write(caller, publisher, &domain, &number, headers, value, part, false).await
        };
        let replace = async move |caller: Caller,
                                  publisher: Publisher,
                                  Named((domain, number)): Named<(String, String)>,
                                  headers: HeaderMap,
                                  Body(value): Body<Value>| {
            write(caller, publisher, &domain, &number, headers, value, part, true).await
        };
        router = router.route(&path, get(show).patch(change).put(replace));
    }
    router
}

async fn show(caller: Caller, domain: &str, number: &str, part: PartOfSettings) -> Result<Response, Refusal> {
    caller.may_manage(domain)?;
    let (_, row) = caller.directory.extension(domain, number).await?;
    Ok(versioned(StatusCode::OK, row.version, value_of(&row.profile.settings, part)))
}

#[expect(clippy::too_many_arguments, reason = "what a request has, and which part is meant")]
async fn write(
    caller: Caller,
    publisher: Publisher,
    domain: &str,
    number: &str,
    headers: HeaderMap,
    value: Value,
    part: PartOfSettings,
    replaces: bool,
) -> Result<Response, Refusal> {
    caller.may_manage(domain)?;
    let settings = changes(value, part, replaces).map_err(|fault| Refusal::from(vec![fault]))?;
    let draft = ExtensionDraft { settings, ..ExtensionDraft::default() };
    let changed = extensions::write(&caller, &publisher, domain, number, &draft, expected_version(&headers)?).await?;
    Ok(versioned(StatusCode::OK, changed.version, value_of(&changed.profile.settings, part)))
}

/// What a part says.
fn value_of(settings: &Settings, part: PartOfSettings) -> Value {
    let mut members = settings.members();
    match part.members {
        [name] => members.remove(*name).unwrap_or_default(),
        names => {
            members.retain(|name, _| names.contains(&name.as_str()));
            Value::Object(members)
        }
    }
}

/// What is to change of the settings.
fn changes(value: Value, part: PartOfSettings, replaces: bool) -> Result<Members, Fault> {
    let mut changes = match (part.members, value) {
        ([name], value) => std::iter::once(((*name).to_owned(), value)).collect(),
        (_, Value::Object(members)) => members,
        _ => return Err(Fault::new("", Code::BadFormat, "this is to be an object")),
    };
    if let Some(name) = changes.keys().find(|name| !part.members.contains(&name.as_str())) {
        let message = format!("{} has no member {name}", part.name);
        return Err(Fault::new(name.clone(), Code::BadFormat, message));
    }
    if replaces {
        let replaced = |name: &&str| (Settings::replaced(name), changes.remove(*name).unwrap_or_default());
        return Ok(part.members.iter().map(replaced).collect());
    }
    Ok(changes)
}

fn describe(api: &mut OpenApi, part: PartOfSettings, path: &str) {
    let schema = || some(of::<Settings>(), part.members);
    let described = |does: &str, summary: String| Described {
        tag: "extensions",
        summary,
        id: format!("{does}_{}_of_extension", part.name.replace('-', "_")),
        path: &["domain", "number"],
        asked: Vec::new(),
        body: None,
        status: "200",
        answer: Some(schema()),
        refusals: &["401", "403", "404"],
    };
    let what = part.name.replace('-', " ");
    described("show", format!("The {what} of an extension.")).add(api, HttpMethod::Get, path);
    for (does, method, summary) in [
        ("change", HttpMethod::Patch, format!("Changes the {what} of an extension: what is not mentioned stays.")),
        ("replace", HttpMethod::Put, format!("Puts the {what} of an extension in place of what is there.")),
    ] {
        Described {
            asked: vec![("If-Match", ParameterIn::Header, Type::String)],
            body: Some(schema()),
            refusals: &["400", "401", "403", "404", "409", "412", "413", "415", "422"],
            ..described(does, summary)
        }
        .add(api, method, path);
    }
}
