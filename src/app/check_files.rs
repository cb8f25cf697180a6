//! What `check` asks the file server: does it let us in, is it the one we know,
//! is there anything to read?

use crate::app::App;
use crate::app::explore::{Finding, FindingKind, within};
use crate::campaign::sftp::{Listing, Sftp};
use crate::http::Failure;
use crate::mapping::logs::LogFiles;

/// Looks at the server, where anything is read from it.
pub(super) async fn check_files(app: &App, findings: &mut Vec<Finding>) {
    let files = app.config.egress.as_ref().and_then(|egress| egress.files.as_ref());
    let (Some(sftp), Some(files)) = (&app.sftp, files) else { return };
    let before = findings.len();
    match within(app, "sftp", list(sftp, &files.directory), findings).await {
        Some(listing) => findings.extend(of_listing(files, &listing)),
        None => {
            for finding in findings.iter_mut().skip(before) {
                "the message names the place and what to do".clone_into(&mut finding.hint);
            }
        }
    }
}

async fn list(sftp: &Sftp, directory: &str) -> Result<Listing, Failure> {
    let session = sftp.connect().await?;
    let listing = session.list(directory).await?;
    session.close().await;
    Ok(listing)
}

/// How many files there are of each log.
fn of_listing(files: &LogFiles, listing: &Listing) -> Vec<Finding> {
    let place = format!("sftp {}", files.directory);
    let finding = |problem: String, hint: &str, kind| Finding {
        place: place.clone(),
        problem,
        hint: hint.to_owned(),
        kind,
    };
    let mut findings = Vec::new();
    for log in &files.logs {
        let (name, pattern) = (log.kind.as_str(), log.pattern.as_str());
        let count = listing.files.iter().filter(|file| log.pattern.matches(&file.name)).count();
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
