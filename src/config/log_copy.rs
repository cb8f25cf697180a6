//! `[daemon.log_copy]`: a copy of the log on Campaign's file server.

use std::time::Duration;

use super::files::directory;
use super::tree::{Keys, Node};
use super::values::duration;

const LOG_COPY_KEYS: &[&str] = &["directory", "every", "keep", "instance"];

/// How often lines are copied.
const EVERY: Duration = Duration::from_hours(1);

/// Longest time between two copies: what is lost with a disk is no more.
const LONGEST_EVERY: Duration = Duration::from_hours(24);

/// How long files stay there: the server's provider asks for no more than 15
/// days (Campaign sheet, 8.3).
const KEEP: Duration = Duration::from_hours(14 * 24);

/// Longest time that files may stay there.
const LONGEST_KEEP: Duration = Duration::from_hours(90 * 24);

/// `[daemon.log_copy]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogCopySettings {
    /// On the server, without a slash at its end.
    pub(crate) directory: String,
    /// Time from one copy to the next.
    pub(crate) every: Duration,
    /// Older files of ours are deleted there.
    pub(crate) keep: Duration,
    /// Stands in the names of the files, so that two daemons can share the
    /// directory; none: the name of the machine.
    pub(crate) instance: Option<String>,
}

/// `[daemon.log_copy]`
pub(super) fn log_copy(node: &Node<'_>) -> Option<LogCopySettings> {
    let keys = node.keys(LOG_COPY_KEYS)?;
    let directory = keys
        .required("directory", "directory = \"d365_loads/logs\"")
        .and_then(|node| directory(&node));
    let every = span(&keys, "every", Duration::from_secs(1), (EVERY, LONGEST_EVERY));
    let keep = span(&keys, "keep", Duration::from_hours(1), (KEEP, LONGEST_KEEP));
    let instance = match keys.get("instance") {
        Some(node) => Some(instance(&node)?),
        None => None,
    };
    Some(LogCopySettings { directory: directory?, every: every?, keep: keep?, instance })
}

fn span(
    keys: &Keys<'_>,
    key: &str,
    least: Duration,
    (default, most): (Duration, Duration),
) -> Option<Duration> {
    let Some(node) = keys.get(key) else { return Some(default) };
    let found = duration(&node, most)?;
    if found < least {
        node.problem(
            "this time span is too short",
            format!("at least {} s, such as `{}h`", least.as_secs(), default.as_secs() / 3600),
        );
        return None;
    }
    Some(found)
}

fn instance(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        node.problem(
            "this cannot stand in the name of a file",
            "up to 64 letters, digits, `-` and `_`, such as `prod-1`",
        );
        return None;
    }
    Some(text.to_owned())
}
