//! Files that are not complete, not whole or not files; servers that are not
//! the one; and crashes between taking a file and deleting it.

use std::io::Write as _;

use cdsync::sandbox::{LogForm, SftpFault};
use serde_json::json;

use crate::egress_files::{
    SYNC, TIME, assert_timeline, configure, delivery_log, finished, mailing, put, rig, sync,
};
use crate::rig::{self, Rig};

fn one_row(rig: &Rig, id: &str) -> String {
    let contact = rig.sandbox.dynamics().ids("contact")[0].to_string();
    delivery_log(&[(id, &contact, TIME, "Sent")])
}

fn sends(rig: &Rig) -> usize {
    rig.sandbox.dynamics().count("new_campaignemailsend")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_file_that_is_being_written_is_left_for_a_later_pass() {
    let rig = rig(2).await;
    put(&rig, "delivery_log_1.csv", &one_row(&rig, "1").as_bytes()[..40], 5);
    let young = sync(&rig).await;
    young.expect(0);
    assert_eq!(finished(&young)["read"], 0);
    assert_eq!(rig.sandbox.sftp().count("open"), 0, "not even looked into");
    put(&rig, "delivery_log_1.csv", one_row(&rig, "1").as_bytes(), -900);
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 0, "its time is in the future, and our clock saw it change just now");
    put(&rig, "delivery_log_1.csv", one_row(&rig, "1").as_bytes(), 90);
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 1);
}

#[tokio::test]
async fn a_file_that_grows_at_each_look_is_not_taken_until_it_is_whole() {
    let rig = rig(2).await;
    configure(&rig, "source = \"sftp\"", "settle_seconds = 0\n");
    let sftp = rig.sandbox.sftp();
    put(&rig, "delivery_log_1.csv", one_row(&rig, "1").as_bytes(), 600);
    sftp.set_faults(&[SftpFault::Growing { step: 5 }]);
    for _ in 0..3 {
        let ended = sync(&rig).await;
        assert_eq!(sends(&rig), 0, "{ended:#?}");
    }
    sftp.set_faults(&[]);
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 1);
}

#[tokio::test]
async fn a_file_without_its_marker_is_incomplete_however_old_it_is() {
    let rig = rig(2).await;
    configure(&rig, "source = \"sftp\"", "marker = \".done\"\nafter = \"delete\"\n");
    put(&rig, "delivery_log_1.csv", one_row(&rig, "1").as_bytes(), 600);
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 0);
    put(&rig, "delivery_log_1.csv.done", b"", 0);
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 1);
    assert!(rig.sandbox.sftp().list("exports").is_empty(), "both are deleted");
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused_whole_and_read_when_it_is_replaced() {
    let rig = rig(2).await;
    let whole = format!("{}2,{}", one_row(&rig, "1"), one_row(&rig, "2").lines().last().unwrap());
    put(&rig, "delivery_log_1.csv", format!("{}2,9", one_row(&rig, "1")).as_bytes(), 600);
    put(&rig, "delivery_log_2.csv", one_row(&rig, "3").as_bytes(), 600);
    let ended = sync(&rig).await;
    ended.expect(1);
    let refused = ended.events("file.refused");
    assert_eq!(refused.len(), 1, "{ended:#?}");
    assert_eq!(refused[0]["file"], "delivery_log_1.csv");
    insta::assert_snapshot!(refused[0]["reason"].as_str().unwrap(), @r##"line 3: the last row ends early: the file was cut off (is the server's disk full?); export it again"##);
    assert_eq!(sends(&rig), 1, "the other file was read");
    rig.sandbox.sftp().forget();
    let again = sync(&rig).await;
    again.expect(1);
    assert_eq!(again.events("file.refused").len(), 1, "told in each pass");
    assert_eq!(rig.sandbox.sftp().count("open"), 0, "but not read again");
    put(&rig, "delivery_log_1.csv", whole.replace("2,2,", "2,").as_bytes(), 500);
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 3);
}

