//! Delivery and tracking logs as files.
//!
//! Owns: the columns of campaign sheet 5.2 under names of their own, and every
//! form that 8.1 lets an export take.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::{MailFact, MailKind, Standing};
use crate::sandbox::moment;
use crate::sandbox::random::Stream;

/// How an export writes points in time, all in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogDates {
    /// `2026-01-31T13:00:05.000Z`
    #[default]
    Xml,
    /// `20260131 13:00:05`, the form `yyyymmdd` without a separator.
    YearFirst,
    /// `31/01/2026 13:00:05`
    DayFirst,
}

/// The form of an export.
#[derive(Clone, Debug)]
pub struct LogForm {
    /// Column separator.
    pub separator: u8,
    /// Whether every value stands in double quotes; else none does.
    pub quoted: bool,
    /// Lines end with CR and LF.
    pub crlf: bool,
    /// A byte order mark comes first.
    pub bom: bool,
    /// Code page 1252 instead of UTF-8.
    pub latin: bool,
    /// Labels of enumerations instead of numbers.
    pub labels: bool,
    /// How times are written.
    pub dates: LogDates,
    /// Seed of the order of columns and rows; 0 for the natural order.
    pub shuffle: u64,
    /// Packed; the name then ends in `.gz`.
    pub gzip: bool,
}

impl Default for LogForm {
    fn default() -> Self {
        Self {
            separator: b',',
            quoted: true,
            crlf: false,
            bom: false,
            latin: false,
            labels: true,
            dates: LogDates::Xml,
            shuffle: 0,
            gzip: false,
        }
    }
}

