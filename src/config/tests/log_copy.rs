//! `[daemon.log_copy]`: defaults, places of problems.

use std::time::Duration;

use super::{BASE, TABLE, problems};
use crate::config::load;

const SFTP: &str = "[campaign.sftp]\nhost = \"sftp.example\"\nuser = \"u\"\nprivate_key = { env = \"KEY\" }\nknown_hosts = \"/etc/cdsync/known_hosts\"\n";

fn text(section: &str) -> String {
    format!("{BASE}{SFTP}[ingress]\n{TABLE}[daemon.log_copy]\n{section}")
}

#[test]
fn the_copy_of_the_log_has_defaults() {
    let config = load(&text("directory = \"d365_loads/logs/\"\n")).unwrap();
    let found = config.daemon.log_copy.clone().unwrap();
    assert_eq!(found.directory, "d365_loads/logs");
    let hours = Duration::from_hours;
    assert_eq!((found.every, found.keep), (hours(1), hours(14 * 24)));
    assert_eq!(found.instance, None);
    assert_eq!(config.log_spool().to_str(), Some("cdsync.db-logs"));
    assert_eq!(load(&format!("{BASE}{TABLE}")).unwrap().daemon.log_copy, None, "off by default");
}

#[test]
fn every_problem_of_the_copy_is_placed() {
    let section = "every = \"0s\"\nkeep = \"1y\"\ninstance = \"a/b\"\nfolder = \"x\"\n";
    insta::assert_snapshot!(problems(&text(section)), @r##"
    24:1: daemon.log_copy.directory: `directory` is missing (add `directory = "d365_loads/logs"`)
    25:9: daemon.log_copy.every: this time span is too short (at least 1 s, such as `1h`)
    26:8: daemon.log_copy.keep: this is not a time span, or one that is too long (a time span of at most 90 days, such as `24h`, `90m` or `2d`)
    27:12: daemon.log_copy.instance: this cannot stand in the name of a file (up to 64 letters, digits, `-` and `_`, such as `prod-1`)
    28:1: daemon.log_copy.folder: unknown key `folder` (known here: `directory`, `every`, `keep`, `instance`)
    "##);
    let without = text("directory = \"logs\"\n").replace(SFTP, "");
    insta::assert_snapshot!(problems(&without), @r##"6:2: campaign: `[campaign.sftp]` is missing: `[daemon.log_copy]` writes to it (add `[campaign.sftp]` with `host`, `user`, `private_key` and `known_hosts`, or remove `[daemon.log_copy]`)"##);
}
