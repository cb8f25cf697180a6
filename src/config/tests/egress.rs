//! `[egress]`: what loads, and every problem with its place and hint.

use std::time::Duration;

use super::{BASE, problems};
use crate::config::{Config, load};
use crate::mapping::events::{KindWord, UnsureBounces};
use crate::model::EventKind;

const JOURNAL: &str = "[egress.journal]\nurl = \"https://events-va6.adobe.io/events/organizations/1/integrations/2/3\"\n";

fn loaded(section: &str) -> Config {
    load(&format!("{BASE}{section}")).unwrap()
}

#[test]
fn what_is_left_out_has_a_default() {
    let config = loaded(&format!("[egress]\nevents = [\"bounce\", \"send\"]\n{JOURNAL}"));
    let egress = config.egress.unwrap();
    assert_eq!(Vec::from_iter(egress.events), [EventKind::Send, EventKind::Bounce]);
    assert_eq!((egress.prefix.as_str(), egress.batch), ("new", 200));
    assert_eq!(egress.contact_wait, Duration::from_hours(24));
    assert!(!egress.complete_activities && egress.schedule.is_none());
    let tables: Vec<&str> = egress.tables.values().map(crate::model::TableName::as_str).collect();
    let usual = ["send", "open", "click", "bounce"].map(|kind| format!("new_campaignemail{kind}"));
    assert_eq!(tables, usual);
    let journal = egress.journal.unwrap();
    assert!(journal.url.0.as_str().ends_with("/1/integrations/2/3"));
    assert_eq!(journal.recognition.unsure_bounces, UnsureBounces::Quarantined);
    assert_eq!(journal.recognition.events.len(), 2, "the kinds that are switched on");
}

#[test]
fn every_key_means_what_it_says() {
    let config = loaded(&format!(
        "[egress]\nschedule = \"*/30 * * * * *\"\ntime_zone = \"Europe/Berlin\"\nsource = [\"journal\"]\n\
         events = [\"click\"]\nprefix = \"contoso\"\ntables = {{ click = \"x_click\" }}\n\
         complete_activities = true\ncontact_wait = \"2d 12h\"\nname_space = \"contoso-prod\"\nbatch = 50\n\
         unsure_bounces = \"hard\"\n{JOURNAL}\
         pointers = {{ id = \"/id\", url = \"/a~1b/0\" }}\nkinds = {{ \"a.click\" = \"click\", other = \"ignore\" }}\n"
    ));
    let egress = config.egress.unwrap();
    assert_eq!(egress.tables[&EventKind::Click].as_str(), "x_click");
    assert_eq!(egress.tables[&EventKind::Open].as_str(), "contoso_campaignemailopen");
    assert_eq!(egress.contact_wait, Duration::from_hours(60));
    assert_eq!((egress.name_space.as_str(), egress.batch), ("contoso-prod", 50));
    assert_eq!(egress.schedule.unwrap().to_string(), "*/30 * * * * *");
    let recognition = egress.journal.unwrap().recognition;
    assert_eq!(recognition.pointers.url.unwrap().as_str(), "/a~1b/0");
    assert_eq!(recognition.kinds["a.click"], KindWord::Kind(EventKind::Click));
    assert_eq!(recognition.kinds["other"], KindWord::Ignore);
    assert_eq!(recognition.unsure_bounces, UnsureBounces::Hard);
}

#[test]
fn no_kind_of_event_switches_the_flow_off() {
    for section in ["", "[egress]\n", "[egress]\nevents = []\n", &format!("[egress]\n{JOURNAL}")] {
        assert!(loaded(section).egress.is_none(), "{section}");
    }
}