type Row = Vec<(&'static str, String)>;

/// A point in time in one of the forms.
pub(crate) fn time(at: i64, dates: LogDates) -> String {
    let text = moment::campaign_text(at);
    let (date, clock) = text.split_once(' ').unwrap_or((&text, ""));
    let clock = clock.trim_end_matches('Z');
    let seconds = clock.split('.').next().unwrap_or(clock);
    let mut parts = date.split('-');
    let (year, month, day) =
        (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    match dates {
        LogDates::Xml => format!("{date}T{clock}Z"),
        LogDates::YearFirst => format!("{year}{month}{day} {seconds}"),
        LogDates::DayFirst => format!("{day}/{month}/{year} {seconds}"),
    }
}

/// Why an e-mail failed, as the number behind the label.
fn reason_number(label: &str) -> &'static str {
    match label {
        "User unknown" => "1",
        "Mailbox full" => "5",
        "Address on denylist" => "8",
        _ => "0",
    }
}

/// The delivery log: one row per e-mail, as it stands after the last of these
/// facts. A soft bounce leaves the row as it is.
pub(super) fn delivery_log(facts: &[MailFact], form: &LogForm) -> Vec<u8> {
    let mut rows: BTreeMap<u64, &MailFact> = BTreeMap::new();
    for fact in facts {
        let sent = fact.kind == MailKind::Send && fact.standing != Standing::Strange;
        let failed = fact.kind == MailKind::Bounce && fact.standing != Standing::Soft;
        if failed || sent && !rows.contains_key(&fact.broad_log) {
            rows.insert(fact.broad_log, fact);
        }
    }
    let row = |fact: &MailFact| -> Row {
        let failed = fact.kind == MailKind::Bounce;
        let status = match (failed, form.labels) {
            (false, true) => "Sent",
            (false, false) => "1",
            (true, true) => "Failed",
            (true, false) => "2",
        };
        let reason = match (fact.reason, form.labels) {
            (Some(label), true) => label,
            (Some(label), false) => reason_number(label),
            (None, true) => "",
            (None, false) => "0",
        };
        vec![
            ("id", fact.broad_log.to_string()),
            ("externalId", fact.contact.clone()),
            ("address", format!("{}@example.com", fact.broad_log)),
            ("eventDate", time(fact.at, form.dates)),
            ("status", status.to_owned()),
            ("failureReason", reason.to_owned()),
            ("deliveryType", if form.labels { "Email" } else { "0" }.to_owned()),
            ("proof", u8::from(own(fact)).to_string()),
            ("campaign", fact.campaign.clone()),
            ("delivery", fact.delivery.clone()),
            ("deliveryLabel", "Grüße zum Geburtstag".to_owned()),
            ("mirrorPage", fact.mirror_page.clone()),
            ("lastModified", time(fact.at + 60_000, form.dates)),
        ]
    };
    file(rows.into_values().map(row).collect(), form)
}

/// Whether it went to somebody of the sender's own.
fn own(fact: &MailFact) -> bool {
    matches!(fact.standing, Standing::Proof | Standing::Seed)
}

/// The tracking log: one row per open and click.
pub(super) fn tracking_log(facts: &[MailFact], form: &LogForm) -> Vec<u8> {
    let row = |fact: &MailFact| -> Row {
        let click = fact.kind == MailKind::Click;
        let kind = match (click, form.labels) {
            (false, true) => "Open",
            (false, false) => "2",
            (true, true) => "Email click",
            (true, false) => "1",
        };
        vec![
            ("id", fact.log_id.to_string()),
            ("broadLogId", fact.broad_log.to_string()),
            ("externalId", fact.contact.clone()),
            ("logDate", time(fact.at, form.dates)),
            ("type", kind.to_owned()),
            ("urlSource", fact.url.clone().unwrap_or_default()),
            ("urlLabel", if click { "Angebote für Sie" } else { "" }.to_owned()),
            ("proof", u8::from(own(fact)).to_string()),
            ("campaign", fact.campaign.clone()),
            ("delivery", fact.delivery.clone()),
            ("mirrorPage", fact.mirror_page.clone()),
            ("trackedDevice", "pc".to_owned()),
        ]
    };
    let tracked =
        facts.iter().filter(|fact| matches!(fact.kind, MailKind::Open | MailKind::Click)).map(row);
    file(tracked.collect(), form)
}

/// The bytes of a file with these rows; a file without rows is empty, as the
/// option against header-only files has it.
pub(crate) fn file<N: AsRef<str>>(mut rows: Vec<Vec<(N, String)>>, form: &LogForm) -> Vec<u8> {
    if form.shuffle != 0 {
        let mut stream = Stream::new(form.shuffle);
        shuffle(&mut rows, &mut stream);
        let order = stream.below(u64::MAX);
        for row in &mut rows {
            shuffle(row, &mut Stream::new(order));
        }
    }
    let mut text = String::new();
    let mut line = |values: &mut dyn Iterator<Item = &str>| {
        for (place, value) in values.enumerate() {
            if place > 0 {
                text.push(char::from(form.separator));
            }
            if form.quoted {
                text.push_str(&format!("\"{}\"", value.replace('"', "\"\"")));
            } else {
                text.push_str(value);
            }
        }
        text.push_str(if form.crlf { "\r\n" } else { "\n" });
    };
    if let Some(first) = rows.first() {
        line(&mut first.iter().map(|(name, _)| name.as_ref()));
    }
    for row in &rows {
        line(&mut row.iter().map(|(_, value)| value.as_str()));
    }
    let mut out = if form.bom { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
    if form.latin {
        out.extend_from_slice(&encoding_rs::WINDOWS_1252.encode(&text).0);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    if form.gzip { packed(&out) } else { out }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn shuffle<T>(list: &mut [T], stream: &mut Stream) {
    for place in (1..list.len()).rev() {
        let limit = u64::try_from(place + 1).unwrap_or(1);
        list.swap(place, usize::try_from(stream.below(limit)).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_each_form() {
        let at = 1_769_864_405_000;
        assert_eq!(time(at, LogDates::Xml), "2026-01-31T13:00:05.000Z");
        assert_eq!(time(at, LogDates::YearFirst), "20260131 13:00:05");
        assert_eq!(time(at, LogDates::DayFirst), "31/01/2026 13:00:05");
    }
}
