//! The mailings' promises: both sources tell the same, in every form.

use std::collections::BTreeMap;

use cdsync::sandbox::{
    Envelope, EventIds, LogDates, LogForm, MailFact, MailKind, Mailing, Sandbox, SandboxOptions,
    Standing, Variants,
};
use serde_json::Value;

use crate::sandbox::{World, send};

async fn sandbox(contacts: usize) -> Sandbox {
    let options = SandboxOptions { contacts, seed: 5, ..SandboxOptions::default() };
    Sandbox::start(options).await.unwrap()
}

/// All events of the journal.
async fn journal(world: &World) -> Vec<Value> {
    let known = world.sandbox.credentials();
    let request = world.http.get(format!("{}?limit=100000", world.sandbox.journal().url()));
    let request = request.bearer_auth(&world.campaign_token);
    let request = request.header("x-api-key", known.campaign_client_id);
    let got = send(request.header("x-ims-org-id", known.organization_id)).await;
    let body = got.json();
    body["events"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect()
}

#[tokio::test]
async fn the_journal_tells_each_fact_once_in_the_body_of_the_sheet() {
    let options = SandboxOptions { contacts: 60, seed: 5, ..SandboxOptions::default() };
    let world = World::start(options).await;
    let mail = world.sandbox.mail();
    let facts = mail.send(&Mailing::default());
    mail.publish(&facts, EventIds::Journal);
    let events = journal(&world).await;
    assert_eq!(events.len(), facts.len());
    for (event, fact) in events.iter().zip(&facts) {
        assert_eq!(event["eventid"], fact.event_id.to_string());
        let data = &event["data"];
        let metric = match fact.kind {
            _ if fact.standing == Standing::Strange => "/xdm:directMarketing/xdm:forwards",
            MailKind::Send => "/xdm:directMarketing/xdm:sends",
            MailKind::Open => "/xdm:directMarketing/xdm:opens",
            MailKind::Click => "/xdm:directMarketing/xdm:clicks",
            MailKind::Bounce => "/xdm:directMarketing/xdm:nonDeliverables/xdm:sends",
        };
        assert_eq!(data.pointer(metric).unwrap()["xdm:value"], 1);
        let part = |name: &str| &data[format!("https://ns.adobe.com/experience/campaign/{name}")];
        let message = part("message");
        assert_eq!(message["xdm:externalID"], format!("uuid:{}", fact.contact));
        assert_eq!(message["xdm:proofMember"], fact.standing == Standing::Proof);
        assert_eq!(message["xdm:seedMember"], fact.standing == Standing::Seed);
        assert_eq!(part("delivery")["xdm:deliveryName"], fact.delivery);
        assert_eq!(part("marketingCampaign")["xdm:campaignName"], fact.campaign);
        assert_eq!(part("link")["xdm:url"].as_str(), fact.url.as_deref());
        assert_eq!(data["xdm:mutation"].is_object(), fact.late);
        let reason = message["xdm:reason"].as_str();
        assert_eq!(reason.is_some(), fact.kind == MailKind::Bounce);
    }
}

#[tokio::test]
async fn the_three_envelopes_hold_the_same_content_and_the_id_that_is_asked_for() {
    let options = SandboxOptions { contacts: 10, ..SandboxOptions::default() };
    let world = World::start(options).await;
    let mail = world.sandbox.mail();
    let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
    for (journal_envelope, id, content) in [
        (Envelope::CloudEvents, "/id", "/data"),
        (Envelope::Pipeline, "/header/msgId", "/body"),
        (Envelope::ActivityStreams, "/@id", ""),
    ] {
        let kept = world.sandbox.journal().count();
        world.sandbox.journal().expire_oldest(kept);
        world.sandbox.set_variants(Variants { journal_envelope, ..Variants::default() });
        mail.publish(&facts, EventIds::Logs);
        let events = journal(&world).await;
        assert_eq!(events.len(), facts.len());
        for (event, fact) in events.iter().zip(&facts) {
            assert_eq!(event.pointer(id).unwrap(), &fact.log_id.to_string());
            let time = &event.pointer(content).unwrap()["xdm:timestamp"];
            let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
            assert_eq!(time.as_millisecond(), fact.at);
        }
    }
    let twice = mail.expected(EventIds::Logs).len();
    assert_eq!(twice, facts.len(), "told three times, expected once");
}

type Rows = BTreeMap<String, BTreeMap<String, String>>;

/// The rows of a file by id; no value holds a separator.
fn rows(bytes: &[u8], separator: char) -> Rows {
    let text = std::str::from_utf8(bytes).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.split(separator).map(|cell| cell.trim_matches('"').to_owned()).collect()
    };
    let mut lines = text.lines().map(cells);
    let names = lines.next().unwrap();
    let row = |cells: Vec<String>| -> BTreeMap<String, String> {
        assert_eq!(cells.len(), names.len());
        names.iter().cloned().zip(cells).collect()
    };
    lines.map(row).map(|row| (row["id"].clone(), row)).collect()
}

fn due(facts: &[MailFact], kinds: &[MailKind]) -> usize {
    facts.iter().filter(|fact| kinds.contains(&fact.kind)).count()
}

