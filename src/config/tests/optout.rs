//! `[optout]`: what loads, and every problem with its place and hint.

use std::time::Duration;

use super::{BASE, TABLE, problems};
use crate::config::{OptoutSettings, load};
use crate::model::consent::{ClearingGuard, Direction, Mode};

const PAIRS: &str =
    "pairs = [ { dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" } ]\n";

const SFTP: &str = "[campaign.sftp]\nhost = \"sftp.example\"\nuser = \"u\"\nprivate_key = { env = \"KEY\" }\nknown_hosts = \"/etc/cdsync/known_hosts\"\n";

const REST: &str = "rest = { filter = \"byModifiedSince\", parameter = \"since_parameter\" }\n";

fn text(section: &str) -> String {
    format!("{BASE}{TABLE}[optout]\n{section}")
}

fn loaded(section: &str) -> OptoutSettings {
    load(&text(section)).unwrap().optout.unwrap()
}

/// With the flag mapped in `fields`, too.
fn mapped(section: &str) -> String {
    let field = "fields = [ ";
    let flag = "fields = [ { from = \"donotbulkemail\", to = \"blackListEmail\" }, ";
    text(section).replacen(field, flag, 1)
}

#[test]
fn what_is_left_out_has_a_default() {
    let optout = loaded(&format!("direction = \"bidirectional\"\n{PAIRS}{REST}"));
    assert_eq!(optout.direction, Direction::Bidirectional);
    assert_eq!(optout.mode, Mode::Safe { margin: Duration::from_secs(2) });
    assert_eq!(optout.guard, ClearingGuard { rows: Some(500), percent: Some(1.0) });
    assert!(optout.schedule.is_none());
    assert_eq!(optout.time_zone.iana_name(), Some("UTC"));
    let [pair] = optout.pairs.as_slice() else { panic!("one pair") };
    assert_eq!((pair.column.as_str(), pair.flag.as_str()), ("donotbulkemail", "blackListEmail"));
    assert!(!pair.inverted && !pair.null_is_false);
    assert_eq!(optout.rest.unwrap().filter, "byModifiedSince", "the only section there is");
}

#[test]
fn every_key_means_what_it_says() {
    let optout = loaded(&format!(
        "direction = \"campaign-to-dynamics\"\nschedule = \"0 */5 * * * *\"\ntime_zone = \"Europe/Berlin\"\n\
         source = [\"rest\"]\nrule = \"safe\"\nmargin = \"90s\"\nclearing_guard = {{ percent = 0.5 }}\n\
         pairs = [\n{{ dynamics = \"new_allowmail\", campaign = \"denyListPostalMail\", inverted = true, null_means_false = true }},\n\
         {{ dynamics = \"new_ccpa\", campaign = \"ccpaOptOut\" }} ]\n{REST}"
    ));
    assert_eq!(optout.direction, Direction::CampaignToDynamics);
    assert_eq!(optout.mode, Mode::Safe { margin: Duration::from_secs(90) });
    assert_eq!(optout.guard, ClearingGuard { rows: None, percent: Some(0.5) });
    assert_eq!(optout.schedule.unwrap().to_string(), "0 */5 * * * *");
    assert_eq!(optout.time_zone.iana_name(), Some("Europe/Berlin"));
    let [mail, ccpa] = optout.pairs.as_slice() else { panic!("two pairs") };
    assert_eq!(mail.flag.as_str(), "blackListPostalMail", "one name in two spellings");
    assert!(mail.inverted && mail.null_is_false);
    assert_eq!(ccpa.flag.as_str(), "ccpaOptOut");
    let section = format!("direction = \"bidirectional\"\nrule = \"documented\"\n{PAIRS}{REST}");
    assert_eq!(loaded(&section).mode, Mode::Documented);
}

