//! One row of a log, by the header of its file and the rules of its
//! configuration.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::spec::{LogColumn, LogKind, LogSpec};
use crate::mapping::events::{Bounce, UnsureBounces, bounce};
use crate::mapping::file_dates::read_instant;
use crate::model::{DateForm, EmailEvent, EventKind, FileFormat};

/// Longest id and key that an event may have, in bytes.
const MAX_KEY_BYTES: usize = 512;

/// What a row tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogRow {
    /// An event.
    Event(EmailEvent),
    /// Nothing that Dynamics is to hear of.
    Filtered,
    /// Nothing that can be understood. Names columns, never values.
    Bad(String),
}

/// A file whose header lacks what is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line 1: the header has no column `{name}` ({log}.columns.{column}); name the header's own in the configuration, or add the column to the export"
)]
pub(crate) struct MissingColumn {
    log: &'static str,
    column: &'static str,
    name: String,
}

/// Reads the rows of one file.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    spec: LogSpec,
    /// Where each column stands.
    places: Vec<(LogColumn, usize)>,
    width: usize,
    kinds: BTreeSet<EventKind>,
    unsure: UnsureBounces,
    dates: DateForm,
    zone: TimeZone,
}

impl LogReader {
    /// Finds the columns in a header, by name in whatever case and order.
    /// `kinds` are those that are switched on.
    pub(crate) fn new(
        spec: &LogSpec,
        format: &FileFormat,
        (kinds, unsure): (&BTreeSet<EventKind>, UnsureBounces),
        header: &[String],
    ) -> Result<Self, MissingColumn> {
        let mut places = Vec::new();
        for (column, name) in &spec.columns {
            let place = header.iter().position(|found| found.eq_ignore_ascii_case(name));
            match place {
                Some(place) => places.push((*column, place)),
                None if column.is_needed() => {
                    let (log, name) = (spec.kind.as_str(), name.clone());
                    return Err(MissingColumn { log, column: key(*column, spec.kind), name });
                }
                None => {}
            }
        }
        Ok(Self {
            spec: spec.clone(),
            places,
            width: header.len(),
            kinds: kinds.clone(),
            unsure,
            dates: format.dates,
            zone: format.time_zone.clone(),
        })
    }

    /// What a row tells.
    pub(crate) fn read(&self, values: &[String]) -> LogRow {
        if values.len() != self.width {
            let (found, wanted) = (values.len(), self.width);
            return LogRow::Bad(format!(
                "the row has {found} values, the header has {wanted} columns"
            ));
        }
        if self.is_no_recipients(values) {
            return LogRow::Filtered;
        }
        let state = self.value(values, LogColumn::State).unwrap_or_default();
        let Some(kind) = self.kind(state) else {
            let ignored = self.spec.ignored.iter().any(|word| word.eq_ignore_ascii_case(state));
            return if ignored {
                LogRow::Filtered
            } else {
                self.bad(LogColumn::State, UNKNOWN_WORD)
            };
        };
        if !self.kinds.contains(&kind) || (kind == EventKind::Bounce && !self.is_hard(values)) {
            return LogRow::Filtered;
        }
        self.event(kind, values).map_or_else(|(column, what)| self.bad(column, what), LogRow::Event)
    }

    fn event(
        &self,
        kind: EventKind,
        values: &[String],
    ) -> Result<EmailEvent, (LogColumn, &'static str)> {
        let needed = |column| match self.value(values, column) {
            None => Err((column, "is empty")),
            Some(value) if value.len() > MAX_KEY_BYTES => Err((column, "is longer than 512 bytes")),
            Some(value) => Ok(value.to_owned()),
        };
        let optional = |column| self.value(values, column).map(str::to_owned);
        let time = needed(LogColumn::Time)?;
        let time = read_instant(&time, self.dates, &self.zone)
            .ok_or((LogColumn::Time, "is not a time of the form that `date_format` names"))?;
        Ok(EmailEvent {
            kind,
            id: needed(LogColumn::Id)?,
            contact: needed(LogColumn::Contact)?,
            time,
            campaign: optional(LogColumn::Campaign),
            delivery: optional(LogColumn::Delivery),
            url: optional(LogColumn::Url).filter(|_| kind == EventKind::Click),
            mirror_page: optional(LogColumn::MirrorPage),
        })
    }

    /// The value of a column, trimmed; none where there is none.
    fn value<'v>(&self, values: &'v [String], column: LogColumn) -> Option<&'v str> {
        let (_, place) = self.places.iter().find(|(found, _)| *found == column)?;
        values.get(*place).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn kind(&self, state: &str) -> Option<EventKind> {
        let says = |words: &Vec<String>| words.iter().any(|word| word.eq_ignore_ascii_case(state));
        let kinds = self.spec.kind.events().into_iter().zip(&self.spec.words);
        kinds.into_iter().find(|(_, words)| says(words)).map(|(kind, _)| kind)
    }

    /// Proofs, seeds, and what is not an e-mail.
    fn is_no_recipients(&self, values: &[String]) -> bool {
        let proof = self.value(values, LogColumn::Proof).unwrap_or_default();
        let channel = self.value(values, LogColumn::Channel).unwrap_or("0");
        let says =
            |words: &[&str], text: &str| words.iter().any(|word| word.eq_ignore_ascii_case(text));
        is_true(proof) || !says(&["0", "email", "e-mail"], channel)
    }

    /// Whether a failure is for good. A file without reasons tells of final
    /// failures only (Campaign sheet, 5.3).
    fn is_hard(&self, values: &[String]) -> bool {
        let reason = self.value(values, LogColumn::Reason);
        let quarantined = self.value(values, LogColumn::Quarantine).map(is_true);
        bounce(reason, quarantined, self.unsure) == Bounce::Hard
    }

    fn bad(&self, column: LogColumn, what: &str) -> LogRow {
        let key = key(column, self.spec.kind);
        let name = self.spec.columns.iter().find(|(found, _)| *found == column);
        let name = name.map_or(key, |(_, name)| name);
        LogRow::Bad(format!("the column `{name}` ({key}) {what}"))
    }
}

const UNKNOWN_WORD: &str = "holds a word that the configuration gives no meaning; add it to the words of an event or to `ignored`";

/// Booleans as exports write them.
fn is_true(text: &str) -> bool {
    ["true", "1", "yes"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A column's key in the configuration.
fn key(column: LogColumn, log: LogKind) -> &'static str {
    match (column, log) {
        (LogColumn::Id, _) => "id",
        (LogColumn::Contact, _) => "contact",
        (LogColumn::Time, _) => "time",
        (LogColumn::State, LogKind::Delivery) => "status",
        (LogColumn::State, LogKind::Tracking) => "kind",
        (LogColumn::Campaign, _) => "campaign",
        (LogColumn::Delivery, _) => "delivery",
        (LogColumn::Url, _) => "url",
        (LogColumn::MirrorPage, _) => "mirror_page",
        (LogColumn::Reason, _) => "reason",
        (LogColumn::Quarantine, _) => "quarantine",
        (LogColumn::Proof, _) => "proof",
        (LogColumn::Channel, _) => "channel",
    }
}
