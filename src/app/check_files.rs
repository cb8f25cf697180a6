//! What `check` asks the file server: does it let us in, is it the one we know,
//! are the directories there, and anything to read?

use crate::app::App;
use crate::app::explore::{Finding, FindingKind, within};
use crate::campaign::sftp::{Listing, Sftp};
use crate::http::Failure;
use crate::model::Pattern;

/// Files that somebody wants: the directory, and what is meant by which names.
struct Wanted<'a> {
    directory: &'a str,
    names: Vec<(&'static str, &'a Pattern)>,
}

/// Looks at the server, where anything is read from it or copied to it.
pub(super) async fn check_files(app: &App, findings: &mut Vec<Finding>) {
    let Some(sftp) = app.sftp.as_ref().or(app.log_server.as_ref()) else { return };
    let logs = app.config.egress.as_ref().and_then(|egress| egress.files.as_ref());
    let flags = app.config.optout.as_ref().and_then(|optout| optout.files.as_ref());
    let logs = logs.map(|files| Wanted {
        directory: &files.directory,
        names: files.logs.iter().map(|log| (log.kind.as_str(), &log.pattern)).collect(),
    });
    let flags = flags.map(|files| Wanted {
        directory: &files.directory,
        names: vec![("opt-outs", &files.pattern)],
    });
    let copy = app.config.daemon.log_copy.as_ref();
    let copy = copy.map(|copy| Wanted { directory: &copy.directory, names: Vec::new() });
    for wanted in logs.into_iter().chain(flags).chain(copy) {
        let before = findings.len();
        if let Some(listing) = within(app, "sftp", list(sftp, wanted.directory), findings).await {
            findings.extend(of_listing(&wanted, &listing));
            continue;
        }
        for finding in findings.iter_mut().skip(before) {
            "the message names the place and what to do".clone_into(&mut finding.hint);
        }
        // The other directory is behind the same door.
        return;
    }
}

async fn list(sftp: &Sftp, directory: &str) -> Result<Listing, Failure> {
    let session = sftp.connect().await?;
    let listing = session.list(directory).await?;
    session.close().await;
    Ok(listing)
}

/// How many files there are of each kind.
fn of_listing(wanted: &Wanted<'_>, listing: &Listing) -> Vec<Finding> {
    let place = format!("sftp {}", wanted.directory);
    let finding = |problem: String, hint: &str, kind| Finding {
        place: place.clone(),
        problem,
        hint: hint.to_owned(),
        kind,
    };
    let mut findings = Vec::new();
    for (name, pattern) in &wanted.names {
        let count = listing.files.iter().filter(|file| pattern.matches(&file.name)).count();
        let pattern = pattern.as_str();
        findings.push(match count {
            0 => finding(
                format!("no file has a name like `{pattern}` ({name})"),
                "none may have been exported yet; else compare `directory` and `pattern` with the export workflow",
                FindingKind::Warning,
            ),
            _ => finding(format!("files of {name}: {count}"), "", FindingKind::Note),
        });
    }
    if let Some(example) = listing.unsafe_names.first() {
        findings.push(finding(
            format!(
                "{} files have names that are never used, such as `{example}`",
                listing.unsafe_names.len()
            ),
            "rename or delete them",
            FindingKind::Warning,
        ));
    }
    findings
}
