//! The gateway before Campaign: API key and token (campaign sheet 1.4).
//!
//! Owns: its JSON errors with string codes, and the routing error with a number.

use http::StatusCode;

use crate::sandbox::identity::{Audience, Identity};
use crate::sandbox::wire::{Call, Reply};

/// A refusal in the gateway's words.
pub(crate) fn refuse(
    identity: &Identity,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Box<Reply> {
    let body = serde_json::json!({"error_code": code, "message": message});
    let id = identity.clock.guid().to_string();
    Box::new(Reply::new(status, "application/json", body.to_string()).with("x-request-id", &id))
}

/// Lets a call through, or says why not.
pub(crate) fn check(identity: &Identity, call: &Call) -> Result<(), Box<Reply>> {
    let known = &identity.credentials;
    let Some(key) = call.header("x-api-key").filter(|key| !key.is_empty()) else {
        return Err(refuse(identity, StatusCode::FORBIDDEN, "403000", "Api Key is required"));
    };
    if key != known.campaign_client_id {
        return Err(refuse(identity, StatusCode::FORBIDDEN, "403003", "Api Key is invalid"));
    }
    let Some(token) = call.bearer() else {
        return Err(refuse(identity, StatusCode::FORBIDDEN, "403010", "Oauth token is missing."));
    };
    if !identity.accepts(token, Audience::Campaign) {
        return Err(refuse(
            identity,
            StatusCode::UNAUTHORIZED,
            "401013",
            "Oauth token is not valid",
        ));
    }
    // The account has a product context for the production tenant's sibling
    // only: a known instance of the organization, but not this account's.
    if call.path.starts_with("/contoso/") && known.campaign_tenant != "contoso" {
        return Err(refuse(identity, StatusCode::FORBIDDEN, "403023", "Profile is not valid"));
    }
    Ok(())
}

/// An unknown tenant or path.
pub(crate) fn no_route() -> Reply {
    Reply::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "application/json",
        r#"{"code":500,"message":"Oops. Something went wrong. Check your URI and try again."}"#,
    )
}
