//! `[egress.sftp]` and the `format` of exported files, which every flow that
//! reads files shares.

use std::time::Duration;

use encoding_rs::Encoding;
use jiff::tz::TimeZone;

use super::tree::{Keys, Node, shortened};
use super::values::{duration, time_zone};
use crate::mapping::logs::{LogColumn, LogFiles, LogKind, LogSpec};
use crate::model::{Compression, DateForm, DatePart, FileFormat, Pattern};

const EGRESS_SFTP_KEYS: &[&str] = &[
    "directory",
    "delivery_log",
    "tracking_log",
    "format",
    "after",
    "settle_seconds",
    "marker",
    "file_alarm",
];

const FORMAT_KEYS: &[&str] =
    &["separator", "quote", "encoding", "date_format", "compression", "time_zone"];

const DELIVERY_LOG_KEYS: &[&str] = &["pattern", "columns", "sent", "bounced", "ignored"];

const TRACKING_LOG_KEYS: &[&str] = &["pattern", "columns", "open", "click", "ignored"];

const DELIVERY_COLUMN_KEYS: &[&str] = &[
    "id",
    "contact",
    "time",
    "status",
    "campaign",
    "delivery",
    "mirror_page",
    "reason",
    "quarantine",
    "proof",
    "channel",
];

const TRACKING_COLUMN_KEYS: &[&str] = &[
    "id",
    "contact",
    "time",
    "kind",
    "url",
    "campaign",
    "delivery",
    "mirror_page",
    "proof",
    "channel",
];

const COMPRESSIONS: &[(&str, Compression)] =
    &[("auto", Compression::Auto), ("none", Compression::None), ("gzip", Compression::Gzip)];

/// Seconds for which a file must not have changed.
const SETTLE_SECONDS: u64 = 60;

/// The export runs daily.
const ALARM: Duration = Duration::from_hours(26);

/// Longest time without a file.
const LONGEST_ALARM: Duration = Duration::from_hours(24 * 90);

/// Words in a list.
const MAX_WORDS: usize = 100;

/// A problem has been recorded.
struct Reported;

/// `[egress.sftp]`
pub(super) fn egress_sftp(node: &Node<'_>) -> Option<LogFiles> {
    let keys = node.keys(EGRESS_SFTP_KEYS)?;
    let directory =
        keys.required("directory", "directory = \"exports\"").and_then(|node| directory(&node));
    let delivery = keys.get("delivery_log").map(|node| log(&node, LogKind::Delivery));
    let tracking = keys.get("tracking_log").map(|node| log(&node, LogKind::Tracking));
    if delivery.is_none() && tracking.is_none() {
        keys.problem(
            "neither `delivery_log` nor `tracking_log` is there",
            "add `delivery_log = { pattern = \"delivery_log_*.csv\" }` for sends and bounces, `tracking_log = { pattern = \"tracking_log_*.csv\" }` for opens and clicks",
        );
    }
    let format = match keys.get("format") {
        Some(node) => format(&node),
        None => Some(FileFormat::default()),
    };
    let handling = handling(Some(&keys));
    // Each is looked at before the verdict.
    let logs: Vec<_> = [delivery, tracking].into_iter().flatten().collect();
    Some(LogFiles {
        directory: directory?,
        logs: logs.into_iter().collect::<Option<_>>()?,
        format: format?,
        delete: handling.delete,
        settle: handling.settle,
        marker: handling.marker,
        alarm: handling.alarm,
    })
}

/// What is done with files whatever is in them.
pub(super) struct Handling {
    /// Whether a file is deleted once all its rows are taken.
    pub(super) delete: bool,
    /// For how long size and time must not have changed.
    pub(super) settle: Duration,
    /// What is behind the name of a file whose presence says that it is
    /// complete.
    pub(super) marker: Option<String>,
    /// After how long without a new file somebody is told.
    pub(super) alarm: Option<Duration>,
}

/// `after`, `settle_seconds`, `marker` and `file_alarm`, of whichever flow; the
/// defaults where there is no section.
pub(super) fn handling(keys: Option<&Keys<'_>>) -> Handling {
    let get = |key: &str| keys.and_then(|keys| keys.get(key));
    let delete = get("after").and_then(|node| node.word(&[("keep", false), ("delete", true)]));
    let settle = get("settle_seconds").and_then(|node| node.integer(0..=86_400));
    let settle = settle.and_then(|seconds| u64::try_from(seconds).ok());
    let alarm = get("file_alarm").and_then(|node| duration(&node, LONGEST_ALARM));
    Handling {
        delete: delete.unwrap_or(false),
        settle: Duration::from_secs(settle.unwrap_or(SETTLE_SECONDS)),
        marker: get("marker").and_then(|node| marker(&node)),
        alarm: Some(alarm.unwrap_or(ALARM)).filter(|alarm| !alarm.is_zero()),
    }
}

