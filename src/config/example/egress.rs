//! `[egress]` of the commented configuration.

use std::fmt::Write as _;

use super::quoted;

/// Every key, each with what it means.
const EGRESS: &str = r#"[egress]
schedule = "*/30 * * * * *"     # time_zone as above
source = "journal"
# Which events become activities in Dynamics; default: none. Bounces are hard bounces.
events = ["send", "open", "click", "bounce"]
# Customization prefix of the activity tables and their columns.
prefix = "new"
#   tables = { send = "new_campaignemailsend" }   default: prefix_campaignemailsend, …open, …click, …bounce
#   complete_activities = false      true: a second request closes each activity
#   contact_wait = "24h"             how long an event waits for a contact that Dynamics lacks
#   name_space = ""                  tells Campaign instances apart that write to one environment
#   batch = 200                      activities in one request, 1 to 1000
#   unsure_bounces = "quarantined"   refused, unreachable, disabled: hard where the address is in
#                                    quarantine; or "hard", "soft"
[egress.journal]
url = URL
# Where an event's members are and what its words mean; the default is Campaign's XDM form.
#   pointers = { id = "/eventid", kind = "/type", contact = "/data/contact", time = "/time",
#                campaign = "/data/campaign", delivery = "/data/delivery", url = "/data/url",
#                mirror_page = "/data/mirrorPage", reason = "/data/reason", quarantine = "/data/quarantine" }
#   kinds = { "com.example.sent" = "send", "com.example.other" = "ignore" }
"#;

/// Log files as a source, commented out.
const FILES: &str = r#"
# Delivery and tracking logs as files: a second source, or what fills the journal's gaps.
# [campaign.sftp]
# host = "contoso.campaign.adobe.com"
# port = 22
# user = "contoso-mkt-stage1"
# private_key = { credential = "campaign-sftp-key" }      # passphrase likewise, if it has one
# known_hosts = "/etc/cdsync/known_hosts"     # with the server's key, from ssh-keyscan
# [egress.sftp]
# directory = "exports"
# delivery_log = { pattern = "delivery_log_*.csv", columns = { id = "id", contact = "externalId", time = "eventDate", status = "status", campaign = "campaign", delivery = "delivery", mirror_page = "mirrorPage" }, sent = ["Sent", "1"], bounced = ["Failed", "2"] }
# tracking_log = { pattern = "tracking_log_*.csv", columns = { id = "id", contact = "externalId", time = "logDate", kind = "type", url = "urlSource", campaign = "campaign", delivery = "delivery" }, open = ["Open", "2"], click = ["Email click", "1"] }
# format = { separator = ",", quote = "double", encoding = "utf-8", date_format = "xml", compression = "auto", time_zone = "UTC" }
# after = "keep"              # "delete": a file goes once all of its rows are taken
# settle_seconds = 60         # a file is complete when it has not changed for so long
# file_alarm = "26h"          # a warning when no new file comes
"#;

/// The section; without a journal, commented out.
pub(super) fn egress(journal_url: Option<&str>) -> String {
    let mut out =
        String::from("\n# Campaign's e-mail events to the timeline in Dynamics; off by default.\n");
    let url = journal_url
        .unwrap_or("https://events-va6.adobe.io/events/organizations/…/integrations/…/…");
    let section = EGRESS.replace("URL", &quoted(url));
    if journal_url.is_some() {
        out.push_str(&section);
        out.push_str(FILES);
        return out;
    }
    for line in section.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        let _ = writeln!(out, "# {}", line.trim_start_matches(' '));
    }
    out.push_str(FILES);
    out
}
