//! From the journal to the timeline: every event becomes one activity, whatever
//! is repeated, reordered, unknown or expired.

use cdsync::sandbox::{
    Envelope, EventIds, MailFact, MailKind, Mailing, Sandbox, SandboxOptions, System, Variants,
};
use serde_json::{Value, json};

use crate::rig::{Ended, Rig};

/// `[egress]` over the sandbox's journal.
pub(crate) fn egress(sandbox: &Sandbox, more: &str) -> String {
    format!(
        "[egress]\nschedule = \"*/1 * * * * *\"\nevents = [\"send\", \"open\", \"click\", \"bounce\"]\n{more}\n\
         [egress.journal]\nurl = \"{}\"\n",
        sandbox.journal().url()
    )
}

/// A rig that has no flow but `egress`.
pub(crate) async fn rig(contacts: usize, variants: Variants, more: &str) -> Rig {
    let rig = Rig::start(contacts, variants).await;
    only_egress(&rig, more);
    rig
}

pub(crate) fn only_egress(rig: &Rig, more: &str) {
    let text = rig.text("");
    let text = text.replace("[ingress]\nschedule = \"*/15 * * * * *\"\n", "");
    std::fs::write(rig.path("config.toml"), text + &egress(&rig.sandbox, more)).unwrap();
}

pub(crate) async fn sync(rig: &Rig) -> Ended {
    let ended = rig.run(&["sync", "egress", "--log-format", "json", "--patience", "20"]).await;
    ended.adds_up();
    ended
}

fn finished(ended: &Ended) -> Value {
    ended.events("flow.finished").pop().unwrap()
}

fn told(rig: &Rig, odd_ones: bool) -> Vec<MailFact> {
    let mail = rig.sandbox.mail();
    let facts = mail.send(&Mailing { odd_ones, ..Mailing::default() });
    mail.publish(&facts, EventIds::Journal);
    facts
}