#[tokio::test]
async fn the_logs_tell_the_same_facts_and_a_row_that_fails_later_changes() {
    let sandbox = sandbox(120).await;
    let mail = sandbox.mail();
    let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
    let early: Vec<MailFact> = facts.iter().filter(|fact| !fact.late).cloned().collect();
    let late: Vec<MailFact> = facts.iter().filter(|fact| fact.late).cloned().collect();
    assert!(!late.is_empty());
    mail.export("1", &early, &LogForm::default());
    mail.export("2", &late, &LogForm::default());
    assert_eq!(
        sandbox.sftp().list("exports"),
        ["delivery_log_1.csv", "delivery_log_2.csv", "tracking_log_1.csv"]
    );
    let file = |name: &str| rows(&sandbox.sftp().read(&format!("exports/{name}")).unwrap(), ',');
    let (first, second) = (file("delivery_log_1.csv"), file("delivery_log_2.csv"));
    assert_eq!(first.len(), 120);
    for (id, row) in &second {
        assert_eq!((first[id]["status"].as_str(), row["status"].as_str()), ("Sent", "Failed"));
        assert_eq!(row["failureReason"], "User unknown");
    }
    let tracked = file("tracking_log_1.csv");
    assert_eq!(tracked.len(), due(&facts, &[MailKind::Open, MailKind::Click]));
    assert!(tracked.values().all(|row| (row["type"] == "Open") == row["urlSource"].is_empty()));
    assert_eq!(mail.expected(EventIds::Logs).len(), facts.len());
    mail.publish(&facts, EventIds::Logs);
    assert_eq!(mail.expected(EventIds::Logs).len(), facts.len(), "both sources tell the same");
}

#[tokio::test]
async fn a_row_exported_only_after_it_failed_tells_of_no_sending() {
    let sandbox = sandbox(120).await;
    let mail = sandbox.mail();
    let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
    mail.export("late", &facts, &LogForm::default());
    let late = facts.iter().filter(|fact| fact.late).count();
    assert_eq!(mail.expected(EventIds::Logs).len(), facts.len() - late);
}

#[tokio::test]
async fn logs_come_in_every_form_that_an_export_can_take() {
    let sandbox = sandbox(20).await;
    let mail = sandbox.mail();
    let facts = mail.send(&Mailing::default());
    let form = LogForm {
        separator: b'\t',
        quoted: false,
        crlf: true,
        bom: true,
        labels: false,
        dates: LogDates::DayFirst,
        shuffle: 3,
        gzip: true,
        latin: false,
    };
    mail.export("x", &facts, &form);
    let packed = sandbox.sftp().read("exports/delivery_log_x.csv.gz").unwrap();
    let mut text = String::new();
    let mut gzip = flate2::read::GzDecoder::new(packed.as_slice());
    std::io::Read::read_to_string(&mut gzip, &mut text).unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap();
    let header = text.split_once("\r\n").unwrap().0;
    assert!(!header.starts_with("id\t") && !text.contains('"'), "{header}");
    let log = rows(text.as_bytes(), '\t');
    assert!(log.values().all(|row| ["1", "2"].contains(&row["status"].as_str())));
    assert!(log.values().any(|row| row["proof"] == "1"));
    assert!(log.values().all(|row| row["eventDate"].as_bytes()[2] == b'/'));

    mail.export("y", &facts, &LogForm { latin: true, ..LogForm::default() });
    let latin = sandbox.sftp().read("exports/delivery_log_y.csv").unwrap();
    assert!(std::str::from_utf8(&latin).is_err());
    let (text, _, _) = encoding_rs::WINDOWS_1252.decode(&latin);
    assert!(text.contains("Grüße"));
}

#[tokio::test]
async fn rows_of_the_next_mailing_have_new_numbers() {
    let sandbox = sandbox(10).await;
    let mail = sandbox.mail();
    let first = mail.send(&Mailing::default());
    let second = mail.send(&Mailing { seed: 2, ..Mailing::default() });
    let last = first.iter().map(|fact| fact.log_id).max().unwrap();
    assert!(second.iter().all(|fact| fact.log_id > last));
}

#[tokio::test]
async fn differences_name_what_is_missing_wrong_twice_or_too_much() {
    let sandbox = sandbox(8).await;
    let (mail, dynamics) = (sandbox.mail(), sandbox.dynamics());
    let facts = mail.send(&Mailing { odd_ones: false, ..Mailing::default() });
    mail.publish(&facts, EventIds::Journal);
    let look = || mail.differences(EventIds::Journal, &MailKind::ALL, "new");
    assert_eq!(look().len(), facts.len());
    let mut made = Vec::new();
    for activity in mail.expected(EventIds::Journal) {
        let table = format!("new_campaignemail{}", activity.kind.name());
        let mut row = serde_json::json!({
            "subject": format!(
                "Campaign Name: {}; Delivery Name: {}", activity.campaign, activity.delivery
            ),
            "new_eventid": activity.id, "new_eventdate": activity.date,
            "new_campaignname": activity.campaign, "new_deliveryname": activity.delivery,
            "new_mirrorpageurl": activity.mirror_page, "new_trackingurl": activity.url,
        });
        row[format!("regardingobjectid_contact_{table}@odata.bind")] =
            format!("/contacts({})", activity.contact).into();
        made.push((dynamics.insert(&table, &row).unwrap(), table, row));
    }
    assert_eq!(look(), Vec::<String>::new());
    let (id, table, row) = &made[0];
    dynamics.update(table, *id, &serde_json::json!({"new_campaignname": "another"})).unwrap();
    assert!(look()[0].contains("new_campaignname of"), "{:?}", look());
    let twin = dynamics.insert(table, row).unwrap();
    assert!(look()[0].contains("is there 2 times"), "{:?}", look());
    dynamics.delete(table, twin);
    dynamics.update(table, *id, &serde_json::json!({"new_eventid": "another"})).unwrap();
    assert!(look()[0].contains("is missing") && look()[1].contains("another must not be there"));
    let rest: Vec<MailKind> =
        MailKind::ALL.into_iter().filter(|kind| !table.ends_with(kind.name())).collect();
    let left_out = mail.differences(EventIds::Journal, &rest, "new");
    assert_eq!(left_out.len(), dynamics.count(table), "none of a kind that is switched off");
}