#[test]
fn every_problem_of_egress_is_placed() {
    let found = |section: &str| problems(&format!("{BASE}{section}"));
    insta::assert_snapshot!(found("[egress]\nevents = [\"send\"]\n"), @r##"13:1: egress.journal: `journal` is missing (add `journal = { url = "https://events-va6.adobe.io/events/organizations/…/integrations/…/…" }`)"##);
    insta::assert_snapshot!(found(
        "[egress]\nevents = [\"sent\", \"open\", \"open\", 5]\nsource = \"journals\"\nprefix = \"new_\"\n\
         contact_wait = \"1y\"\nname_space = \"a b\"\nbatch = 0\nunsure_bounces = \"never\"\ncomplete = true\n\
         tables = { send = \"a-b\", sends = \"x\" }\n[egress.journal]\nurl = \"http://events-va6.adobe.io/e\"\n\
         pointers = { id = \"id\", time = \"/a~2\", contacts = \"/x\", url = 5 }\nkinds = { a = \"sends\" }\n"
    ), @r##"
    14:11: egress.events[0]: `sent` is not known here (did you mean `send`? one of `send`, `open`, `click`, `bounce`)
    14:27: egress.events[2]: this is listed twice (remove one of the two)
    14:35: egress.events[3]: this is an integer, it must be a string (write it in double quotes)
    15:10: egress.source: `journals` is not known here (did you mean `journal`? one of `journal`, `sftp`)
    16:10: egress.prefix: this is not a customization prefix (2 to 8 lower-case letters and digits without `_`, as the solution's publisher has it, such as `new`)
    17:16: egress.contact_wait: this is not a time span, or one that is too long (a time span of at most 90 days, such as `24h`, `90m` or `2d`)
    18:14: egress.name_space: this is not a name space (at most 64 letters, digits, `-`, `_` and `.`, such as `contoso-mkt-prod`; never change it later: events that are told again would be made twice)
    19:9: egress.batch: this number is out of range (a whole number from 1 to 1000)
    20:18: egress.unsure_bounces: `never` is not known here (one of `quarantined`, `hard`, `soft`)
    21:1: egress.complete: unknown key `complete` (known here: `schedule`, `time_zone`, `source`, `events`, `prefix`, `tables`, `complete_activities`, `contact_wait`, `name_space`, `batch`, `unsure_bounces`, `journal`, `sftp`)
    22:19: egress.tables.send: `a-b` is not a name: a letter or underscore, then at most 127 letters, digits or underscores (the table's logical name, such as `new_campaignemailsend`)
    22:26: egress.tables.sends: unknown key `sends` (did you mean `send`?)
    24:7: egress.journal.url: `http://` is refused for an address that is not loopback: tokens and personal data would travel in clear (write `https://`)
    25:19: egress.journal.pointers.id: this is not a JSON pointer (begin with `/` and name each step, as in `/data/contact`; `~` is written `~0` and `/` within a name `~1`)
    25:32: egress.journal.pointers.time: this is not a JSON pointer (begin with `/` and name each step, as in `/data/contact`; `~` is written `~0` and `/` within a name `~1`)
    25:40: egress.journal.pointers.contacts: unknown key `contacts` (did you mean `contact`?)
    25:63: egress.journal.pointers.url: this is an integer, it must be a string (write it in double quotes)
    26:15: egress.journal.kinds.a: `sends` is not known here (did you mean `send`? one of `send`, `open`, `click`, `bounce`, `ignore`)
    "##);
    insta::assert_snapshot!(found(
        "[egress]\nsource = []\nevents = 5\n[egress.journal]\nkinds = {}\n"
    ), @r##"
    14:10: egress.source: no source is listed (write `source = "journal"`, or remove the key)
    15:10: egress.events: this is an integer, it must be an array (write it in brackets: `[ … ]`)
    16:1: egress.journal.url: `url` is missing (add `url = "https://events-va6.adobe.io/events/organizations/…/integrations/…/…"`)
    17:9: egress.journal.kinds: `kinds` names no kind, or more than 200 (write `kinds = { "the event's own word" = "send" }` with one of `send`, `open`, `click`, `bounce`, `ignore`, or remove the key)
    "##);
    insta::assert_snapshot!(found(
        "[egress]\nsource = 5\nevents = [\"send\"]\n[egress.journal]\nurl = \"https://a/b?since=1\"\n"
    ), @r##"
    14:10: egress.source: this is neither a source nor a list of them (write `source = "journal"`, `source = "sftp"` or `source = ["journal", "sftp"]`)
    17:7: egress.journal.url: a query or fragment may not stand here (remove `?…` and `#…`)
    "##);
}

#[test]
fn the_written_section_loads_with_and_without_a_journal() {
    let example = crate::config::Example::default();
    assert!(load(&crate::config::annotated(&example)).unwrap().egress.is_none());
    let url = Some("http://127.0.0.1:8700/events/1".to_owned());
    let example = crate::config::Example { journal_url: url, ..example };
    let egress = load(&crate::config::annotated(&example)).unwrap().egress.unwrap();
    assert_eq!(egress.events.len(), 4);
    assert_eq!(egress.journal.unwrap().url.0.path(), "/events/1");
}
