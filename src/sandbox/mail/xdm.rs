//! Events as the journal tells them.
//!
//! Owns: the body of campaign sheet 9.6 and the envelopes of 9.5. Which field
//! holds the contact and which the mirror page is not public: here the message's
//! `xdm:externalID`, as `uuid:…`, and its `xdm:mirrorPage`.

use serde_json::{Value, json};

use super::{MailFact, MailKind, Standing};
use crate::sandbox::moment;
use crate::sandbox::variants::Envelope;

/// Spells a name of the Campaign extension.
macro_rules! campaign {
    ($name:literal) => {
        concat!("https://ns.adobe.com/experience/campaign/", $name)
    };
}

/// `unknown_user` of `User unknown`: the one spelling that is public; the others
/// follow the labels.
fn reason_word(label: &str) -> String {
    if label == "User unknown" {
        return "unknown_user".to_owned();
    }
    label.to_lowercase().replace(' ', "_")
}

fn stamp(at: i64) -> String {
    moment::dataverse_text(at).replace('Z', "+00:00")
}

fn message(fact: &MailFact) -> Value {
    let mut message = json!({
        "xdm:id": fact.broad_log,
        "xdm:externalID": format!("uuid:{}", fact.contact),
        "xdm:profile": {"xdm:workEmail": {
            "xdm:primary": true,
            "xdm:address": format!("{}@example.com", fact.broad_log),
        }},
        "xdm:variant": "English",
        "xdm:seedMember": fact.standing == Standing::Seed,
        "xdm:proofMember": fact.standing == Standing::Proof,
        "xdm:testMember": false,
        "xdm:controlGroupMember": false,
        "xdm:quarantine": fact.kind == MailKind::Bounce && fact.standing != Standing::Soft,
        "xdm:size": 421,
        "xdm:outboundIP": "192.0.2.17",
        "xdm:mirrorPage": fact.mirror_page,
    });
    if let (Some(reason), Some(map)) = (fact.reason, message.as_object_mut()) {
        map.insert("xdm:reason".to_owned(), reason_word(reason).into());
        map.insert("xdm:reasonMessage".to_owned(), "554: Unknown Recipient.".into());
    }
    message
}

/// The content of an event.
fn content(fact: &MailFact) -> Value {
    let one = json!({"xdm:value": 1});
    let metrics = match fact.kind {
        _ if fact.standing == Standing::Strange => json!({"xdm:forwards": one}),
        MailKind::Send => json!({"xdm:sends": one}),
        MailKind::Open => json!({"xdm:opens": one}),
        MailKind::Click => json!({"xdm:clicks": one}),
        MailKind::Bounce => json!({"xdm:nonDeliverables": {"xdm:sends": one}}),
    };
    let source = match fact.kind {
        MailKind::Send | MailKind::Bounce => "pipelined-mta",
        MailKind::Open | MailKind::Click => "pipelined-trackinglogd",
    };
    let mut content = json!({
        "xdm:timestamp": stamp(fact.at),
        "xdm:directMarketing": metrics,
        "xdm:channel": {"@id": "https://ns.adobe.com/xdm/channels/email"},
        "xdm:endUserIDs": {"https://ns.adobe.com/experience/campaign": {
            "@id": format!("https://data.adobe.io/entities/identity/{}", fact.broad_log % 9_999_991),
            "xdm:namespace": {
                "@id": "https://data.adobe.io/entities/namespace/2756", "xdm:code": "CPGN",
            },
        }},
        (campaign!("message")): message(fact),
        (campaign!("delivery")): {
            "xdm:id": 1001, "xdm:from": "no-reply@contoso.example", "xdm:testEnabled": false,
            "xdm:messageClass": "oneTime", "xdm:templateID": 1000, "xdm:templateName": "mail",
            "xdm:deliveryName": fact.delivery, "xdm:deliveryLabel": "Birthday Wishes",
        },
        (campaign!("marketingCampaign")): {"xdm:id": 100, "xdm:campaignName": fact.campaign},
        (campaign!("containerID")): "contoso-stage",
        (campaign!("eventSource")): source,
    });
    let Some(map) = content.as_object_mut() else { return content };
    if let Some(url) = &fact.url {
        let link = json!({
            "xdm:id": "98765", "xdm:url": url, "xdm:occurrence": 1, "xdm:label": "offer",
        });
        map.insert(campaign!("link").to_owned(), link);
    }
    if fact.late {
        // What was told of the same message before.
        let before = json!({
            "xdm:timestamp": stamp(fact.at - 1000), "xdm:metrics": {"xdm:sends": one},
            "xdm:reasonMessage": "* Sent.", "xdm:quarantine": false,
        });
        map.insert("xdm:mutation".to_owned(), before);
    }
    content
}

fn code(fact: &MailFact) -> String {
    let word = match fact.kind {
        _ if fact.standing == Standing::Strange => "forwarded",
        MailKind::Send => "sent",
        MailKind::Open => "opened",
        MailKind::Click => "clicked",
        MailKind::Bounce => "bounced",
    };
    format!("com.adobe.campaign.standard.email.{word}")
}

/// An event in its envelope. The envelope's own id (`id`, `header.msgId`,
/// `@id`) is the number of the log's row with `log_ids`, so that both sources
/// name it alike; `eventid` never is.
pub(super) fn event(fact: &MailFact, envelope: Envelope, log_ids: bool, client: &str) -> Value {
    let own = if log_ids { fact.log_id.to_string() } else { fact.event_id.to_string() };
    let content = content(fact);
    match envelope {
        Envelope::CloudEvents => json!({
            "eventid": fact.event_id, "event_id": fact.event_id,
            "recipientclientid": client, "recipient_client_id": client,
            "specversion": "1.0", "type": code(fact), "source": "urn:contoso-stage",
            "id": own, "time": moment::dataverse_text(fact.at),
            "datacontenttype": "application/json", "data": content,
        }),
        Envelope::Pipeline => json!({
            "header": {
                "msgType": "xdmEntityProjectionEvent", "msgId": own, "msgVersion": "1.0.0",
                "xactionId": fact.event_id, "createdAt": fact.at + 250,
                "originalTimestamp": fact.at, "imsOrgId": "contoso@AdobeOrg",
                "xdmSchema": {"name": "_xdm.context.experienceevent", "version": "0.9.9.7"},
                "_adobeio": {"eventCode": code(fact), "imsOrgId": "contoso@AdobeOrg",
                    "providerMetadata": "campaign"},
            },
            "body": content,
        }),
        Envelope::ActivityStreams => {
            let mut event = json!({
                "@id": own, "@type": code(fact),
                "activitystreams:published": moment::dataverse_text(fact.at),
                "activitystreams:to": {"@type": "xdmImsOrg", "xdmImsOrg:id": "contoso@AdobeOrg"},
                "activitystreams:actor": {"@type": "xdmImsUser", "xdmImsUser:id": "campaign"},
                "activitystreams:object": {"@type": code(fact)},
            });
            if let (Value::Object(event), Value::Object(content)) = (&mut event, content) {
                event.extend(content);
            }
            event
        }
    }
}
