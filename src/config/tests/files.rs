//! `[campaign.sftp]`, `[egress.sftp]` and the format of files.

use std::time::Duration;

use super::{BASE, problems};
use crate::config::{Config, load};
use crate::mapping::logs::{LogColumn, LogKind};
use crate::model::{Compression, DateForm, DatePart};

const SFTP: &str = "[campaign.sftp]\nhost = \"contoso.campaign.adobe.com\"\nuser = \"stage1\"\nprivate_key = { credential = \"key\" }\nknown_hosts = \"/etc/cdsync/known_hosts\"\n";

const EGRESS: &str =
    "[egress]\nsource = \"sftp\"\nevents = [\"send\", \"open\", \"click\", \"bounce\"]\n";

const LOGS: &str =
    "delivery_log = { pattern = \"d_*.csv\" }\ntracking_log = { pattern = \"t_*.csv\" }\n";

fn loaded(files: &str) -> Config {
    let text = format!("{BASE}{SFTP}{EGRESS}[egress.sftp]\ndirectory = \"exports\"\n{files}");
    load(&text).unwrap_or_else(|problems| panic!("{problems}"))
}

#[track_caller]
fn refused(files: &str) -> String {
    // Without the lines before, which only count lines.
    let text = format!("{BASE}{SFTP}{EGRESS}[egress.sftp]\n{files}");
    problems(&text)
}

#[test]
fn what_is_left_out_of_the_files_has_a_default() {
    let config = loaded(LOGS);
    let sftp = config.campaign.sftp.clone().unwrap();
    assert_eq!((sftp.host.as_str(), sftp.port), ("contoso.campaign.adobe.com", 22));
    assert_eq!(sftp.passphrase, None);
    let egress = config.egress.unwrap();
    assert!(egress.reads_files && egress.journal.is_none());
    let files = egress.files.unwrap();
    assert_eq!(files.directory, "exports");
    assert_eq!(files.settle, Duration::from_mins(1));
    assert_eq!(files.alarm, Some(Duration::from_hours(26)));
    assert!(!files.delete && files.marker.is_none());
    assert_eq!(files.format, crate::model::FileFormat::default());
    let [delivery, tracking] = files.logs.as_slice() else { panic!("two logs") };
    assert_eq!((delivery.kind, tracking.kind), (LogKind::Delivery, LogKind::Tracking));
    assert_eq!(delivery.words, [["Sent", "1"], ["Failed", "2"]]);
    assert_eq!(tracking.words, [["Open", "2"], ["Email click", "1"]]);
    assert!(tracking.columns.contains(&(LogColumn::Url, "urlSource".to_owned())));
    assert!(delivery.ignored.contains(&"Pending".to_owned()));
}

#[test]
fn every_key_of_the_files_means_what_it_says() {
    let config = loaded(
        "delivery_log = { pattern = \"log?.txt\", columns = { id = \"Log ID\", reason = \"Why\", proof = \"Test\", channel = \"Type\" }, sent = [\"Gesendet\"], bounced = [\"Fehler\", \"Pending\"], ignored = [\"Wartet\"] }\n\
         tracking_log = { pattern = \"t\", columns = { kind = \"art\", url = \"u\" } }\n\
         format = { separator = \"tab\", quote = \"none\", encoding = \"latin-1\", date_format = \"dd.mm.yyyy\", compression = \"gzip\", time_zone = \"Europe/Berlin\" }\n\
         after = \"delete\"\nsettle_seconds = 0\nmarker = \".done\"\nfile_alarm = \"2d\"\n",
    );
    let files = config.egress.unwrap().files.unwrap();
    assert!(files.delete && files.settle.is_zero());
    assert_eq!(files.marker.as_deref(), Some(".done"));
    assert_eq!(files.alarm, Some(Duration::from_hours(48)));
    assert_eq!((files.format.separator, files.format.quote), (b'\t', None));
    assert_eq!(files.format.encoding, encoding_rs::WINDOWS_1252);
    assert_eq!(files.format.compression, Compression::Gzip);
    assert_eq!(
        files.format.dates,
        DateForm::Numeric([DatePart::Day, DatePart::Month, DatePart::Year])
    );
    assert_eq!(files.format.time_zone.iana_name(), Some("Europe/Berlin"));
    let delivery = &files.logs[0];
    assert!(delivery.columns.contains(&(LogColumn::Id, "Log ID".to_owned())));
    assert!(delivery.columns.contains(&(LogColumn::Reason, "Why".to_owned())));
    assert!(delivery.columns.contains(&(LogColumn::Contact, "externalId".to_owned())));
    assert_eq!(delivery.words[1], ["Fehler", "Pending"]);
    assert!(!delivery.ignored.contains(&"Pending".to_owned()), "it has a meaning now");
    assert!(delivery.ignored.contains(&"Wartet".to_owned()));
}

