//! Entra's token endpoint.
//!
//! Owns: the grants and refusals of "OAuth 2.0 client credentials flow",
//! "…resource owner password credentials" (Dynamics sheet 1.1 to 1.3).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::{Audience, Identity};
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply, decode, pairs};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Refusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    text: String,
}

fn refuse(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Refusal { status, error, code, text: text.into() }
}

/// Answers `POST /{tenant}/oauth2/v2.0/token`.
pub(crate) fn token(identity: &Identity, variants: Variants, call: &Call, tenant: &str) -> Reply {
    match grant(identity, call, tenant) {
        Ok(extra) => {
            let life = variants.dynamics_token_seconds;
            let token = identity.issue(Audience::Dynamics, Duration::from_secs(u64::from(life)));
            let mut body = json!({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token});
            if let (Some(scope), Some(body)) = (extra, body.as_object_mut()) {
                body.insert("scope".to_owned(), scope.into());
            }
            Reply::new(StatusCode::OK, "application/json; charset=utf-8", body.to_string())
                .with("cache-control", "no-store, no-cache")
        }
        Err(refusal) => refused(identity, &refusal),
    }
}

fn refused(identity: &Identity, refusal: &Refusal) -> Reply {
    let (trace, correlation) = (identity.clock.guid(), identity.clock.guid());
    let stamp = stamp(identity.clock.now());
    let Refusal { status, error, code, text } = refusal;
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {stamp}"),
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": trace.to_string(),
        "correlation_id": correlation.to_string(),
    });
    Reply::new(*status, "application/json; charset=utf-8", body.to_string())
}

fn stamp(now: Timestamp) -> String {
    crate::sandbox::moment::dataverse_text(now.as_millisecond()).replacen('T', " ", 1)
}

fn invalid(code: u32, text: impl Into<String>) -> Refusal {
    refuse(400, "invalid_request", code, text)
}

fn missing(name: &str) -> Refusal {
    invalid(900_144, format!("The request body must contain the following parameter: '{name}'."))
}

/// The form of a token request.
struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| missing(name))
    }
}

/// The scope to repeat in the answer, where the grant repeats one.
fn grant(identity: &Identity, call: &Call, tenant: &str) -> Result<Option<String>, Refusal> {
    if call.method != Method::POST {
        return Err(invalid(900_561, "The endpoint only accepts POST requests."));
    }
    let known = &identity.credentials;
    if tenant != known.tenant && tenant != "contoso.onmicrosoft.com" && tenant != "organizations" {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        );
        return Err(invalid(90_002, text));
    }
    let kind = call.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(missing("grant_type"));
    }
    let form = Form(pairs(&String::from_utf8_lossy(&call.body)));
    let grant = form.need("grant_type")?;
    let (id, password) = basic(call).unzip();
    let client =
        form.get("client_id").map(str::to_owned).or(id).ok_or_else(|| missing("client_id"))?;
    if client != known.dynamics_client_id {
        let text = format!(
            "Application with identifier '{client}' was not found in the directory '{tenant}'."
        );
        return Err(refuse(400, "unauthorized_client", 700_016, text));
    }
    let proof = Proof {
        secret: form.get("client_secret").map(str::to_owned).or(password),
        kind: form.get("client_assertion_type"),
        assertion: form.get("client_assertion"),
    };
    let scope = form.need("scope")?;
    let unsupported = || format!("The app requested an unsupported grant type '{grant}'.");
    let user = match grant {
        "client_credentials" => false,
        "password" => true,
        _ => return Err(refuse(400, "unsupported_grant_type", 70_003, unsupported())),
    };
    if tenant == "organizations" && !user {
        return Err(invalid(50_059, "No tenant-identifying information found."));
    }
    if !prove(identity, call, tenant, &proof)? && !user {
        let text = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
        return Err(refuse(401, "invalid_client", 7_000_216, text));
    }
    check_scope(call, scope, user)?;
    if !user {
        return Ok(None);
    }
    check_user(identity, &form)?;
    Ok(Some(scope.to_owned()))
}

/// The resource owner's name and password.
fn check_user(identity: &Identity, form: &Form) -> Result<(), Refusal> {
    let known = &identity.credentials;
    if !form.need("username")?.eq_ignore_ascii_case(&known.username) {
        let text = "The user account does not exist in the directory.";
        return Err(refuse(400, "invalid_grant", 50_034, text));
    }
    if form.need("password")? != known.password {
        let text = "Error validating credentials due to invalid username or password.";
        return Err(refuse(400, "invalid_grant", 50_126, text));
    }
    Ok(())
}

struct Proof<'a> {
    secret: Option<String>,
    kind: Option<&'a str>,
    assertion: Option<&'a str>,
}

/// Whether the application proved itself; a wrong proof is an error.
fn prove(
    identity: &Identity,
    call: &Call,
    tenant: &str,
    proof: &Proof<'_>,
) -> Result<bool, Refusal> {
    if let Some(secret) = &proof.secret {
        if *secret != identity.credentials.dynamics_client_secret {
            return Err(refuse(
                401,
                "invalid_client",
                7_000_215,
                "Invalid client secret provided.",
            ));
        }
        return Ok(true);
    }
    let Some(assertion) = proof.assertion else {
        return Ok(false);
    };
    if proof.kind != Some(ASSERTION) {
        return Err(refuse(
            400,
            "invalid_request",
            900_144,
            "The request body must contain the following parameter: 'client_assertion_type'.",
        ));
    }
    let path = format!("/{tenant}/oauth2/v2.0/token");
    let audiences =
        [format!("{}{path}", call.origin), format!("https://login.microsoftonline.com{path}")];
    match identity.check_assertion(assertion, &audiences) {
        Ok(()) => Ok(true),
        Err(reason) => Err(refuse(
            401,
            "invalid_client",
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application, or: {reason}."
            ),
        )),
    }
}

/// One resource, this environment (sheet 1.1).
fn check_scope(call: &Call, scope: &str, user: bool) -> Result<(), Refusal> {
    let own = |scope: &str| {
        let rest =
            scope.strip_prefix(call.origin.as_str()).map(|rest| rest.trim_start_matches('/'));
        rest == Some(".default") || (user && rest == Some("user_impersonation"))
    };
    let extra = |scope: &str| user && matches!(scope, "offline_access" | "openid" | "profile");
    let (mut hits, mut wrong) = (0, false);
    for part in scope.split(' ').filter(|part| !part.is_empty()) {
        hits += usize::from(own(part));
        wrong |= !own(part) && !extra(part);
    }
    if hits != 1 || wrong {
        let text = format!(
            "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
        );
        return Err(refuse(400, "invalid_scope", 70_011, text));
    }
    Ok(())
}

fn basic(call: &Call) -> Option<(String, String)> {
    let encoded = call.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decode(id, true), decode(secret, true)))
}
