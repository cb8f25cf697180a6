//! What `check` asks the journal, and says of two sources that tell of the same
//! events.

use crate::app::App;
use crate::app::explore::{Finding, FindingKind, within};

/// Whether the journal lets us read, and whether its ids are those of the logs.
pub(super) async fn check_journal(app: &App, findings: &mut Vec<Finding>) {
    let Some(settings) = &app.config.egress else { return };
    if let Some(journal) = &app.journal {
        within(app, "journal", journal.page(&journal.end()), findings).await;
    }
    let by_default =
        settings.journal.as_ref().is_some_and(|it| it.recognition.pointers.id.is_none());
    if by_default && settings.reads_files {
        findings.push(Finding {
            place: "egress.journal.pointers.id".to_owned(),
            problem: "both sources tell of the same events, and the journal's ids are not those of the log files: each event will be made twice".to_owned(),
            hint: "set `pointers = { id = \"…\" }` to the member that holds the log's id, or name one source only".to_owned(),
            kind: FindingKind::Warning,
        });
    }
}
