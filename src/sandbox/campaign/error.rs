//! Campaign's own errors: texts, mostly with status 500 (campaign sheet 3.8).
//!
//! Owns: the texts and their two possible wrappings.

use http::StatusCode;

use crate::sandbox::variants::ErrorStyle;
use crate::sandbox::wire::Reply;

const GENERAL: &str = "RST-360011 An error has occurred - please contact your administrator.";

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Refusal {
    /// The reply in the chosen wrapping.
    pub(crate) fn reply(&self, style: ErrorStyle) -> Reply {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match style {
            ErrorStyle::JsonString => Reply::new(
                status,
                "application/json;charset=utf-8",
                serde_json::Value::from(self.text.clone()).to_string(),
            ),
            ErrorStyle::PlainText => {
                Reply::new(status, "text/plain;charset=utf-8", self.text.clone())
            }
        }
    }
}

fn server(text: impl Into<String>) -> Refusal {
    Refusal { status: 500, text: text.into() }
}

/// A `PKey` that cannot be opened.
pub(crate) fn foreign_key(token: &str, label: &str, schema: &str, custom: bool) -> Refusal {
    if custom {
        return server(format!("{GENERAL}\n'{token}' is not a valid constant"));
    }
    let bare = token.trim_start_matches('@');
    server(format!(
        "'{bare}' attribute unknown (see definition of '{label} ({schema})' schema). XTK-170036 Unable to parse expression '@id = @{bare}'."
    ))
}

/// A segment read as a numeric key.
pub(crate) fn not_a_number(segment: &str) -> Refusal {
    server(format!(
        "{GENERAL}\nBAS-010040 Cannot convert '{segment}' (text type) to 32-bit integer type (bAS-010011 Invalid data)."
    ))
}

/// No record has this key.
pub(crate) fn not_found(label: &str, name: &str, key: &str) -> Refusal {
    Refusal {
        status: 404,
        text: format!(
            "{GENERAL}\nUnable to find document with path '{label}' from key '{key}' (document with schema '{name}' and name '{key}')"
        ),
    }
}

/// The resource is not reachable here.
pub(crate) fn no_resource() -> Refusal {
    Refusal { status: 404, text: format!("{GENERAL}\nError rc=-2003") }
}

/// A method that the address does not take.
pub(crate) fn no_method(method: &str) -> Refusal {
    Refusal {
        status: 405,
        text: format!("{GENERAL}\nThe '{method}' method is not allowed on this resource."),
    }
}

/// A body that is not a JSON object.
pub(crate) fn no_json(detail: &str) -> Refusal {
    Refusal {
        status: 500,
        text: format!("{GENERAL}\nJST-310000 The JSON document is not valid: {detail}"),
    }
}

/// The key used in the address must stay.
pub(crate) fn key_changed(name: &str, from: &str, to: &str) -> Refusal {
    server(format!(
        "{GENERAL}\nRST-360012 Inconsistent operation on resource '{name}' – Cannot update key '{from}' to '{to}'."
    ))
}

/// A unique key's value is taken.
pub(crate) fn duplicate(label: &str, value: &str, constraint: &str, column: &str) -> Refusal {
    server(format!(
        "A '{label}' with the same key '{value}' already exists.\nPGS-220000 PostgreSQL error: ERROR:  duplicate key value violates unique constraint \"{constraint}\" DETAIL:  Key ({column})=({value}) already exists."
    ))
}

/// A name that the enumeration does not have.
pub(crate) fn wrong_enum(value: &str, schema: &str, field: &str) -> Refusal {
    server(format!(
        "{GENERAL}\nThe value '{value}' is not valid for the '{schema}:{field}' enumeration of the '@{field}' field"
    ))
}

/// A field that only the server writes.
pub(crate) fn read_only(field: &str, resource: &str) -> Refusal {
    server(format!(
        "Cannot update the '{field}' property that is read-only\n'{field}' property is not valid for the '{resource}' resource."
    ))
}

/// A field that the resource does not have.
pub(crate) fn unknown(field: &str, resource: &str) -> Refusal {
    server(format!("'{field}' property is not valid for the '{resource}' resource."))
}

/// A value of the wrong type.
pub(crate) fn mismatch(value: &str, wanted: &str) -> Refusal {
    server(format!(
        "BAS-010040 Cannot convert '{value}' (type text) to {wanted} type (bAS-010011 Invalid value)."
    ))
}

/// A text longer than its field.
pub(crate) fn too_long(field: &str, max: usize) -> Refusal {
    server(format!(
        "{GENERAL}\nThe value of the '{field}' field is not valid.\nPGS-220000 PostgreSQL error: ERROR:  value too long for type character varying({max})"
    ))
}

/// A list that cannot be sorted this way.
pub(crate) fn not_sortable(field: &str) -> Refusal {
    server(format!("{GENERAL}\n'{field}' is not a valid sort field of the resource."))
}

/// A page mark that is not ours.
pub(crate) fn wrong_line(token: &str) -> Refusal {
    server(format!(
        "{GENERAL}\nBAS-010040 Cannot convert '{token}' (type text) to line type (bAS-010011 Invalid value)."
    ))
}
