//! Adobe IMS: the server-to-server token endpoint.
//!
//! Owns: `POST /ims/token/v3` (campaign sheet 1.1). Knows nothing of Campaign.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::{Audience, Identity};
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Call, Reply, pairs};

/// The scopes a project of this kind may ask for (campaign sheet 1.1).
const SCOPES: [&str; 14] = [
    "AdobeID",
    "openid",
    "read_organizations",
    "additional_info",
    "additional_info.projectedProductContext",
    "additional_info.roles",
    "adobeio_api",
    "read_client_secret",
    "manage_client_secrets",
    "campaign_sdk",
    "campaign_config_server_general",
    "deliverability_service_general",
    "event_receiver_api",
    "session",
];

/// Answers the token endpoint.
pub(crate) fn token(identity: &Identity, variants: Variants, call: &Call) -> Reply {
    let refused = |status: StatusCode, error: &str, text: &str| {
        let body = json!({"error": error, "error_description": text});
        Reply::new(status, "application/json;charset=UTF-8", body.to_string())
    };
    if call.method != Method::POST {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "POST is required");
    }
    let mut form = pairs(&String::from_utf8_lossy(&call.body));
    form.extend(call.query.iter().cloned());
    let field =
        |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let known = &identity.credentials;
    for name in ["grant_type", "client_id", "client_secret", "scope"] {
        if field(name).is_none_or(str::is_empty) {
            return refused(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                &format!("{name} is required"),
            );
        }
    }
    if field("grant_type") != Some("client_credentials") {
        return refused(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "client_credentials is the grant of this endpoint",
        );
    }
    if field("client_id") != Some(&known.campaign_client_id) {
        return refused(StatusCode::BAD_REQUEST, "invalid_client", "invalid client_id parameter");
    }
    if field("client_secret") != Some(&known.campaign_client_secret) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "invalid client_secret parameter",
        );
    }
    let scope = field("scope").unwrap_or_default();
    // The list is parted by commas; a space would make one unknown scope of two.
    if !scope.split(',').all(|scope| SCOPES.contains(&scope.trim())) {
        return refused(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            "a scope is not available to this client",
        );
    }
    let life = variants.campaign_token_seconds;
    let token = identity.issue(Audience::Campaign, Duration::from_secs(u64::from(life)));
    let body = json!({"access_token": token, "token_type": "bearer", "expires_in": life});
    Reply::new(StatusCode::OK, "application/json;charset=UTF-8", body.to_string())
        .with("cache-control", "no-store")
}

/// Answers `/ims/profile/v1`, the pre-flight check of campaign sheet 1.4.
pub(crate) fn profile(identity: &Identity, call: &Call) -> Reply {
    let accepted = call.bearer().is_some_and(|token| identity.accepts(token, Audience::Campaign));
    if !accepted {
        return Reply::new(
            StatusCode::UNAUTHORIZED,
            "application/json",
            r#"{"error":"invalid_token"}"#,
        );
    }
    let known = &identity.credentials;
    let body = json!({"countryCode": "DE", "mrktPermEmail": null, "projectedProductContext": [{"prodCtx": {
        "statusCode": "ACTIVE", "ident": "sandbox", "organization_id": known.campaign_tenant,
        "owningEntity": known.organization_id, "serviceCode": "dma_tartan",
        "label": "Adobe Marketing Cloud", "serviceLevel": "standard"}}]});
    Reply::new(StatusCode::OK, "application/json", body.to_string())
}
