//! From log files to the timeline: every row becomes one activity, whatever the
//! form of the file, and however often it is told.

use cdsync::sandbox::{EventIds, LogDates, LogForm, MailFact, MailKind, Mailing, Variants};
use serde_json::{Value, json};

use crate::rig::{self, Ended, Rig};

/// Both logs, with the columns of the sandbox's exports.
pub(crate) const LOGS: &str = r#"delivery_log = { pattern = "delivery_log_*.csv", columns = { reason = "failureReason", proof = "proof", channel = "deliveryType" } }
tracking_log = { pattern = "tracking_log_*.csv", columns = { proof = "proof" } }
"#;

/// A rig that reads nothing but files.
pub(crate) async fn rig(contacts: usize) -> Rig {
    let rig = Rig::start(contacts, Variants::default()).await;
    configure(&rig, "source = \"sftp\"", "");
    rig
}

/// The configuration with more of `[egress]` and of `[egress.sftp]`.
pub(crate) fn configure(rig: &Rig, egress: &str, files: &str) {
    configure_logs(rig, egress, &format!("{LOGS}{files}"));
}

/// The configuration with all of `[egress.sftp]` but the directory.
pub(crate) fn configure_logs(rig: &Rig, egress: &str, files: &str) {
    let sftp = rig.sandbox.sftp();
    rig::private(&rig.path("sftp-key"), &sftp.client_key());
    std::fs::write(rig.path("known_hosts"), sftp.known_hosts()).unwrap();
    let text = rig.text("").replace("[ingress]\nschedule = \"*/15 * * * * *\"\n", "");
    let (address, user) = (sftp.address(), sftp.user());
    let text = format!(
        "{text}\n[campaign.sftp]\nhost = \"{}\"\nport = {}\nuser = \"{user}\"\nprivate_key = {{ file = \"{}\" }}\nknown_hosts = \"{}\"\n\n\
         [egress]\nschedule = \"*/1 * * * * *\"\nevents = [\"send\", \"open\", \"click\", \"bounce\"]\n{egress}\n\n\
         [egress.sftp]\ndirectory = \"exports\"\n{files}\n",
        address.ip(),
        address.port(),
        rig.path("sftp-key").display(),
        rig.path("known_hosts").display(),
    );
    std::fs::write(rig.path("config.toml"), text).unwrap();
}

pub(crate) const SYNC: &[&str] = &["sync", "egress", "--log-format", "json", "--patience", "20"];

pub(crate) async fn sync(rig: &Rig) -> Ended {
    let ended = rig.run(SYNC).await;
    ended.adds_up();
    ended
}

pub(crate) fn finished(ended: &Ended) -> Value {
    ended.events("flow.finished").pop().unwrap()
}

pub(crate) fn mailing(rig: &Rig, odd_ones: bool) -> Vec<MailFact> {
    rig.sandbox.mail().send(&Mailing { odd_ones, ..Mailing::default() })
}

#[track_caller]
pub(crate) fn assert_timeline(rig: &Rig) {
    let found = rig.sandbox.mail().differences(EventIds::Logs, &MailKind::ALL, "new");
    assert!(found.is_empty(), "{found:#?}");
}

/// A delivery log of rows `id,contact,time,status`.
pub(crate) fn delivery_log(rows: &[(&str, &str, &str, &str)]) -> String {
    let mut text = "id,externalId,eventDate,status\n".to_owned();
    for (id, contact, time, status) in rows {
        text.push_str(&format!("{id},{contact},{time},{status}\n"));
    }
    text
}

pub(crate) const TIME: &str = "2026-03-01T12:00:00Z";

/// Puts a file into `exports` that was changed so many seconds ago.
pub(crate) fn put(rig: &Rig, name: &str, content: &[u8], seconds_ago: i64) {
    #[expect(clippy::disallowed_methods, reason = "the file is old by the machine's clock")]
    let now = jiff::Timestamp::now();
    let at = now - jiff::SignedDuration::from_secs(seconds_ago);
    rig.sandbox.sftp().put_at(&format!("exports/{name}"), content, at);
}

