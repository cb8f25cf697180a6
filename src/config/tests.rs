//! Tests of the whole configuration: what loads, and every problem with its
//! place and hint.

mod bad;
mod egress;
mod files;
mod good;
mod links;
mod log_copy;
mod optout;
mod secrets;

/// A configuration without problems up to `[ingress]`, to append to.
const BASE: &str = r#"[dynamics]
url = "https://contoso.crm4.dynamics.com"
tenant = "contoso.onmicrosoft.com"
client_id = "6d0d8c4e"
client_secret = { env = "DYNAMICS_SECRET" }
[campaign]
url = "https://mc.adobe.io/contoso"
client_id = "abc"
client_secret = { credential = "campaign-client-secret" }
organization_id = "A@AdobeOrg"
[store]
path = "cdsync.db"
"#;

/// A table mapping of one line each, to be replaced from.
const TABLE: &str = r#"[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
fields = [ { from = "firstname", to = "firstName" } ]
"#;

/// `BASE` with `TABLE`, one part of them replaced.
fn with(old: &str, new: &str) -> String {
    let text = format!("{BASE}{TABLE}");
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1)
}

/// All problems, one a line.
fn problems(text: &str) -> String {
    super::load(text).map(|_| ()).unwrap_err().to_string()
}