/// A directory of the server.
pub(super) fn directory(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if text.is_empty() || text.len() > 4096 || text.contains(char::is_control) {
        node.problem(
            "this is not a directory",
            "as the server names it, such as `exports`; `.` is where the login leads",
        );
        return None;
    }
    let trimmed = text.trim_end_matches('/');
    Some(if trimmed.is_empty() { "/" } else { trimmed }.to_owned())
}

/// Which files of the directory.
pub(super) fn pattern(node: &Node<'_>) -> Option<Pattern> {
    match Pattern::new(node.text()?) {
        Ok(pattern) => Some(pattern),
        Err(problem) => {
            node.problem(
                problem,
                "such as `delivery_log_*.csv`; `*` is any text, `?` any one character",
            );
            None
        }
    }
}

fn marker(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if text.is_empty() || text.len() > 64 || text.contains(|c: char| c == '/' || c.is_control()) {
        node.problem(
            "this is not the end of a file name",
            "what the export puts behind the name of the file when it is complete, such as `.done`",
        );
        return None;
    }
    Some(text.to_owned())
}

/// One of the two logs.
fn log(node: &Node<'_>, kind: LogKind) -> Option<LogSpec> {
    let (known, column_keys, words) = match kind {
        LogKind::Delivery => (DELIVERY_LOG_KEYS, DELIVERY_COLUMN_KEYS, ["sent", "bounced"]),
        LogKind::Tracking => (TRACKING_LOG_KEYS, TRACKING_COLUMN_KEYS, ["open", "click"]),
    };
    let keys = node.keys(known)?;
    let example = format!("pattern = \"{}_*.csv\"", kind.as_str());
    let pattern = keys.required("pattern", &example).and_then(|node| pattern(&node));
    let columns = match keys.get("columns") {
        Some(node) => columns(&node, column_keys).map(Some),
        None => Some(None),
    };
    let [first, second] = words.map(|key| word_list(&keys, key));
    let ignored = word_list(&keys, "ignored");
    let mut spec = LogSpec::usual(kind, pattern?);
    if let Some(columns) = columns? {
        override_columns(&mut spec, columns);
    }
    for (slot, words) in spec.words.iter_mut().zip([first.ok()?, second.ok()?]) {
        if let Some(words) = words {
            *slot = words;
        }
    }
    spec.ignored.extend(ignored.ok()?.unwrap_or_default());
    refuse_shared_words(&keys, &spec, words)?;
    // A word that is given a meaning is not ignored by default.
    let [sent, bounced] = &spec.words;
    spec.ignored.retain(|word| !sent.contains(word) && !bounced.contains(word));
    Some(spec)
}

/// The names of the configuration in place of the usual ones.
fn override_columns(spec: &mut LogSpec, columns: Vec<(LogColumn, String)>) {
    for (column, name) in columns {
        match spec.columns.iter_mut().find(|(usual, _)| *usual == column) {
            Some((_, usual)) => *usual = name,
            None => spec.columns.push((column, name)),
        }
    }
}

fn refuse_shared_words(keys: &Keys<'_>, spec: &LogSpec, names: [&str; 2]) -> Option<()> {
    let [first, second] = &spec.words;
    let shared = second.iter().find(|word| first.iter().any(|it| it.eq_ignore_ascii_case(word)));
    let Some(shared) = shared else { return Some(()) };
    let [a, b] = names;
    keys.problem(
        format!("`{}` stands in `{a}` and in `{b}`", shortened(shared)),
        "a word means one of the two; remove it from the other",
    );
    None
}