#[tokio::test]
async fn every_row_becomes_one_activity_and_a_second_pass_opens_no_file() {
    let rig = rig(40).await;
    let facts = mailing(&rig, false);
    rig.sandbox.mail().export("1", &facts, &LogForm::default());
    let first = sync(&rig).await;
    first.expect(0);
    assert_timeline(&rig);
    assert!(finished(&first)["written"].as_u64().unwrap() > 40);
    let mut files: Vec<Value> = first.events("file.taken");
    files.sort_by_key(|event| event["file"].to_string());
    assert_eq!(
        files.iter().map(|event| &event["file"]).collect::<Vec<_>>(),
        ["delivery_log_1.csv", "tracking_log_1.csv"]
    );
    assert_eq!(files[0]["rows"], 40);
    rig.sandbox.sftp().forget();
    let second = sync(&rig).await;
    second.expect(0);
    assert_eq!(finished(&second)["read"], 0);
    assert_eq!(rig.sandbox.sftp().count("open"), 0);
    assert_eq!(rig.sandbox.sftp().list("exports").len(), 2, "kept, unless told otherwise");
}

#[tokio::test]
async fn a_dry_run_takes_no_file_and_deletes_none() {
    let rig = rig(8).await;
    configure(&rig, "source = \"sftp\"", "after = \"delete\"\n");
    let facts = mailing(&rig, false);
    rig.sandbox.mail().export("1", &facts, &LogForm::default());
    let planned = rig.run(&["plan", "egress", "--log-format", "json"]).await;
    assert!(planned.expect(0).out.contains("create"), "{planned:#?}");
    assert!(planned.events("file.taken").is_empty(), "{planned:#?}");
    assert_eq!(rig.sandbox.sftp().list("exports").len(), 2);
    let taken = sync(&rig).await;
    assert_eq!(taken.expect(0).events("file.taken").len(), 2);
    assert_timeline(&rig);
    assert!(rig.sandbox.sftp().list("exports").is_empty());
}

#[tokio::test]
async fn every_form_of_an_export_is_read() {
    let rig = rig(30).await;
    let plain = LogForm::default();
    let forms = [
        (
            "dense",
            r#"separator = "tab", quote = "none", encoding = "latin-1", date_format = "yyyymmdd""#,
            LogForm {
                separator: b'\t',
                quoted: false,
                crlf: true,
                latin: true,
                labels: false,
                dates: LogDates::YearFirst,
                ..plain.clone()
            },
        ),
        (
            "packed",
            r#"separator = ";", date_format = "dd/mm/yyyy""#,
            LogForm {
                separator: b';',
                bom: true,
                dates: LogDates::DayFirst,
                shuffle: 5,
                gzip: true,
                ..plain.clone()
            },
        ),
        ("marked", "", LogForm { bom: true, crlf: true, shuffle: 9, ..plain }),
    ];
    for (name, format, form) in forms {
        // What was read before stays read, whatever the format is now.
        let files = format!("format = {{ {format} }}\n");
        configure(&rig, "source = \"sftp\"", &files);
        let facts = mailing(&rig, false);
        rig.sandbox.mail().export(name, &facts, &form);
        sync(&rig).await.expect(0);
        assert_timeline(&rig);
    }
}

#[tokio::test]
async fn a_row_that_was_sent_and_fails_later_is_a_send_and_a_bounce() {
    let rig = rig(3).await;
    let contact = rig.sandbox.dynamics().ids("contact")[0].to_string();
    let row = |status| delivery_log(&[("7", &contact, TIME, status)]);
    for (name, status) in [("1", "Pending"), ("2", "Sent"), ("3", "Sent"), ("4", "Failed")] {
        // Rows at the border of an incremental export come twice.
        put(&rig, &format!("delivery_log_{name}.csv"), row(status).as_bytes(), 600);
    }
    let ended = sync(&rig).await;
    ended.expect(0);
    let counts = finished(&ended);
    assert_eq!((&counts["written"], &counts["filtered"]), (&json!(2), &json!(1)), "{counts}");
    assert_eq!(rig.sandbox.dynamics().count("new_campaignemailsend"), 1);
    assert_eq!(rig.sandbox.dynamics().count("new_campaignemailbounce"), 1);
}

#[tokio::test]
async fn proofs_soft_bounces_and_other_channels_make_no_activity() {
    let rig = rig(3).await;
    let contact = rig.sandbox.dynamics().ids("contact")[0].to_string();
    let row = |id: u8, status: &str, reason: &str, kind: &str, proof: &str| {
        format!("{id},{contact},{TIME},{status},{reason},{kind},{proof}\n")
    };
    let text = [
        "id,externalId,eventDate,status,failureReason,deliveryType,proof\n".to_owned(),
        row(1, "Failed", "Mailbox full", "Email", "0"),
        row(2, "Failed", "User unknown", "Email", "0"),
        row(3, "Sent", "", "Mobile (SMS)", "0"),
        row(4, "Sent", "", "Email", "true"),
        row(5, "Failed", "Unreachable", "Email", "0"),
    ]
    .concat();
    put(&rig, "delivery_log_1.csv", text.as_bytes(), 600);
    let counts = finished(sync(&rig).await.expect(0));
    assert_eq!((&counts["written"], &counts["filtered"]), (&json!(1), &json!(4)), "{counts}");
    assert_eq!(rig.sandbox.dynamics().count("new_campaignemailbounce"), 1);
}

