//! The shape of an error: `{"errors":[{"code","message","pointer"?,"line"?}]}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringway_directory::{Code, Fault};
use ringway_store::directory::Error;
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which it is worth trying again when the database is busy.
const RETRY_AFTER: &str = "1";

/// The code of what is stored and not in force yet.
pub(crate) const NOT_IN_FORCE: &str = "NOT_IN_FORCE";

/// Marks an error that follows a change which is stored.
#[derive(Clone, Copy)]
pub(crate) struct Stored;

/// What is wrong with a request: all of it at once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Errors {
    /// At least one.
    pub(crate) errors: Vec<Complaint>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Complaint {
    /// What kind of wrong, for programs: it stays the same.
    #[schema(example = "DUPLICATE")]
    pub(crate) code: &'static str,
    /// What to do, for people.
    pub(crate) message: String,
    /// Where in the request's body, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/email")]
    pub(crate) pointer: Option<String>,
    /// The line of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
}

impl From<Fault> for Complaint {
    fn from(fault: Fault) -> Self {
        let pointer = Some(format!("/{}", fault.field));
        Self { code: fault.code.as_str(), message: fault.message.into_owned(), pointer, line: None }
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) complaints: Vec<Complaint>,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let complaint = Complaint { code, message: message.into(), pointer: None, line: None };
        Self { status, complaints: vec![complaint], retry_after: None }
    }

    /// The same, of a part of the body.
    pub(crate) fn within(mut self, place: &str) -> Self {
        for complaint in &mut self.complaints {
            if let Some(pointer) = &mut complaint.pointer {
                *pointer = format!("/{place}{pointer}");
            }
        }
        self
    }

    /// The same, worth trying again after so many seconds.
    pub(crate) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<Vec<Fault>> for Refusal {
    fn from(faults: Vec<Fault>) -> Self {
        let is_clash = |fault: &Fault| matches!(fault.code, Code::Duplicate | Code::LimitReached | Code::InUse);
        let status = if faults.iter().any(is_clash) { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
        Self { status, complaints: faults.into_iter().map(Complaint::from).collect(), retry_after: None }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let generic = "the database can't be used at the moment; the log of the node says why";
        match error {
            Error::Refused(faults) => faults.into(),
            Error::Clash(faults) => Self { status: StatusCode::CONFLICT, ..faults.into() },
            Error::UnknownTenant(domain) => {
                Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no tenant {domain}"))
            }
            Error::UnknownExtension { .. } | Error::UnknownResource { .. } => {
                Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", text)
            }
            Error::Stale => Self::new(StatusCode::PRECONDITION_FAILED, "STALE", text),
            Error::Database(_) | Error::Io(_) | Error::Gone(_) => {
                tracing::error!(error = text, "the database could not do what the API was asked");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "DATABASE", generic)
            }
            Error::Corrupt(_) => {
                tracing::error!(error = text, "the database is damaged");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "DATABASE", generic)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let is_stored = self.complaints.iter().any(|complaint| complaint.code == NOT_IN_FORCE);
        let mut response = (self.status, Json(Errors { errors: self.complaints })).into_response();
        if is_stored {
            response.extensions_mut().insert(Stored);
        }
        let headers = response.headers_mut();
        match (self.retry_after, self.status) {
            (Some(seconds), _) => _ = headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds)),
            (None, StatusCode::SERVICE_UNAVAILABLE) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            (None, StatusCode::UNAUTHORIZED) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// An answer with one error. Codes are stable, messages are for people.
pub(crate) fn error(status: StatusCode, code: &'static str, message: impl Into<String>) -> Response {
    Refusal::new(status, code, message).into_response()
}
