//! The JSON of an event's row and of its dead letter. Stores that hold it must
//! open for ever: members may be added, never renamed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{EmailEvent, EventKind};
use crate::store::StoreError;

/// An event as it stands in the store.
#[derive(Serialize, Deserialize)]
struct Content {
    kind: String,
    id: String,
    contact: String,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    delivery: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mirror_page: Option<String>,
}

pub(super) fn encode(event: &EmailEvent) -> Result<String, StoreError> {
    let EmailEvent { kind, id, contact, time, campaign, delivery, url, mirror_page } =
        event.clone();
    let kind = kind.as_str().to_owned();
    let content = Content { kind, id, contact, time, campaign, delivery, url, mirror_page };
    serde_json::to_string(&content).map_err(|error| StoreError::Statement(error.to_string()))
}

pub(super) fn decode(text: &str) -> Result<EmailEvent, StoreError> {
    let corrupt = || StoreError::Corrupt("an event cannot be read".into());
    let content: Content = serde_json::from_str(text).map_err(|_| corrupt())?;
    let kind = EventKind::parse(&content.kind).ok_or_else(corrupt)?;
    let Content { kind: _, id, contact, time, campaign, delivery, url, mirror_page } = content;
    Ok(EmailEvent { kind, id, contact, time, campaign, delivery, url, mirror_page })
}