#[track_caller]
fn assert_timeline(rig: &Rig, kinds: &[MailKind]) {
    let found = rig.sandbox.mail().differences(EventIds::Journal, kinds, "new");
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn every_event_becomes_one_activity_and_a_second_pass_makes_none() {
    let rig = rig(40, Variants { journal_batch: 7, ..Variants::default() }, "").await;
    let facts = told(&rig, false);
    let first = sync(&rig).await;
    first.expect(0);
    assert_timeline(&rig, &MailKind::ALL);
    let counts = finished(&first);
    assert_eq!(counts["flow"], "egress");
    assert_eq!(
        (counts["read"].as_u64(), counts["written"].as_u64()),
        (Some(facts.len() as u64), Some(facts.len() as u64))
    );
    assert!(counts["source_calls"].as_u64().unwrap() > 5, "{counts}");
    rig.sandbox.requests().clear();
    let second = sync(&rig).await;
    second.expect(0);
    assert_eq!(finished(&second)["read"], 0);
    let asked = rig.sandbox.requests().entries();
    let journal: Vec<_> = asked.iter().filter(|entry| entry.system == System::Journal).collect();
    assert_eq!(journal.len(), 1, "the stored link, answered with 204");
    assert!(journal[0].path.starts_with("/events-fast/"), "{}", journal[0].path);
}

#[tokio::test]
async fn repeated_and_reordered_events_are_known() {
    let variants = Variants {
        journal_batch: 10,
        journal_repeats: 3,
        journal_shuffle: 40,
        journal_links_joined: true,
        journal_envelope: Envelope::Pipeline,
        ..Variants::default()
    };
    let rig = rig(40, variants, "").await;
    let facts = told(&rig, false);
    let ended = sync(&rig).await;
    ended.expect(0);
    assert_timeline(&rig, &MailKind::ALL);
    let counts = finished(&ended);
    assert_eq!(counts["written"], facts.len());
    assert_eq!(counts["unchanged"], facts.len() / 3, "told twice in the journal");
}

#[tokio::test]
async fn kinds_that_are_off_proofs_and_soft_bounces_are_filtered_and_strange_events_kept() {
    let rig = rig(60, Variants::default(), "").await;
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    let text =
        text.replace("[\"send\", \"open\", \"click\", \"bounce\"]", "[\"click\", \"bounce\"]");
    std::fs::write(rig.path("config.toml"), text).unwrap();
    told(&rig, true);
    let ended = sync(&rig).await;
    ended.expect(1);
    assert_timeline(&rig, &[MailKind::Click, MailKind::Bounce]);
    assert_eq!(rig.sandbox.dynamics().count("new_campaignemailsend"), 0);
    let letters = rig.run(&["dead-letters", "list", "--json"]).await.json();
    let letters = letters.as_array().unwrap();
    assert!(!letters.is_empty());
    for letter in letters {
        assert_eq!((&letter["flow"], &letter["table"]), (&json!("egress"), &json!("journal")));
        assert!(letter["reason"].as_str().unwrap().contains("kinds"), "{letter}");
    }
    assert_eq!(ended.events("record.dead_lettered").len(), letters.len());
    let again = sync(&rig).await;
    again.expect(0);
    assert_eq!(
        finished(&again)["read"],
        finished(&ended)["pending"],
        "only who waits for a contact"
    );
}

#[tokio::test]
async fn an_expired_position_leaves_a_gap_that_is_told_and_the_rest_is_read() {
    let rig = rig(30, Variants { journal_batch: 5, ..Variants::default() }, "").await;
    let journal = rig.sandbox.journal();
    let facts = told(&rig, false);
    let (early, late) = facts.split_at(facts.len() / 2);
    journal.expire_oldest(journal.count());
    let mail = rig.sandbox.mail();
    mail.publish(early, EventIds::Journal);
    sync(&rig).await.expect(0);
    // What nobody read in time, and what is told after it.
    mail.publish(&early[..5], EventIds::Journal);
    journal.expire_oldest(journal.count());
    mail.publish(late, EventIds::Journal);
    let ended = sync(&rig).await;
    ended.expect(0);
    let expired = ended.events("cursor.expired").pop().unwrap();
    let time = |key: &str| expired[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time("from") <= time("to"), "{expired}");
    assert_eq!(expired["flow"], "egress");
    assert_timeline(&rig, &MailKind::ALL);
    assert_eq!(rig.number("SELECT count(*) FROM gap WHERE state = 'open'"), 1);
    let status = rig.run(&["status", "--json"]).await.json();
    assert_eq!(status["journal_gaps"].as_array().unwrap().len(), 1);
    assert_eq!(status["flows"]["egress"]["state"], "idle");
    assert!(sync(&rig).await.events("cursor.expired").is_empty(), "told once");
}

#[tokio::test]
async fn a_dead_letter_that_is_tried_again_is_recognised_by_the_rules_of_then() {
    let rig = rig(5, Variants::default(), "").await;
    let contact = rig.sandbox.dynamics().ids("contact")[0].to_string();
    let event = json!({ "eventid": "e-1", "type": "com.example.clicked.on",
        "data": { "who": contact, "when": "2026-03-01T12:00:00Z", "where": "https://shop/1" } });
    rig.sandbox.journal().add(&[event]);
    sync(&rig).await.expect(1);
    let letters = rig.run(&["dead-letters", "list", "--json"]).await.json();
    let letter = letters[0]["id"].to_string();
    only_egress(&rig, "");
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    let rules = "pointers = { contact = \"/data/who\", time = \"/data/when\", url = \"/data/where\" }\n\
                 kinds = { \"com.example.clicked.on\" = \"click\" }\n";
    std::fs::write(rig.path("config.toml"), text + rules).unwrap();
    rig.run(&["dead-letters", "retry", &letter]).await.expect(0);
    sync(&rig).await.expect(0);
    let rows = rig.sandbox.dynamics();
    let clicks = rows.ids("new_campaignemailclick");
    assert_eq!(clicks.len(), 1);
    let click = rows.get("new_campaignemailclick", clicks[0]).unwrap();
    assert_eq!(click["new_trackingurl"], "https://shop/1");
    let letters = rig.run(&["dead-letters", "list", "--json"]).await.json();
    assert_eq!(letters, json!([]));
}

#[tokio::test]
async fn a_dead_letter_of_a_source_that_nothing_reads_now_stays_one() {
    let rig = rig(5, Variants::default(), "").await;
    rig.sandbox.journal().add(&[json!({ "eventid": "e-1", "type": "com.example.strange" })]);
    sync(&rig).await.expect(1);
    crate::egress_files::configure(&rig, "source = \"sftp\"", "");
    rig.run(&["dead-letters", "retry"]).await.expect(0);
    sync(&rig).await.expect(1);
    let letters = rig.run(&["dead-letters", "list", "--json"]).await.json();
    assert_eq!(letters.as_array().unwrap().len(), 1);
    assert_eq!(letters[0]["table"], "journal");
    assert!(letters[0]["reason"].as_str().unwrap().contains("configure that source"), "{letters}");
    sync(&rig).await.expect(0);
    only_egress(&rig, "");
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    std::fs::write(
        rig.path("config.toml"),
        text + "kinds = { \"com.example.strange\" = \"ignore\" }\n",
    )
    .unwrap();
    rig.run(&["dead-letters", "retry"]).await.expect(0);
    assert_eq!(finished(sync(&rig).await.expect(0))["filtered"], 1);
}

#[tokio::test]
async fn a_wrong_journal_is_refused_with_its_reason_and_delivery_goes_on() {
    let rig = rig(5, Variants::default(), "").await;
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    let url = rig.sandbox.journal().url();
    std::fs::write(rig.path("config.toml"), text.replace(&url, &format!("{url}x"))).unwrap();
    let ended = sync(&rig).await;
    ended.expect(1);
    let stopped = ended.events("flow.stopped").pop().unwrap();
    assert!(stopped["reason"].as_str().unwrap().contains("journal: "), "{stopped}");
}

#[tokio::test]
async fn a_journal_that_is_another_one_begins_anew() {
    let one = rig(5, Variants::default(), "").await;
    told(&one, false);
    sync(&one).await.expect(0);
    let other =
        Sandbox::start(SandboxOptions { seed: 99, ..SandboxOptions::default() }).await.unwrap();
    assert_ne!(one.sandbox.journal().url(), other.journal().url());
    assert_eq!(one.number("SELECT count(*) FROM journal"), 1);
}