#[tokio::test]
async fn a_bad_row_is_a_dead_letter_and_the_others_go_on() {
    let rig = rig(3).await;
    let contact = rig.sandbox.dynamics().ids("contact")[0].to_string();
    let mut text = delivery_log(&[
        ("1", &contact, "yesterday", "Sent"),
        ("2", &contact, TIME, "Gesendet"),
        ("", &contact, TIME, "Sent"),
        ("4", "", TIME, "Sent"),
    ]);
    text.push_str("5,too,many,values,here\n6\n");
    text.push_str(&format!("7,{contact},{TIME},Sent\n"));
    put(&rig, "delivery_log_1.csv", text.as_bytes(), 600);
    let ended = sync(&rig).await;
    ended.expect(1);
    let counts = finished(&ended);
    assert_eq!((&counts["written"], &counts["dead_lettered"]), (&json!(1), &json!(6)), "{counts}");
    let letters = rig.run(&["dead-letters", "list", "--json"]).await.json();
    let mut reasons: Vec<&str> =
        letters.as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    insta::assert_snapshot!(reasons.join("\n"), @r##"
    the column `eventDate` (time) is not a time of the form that `date_format` names
    the column `externalId` (contact) is empty
    the column `id` (id) is empty
    the column `status` (status) holds a word that the configuration gives no meaning; add it to the words of an event or to `ignored`
    the row has 1 values, the header has 4 columns
    the row has 5 values, the header has 4 columns
    "##);
    assert_eq!(letters[0]["table"], "delivery_log");
    assert!(!ended.err.contains("yesterday") && !ended.err.contains("Gesendet"));
    // The same rows in another file are no new letters, and mending the rules
    // lets a person try again.
    put(&rig, "delivery_log_2.csv", format!("{text}8,{contact},{TIME},Sent\n").as_bytes(), 600);
    let again = finished(sync(&rig).await.expect(0));
    assert_eq!((&again["dead_lettered"], &again["written"]), (&json!(0), &json!(1)), "{again}");
    configure_logs(
        &rig,
        "source = \"sftp\"",
        "delivery_log = { pattern = \"delivery_log_*.csv\", sent = [\"Sent\", \"gesendet\"] }\n",
    );
    let mut retry = vec!["dead-letters".to_owned(), "retry".to_owned()];
    retry.extend(letters.as_array().unwrap().iter().map(|letter| letter["id"].to_string()));
    let retry: Vec<&str> = retry.iter().map(String::as_str).collect();
    rig.run(&retry).await.expect(0);
    let retried = finished(sync(&rig).await.expect(1));
    assert_eq!(
        (&retried["written"], &retried["dead_lettered"]),
        (&json!(1), &json!(5)),
        "{retried}"
    );
}

#[tokio::test]
async fn a_row_that_both_sources_tell_becomes_one_activity() {
    let rig = rig(30).await;
    let journal = format!(
        "source = [\"journal\", \"sftp\"]\n[egress.journal]\nurl = \"{}\"\npointers = {{ id = \"/id\" }}",
        rig.sandbox.journal().url()
    );
    configure(&rig, &journal, "");
    let facts = mailing(&rig, false);
    let mail = rig.sandbox.mail();
    mail.publish(&facts, EventIds::Logs);
    sync(&rig).await.expect(0);
    // A log says of a row that failed only that.
    mail.export("1", &facts, &LogForm::default());
    let ended = sync(&rig).await;
    ended.expect(0);
    assert_timeline(&rig);
    let counts = finished(&ended);
    assert_eq!(counts["written"], 0, "{counts}");
    assert!(counts["unchanged"].as_u64().unwrap() > 30, "{counts}");
}

#[tokio::test]
async fn an_event_told_late_after_a_gap_hides_nothing_that_was_lost() {
    let rig = rig(30).await;
    let url = rig.sandbox.journal().url();
    let journal = format!(
        "source = \"journal\"\n[egress.journal]\nurl = \"{url}\"\npointers = {{ id = \"/id\" }}"
    );
    configure(&rig, &journal, "");
    let (mail, journal) = (rig.sandbox.mail(), rig.sandbox.journal());
    let mut facts = mailing(&rig, false);
    facts.sort_by_key(|fact| fact.at);
    let (early, rest) = facts.split_at(facts.len() / 3);
    let (lost, newest) = rest.split_at(rest.len() / 2);
    // What happened first is told last, after what is lost.
    let (late, early) = early.split_at(3);
    mail.publish(early, EventIds::Logs);
    sync(&rig).await.expect(0);
    mail.publish(lost, EventIds::Logs);
    journal.expire_oldest(journal.count());
    mail.publish(late, EventIds::Logs);
    mail.publish(newest, EventIds::Logs);
    assert_eq!(sync(&rig).await.expect(0).events("cursor.expired").len(), 1);
    let sent: Vec<MailFact> =
        facts.iter().filter(|fact| fact.kind == MailKind::Send).cloned().collect();
    mail.export("before", &sent, &LogForm::default());
    mail.export("after", &facts, &LogForm::default());
    let ended = sync(&rig).await;
    assert_eq!(ended.expect(0).events("gap.filled").len(), 1, "{ended:#?}");
    assert_timeline(&rig);
}

#[tokio::test]
async fn a_gap_is_filled_without_the_log_of_kinds_that_are_off() {
    let rig = rig(10).await;
    let url = rig.sandbox.journal().url();
    let journal = format!(
        "source = \"journal\"\n[egress.journal]\nurl = \"{url}\"\npointers = {{ id = \"/id\" }}"
    );
    configure(&rig, &journal, "");
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    let all = "events = [\"send\", \"open\", \"click\", \"bounce\"]";
    std::fs::write(rig.path("config.toml"), text.replace(all, "events = [\"send\"]")).unwrap();
    let (mail, journal) = (rig.sandbox.mail(), rig.sandbox.journal());
    let facts = mailing(&rig, false);
    let sent: Vec<MailFact> =
        facts.iter().filter(|fact| fact.kind == MailKind::Send).cloned().collect();
    let (early, rest) = sent.split_at(2);
    let (lost, late) = rest.split_at(rest.len() / 2);
    mail.publish(early, EventIds::Logs);
    sync(&rig).await.expect(0);
    mail.publish(lost, EventIds::Logs);
    journal.expire_oldest(journal.count());
    mail.publish(late, EventIds::Logs);
    sync(&rig).await.expect(0);
    mail.export("1", &sent, &LogForm::default());
    let ended = sync(&rig).await;
    assert_eq!(ended.expect(0).events("gap.filled").len(), 1, "{ended:#?}");
    assert_eq!(rig.sandbox.dynamics().count("new_campaignemailsend"), sent.len());
}

#[tokio::test]
async fn what_the_journal_lost_is_taken_from_the_files_and_nothing_else() {
    let rig = rig(30).await;
    let url = rig.sandbox.journal().url();
    let journal = format!(
        "source = \"journal\"\n[egress.journal]\nurl = \"{url}\"\npointers = {{ id = \"/id\" }}"
    );
    configure(&rig, &journal, "after = \"delete\"\n");
    let (mail, journal) = (rig.sandbox.mail(), rig.sandbox.journal());
    let facts = mailing(&rig, false);
    let (early, rest) = facts.split_at(facts.len() / 3);
    let (lost, late) = rest.split_at(rest.len() / 2);
    mail.publish(early, EventIds::Logs);
    sync(&rig).await.expect(0);
    assert_eq!(rig.sandbox.sftp().log().len(), 0, "no gap, no file");
    mail.publish(lost, EventIds::Logs);
    journal.expire_oldest(journal.count());
    mail.publish(late, EventIds::Logs);
    let told = sync(&rig).await;
    told.expect(0);
    assert_eq!(told.events("cursor.expired").len(), 1);
    assert!(told.events("gap.filled").is_empty(), "no file holds the end of the gap yet");
    assert_eq!(rig.number("SELECT count(*) FROM gap WHERE state = 'open'"), 1);
    // Of rows that failed since, only an earlier export says that they were sent.
    let sent: Vec<MailFact> =
        facts.iter().filter(|fact| fact.kind == MailKind::Send).cloned().collect();
    mail.export("before", &sent, &LogForm::default());
    mail.export("after", &facts, &LogForm::default());
    let ended = sync(&rig).await;
    ended.expect(0);
    assert_eq!(ended.events("gap.filled").len(), 1, "{ended:#?}");
    assert_eq!(rig.number("SELECT count(*) FROM gap WHERE state = 'open'"), 0);
    assert_timeline(&rig);
    let counts = finished(&ended);
    assert!(counts["written"].as_u64().unwrap() <= lost.len() as u64, "{counts}");
    assert_eq!(rig.sandbox.sftp().list("exports").len(), 3, "only read");
}