#[test]
fn the_export_is_where_the_vendors_integration_puts_it_unless_told_otherwise() {
    let section = format!("direction = \"bidirectional\"\n{PAIRS}");
    let optout = loaded(&format!("{section}{SFTP}"));
    assert!(optout.rest.is_none());
    let files = optout.files.unwrap();
    assert_eq!(files.directory, "d365_loads/exports");
    assert_eq!((files.pattern.as_str(), files.contact.as_str()), ("optout_*.csv", "externalId"));
    assert_eq!(
        (files.settle, files.alarm),
        (Duration::from_mins(1), Some(Duration::from_hours(26)))
    );
    assert!(!files.delete && files.marker.is_none());
    let [email] = files.columns.as_slice() else { panic!("of the one pair") };
    assert_eq!(email.value, ["blackListEmail", "denyListEmail"]);
    assert_eq!(email.stamp, ["blackListEmailLastModified", "denyListEmailLastModified"]);
    let told = "[optout.sftp]\ndirectory = \"out/\"\npattern = \"*.txt\"\nafter = \"delete\"\nsettle_seconds = 5\nmarker = \".done\"\nfile_alarm = \"2h\"\n\
        columns = { contact = \"id\", denyListEmailLastModified = \"changed\", ccpaOptOut = \"x\" }\nformat = { separator = \"tab\" }\n";
    let files = loaded(&format!("source = [\"sftp\", \"rest\"]\n{REST}{section}{told}{SFTP}"));
    assert!(files.rest.is_some());
    let files = files.files.unwrap();
    assert_eq!((files.directory.as_str(), files.contact.as_str()), ("out", "id"));
    assert_eq!(files.columns[0].stamp, ["changed"]);
    assert_eq!((files.format.separator, files.delete), (b'\t', true));
    assert_eq!(files.marker.as_deref(), Some(".done"));
    assert_eq!(
        (files.settle, files.alarm),
        (Duration::from_secs(5), Some(Duration::from_hours(2)))
    );
}

#[test]
fn without_a_direction_the_flow_is_off_and_needs_nothing() {
    for section in ["", "direction = \"disabled\"\n", PAIRS, "source = \"rest\"\n"] {
        assert!(load(&text(section)).unwrap().optout.is_none(), "{section}");
        let alone = format!("{BASE}[optout]\n{section}");
        assert!(load(&alone).unwrap().optout.is_none(), "{section}");
    }
    // What is off may still be mapped.
    assert!(load(&mapped(&format!("direction = \"disabled\"\n{PAIRS}"))).is_ok());
}

#[test]
fn what_ingress_maps_is_not_this_flows_where_dynamics_alone_decides() {
    let direction = "direction = \"dynamics-to-campaign\"\n";
    assert!(loaded(direction).pairs.is_empty(), "the flags travel by the mapping");
    let other = "pairs = [ { dynamics = \"donotbulkemail\", campaign = \"denyListEmail\" }, { dynamics = \"donotbulkemail\", campaign = \"blackListMobile\" } ]\n";
    let optout = load(&mapped(&format!("{direction}{other}"))).unwrap().optout.unwrap();
    let [pair] = optout.pairs.as_slice() else { panic!("the other one alone") };
    assert_eq!(pair.flag.as_str(), "blackListMobile");
    assert!(optout.rest.is_none());
    assert_eq!(loaded(&format!("{direction}{other}")).pairs.len(), 2);
}