fn columns(node: &Node<'_>, known: &'static [&'static str]) -> Option<Vec<(LogColumn, String)>> {
    let keys = node.keys(known)?;
    let found: Vec<_> = known
        .iter()
        .filter_map(|key| keys.get(key).map(|node| Some((column(key), header_name(&node)?))))
        .collect();
    found.into_iter().collect()
}

fn column(key: &str) -> LogColumn {
    match key {
        "id" => LogColumn::Id,
        "contact" => LogColumn::Contact,
        "time" => LogColumn::Time,
        "status" | "kind" => LogColumn::State,
        "campaign" => LogColumn::Campaign,
        "delivery" => LogColumn::Delivery,
        "url" => LogColumn::Url,
        "mirror_page" => LogColumn::MirrorPage,
        "reason" => LogColumn::Reason,
        "quarantine" => LogColumn::Quarantine,
        "proof" => LogColumn::Proof,
        _ => LogColumn::Channel,
    }
}

/// A column's name in the header of a file.
pub(super) fn header_name(node: &Node<'_>) -> Option<String> {
    let text = node.text()?.trim();
    if text.is_empty() || text.len() > 255 || text.contains(char::is_control) {
        node.problem(
            "this is not the name of a column",
            "the text in the first line of the file; upper and lower case are the same",
        );
        return None;
    }
    Some(text.to_owned())
}

/// A list of words; none where the key is absent.
fn word_list(keys: &Keys<'_>, key: &str) -> Result<Option<Vec<String>>, Reported> {
    let Some(node) = keys.get(key) else { return Ok(None) };
    let list = node.list().ok_or(Reported)?;
    if list.is_empty() && key != "ignored" || list.len() > MAX_WORDS {
        node.problem(
            "this list names no word, or more than 100",
            format!("the texts that the file has for it, as in `{key} = [\"Sent\", \"1\"]`, or remove the key"),
        );
        return Err(Reported);
    }
    let words: Vec<_> =
        list.iter().map(|node| node.text().map(|text| text.trim().to_owned())).collect();
    words.into_iter().collect::<Option<_>>().map(Some).ok_or(Reported)
}

/// `format`, of whichever flow.
pub(super) fn format(node: &Node<'_>) -> Option<FileFormat> {
    let keys = node.keys(FORMAT_KEYS)?;
    let usual = FileFormat::default();
    let separator = keys.get("separator").map(|node| separator(&node));
    let quote = keys.get("quote").map(|node| quote(&node));
    let encoding = keys.get("encoding").map(|node| encoding(&node));
    let dates = keys.get("date_format").map(|node| date_form(&node));
    let compression = keys.get("compression").map(|node| node.word(COMPRESSIONS));
    let zone = keys.get("time_zone").map(|node| time_zone(&node));
    let (separator, quote) =
        (separator.unwrap_or(Some(usual.separator))?, quote.unwrap_or(Ok(usual.quote)).ok()?);
    if quote == Some(separator) {
        keys.problem("`separator` and `quote` are the same character", "change one of the two");
        return None;
    }
    Some(FileFormat {
        separator,
        quote,
        encoding: encoding.unwrap_or(Some(usual.encoding))?,
        dates: dates.unwrap_or(Some(usual.dates))?,
        compression: compression.unwrap_or(Some(usual.compression))?,
        time_zone: zone.unwrap_or(Some(TimeZone::UTC))?,
    })
}

/// One character, or one of two words.
fn separator(node: &Node<'_>) -> Option<u8> {
    let text = node.text()?;
    let byte = match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Some(b'\t'),
        (_, [byte]) => Some(*byte),
        (_, _) => None,
    };
    let allowed = |byte: &u8| {
        byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'\r' | b'\n' | 0)
    };
    let found = byte.filter(allowed);
    if found.is_none() {
        node.problem(
            "this is not a separator",
            "one ASCII character that is neither letter nor digit, such as `,`, `;` or `|`, or `tab`",
        );
    }
    found
}

/// A character, or none.
fn quote(node: &Node<'_>) -> Result<Option<u8>, Reported> {
    match node.text().ok_or(Reported)? {
        "none" | "" => Ok(None),
        "\"" | "double" => Ok(Some(b'"')),
        "'" | "single" => Ok(Some(b'\'')),
        _ => {
            node.problem(
                "this is not a quote",
                "`double` (`\"`, the default), `single` (`'`) or `none`",
            );
            Err(Reported)
        }
    }
}

/// A name of the WHATWG's list, which has all that Campaign offers.
fn encoding(node: &Node<'_>) -> Option<&'static Encoding> {
    let text = node.text()?;
    let usual = text.trim().to_ascii_lowercase().replace('_', "-");
    let name = match usual.as_str() {
        "latin-1" => "latin1",
        "cp-1252" => "windows-1252",
        other => other,
    };
    let found = Encoding::for_label_no_replacement(name.as_bytes());
    if found.is_none() {
        node.problem(
            format!("the encoding `{}` is not known", shortened(text)),
            "such as `utf-8`, `windows-1252`, `latin-1`, `iso-8859-15` or `utf-16le`",
        );
    }
    found
}

/// `xml`, or the order of year, month and day.
fn date_form(node: &Node<'_>) -> Option<DateForm> {
    use DatePart::{Day, Month, Year};
    let text = node.text()?;
    let mut letters: Vec<char> =
        text.to_ascii_lowercase().chars().filter(char::is_ascii_alphabetic).collect();
    letters.dedup();
    let order = match letters.into_iter().collect::<String>().as_str() {
        "xml" => return Some(DateForm::Xml),
        "ymd" => [Year, Month, Day],
        "mdy" => [Month, Day, Year],
        "dmy" => [Day, Month, Year],
        "myd" => [Month, Year, Day],
        "dym" => [Day, Year, Month],
        "ydm" => [Year, Day, Month],
        _ => {
            node.problem(
                format!("the date format `{}` is not known", shortened(text)),
                "`xml` or the order of the digits: `yyyymmdd`, `mmddyyyy`, `ddmmyyyy`, `mmyyyydd`, `ddyyyymm` or `yyyyddmm`; separators, two-digit years and times are found by themselves",
            );
            return None;
        }
    };
    Some(DateForm::Numeric(order))
}