#[tokio::test]
async fn files_that_cannot_be_read_are_refused_with_the_line_and_the_remedy() {
    let rig = rig(2).await;
    let row = one_row(&rig, "1");
    let long = format!("{row}{}", "x".repeat(2 << 20));
    for (name, content) in [
        ("encoding", row.replace("Sent", "S\u{e9}nt").chars().map(|c| c as u8).collect()),
        ("header", row.replace("externalId", "contactId").into_bytes()),
        ("twice", row.replace("eventDate", "ID").into_bytes()),
        ("empty", Vec::new()),
        ("zip", b"PK\x03\x04 and so on".to_vec()),
        ("long", long.into_bytes()),
        ("quote", row.replace("Sent", "\"Sent").into_bytes()),
        ("packed", gzip(row.as_bytes())[..30].to_vec()),
    ] {
        put(&rig, &format!("delivery_log_{name}.csv"), &content, 600);
    }
    put(&rig, "delivery_log_z.csv", row.as_bytes(), 600);
    let ended = sync(&rig).await;
    ended.expect(1);
    assert_eq!(sends(&rig), 1, "the one that is as it should be");
    let told = |event: &serde_json::Value| {
        let name = event["file"].as_str().unwrap().trim_start_matches("delivery_log_");
        format!("{name}: {}", event["reason"].as_str().unwrap())
    };
    let told: Vec<String> = ended.events("file.refused").iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"), @r##"
    empty.csv: the file is empty, without even a header; export it again
    encoding.csv: line 2: the bytes are not UTF-8; set `encoding` in its `format` to that of the export
    header.csv: line 1: the header has no column `externalId` (delivery_log.columns.contact); name the header's own in the configuration, or add the column to the export
    long.csv: line 3: a row of more than 1 MiB; are `separator` and `quote` of its `format` those of the export?
    packed.csv: the file is not whole gzip: it is damaged or was cut off; export it again
    quote.csv: line 2: a quote is opened and never closed: the file was cut off, or `quote` of its `format` is not that of the export; export it again
    twice.csv: line 1: columns 1 and 3 of the header have the same name; rename one in the export
    zip.csv: the file is packed as zip; only gzip is read: let the export write plain text or gzip
    "##);
    // Mended in the configuration, a file is tried again as it is.
    let logs = "delivery_log = { pattern = \"delivery_log_header.csv\", columns = { contact = \"contactId\" } }\n";
    crate::egress_files::configure_logs(&rig, "source = \"sftp\"", logs);
    let mended = sync(&rig).await;
    mended.expect(0);
    assert_eq!(finished(&mended)["unchanged"], 1, "the same row as in the good file");
}

#[tokio::test]
async fn a_file_that_comes_again_is_known_by_its_content() {
    let rig = rig(2).await;
    let row = one_row(&rig, "1");
    put(&rig, "delivery_log_1.csv", row.as_bytes(), 600);
    sync(&rig).await.expect(0);
    let sftp = rig.sandbox.sftp();
    // As the server's monitoring does when the disk is filling up.
    sftp.remove("exports/delivery_log_1.csv");
    put(&rig, "delivery_log_1.csv.gz", &gzip(row.as_bytes()), 600);
    put(&rig, "delivery_log_copy.csv", row.as_bytes(), 600);
    let ended = sync(&rig).await;
    ended.expect(0);
    assert_eq!(finished(&ended)["read"], 0);
    for taken in ended.events("file.taken") {
        assert!(taken["same_as"].as_str().is_some(), "{taken}");
    }
    put(&rig, "delivery_log_copy.csv", one_row(&rig, "2").as_bytes(), 500);
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 2, "a file that was replaced is read again");
}