#[test]
fn every_problem_of_optout_is_placed() {
    let found = |section: &str| problems(&text(section));
    insta::assert_snapshot!(found(
        "direction = \"both\"\nschedule = \"x\"\ntime_zone = \"Berlin\"\nsource = [\"sftp\", \"sftp\", \"file\"]\n\
         rule = \"documented\"\nmargin = \"2s\"\nclearing_guard = {}\nsources = 1\n\
         pairs = [ { dynamics = \"a-b\", campaign = \"blackListMail\" }, { campaign = 5, invert = true }, 7 ]\n\
         rest = { filter = \"by/x\" }\n"
    ), @r##"
    19:13: optout.direction: `both` is not known here (one of `disabled`, `dynamics-to-campaign`, `campaign-to-dynamics`, `bidirectional`)
    20:12: optout.schedule: a schedule has 5 fields (minute first), 6 (second first) or 7 (year last), this one has 1 (as in `*/15 * * * * *` (every 15 seconds) or `0 6 * * 1-5` (06:00 from Monday to Friday))
    21:13: optout.time_zone: there is no time zone `Berlin` (an IANA name, such as `Europe/Berlin` or `UTC`)
    22:19: optout.source[1]: this is listed twice (remove one of the two)
    22:27: optout.source[2]: `file` is not known here (one of `sftp`, `rest`)
    24:1: optout.margin: `rule = "documented"` compares the stamps as they are, so `margin` has no meaning (remove `margin`, or write `rule = "safe"`)
    25:18: optout.clearing_guard: an empty guard holds nothing back (write `{ rows = 1000, percent = 5 }`, either or both; or remove `clearing_guard`)
    26:1: optout.sources: unknown key `sources` (did you mean `source`?)
    27:24: optout.pairs[0].dynamics: `a-b` is not a name: a letter or underscore, then at most 127 letters, digits or underscores (the column's logical name, such as `donotbulkemail`)
    27:42: optout.pairs[0].campaign: `blackListMail` is no opt-out flag of Campaign (did you mean `blackListEmail`? one of `blackList`, `blackListEmail`, `blackListFax`, `blackListMobile`, `blackListPhone`, `blackListPostalMail`, `blackListPushnotification`, `ccpaOptOut`; `denyList…` and `blackList…` are one name)
    27:61: optout.pairs[1].dynamics: `dynamics` is missing (add `dynamics = "donotbulkemail"`)
    27:74: optout.pairs[1].campaign: this is an integer, it must be a string (write it in double quotes)
    27:77: optout.pairs[1].invert: unknown key `invert` (did you mean `inverted`?)
    27:94: optout.pairs[2]: this is an integer, it must be a table (write it in braces, with the keys `dynamics`, `campaign`, `inverted`, `null_means_false`)
    28:8: optout.rest.parameter: `parameter` is missing (add `parameter = "since_parameter"`)
    28:19: optout.rest.filter: `by/x` is not a name: a letter or underscore, then at most 127 letters, digits or underscores (the API name of a custom filter of the profile, such as `byModifiedSince`)
    "##);
    insta::assert_snapshot!(found("direction = \"bidirectional\"\nsource = \"rest\"\n"), @r##"
    18:1: optout.pairs: `pairs` is missing (add `pairs = [ { dynamics = "donotbulkemail", campaign = "blackListEmail" } ]`)
    18:1: optout.rest: `rest` is missing (add `rest = { filter = "byModifiedSince", parameter = "since_parameter" }`)
    "##);
    insta::assert_snapshot!(found("direction = \"bidirectional\"\npairs = []\nsource = []\nmargin = \"5d\"\n"), @r##"
    20:1: optout.pairs: no flag is paired (write `pairs = [ { dynamics = "donotbulkemail", campaign = "blackListEmail" } ]`, or `direction = "disabled"`)
    21:10: optout.source: no source is listed (write `source = "sftp"`, `source = "rest"` or `source = ["sftp", "rest"]`)
    22:10: optout.margin: this is not a time span, or one that is too long (a time span of at most 2 days, such as `24h`, `90m` or `2d`)
    "##);
    insta::assert_snapshot!(found("direction = \"bidirectional\"\nsource = 5\n"), @r##"
    18:1: optout.pairs: `pairs` is missing (add `pairs = [ { dynamics = "donotbulkemail", campaign = "blackListEmail" } ]`)
    20:10: optout.source: this is neither a source nor a list of them (write `source = "sftp"`, `source = "rest"` or `source = ["sftp", "rest"]`)
    "##);
    insta::assert_snapshot!(found(&format!(
        "direction = \"bidirectional\"\n{REST}pairs = [\n{{ dynamics = \"a\", campaign = \"blackListEmail\" }},\n\
         {{ dynamics = \"b\", campaign = \"denyListEmail\" }},\n{{ dynamics = \"a\", campaign = \"blackListFax\" }} ]\n"
    )), @r##"
    23:30: optout.pairs[1].campaign: the flag `denyListEmail` is paired twice, first in `optout.pairs[0]` (two pairs of it would contradict each other: remove one of the two)
    24:14: optout.pairs[2].dynamics: the column `a` is paired twice, first in `optout.pairs[0]` (two pairs of it would contradict each other: remove one of the two)
    "##);
}

#[test]
fn every_problem_of_the_export_is_placed() {
    let section = format!("direction = \"bidirectional\"\n{PAIRS}");
    insta::assert_snapshot!(problems(&text(&section)), @r##"6:2: campaign: `[campaign.sftp]` is missing: `[optout]` reads files from it (add `[campaign.sftp]` with `host`, `user`, `private_key` and `known_hosts`, or write `source = "rest"` there)"##);
    insta::assert_snapshot!(problems(&text(&format!(
        "{section}[optout.sftp]\ndirectory = \"\"\npattern = \"a/b\"\nafter = \"keeps\"\nsettle_seconds = -1\n\
         marker = \"/\"\nfile_alarm = \"x\"\nfolder = 1\nformat = {{ separator = \"ab\" }}\n\
         columns = {{ contacts = \"id\", blackListMail = \"x\", blackListFax = 5, blackListEmailModified = \"\" }}\n{SFTP}"
    ))), @r##"
    22:13: optout.sftp.directory: this is not a directory (as the server names it, such as `exports`; `.` is where the login leads)
    23:11: optout.sftp.pattern: a pattern is of file names: neither `/` nor control characters (such as `delivery_log_*.csv`; `*` is any text, `?` any one character)
    24:9: optout.sftp.after: `keeps` is not known here (did you mean `keep`? one of `keep`, `delete`)
    25:18: optout.sftp.settle_seconds: this number is out of range (a whole number from 0 to 86400)
    26:10: optout.sftp.marker: this is not the end of a file name (what the export puts behind the name of the file when it is complete, such as `.done`)
    27:14: optout.sftp.file_alarm: this is not a time span, or one that is too long (a time span of at most 90 days, such as `24h`, `90m` or `2d`)
    28:1: optout.sftp.folder: unknown key `folder` (known here: `directory`, `pattern`, `columns`, `format`, `after`, `settle_seconds`, `marker`, `file_alarm`)
    29:24: optout.sftp.format.separator: this is not a separator (one ASCII character that is neither letter nor digit, such as `,`, `;` or `|`, or `tab`)
    30:13: optout.sftp.columns.contacts: unknown column `contacts` (did you mean `contact`? `contact`, a flag such as `blackListEmail`, or its stamp, `blackListEmailLastModified`)
    30:30: optout.sftp.columns.blackListMail: unknown column `blackListMail` (did you mean `blackListEmail`? `contact`, a flag such as `blackListEmail`, or its stamp, `blackListEmailLastModified`)
    30:66: optout.sftp.columns.blackListFax: this is an integer, it must be a string (write it in double quotes)
    30:94: optout.sftp.columns.blackListEmailModified: this is not the name of a column (the text in the first line of the file; upper and lower case are the same)
    "##);
}

#[test]
fn a_flag_is_written_by_one_flow_alone() {
    insta::assert_snapshot!(problems(&mapped(&format!(
        "direction = \"bidirectional\"\n{PAIRS}{REST}"
    ))), @r##"20:53: optout.pairs[0].campaign: `blackListEmail` is mapped in `[[ingress.table]]`, too: it would be overwritten with Dynamics' value (remove it from `fields` of the table `contact`; a new profile gets its flags all the same)"##);
    let pairs = "pairs = [ { dynamics = \"donotphone\", campaign = \"blackListEmail\" } ]\n";
    insta::assert_snapshot!(problems(&mapped(&format!(
        "direction = \"dynamics-to-campaign\"\n{pairs}"
    ))), @r##"20:49: optout.pairs[0].campaign: `blackListEmail` is mapped otherwise in `[[ingress.table]]`: two values would take turns (remove this pair, or the field in `fields` of the table `contact`)"##);
    let pairs = "pairs = [ { dynamics = \"donotbulkemail\", campaign = \"denyListEmail\", inverted = true } ]\n";
    insta::assert_snapshot!(problems(&mapped(&format!(
        "direction = \"dynamics-to-campaign\"\n{pairs}"
    ))), @r##"20:53: optout.pairs[0].campaign: `blackListEmail` is mapped otherwise in `[[ingress.table]]`: two values would take turns (remove this pair, or the field in `fields` of the table `contact`)"##);
}

#[test]
fn without_the_mapping_of_contacts_by_their_id_the_flow_is_refused() {
    let section = format!("direction = \"bidirectional\"\n{PAIRS}{REST}");
    insta::assert_snapshot!(problems(&format!("{BASE}[optout]\n{section}")), @r##"14:1: optout.direction: the flow `optout` needs the mapping of contacts to profiles: its key says which profile is whose (add an `[[ingress.table]]` with `dynamics = "contact"` and `campaign = "profile"`)"##);
    let other = text(&section).replacen("campaign = \"profile\"", "campaign = \"cusContact\"", 1);
    insta::assert_snapshot!(problems(&other), @r##"19:1: optout.direction: the flow `optout` needs the mapping of contacts to profiles: its key says which profile is whose (add an `[[ingress.table]]` with `dynamics = "contact"` and `campaign = "profile"`)"##);
    let key = text(&section).replacen("from = \"contactid\"", "from = \"new_number\"", 1);
    insta::assert_snapshot!(problems(&key), @r##"19:1: optout.direction: the flow `optout` finds profiles by the id of their contact, but the key of `contact` is of another column (write `key = { from = "contactid", … }` there, or `direction = "disabled"`)"##);
}

#[test]
fn the_commented_section_loads_as_it_stands() {
    let annotated = crate::config::annotated(&crate::config::Example::default());
    let (before, section) = annotated.split_once("# [optout]").unwrap();
    let keys = section.lines().filter_map(|line| line.strip_prefix("# "));
    let keys: Vec<&str> = keys
        .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', '`'])))
        .collect();
    let optout = load(&format!("{before}\n[optout]\n{}\n", keys.join("\n"))).unwrap();
    let optout = optout.optout.unwrap();
    assert_eq!((optout.pairs.len(), optout.direction), (2, Direction::Bidirectional));
    assert!(optout.rest.is_some() && optout.schedule.is_some());
}
