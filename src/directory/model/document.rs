//! Reading and changing documents.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::fault::{Code, Fault};

/// Members of a JSON object.
pub type Members = Map<String, Value>;

/// Reads a document, and says where it is not what it should be.
pub fn read<T: DeserializeOwned>(members: Members) -> Result<T, Fault> {
    serde_path_to_error::deserialize(Value::Object(members)).map_err(|error| {
        let mut place: Vec<String> = error.path().iter().filter_map(step).collect();
        let message = error.into_inner().to_string();
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        if let Some(name) = unknown {
            // The last step may be that name already.
            if place.last().is_none_or(|last| last != name) {
                place.push(name.to_owned());
            }
            return Fault::new(place.join("/"), Code::BadFormat, format!("there is no member {name} here"));
        }
        // Values are not told: one may be a secret.
        Fault::new(place.join("/"), Code::BadFormat, told(&message))
    })
}

/// One step on the way to a value.
fn step(segment: &serde_path_to_error::Segment) -> Option<String> {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    }
}

/// What serde says, for people: `invalid type: string "x", expected u8` without the value.
fn told(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid type") || found.starts_with("invalid value") => {
            format!("this is to be {expected}")
        }
        _ => message.to_owned(),
    }
}

/// Changes members as RFC 7396 has it: `null` takes a member away, so that it is as it would be anyway; objects are changed
/// member by member; all else, lists too, takes the place of what was there.
pub fn merge(members: &mut Members, change: &Members) {
    for (name, value) in change {
        match value {
            Value::Null => _ = members.remove(name),
            Value::Object(change) => {
                let within = members.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
                if !within.is_object() {
                    *within = Value::Object(Map::new());
                }
                if let Value::Object(within) = within {
                    merge(within, change);
                }
            }
            _ => _ = members.insert(name.clone(), value.clone()),
        }
    }
}

/// All members of a document.
pub(super) fn members(document: &impl Serialize) -> Members {
    match serde_json::to_value(document) {
        Ok(Value::Object(members)) => members,
        // No document here is anything but an object with text for keys.
        _ => Members::new(),
    }
}
