//! Plain forms: what a person may do on the pages.
//!
//! Owns: the forms, and `POST /_sandbox/do/…`. Each carries the secret of the
//! pages, so that no other site can send it.

use http::StatusCode;
use serde_json::{Map, Value};

use super::html::{self, Html};
use super::{api, form};
use crate::sandbox::faults::FaultPlan;
use crate::sandbox::server::Shared;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply, encode};

/// Opens a form.
pub(super) fn begin(out: &mut Html, shared: &Shared, what: &str) {
    out.raw("<form method=post action=\"/_sandbox/do/").text(what).raw("\">");
    out.raw("<input type=hidden name=token value=\"").text(&shared.desk.0).raw("\">");
}

/// A form for a new contact.
pub(super) fn add_contact(out: &mut Html, shared: &Shared) {
    out.raw("<details class=card><summary>Add a contact</summary>");
    begin(out, shared, "add-contact");
    for (name, label) in
        [("firstname", "First name"), ("lastname", "Last name"), ("emailaddress1", "E-mail")]
    {
        out.raw("<label>").text(label).raw("<input name=\"").text(name).raw("\"></label>");
    }
    out.raw("<p><button>Add</button></p></form></details>");
}

/// A button that deletes a row or a record: `dynamics/TABLE/ID` and its like.
pub(super) fn delete(out: &mut Html, shared: &Shared, what: &str) {
    out.raw("<details class=card><summary>Delete</summary>");
    begin(out, shared, "delete");
    out.raw("<input type=hidden name=what value=\"").text(what);
    out.raw("\"><p><button class=danger>Delete it</button></p></form></details>");
}

/// A button that empties the request log.
pub(super) fn clear_log(out: &mut Html, shared: &Shared) {
    begin(out, shared, "clear-log");
    out.raw("<button>Clear the log</button></form>");
}

/// Buttons that make tokens end.
pub(super) fn tokens(out: &mut Html, shared: &Shared) {
    out.raw("<section><h2>Tokens</h2><div class=pager>");
    begin(out, shared, "expire-tokens");
    out.raw("<button>Expire all delta tokens</button></form>");
    begin(out, shared, "revoke-tokens");
    out.raw("<button>Revoke all bearer tokens</button></form></div></section>");
}

/// `POST /_sandbox/do/{what}`
pub(super) fn answer(shared: &Shared, call: &Call, what: &str) -> Reply {
    let fields = form(call);
    let field = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    if field("token") != shared.desk.0 {
        let why = "The form is of another run of the sandbox: go back and load the page again.";
        return html::refused(StatusCode::FORBIDDEN, why);
    }
    let done = match what {
        "add-contact" => add(shared, &fields),
        "delete" => removed(shared, field("what")),
        "faults" => plan(field("plan")).map(|plan| {
            shared.set_faults(plan);
            "/_sandbox/settings".to_owned()
        }),
        "variants" => variants(shared, &fields),
        "clear-log" => {
            shared.log.clear();
            Ok("/_sandbox/calls".to_owned())
        }
        "expire-tokens" => {
            shared.dynamics_control().expire_tokens();
            Ok("/_sandbox/settings".to_owned())
        }
        "revoke-tokens" => {
            shared.dynamics_control().revoke_bearer_tokens();
            shared.campaign_control().revoke_bearer_tokens();
            Ok("/_sandbox/settings".to_owned())
        }
        _ => return super::missing("form"),
    };
    match done {
        Ok(target) => Reply::empty(StatusCode::SEE_OTHER).with("location", &target),
        Err(why) => html::refused(StatusCode::BAD_REQUEST, &why),
    }
}

/// A fault plan in TOML or JSON; no text is no faults.
pub(super) fn plan(text: &str) -> Result<FaultPlan, String> {
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    // Browsers send line breaks as CR LF.
    toml::from_str(&text.replace("\r\n", "\n")).map_err(|error| error.to_string())
}

fn add(shared: &Shared, fields: &[(String, String)]) -> Result<String, String> {
    let row: Map<String, Value> = fields
        .iter()
        .filter(|(name, value)| name != "token" && !value.trim().is_empty())
        .map(|(name, value)| (name.clone(), value.trim().into()))
        .collect();
    let id = shared.dynamics_control().insert("contact", &Value::Object(row));
    id.map(|id| format!("/_sandbox/dynamics/contact/{id}")).map_err(|error| error.to_string())
}

fn removed(shared: &Shared, what: &str) -> Result<String, String> {
    let parts: Vec<&str> = what.split('/').collect();
    let [side, table, id] = parts.as_slice() else {
        return Err("There is nothing to delete.".to_owned());
    };
    let gone = match *side {
        "dynamics" => api::delete_row(shared, table, id),
        "campaign" => api::delete_record(shared, table, id),
        _ => false,
    };
    let list = format!("/_sandbox/{side}/{}", encode(table));
    gone.then_some(list).ok_or_else(|| "It is gone already.".to_owned())
}

fn variants(shared: &Shared, fields: &[(String, String)]) -> Result<String, String> {
    let mut variants: Variants = shared.variants();
    for (name, value) in fields.iter().filter(|(name, _)| name != "token") {
        variants.set(name, value).map_err(|error| error.to_string())?;
    }
    shared.set_variants(variants);
    Ok("/_sandbox/settings".to_owned())
}
