//! Dataverse's errors: by code first, then by status.
//!
//! Source: dp/webapi/compose-http-requests-handle-errors.md,
//! dp/reference/web-service-error-codes.md, dp/api-limits.md. Texts are partly
//! localised and are not matched, with the exceptions named below.

use super::classify::{Verdict, by_status_outcome, is_html, member, object, plain_code};
use super::failure::Outcome;

/// What an answer with a status other than 2xx, 3xx means.
pub(super) fn verdict(status: u16, body: &[u8]) -> Verdict {
    let Some(object) = object(body) else {
        let message =
            if is_html(body.trim_ascii()) { "" } else { std::str::from_utf8(body).unwrap_or("") };
        return Verdict {
            outcome: by_status_outcome(status),
            code: None,
            message: message.to_owned(),
            own_words: false,
        };
    };
    let error = object.get("error").and_then(serde_json::Value::as_object).unwrap_or(&object);
    let message = ["message", "Message"]
        .into_iter()
        .find_map(|name| member(error, name))
        .or_else(|| error.get("innererror")?.as_object().and_then(|inner| member(inner, "message")))
        .unwrap_or_default();
    let code = member(error, "code").and_then(|code| hex(&code));
    let known = code.as_ref().and_then(|code| by_code(status, *code, &message));
    let outcome = match status {
        401 => Outcome::Unauthenticated,
        429 if known != Some(Outcome::Setup) => Outcome::Throttled,
        _ => known.unwrap_or_else(|| unlisted(status, object.contains_key("error"), &message)),
    };
    let text = match privilege(&message) {
        Some(name) if outcome == Outcome::Refused => {
            format!("the privilege {name} is missing. {message}")
        }
        Some(_) | None => message,
    };
    let code = code
        .map(|code| format!("{code:#010x}"))
        .or_else(|| member(error, "code").and_then(|c| plain_code(&c)));
    Verdict { outcome, code, message: text, own_words: false }
}

/// A code as the Web API writes it (`0x80040217`) or as the SDKs do
/// (`-2147220969`). 0 says nothing.
fn hex(code: &str) -> Option<u32> {
    let code = code.trim();
    let value = match code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => code.parse::<i32>().ok()?.cast_unsigned(),
    };
    (value != 0).then_some(value)
}

/// The codes of the fact sheet, sections 5.4, 6, 8.3. `None`: judge by status.
fn by_code(status: u16, code: u32, message: &str) -> Option<Outcome> {
    Some(match code {
        // token expired
        0x8005_f101 => Outcome::Unauthenticated,
        // service protection: requests, execution time, concurrency, general
        0x8007_2321 | 0x8007_2322 | 0x8007_2326 | 0x8005_f103 => Outcome::Throttled,
        // busy, database limits, other throttling, SQL error / time-out / lock,
        // a solution or metadata operation is running
        0x8004_a001 | 0x8007_2323 | 0x8007_2324 | 0x8006_0308 | 0x8004_4150 | 0x8004_4151
        | 0x8004_4339 | 0x8007_1151 | 0x8007_1154 => Outcome::Unavailable,
        0x8004_0216 | 0x8004_0224 if matches!(status, 400 | 500) => Outcome::ServerError,
        0x8004_0217 | 0x8006_0891 => Outcome::Missing,
        0x8004_0237 | 0x8006_0892 | 0x8007_3002 => Outcome::DuplicateKey,
        0x8006_0882 => Outcome::VersionConflict,
        0x8004_4352 => Outcome::CursorExpired,
        // privilege, row access, principal, access, user: denied, disabled, not
        // a member; column security
        0x8004_0220 | 0x8004_8306 | 0x8004_0231 | 0x8004_8405 | 0x8004_0204 | 0x8004_0225
        | 0x8007_2560 | 0x8004_f502 | 0x8004_f504 | 0x8004_f507 => Outcome::Refused,
        // duplicate detection, several rows for a key, lengths, ranges, dates,
        // characters, argument, state, inactive, association, plug-in refusal
        0x8004_0333 | 0x8006_089d | 0x8004_4331 | 0x8004_432f | 0x8004_4330 | 0x8004_431a
        | 0x8004_0239 | 0x8004_0278 | 0x8004_0203 | 0x8004_8408 | 0x8004_0230 | 0x8004_0227
        | 0x8004_0265 => Outcome::BadRecord,
        // key, version, concurrency, URL, table or column unknown; change
        // tracking off; name exists; storage full; query pattern blocked
        0x8006_0890 | 0x8006_0883 | 0x8006_088d | 0x8006_0888 | 0x8004_1102 | 0x8004_1103
        | 0x8007_2491 | 0x8007_2492 | 0x8004_7013 | 0x8004_700b | 0x8007_2325 | 0x8004_8544 => {
            Outcome::Setup
        }
        // payload not understood: a name we made up, or a value of this record
        0x8004_8d19 => payload(message),
        // 0x8006088a is a generic wrapper: the status tells more
        _ => return None,
    })
}

/// Statuses with a code that the sheet does not list, or with none.
fn unlisted(status: u16, is_error: bool, message: &str) -> Outcome {
    let gone = message.to_ascii_lowercase();
    match status {
        // older servers give `""` or `0x0` as the code of a missing row
        404 if is_error && (gone.contains("does not exist") || gone.contains("do not exist")) => {
            Outcome::Missing
        }
        // plug-in refusal, validation and most else
        400 if is_error => payload(message),
        _ => by_status_outcome(status),
    }
}

/// `OData`'s reader is not localised: only it can tell a column that does not
/// exist (our mapping) from a value it cannot read (this record).
fn payload(message: &str) -> Outcome {
    let ours = [
        "does not exist on type",
        "undeclared property",
        "Could not find a property named",
        "Invalid property",
    ];
    if ours.iter().any(|text| message.contains(text)) { Outcome::Setup } else { Outcome::BadRecord }
}

/// The first word of the form `prvReadContact`, for the operator.
fn privilege(message: &str) -> Option<&str> {
    message
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .find(|word| word.len() > 3 && word.len() <= 100 && word.starts_with("prv"))
}
