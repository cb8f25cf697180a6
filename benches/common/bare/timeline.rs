//! The bare client's way from the journal to the timeline: the same pages, the
//! same number of rows in each batch, no store, no decisions and no retries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Access;
use crate::common::Result;

const KINDS: [(&str, &str); 3] = [("sends", "send"), ("opens", "open"), ("clicks", "click")];

/// What the way took.
pub(crate) struct Told {
    /// Activities made.
    pub(crate) activities: u64,
    /// Requests to Dynamics.
    pub(crate) requests: u64,
    /// From start to end.
    pub(crate) wall: Duration,
}

impl Access {
    /// Reads the journal and sends batches of `rows` activities, `in_flight` at
    /// one time.
    pub(crate) async fn timeline(self, rows: usize, in_flight: usize) -> Result<Told> {
        let began = Instant::now();
        let shared = Arc::new(self);
        let (batches, receive) = mpsc::channel::<Vec<String>>(in_flight);
        let receive = Arc::new(tokio::sync::Mutex::new(receive));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..in_flight {
            let (shared, receive) = (shared.clone(), receive.clone());
            tasks.spawn(async move {
                let mut done = (0, 0);
                loop {
                    let batch = receive.lock().await.recv().await;
                    let Some(batch) = batch else { return Ok::<(u64, u64), String>(done) };
                    done.0 += batch.len() as u64;
                    done.1 += 1;
                    shared.batch(&batch).await.map_err(|error| error.to_string())?;
                }
            });
        }
        let mut parts = Vec::new();
        let mut link = Some(shared.journal.clone());
        while let Some(at) = link {
            let (page, next) = shared.journal_page(&at).await?;
            for event in page["events"].as_array().into_iter().flatten() {
                parts.extend(part(&event["event"]));
                if parts.len() == rows {
                    batches.send(std::mem::take(&mut parts)).await?;
                }
            }
            link = next;
        }
        if !parts.is_empty() {
            batches.send(parts).await?;
        }
        drop(batches);
        let (mut activities, mut requests) = (0, 0);
        while let Some(ended) = tasks.join_next().await {
            let (made, asked) = ended??;
            activities += made;
            requests += asked;
        }
        Ok(Told { activities, requests, wall: began.elapsed() })
    }

    /// A page, and where the next one is; none where nothing is newer.
    async fn journal_page(&self, link: &str) -> Result<(Value, Option<String>)> {
        let reply = self
            .http
            .get(link)
            .header("authorization", &self.campaign)
            .header("x-api-key", &self.api_key)
            .header("x-ims-org-id", &self.organization)
            .send()
            .await?
            .error_for_status()?;
        if reply.status() == 204 {
            return Ok((Value::Null, None));
        }
        let links = reply.headers().get_all("link").iter().filter_map(|link| link.to_str().ok());
        let next = links
            .filter(|link| link.contains("rel=\"next\""))
            .find_map(|link| link.split(['<', '>']).nth(1).map(str::to_owned))
            .map(|path| format!("{}{path}", self.origin));
        Ok((serde_json::from_slice(&reply.bytes().await?)?, next))
    }

    async fn batch(&self, parts: &[String]) -> Result<()> {
        let mut body = String::new();
        for part in parts {
            body.push_str("--bare\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n");
            body.push_str(part);
            body.push_str("\r\n");
        }
        body.push_str("--bare--\r\n");
        let reply = self
            .http
            .post(format!("{}/api/data/v9.2/$batch", self.origin))
            .header("authorization", &self.dynamics)
            .header("content-type", "multipart/mixed; boundary=\"bare\"")
            .header("odata-version", "4.0")
            .header("odata-maxversion", "4.0")
            .header("prefer", "odata.continue-on-error")
            .body(body)
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?;
        let made = reply.matches("HTTP/1.1 204").count();
        if made == parts.len() {
            return Ok(());
        }
        let first = reply.find("HTTP/1.1 4").map_or("", |at| reply[at..].get(..400).unwrap_or(""));
        Err(format!("{made} of {} activities were made: {first}", parts.len()).into())
    }
}

/// The part of a batch for an event; none for what is not told.
fn part(event: &Value) -> Option<String> {
    let body = event.get("data").or_else(|| event.get("body")).unwrap_or(event);
    let marketing = &body["xdm:directMarketing"];
    let bounced =
        !marketing["xdm:nonDeliverables"].is_null() || !body["xdm:nonDeliverables"].is_null();
    let message = &body["https://ns.adobe.com/experience/campaign/message"];
    let hidden = ["xdm:seedMember", "xdm:proofMember", "xdm:testMember"];
    if hidden.iter().any(|name| message[name] == true) || bounced {
        return None;
    }
    let kind = KINDS.iter().find(|(name, _)| !marketing[format!("xdm:{name}")].is_null())?.1;
    let contact = message["xdm:externalID"].as_str()?.trim_start_matches("uuid:");
    let text = |part: &str, name: &str| {
        body[format!("https://ns.adobe.com/experience/campaign/{part}")][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let table = format!("new_campaignemail{kind}");
    let (campaign, delivery) =
        (text("marketingCampaign", "xdm:campaignName"), text("delivery", "xdm:deliveryName"));
    let mut row = json!({
        "subject": format!("Campaign Name: {campaign}; Delivery Name: {delivery}"),
        "new_eventdate": event["time"].as_str().unwrap_or("2026-01-01T00:00:00Z"),
        "new_eventid": event["id"],
        "new_campaignname": campaign,
        "new_deliveryname": delivery,
        "new_mirrorpageurl": message["xdm:mirrorPage"].as_str().unwrap_or_default(),
    });
    row[format!("regardingobjectid_contact_{table}@odata.bind")] =
        format!("/contacts({contact})").into();
    if kind == "click" {
        row["new_trackingurl"] = text("link", "xdm:url").into();
    }
    let name = format!("{kind}:{}", event["id"]);
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
    Some(format!(
        "PATCH /api/data/v9.2/{table}s({id}) HTTP/1.1\r\nContent-Type: application/json\r\nIf-None-Match: *\r\n\r\n{row}"
    ))
}
