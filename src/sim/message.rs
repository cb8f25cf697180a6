//! What a request of the program asks for, and what an answer says.

use bytes::Bytes;
use uuid::Uuid;

use crate::model::Flow;

/// Whose profile is asked for.
pub(super) fn asked_for(request: &http::Request<Bytes>) -> Option<Uuid> {
    let by_key = request.uri().path().ends_with("/profile/byExternalId");
    request.uri().query().filter(|_| by_key)?.rsplit('=').next()?.parse().ok()
}

/// The contact that a request to Dynamics names, or whose profile is made.
pub(super) fn contact_in(request: &http::Request<Bytes>) -> Option<Uuid> {
    let path = request.uri().path();
    if let Some((_, rest)) = path.rsplit_once("/contacts(") {
        return rest.split(')').next()?.parse().ok();
    }
    let body: serde_json::Value = serde_json::from_slice(request.body()).ok()?;
    body.get("externalId")?.as_str()?.parse().ok()
}

/// The longest rest that a part of a batch asks for.
pub(super) fn wait_of_a_part(response: &http::Response<Bytes>) -> Option<u64> {
    let kind = response.headers().get("content-type")?.to_str().ok()?;
    if !kind.starts_with("multipart/") {
        return None;
    }
    let text = String::from_utf8_lossy(response.body()).to_ascii_lowercase();
    // What was cut off on the way says nothing.
    if !text.trim_end().ends_with("--") {
        return None;
    }
    let parts = text.split("http/1.1 429").skip(1);
    let waits = parts.filter_map(|part| {
        let (_, wait) = part.split_once("retry-after:")?;
        wait.lines().next()?.trim().parse().ok()
    });
    waits.max()
}

/// The flow that alone asks for this.
pub(super) fn flow_of(uri: &http::Uri) -> Option<Flow> {
    let query = uri.query().unwrap_or_default();
    if uri.path().starts_with("/events") {
        return Some(Flow::Egress);
    }
    let of_flags = query.contains("modifiedon&$deltatoken") || query.contains("since_parameter");
    of_flags.then_some(Flow::Optout)
}

/// The same request again.
pub(super) fn copy_of(request: &http::Request<Bytes>) -> http::Request<Bytes> {
    let mut copy = http::Request::new(request.body().clone());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

/// A page with other rows, where it has some.
pub(super) fn change_rows(body: &mut Bytes, change: impl FnOnce(&mut Vec<serde_json::Value>)) {
    let Ok(mut page) = serde_json::from_slice::<serde_json::Value>(body) else { return };
    let name = if page.get("value").is_some() { "value" } else { "content" };
    if let Some(rows) = page.get_mut(name).and_then(|it| it.as_array_mut())
        && !rows.is_empty()
    {
        change(rows);
        *body = page.to_string().into();
    }
}