#[test]
fn the_annotated_files_load_and_say_what_holds_without_them() {
    let text = crate::config::annotated(&crate::config::Example::default());
    let (_, files) = text.split_once("# [campaign.sftp]").unwrap();
    let (files, _) = files.split_once("\n\n").unwrap();
    let files =
        files.replace("\n# ", "\n").replace("[egress.sftp]", &format!("{EGRESS}[egress.sftp]"));
    let annotated = load(&format!("{BASE}[campaign.sftp]{files}\n"));
    let annotated = annotated.unwrap_or_else(|problems| panic!("{problems}"));
    let plain = loaded(LOGS);
    let shown = |config: Config| {
        let logs = config.egress.unwrap().files.unwrap();
        format!("{:?} {:?} {:?}", logs.format, logs.settle, logs.alarm)
    };
    assert_eq!(shown(annotated), shown(plain));
}

#[test]
fn the_formats_of_the_contract_are_all_known() {
    for (value, order) in [
        ("yyyymmdd", "YMD"),
        ("mmddyyyy", "MDY"),
        ("ddmmyyyy", "DMY"),
        ("mmyyyydd", "MYD"),
        ("ddyyyymm", "DYM"),
        ("yyyyddmm", "YDM"),
        ("yy/mm/dd", "YMD"),
    ] {
        let config = loaded(&format!("{LOGS}format = {{ date_format = \"{value}\" }}\n"));
        let DateForm::Numeric(parts) = config.egress.unwrap().files.unwrap().format.dates else {
            panic!("{value}")
        };
        let found: String = parts.iter().map(|part| format!("{part:?}").remove(0)).collect();
        assert_eq!(found, order, "{value}");
    }
}

