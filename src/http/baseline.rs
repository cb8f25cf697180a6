//! The headers that every call to a system has. Must not know what is asked.

use ::http::{HeaderMap, HeaderValue, header};

use super::auth::Auth;
use super::failure::System;

/// Headers of every call (dynamics sheet 1.8, campaign sheet 1.3).
pub(super) fn baseline(system: System, auth: &Auth) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    match system {
        System::Dynamics => {
            headers.insert("odata-maxversion", HeaderValue::from_static("4.0"));
            headers.insert("odata-version", HeaderValue::from_static("4.0"));
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("null"));
        }
        System::Campaign | System::Journal => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
    }
    for (name, value) in auth.call_headers() {
        if let Ok(value) = HeaderValue::from_str(value) {
            // The second name is that of Adobe's Java client (sheet 9.2).
            if system == System::Journal && name == "x-ims-org-id" {
                headers.insert("x-gw-ims-org-id", value.clone());
            }
            headers.insert(name, value);
        }
    }
    headers
}