#[tokio::test]
async fn a_crash_at_any_commit_loses_no_row_and_deletes_no_file_before_its_time() {
    let rig = rig(12).await;
    configure(&rig, "source = \"sftp\"", "after = \"delete\"\n");
    let facts = mailing(&rig, false);
    rig.sandbox.mail().export("1", &facts, &LogForm::default());
    let mut crashes = 0;
    for number in 1.. {
        let point = if number % 2 == 0 { "commit" } else { "committed" };
        let files = rig.sandbox.sftp().list("exports").len();
        let ended = rig.run_crashing(SYNC, &format!("{point}:{number}")).await;
        if !ended.crashed() {
            ended.expect(0);
            break;
        }
        crashes += 1;
        if rig.store().exists() {
            let done = rig.number("SELECT count(*) FROM file WHERE state = 'done'");
            let left = rig.sandbox.sftp().list("exports").len();
            assert!(files.max(2) - left <= usize::try_from(done).unwrap(), "deleted too early");
        }
    }
    assert!(crashes > 8, "{crashes}");
    sync(&rig).await.expect(0);
    assert_timeline(&rig);
    assert!(rig.sandbox.sftp().list("exports").is_empty());
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_file_is_made_again() {
    let rig = rig(30).await;
    let facts = mailing(&rig, false);
    rig.sandbox.mail().export("1", &facts, &LogForm::default());
    rig.sandbox.sftp().set_faults(&[SftpFault::DropAfter { bytes: 1000, times: 2 }]);
    sync(&rig).await.expect(0);
    assert_timeline(&rig);
    assert!(rig.sandbox.sftp().count("connect") >= 3);
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_never_used() {
    let rig = rig(2).await;
    let names =
        ["../../etc/delivery_log_1.csv", "delivery_log_\u{1b}[31m.csv", "delivery_log_\n.csv"];
    let names = names.map(str::to_owned).to_vec();
    rig.sandbox.sftp().set_faults(&[SftpFault::Names(names)]);
    put(&rig, "delivery_log_1.csv", one_row(&rig, "1").as_bytes(), 600);
    let ended = sync(&rig).await;
    ended.expect(0);
    assert_eq!(sends(&rig), 1);
    let told = ended.events("file.names_refused");
    assert_eq!(told[0]["files"], 3, "{ended:#?}");
    assert!(!ended.err.contains('\u{1b}'));
    let log = rig.sandbox.sftp().log();
    assert!(log.iter().all(|call| !call.path.contains("..")), "{log:?}");
}

#[tokio::test]
async fn a_listing_without_end_ends_in_an_error() {
    let rig = rig(2).await;
    rig.sandbox.sftp().set_faults(&[SftpFault::EndlessListing]);
    let ended = sync(&rig).await;
    ended.expect(1);
    insta::assert_snapshot!(reason(&rig, &ended), @r##"campaign: the SFTP server 127.0.0.1:PORT has more than 20000 files in `exports`; delete what was read (`after = "delete"`), or name another directory"##);
}

/// Why the flow stopped, without the server's port.
fn reason(rig: &Rig, ended: &rig::Ended) -> String {
    let stopped = ended.events("flow.stopped").pop().unwrap_or_else(|| panic!("{ended:#?}"));
    let port = rig.sandbox.sftp().address().port().to_string();
    let home = rig.path("").display().to_string();
    stopped["reason"].as_str().unwrap().replace(&port, "PORT").replace(&home, "HOME/")
}

#[tokio::test]
async fn a_server_that_is_not_the_known_one_is_told_nothing() {
    let rig = rig(2).await;
    let sftp = rig.sandbox.sftp();
    put(&rig, "delivery_log_1.csv", one_row(&rig, "1").as_bytes(), 600);
    sftp.set_faults(&[SftpFault::OtherHostKey]);
    let changed = sync(&rig).await;
    changed.expect(1);
    insta::assert_snapshot!(reason(&rig, &changed), @r##"campaign: the server [127.0.0.1]:PORT shows the key ssh-ed25519 SHA256:xQFqWPTq8KRHQaaZ1BwzdscafhFrETRU+fo4KkGWwK4, which is not the one in `HOME/known_hosts`, line 1: it may be another server; only if its key was changed on purpose, replace the line by what `ssh-keyscan -p PORT 127.0.0.1` prints"##);
    sftp.set_faults(&[]);
    std::fs::write(rig.path("known_hosts"), "elsewhere.example.com ssh-ed25519 AAAA\n").unwrap();
    let unknown = sync(&rig).await;
    unknown.expect(1);
    insta::assert_snapshot!(reason(&rig, &unknown), @r##"campaign: the server [127.0.0.1]:PORT is not in `HOME/known_hosts`; it shows the key ssh-ed25519 SHA256:AgD5DL/GYuEJubYBqXOwKZK1nJfMXz8UHtj5yceaUto: compare that with the server's, then add the line that `ssh-keyscan -p PORT 127.0.0.1` prints"##);
    let revoked = format!("@revoked {}", sftp.known_hosts());
    std::fs::write(rig.path("known_hosts"), revoked + &sftp.known_hosts()).unwrap();
    let refused = sync(&rig).await;
    refused.expect(1);
    insta::assert_snapshot!(reason(&rig, &refused), @r##"campaign: the server [127.0.0.1]:PORT shows a key that `HOME/known_hosts`, line 1, revokes; nothing is sent to it"##);
    assert_eq!((sftp.count("connect"), sftp.count("refused")), (0, 0), "nobody logged in");
    std::fs::write(rig.path("known_hosts"), sftp.known_hosts()).unwrap();
    sync(&rig).await.expect(0);
    assert_eq!(sends(&rig), 1);
}

#[tokio::test]
async fn a_key_that_the_server_refuses_ends_with_3_and_one_that_is_none_says_so() {
    let rig = rig(2).await;
    rig.sandbox.sftp().set_faults(&[SftpFault::Refused]);
    let refused = sync(&rig).await;
    refused.expect(3);
    insta::assert_snapshot!(reason(&rig, &refused), @r##"campaign: the SFTP server 127.0.0.1:PORT refuses the user `contoso-mkt-stage1` with the key of campaign.sftp.private_key; check in Campaign's Control Panel that its public key is there, that it and the password have not expired, and that this machine's address is allowed"##);
    rig::private(&rig.path("sftp-key"), "not a key\n");
    let none = sync(&rig).await;
    none.expect(1);
    insta::assert_snapshot!(reason(&rig, &none), @r##"campaign: campaign.sftp.private_key: this is not a private key in OpenSSH's form or PEM; make one with `ssh-keygen -t rsa -b 2048` and enter its public half in Campaign's Control Panel"##);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_ends_with_4_when_patience_does() {
    let rig = rig(2).await;
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    let port = format!("port = {}", rig.sandbox.sftp().address().port());
    std::fs::write(rig.path("config.toml"), text.replace(&port, "port = 9")).unwrap();
    let ended = rig.run(&["sync", "egress", "--log-format", "json", "--patience", "2"]).await;
    ended.expect(4);
    let gave_up = ended.events("sync.gave_up").pop().unwrap();
    insta::assert_snapshot!(gave_up["reason"].as_str().unwrap(), @r##"campaign: the SFTP server 127.0.0.1:9 cannot be reached: nobody listens there; check host, port and the server's list of allowed addresses"##);
    assert_eq!(ended.events("remote.unreachable")[0]["system"], json!("sftp"));
}

#[tokio::test]
async fn a_file_that_may_not_be_deleted_is_told_and_not_read_again() {
    let rig = rig(2).await;
    configure(&rig, "source = \"sftp\"", "after = \"delete\"\n");
    rig.sandbox.sftp().set_faults(&[SftpFault::ReadOnly]);
    put(&rig, "delivery_log_1.csv", one_row(&rig, "1").as_bytes(), 600);
    let ended = sync(&rig).await;
    ended.expect(0);
    assert_eq!(ended.events("file.kept").len(), 1, "{ended:#?}");
    rig.sandbox.sftp().forget();
    sync(&rig).await.expect(0);
    assert_eq!(rig.sandbox.sftp().count("open"), 0);
    rig.sandbox.sftp().set_faults(&[]);
    sync(&rig).await.expect(0);
    assert!(rig.sandbox.sftp().list("exports").is_empty());
}
