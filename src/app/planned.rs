//! An app of nothing but schedules, for simulated days.

use std::fmt::Write as _;

use crate::app::App;
use crate::clock::Clock;
use crate::config::load;
use crate::model::Flow;

/// Nobody is asked; each process has a PATH, which serves as a secret.
const SYSTEMS: &str = r#"[dynamics]
url = "http://127.0.0.1:9"
tenant = "t"
client_id = "c"
client_secret = { env = "PATH" }
authority_url = "http://127.0.0.1:9"
[campaign]
url = "http://127.0.0.1:9"
client_id = "c"
client_secret = { env = "PATH" }
organization_id = "O@AdobeOrg"
ims_url = "http://127.0.0.1:9"
"#;

/// What each flow needs beside its schedule.
fn rest(flow: Flow) -> &'static str {
    match flow {
        Flow::Ingress => {
            r#"[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
fields = [ { from = "lastname", to = "lastName" } ]
"#
        }
        Flow::Egress => {
            r#"source = "journal"
events = ["send"]
prefix = "new"
[egress.journal]
url = "http://127.0.0.1:9/events"
"#
        }
        Flow::Optout => {
            r#"direction = "bidirectional"
source = "rest"
rest = { filter = "byModifiedSince", parameter = "since_parameter" }
pairs = [ { dynamics = "donotbulkemail", campaign = "blackListEmail" } ]
"#
        }
    }
}

impl App {
    /// An app with these flows, each with its schedule and time zone.
    pub(crate) fn planned(schedules: &[(Flow, &str, &str)], jitter: &str, clock: &Clock) -> Self {
        let mut text = format!("{SYSTEMS}[daemon]\njitter = \"{jitter}\"\n");
        for (flow, schedule, zone) in schedules {
            let rest = rest(*flow);
            let _ =
                write!(text, "[{flow}]\nschedule = \"{schedule}\"\ntime_zone = \"{zone}\"\n{rest}");
        }
        let config = load(&text).unwrap_or_else(|problems| panic!("{problems}"));
        Self::new(config, clock.clone()).unwrap()
    }
}
