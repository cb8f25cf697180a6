//! The fuzz target of this layer: what comes through the control socket.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

use super::desk::Request;

/// A request of the control protocol: what is understood is written as it was
/// understood.
pub(crate) fn control(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    let Ok(request) = serde_json::from_str::<Request>(line) else { return };
    let written = serde_json::to_string(&request).unwrap();
    assert!(!written.contains('\n'), "a request is one line");
    let again: Request = serde_json::from_str(&written).unwrap();
    assert_eq!(format!("{again:?}"), format!("{request:?}"));
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
}