#[test]
fn problems_of_the_server_are_told_with_their_remedy() {
    let text = |sftp: &str| problems(&format!("{BASE}[campaign.sftp]\n{sftp}"));
    insta::assert_snapshot!(text("port = 0\n"), @r##"
    13:1: campaign.sftp.host: `host` is missing (add `host = "contoso.campaign.adobe.com"`)
    13:1: campaign.sftp.known_hosts: `known_hosts` is missing (add `known_hosts = "/etc/cdsync/known_hosts"`)
    13:1: campaign.sftp.private_key: `private_key` is missing (add `private_key = { credential = "campaign-sftp-key" }`)
    13:1: campaign.sftp.user: `user` is missing (add `user = "contoso-mkt-stage1"`)
    14:8: campaign.sftp.port: this number is out of range (a whole number from 1 to 65535)
    "##);
    insta::assert_snapshot!(
        text("host = \"sftp://x/\"\nuser = \"a b\"\nprivate_key = \"hunter2\"\npassphrase = 5\nknown_hosts = \"\"\naccept_any = true\n"),
        @r##"
        14:8: campaign.sftp.host: this is not the name of a host (only the name, as in `contoso.campaign.adobe.com`; port and user have their own keys)
        15:8: campaign.sftp.user: this has spaces or control characters, or is too long (the user that Campaign's Control Panel shows)
        16:15: campaign.sftp.private_key: a secret may not stand in the file (write `private_key = { credential = "NAME" }` (a systemd credential), `{ env = "NAME" }` or `{ file = "PATH" }`)
        17:14: campaign.sftp.passphrase: a secret may not stand in the file (write `passphrase = { credential = "NAME" }` (a systemd credential), `{ env = "NAME" }` or `{ file = "PATH" }`)
        18:15: campaign.sftp.known_hosts: this is not the path of a file (a file in the form of OpenSSH, as in `/etc/cdsync/known_hosts`)
        19:1: campaign.sftp.accept_any: unknown key `accept_any` (known here: `host`, `port`, `user`, `private_key`, `passphrase`, `known_hosts`)
        "##
    );
}

#[test]
fn problems_of_the_files_are_told_with_their_remedy() {
    insta::assert_snapshot!(refused("after = \"move\"\n"), @r##"
    21:1: egress.sftp: neither `delivery_log` nor `tracking_log` is there (add `delivery_log = { pattern = "delivery_log_*.csv" }` for sends and bounces, `tracking_log = { pattern = "tracking_log_*.csv" }` for opens and clicks)
    21:1: egress.sftp.directory: `directory` is missing (add `directory = "exports"`)
    22:9: egress.sftp.after: `move` is not known here (one of `keep`, `delete`)
    "##);
    insta::assert_snapshot!(refused(&format!("directory = \"a\\nb\"\n{LOGS}marker = \"a/b\"\nfile_alarm = \"soon\"\nsettle_seconds = -1\n")), @r##"
    22:13: egress.sftp.directory: this is not a directory (as the server names it, such as `exports`; `.` is where the login leads)
    25:10: egress.sftp.marker: this is not the end of a file name (what the export puts behind the name of the file when it is complete, such as `.done`)
    26:14: egress.sftp.file_alarm: this is not a time span, or one that is too long (a time span of at most 90 days, such as `24h`, `90m` or `2d`)
    27:18: egress.sftp.settle_seconds: this number is out of range (a whole number from 0 to 86400)
    "##);
    insta::assert_snapshot!(refused("directory = \"e\"\ndelivery_log = { pattern = \"a/b\", columns = { url = \"x\", id = \"\" }, sent = [] }\n"), @r##"
    23:28: egress.sftp.delivery_log.pattern: a pattern is of file names: neither `/` nor control characters (such as `delivery_log_*.csv`; `*` is any text, `?` any one character)
    23:47: egress.sftp.delivery_log.columns.url: unknown key `url` (known here: `id`, `contact`, `time`, `status`, `campaign`, `delivery`, `mirror_page`, `reason`, `quarantine`, `proof`, `channel`)
    23:63: egress.sftp.delivery_log.columns.id: this is not the name of a column (the text in the first line of the file; upper and lower case are the same)
    23:76: egress.sftp.delivery_log.sent: this list names no word, or more than 100 (the texts that the file has for it, as in `sent = ["Sent", "1"]`, or remove the key)
    "##);
    insta::assert_snapshot!(refused("directory = \"e\"\ndelivery_log = { pattern = \"a\", sent = [\"1\"], bounced = [\"1\"] }\n"), @r##"23:16: egress.sftp.delivery_log: `1` stands in `sent` and in `bounced` (a word means one of the two; remove it from the other)"##);
    insta::assert_snapshot!(refused(&format!("directory = \"e\"\n{LOGS}format = {{ separator = \"ab\", quote = \"x\", encoding = \"klingon\", date_format = \"today\", compression = \"zip\", time_zone = \"Mars\" }}\n")), @r##"
    25:24: egress.sftp.format.separator: this is not a separator (one ASCII character that is neither letter nor digit, such as `,`, `;` or `|`, or `tab`)
    25:38: egress.sftp.format.quote: this is not a quote (`double` (`"`, the default), `single` (`'`) or `none`)
    25:54: egress.sftp.format.encoding: the encoding `klingon` is not known (such as `utf-8`, `windows-1252`, `latin-1`, `iso-8859-15` or `utf-16le`)
    25:79: egress.sftp.format.date_format: the date format `today` is not known (`xml` or the order of the digits: `yyyymmdd`, `mmddyyyy`, `ddmmyyyy`, `mmyyyydd`, `ddyyyymm` or `yyyyddmm`; separators, two-digit years and times are found by themselves)
    25:102: egress.sftp.format.compression: `zip` is not known here (did you mean `gzip`? one of `auto`, `none`, `gzip`)
    25:121: egress.sftp.format.time_zone: there is no time zone `Mars` (an IANA name, such as `Europe/Berlin` or `UTC`)
    "##);
    insta::assert_snapshot!(refused(&format!("directory = \"e\"\n{LOGS}format = {{ separator = \"'\", quote = \"single\" }}\n")), @r##"25:10: egress.sftp.format: `separator` and `quote` are the same character (change one of the two)"##);
}

#[test]
fn files_need_a_server_and_a_source_needs_its_files() {
    let files = format!("[egress.sftp]\ndirectory = \"exports\"\n{LOGS}");
    insta::assert_snapshot!(problems(&format!("{BASE}{EGRESS}{files}")), @r##"6:2: campaign: `[campaign.sftp]` is missing: `[egress.sftp]` reads files from it (add `[campaign.sftp]` with `host`, `user`, `private_key` and `known_hosts`, or remove `[egress.sftp]`)"##);
    insta::assert_snapshot!(problems(&format!("{BASE}{SFTP}{EGRESS}")), @r##"18:1: egress.sftp: `[egress.sftp]` is missing (add `[egress.sftp]`)"##);
    let journal = "[egress.journal]\nurl = \"https://events-va6.adobe.io/e\"\n";
    let filling = format!("{BASE}{SFTP}[egress]\nevents = [\"send\"]\n{journal}{files}");
    let egress = load(&filling).unwrap().egress.unwrap();
    assert!(!egress.reads_files && egress.files.is_some() && egress.journal.is_some());
}
