//! `[optout.sftp]`: from the tree to settings.

use super::fields::canonical;
use super::files::{Handling, directory, format, handling, header_name, pattern};
use super::optout::FLAGS;
use super::suggest::nearest;
use super::tree::{Keys, Node, shortened};
use crate::mapping::{FlagColumns, OptoutFiles};
use crate::model::{FieldName, FileFormat, Pattern};

const OPTOUT_SFTP_KEYS: &[&str] = &[
    "directory",
    "pattern",
    "columns",
    "format",
    "after",
    "settle_seconds",
    "marker",
    "file_alarm",
];

/// Where the vendor's integration puts them (Campaign sheet, 8.2).
const DIRECTORY: &str = "d365_loads/exports";

const PATTERN: &str = "optout_*.csv";

/// The profile's key in Campaign's own export.
const CONTACT: &str = "externalId";

/// What follows a flag's name in that of its stamp (Campaign sheet, 3.1).
const STAMP: &str = "LastModified";

/// `[optout.sftp]`, with the columns of every flag there is; none: it is left
/// out.
pub(super) fn files(section: Option<&Node<'_>>) -> Option<OptoutFiles> {
    let keys = match section {
        Some(node) => Some(node.keys(OPTOUT_SFTP_KEYS)?),
        None => None,
    };
    let get = |key: &str| keys.as_ref().and_then(|keys| keys.get(key));
    let directory = match get("directory") {
        Some(node) => directory(&node),
        None => Some(DIRECTORY.to_owned()),
    };
    let pattern = match get("pattern") {
        Some(node) => pattern(&node),
        None => Pattern::new(PATTERN).ok(),
    };
    let columns = match get("columns") {
        Some(node) => columns(&node),
        None => Some(usual()),
    };
    let format = match get("format") {
        Some(node) => format(&node),
        None => Some(FileFormat::default()),
    };
    let Handling { delete, settle, marker, alarm } = handling(keys.as_ref());
    let (contact, columns) = columns?;
    Some(OptoutFiles {
        directory: directory?,
        pattern: pattern?,
        contact,
        columns,
        format: format?,
        delete,
        settle,
        marker,
        alarm,
    })
}

fn usual() -> (String, Vec<FlagColumns>) {
    let flags = FLAGS.iter().filter_map(|flag| FieldName::new(flag).ok());
    (CONTACT.to_owned(), flags.map(|flag| FlagColumns::usual(&flag)).collect())
}

/// `contact`, each flag in either spelling, and each with `LastModified`
/// behind it.
fn columns(node: &Node<'_>) -> Option<(String, Vec<FlagColumns>)> {
    let keys = node.any_keys()?;
    let (mut contact, mut columns) = usual();
    let mut good = true;
    for key in keys.present() {
        let Some(node) = keys.get(key) else { continue };
        let Some(header) = header_name(&node) else {
            good = false;
            continue;
        };
        if key == "contact" {
            contact = header;
            continue;
        }
        let name = canonical(key);
        let (flag, is_stamp) = match name.strip_suffix(STAMP) {
            Some(flag) => (flag, true),
            None => (name.as_str(), false),
        };
        match columns.iter_mut().find(|columns| columns.flag.as_str() == flag) {
            Some(columns) if is_stamp => columns.stamp = vec![header],
            Some(columns) => columns.value = vec![header],
            None => {
                refuse(&keys, key, &name);
                good = false;
            }
        }
    }
    good.then_some((contact, columns))
}

fn refuse(keys: &Keys<'_>, key: &str, name: &str) {
    let known: Vec<String> =
        FLAGS.iter().flat_map(|flag| [(*flag).to_owned(), format!("{flag}{STAMP}")]).collect();
    let near = nearest(name, known.iter().map(String::as_str).chain(["contact"]));
    let hint = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    keys.problem_at(
        key,
        format!("unknown column `{}`", shortened(key)),
        format!(
            "{hint}`contact`, a flag such as `blackListEmail`, or its stamp, `blackListEmailLastModified`"
        ),
    );
}
