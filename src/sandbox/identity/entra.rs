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
    Refusal {
        status,
        error,
        code,
        text: text.into(),
    }
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
            Reply::new(
                StatusCode::OK,
                "application/json; charset=utf-8",
                body.to_string(),
            )
            .with("cache-control", "no-store, no-cache")
        }
        Err(refusal) => refused(identity, &refusal),
    }
}

fn refused(identity: &Identity, refusal: &Refusal) -> Reply {
    let (trace, correlation) = (identity.clock.guid(), identity.clock.guid());
    let stamp = stamp(identity.clock.now());
    let Refusal {
        status,
        error,
        code,
        text,
    } = refusal;
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

/// The scope to repeat in the answer, where the grant repeats one.
fn grant(identity: &Identity, call: &Call, tenant: &str) -> Result<Option<String>, Refusal> {
    if call.method != Method::POST {
        return Err(refuse(
            400,
            "invalid_request",
            900_561,
            "The endpoint only accepts POST requests.",
        ));
    }
    let known = &identity.credentials;
    if tenant != known.tenant && tenant != "contoso.onmicrosoft.com" && tenant != "organizations" {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        );
        return Err(refuse(400, "invalid_request", 90_002, text));
    }
    let kind = call.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(refuse(
            400,
            "invalid_request",
            900_144,
            "The request body must contain the following parameter: 'grant_type'.",
        ));
    }
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let field = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let missing = |name: &str| {
        refuse(
            400,
            "invalid_request",
            900_144,
            format!("The request body must contain the following parameter: '{name}'."),
        )
    };
    let grant = field("grant_type").ok_or_else(|| missing("grant_type"))?;
    let basic = basic(call);
    let client = field("client_id")
        .map(str::to_owned)
        .or_else(|| basic.as_ref().map(|(id, _)| id.clone()));
    let client = client.ok_or_else(|| missing("client_id"))?;
    if client != known.dynamics_client_id {
        let text = format!(
            "Application with identifier '{client}' was not found in the directory '{tenant}'."
        );
        return Err(refuse(400, "unauthorized_client", 700_016, text));
    }
    let secret = field("client_secret")
        .map(str::to_owned)
        .or(basic.map(|(_, secret)| secret));
    let proof = Proof {
        secret,
        kind: field("client_assertion_type"),
        assertion: field("client_assertion"),
    };
    let scope = field("scope").ok_or_else(|| missing("scope"))?;
    match grant {
        "client_credentials" => {
            if tenant == "organizations" {
                return Err(refuse(
                    400,
                    "invalid_request",
                    50_059,
                    "No tenant-identifying information found.",
                ));
            }
            if !prove(identity, call, tenant, &proof)? {
                return Err(refuse(
                    401,
                    "invalid_client",
                    7_000_216,
                    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
                ));
            }
            check_scope(call, scope, false)?;
            Ok(None)
        }
        "password" => {
            prove(identity, call, tenant, &proof)?;
            check_scope(call, scope, true)?;
            let (user, password) = (
                field("username").ok_or_else(|| missing("username"))?,
                field("password"),
            );
            if !user.eq_ignore_ascii_case(&known.username) {
                return Err(refuse(
                    400,
                    "invalid_grant",
                    50_034,
                    "The user account does not exist in the directory.",
                ));
            }
            if password != Some(known.password.as_str()) {
                return Err(refuse(
                    400,
                    "invalid_grant",
                    50_126,
                    "Error validating credentials due to invalid username or password.",
                ));
            }
            Ok(Some(scope.to_owned()))
        }
        _ => Err(refuse(
            400,
            "unsupported_grant_type",
            70_003,
            format!("The app requested an unsupported grant type '{grant}'."),
        )),
    }
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
    let audiences = [
        format!("{}{path}", call.origin),
        format!("https://login.microsoftonline.com{path}"),
    ];
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
        let rest = scope
            .strip_prefix(call.origin.as_str())
            .map(|rest| rest.trim_start_matches('/'));
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
