//! Descriptions that are put together from those of several types, and of paths that several types are served by.

use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Responses};
use utoipa::{PartialSchema, ToSchema};

use crate::answer::Errors;

/// The description of what has the members of all of these.
pub(crate) fn joined(parts: impl IntoIterator<Item = RefOr<Schema>>) -> RefOr<Schema> {
    let mut whole = Object::with_type(Type::Object);
    for part in parts {
        if let RefOr::T(Schema::Object(part)) = part {
            whole.properties.extend(part.properties);
            whole.required.extend(part.required);
        }
    }
    RefOr::T(Schema::Object(whole))
}

/// The same where no member has to be there.
pub(crate) fn optional(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.required.clear();
            RefOr::T(Schema::Object(object))
        }
        other => other,
    }
}

/// Some members of a description.
pub(crate) fn some(schema: RefOr<Schema>, names: &[&str]) -> RefOr<Schema> {
    match (schema, names) {
        (RefOr::T(Schema::Object(mut object)), [name]) => object.properties.remove(*name).unwrap_or_else(|| joined([])),
        (RefOr::T(Schema::Object(mut object)), _) => {
            object.properties.retain(|name, _| names.contains(&name.as_str()));
            object.required.retain(|name| names.contains(&name.as_str()));
            RefOr::T(Schema::Object(object))
        }
        (other, _) => other,
    }
}

/// A list of these.
pub(crate) fn list(item: RefOr<Schema>) -> RefOr<Schema> {
    let items = utoipa::openapi::ArrayBuilder::new().items(item).build();
    RefOr::T(Schema::Array(items))
}

/// Whatever these types speak of is described too.
pub(crate) fn note<T: ToSchema>(api: &mut OpenApi) {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    let components = api.components.get_or_insert_default();
    components.schemas.extend(schemas);
}

/// A path that is described by hand.
pub(crate) struct Described {
    pub(crate) tag: &'static str,
    /// What it does, for people.
    pub(crate) summary: String,
    pub(crate) id: String,
    /// Names in the path.
    pub(crate) path: &'static [&'static str],
    /// Names behind the `?`, or header fields, and what they are.
    pub(crate) asked: Vec<(&'static str, ParameterIn, Type)>,
    pub(crate) body: Option<RefOr<Schema>>,
    /// What comes when it is done.
    pub(crate) status: &'static str,
    pub(crate) answer: Option<RefOr<Schema>>,
    /// What else comes.
    pub(crate) refusals: &'static [&'static str],
}

impl Described {
    /// Adds it.
    pub(crate) fn add(self, api: &mut OpenApi, method: HttpMethod, path: &str) {
        api.paths.add_path_operation(path, vec![method], self.operation());
    }

    fn operation(self) -> Operation {
        let json = |schema: RefOr<Schema>| ContentBuilder::new().schema(Some(schema)).build();
        let mut operation =
            OperationBuilder::new().tag(self.tag).summary(Some(self.summary)).operation_id(Some(self.id));
        let text = || Object::with_type(Type::String);
        for name in self.path {
            let parameter = ParameterBuilder::new().name(*name).parameter_in(ParameterIn::Path);
            operation = operation.parameter(parameter.required(Required::True).schema(Some(text())).build());
        }
        for (name, place, kind) in self.asked {
            let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(Required::False);
            operation = operation.parameter(parameter.schema(Some(Object::with_type(kind))).build());
        }
        if let Some(body) = self.body {
            let body = RequestBodyBuilder::new().content("application/json", json(body));
            operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
        }
        let mut responses = Responses::new();
        let mut answer = ResponseBuilder::new();
        if let Some(schema) = self.answer {
            answer = answer.content("application/json", json(schema));
        }
        responses.responses.insert(self.status.to_owned(), answer.build().into());
        for status in self.refusals {
            let errors = Ref::from_schema_name(Errors::name()).into();
            let refusal = ResponseBuilder::new().content("application/json", json(errors)).build();
            responses.responses.insert((*status).to_owned(), refusal.into());
        }
        operation.responses(responses).build()
    }
}

/// The description of a type as it stands.
pub(crate) fn of<T: PartialSchema>() -> RefOr<Schema> {
    T::schema()
}
