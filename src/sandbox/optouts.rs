//! The workflow that exports changed profiles for the opt-out flow.
//!
//! Owns: the layout that campaign sheet 8.2 suggests, and which profiles a run
//! takes: those whose `lastModified` is not before the last run's time (8.1,
//! mode B).

use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Sandbox;
use super::log::System;
use super::mail::{LogForm, file, time};
use super::row::Cell;
use super::server::Shared;
use super::sftp::SftpControl;
use super::wire::{Call, Reply};

/// Where the workflow leaves its files.
const DIRECTORY: &str = "d365_loads/exports";

/// The form of an export of opt-outs.
#[derive(Clone, Debug)]
pub struct ExportForm {
    /// Separator, quotes, encoding, dates, order, compression. With `labels`
    /// flags are `true` and `false`, else `1` and `0`.
    pub form: LogForm,
    /// All profiles instead of those changed since the last export.
    pub all: bool,
    /// Whether there are columns with the flags' stamps.
    pub stamps: bool,
    /// The upload ended after so many bytes.
    pub cut_at: Option<usize>,
    /// When the file was last changed; an hour ago by default.
    pub modified: Option<Timestamp>,
}

impl Default for ExportForm {
    fn default() -> Self {
        Self { form: LogForm::default(), all: false, stamps: true, cut_at: None, modified: None }
    }
}

/// When the last export ran, in Campaign's clock.
#[derive(Debug, Default)]
pub(crate) struct Exported(Mutex<i64>);

type Row = Vec<(String, String)>;

fn cell_text(cell: Option<&Cell<'_>>, flag: bool, form: &LogForm) -> String {
    match cell {
        Some(Cell::Text(text)) => text.clone().into_owned(),
        Some(Cell::Time(at)) => time(*at, form.dates),
        Some(Cell::Bool(_)) | None if flag => {
            let on = matches!(cell, Some(Cell::Bool(true)));
            let (yes, no) = if form.labels { ("true", "false") } else { ("1", "0") };
            if on { yes } else { no }.to_owned()
        }
        Some(
            Cell::Bool(_)
            | Cell::Int(_)
            | Cell::Double(_)
            | Cell::Decimal(_)
            | Cell::Guid(_)
            | Cell::Ref(..)
            | Cell::Date(_),
        )
        | None => String::new(),
    }
}

/// The profiles changed since `since`.
fn rows(shared: &Shared, since: i64, wanted: &ExportForm) -> Vec<Row> {
    let db = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(profiles) = db.named("profile") else { return Vec::new() };
    let mut columns = vec![("externalId".to_owned(), false), ("email".to_owned(), false)];
    for field in profiles.def.fields.iter().filter(|field| field.is_opt_out()) {
        columns.push((field.name.clone(), true));
        let stamp = format!("{}LastModified", field.name);
        if wanted.stamps && profiles.def.field(&stamp).is_some() {
            columns.push((stamp, false));
        }
    }
    columns.push(("lastModified".to_owned(), false));
    let number = |name: &str| profiles.def.field(name).map(|field| field.number);
    let changed = number("lastModified");
    let mut rows = Vec::new();
    for row in profiles.rows.values() {
        let cell = |number: Option<u16>| number.and_then(|number| row.get(number));
        let at = match cell(changed) {
            Some(Cell::Time(at)) => at,
            Some(_) | None => i64::MIN,
        };
        if wanted.all || at >= since {
            let value = |(name, flag): &(String, bool)| {
                let shown = cell_text(cell(number(name)).as_ref(), *flag, &wanted.form);
                (name.clone(), shown)
            };
            rows.push(columns.iter().map(value).collect());
        }
    }
    rows
}

/// Runs the workflow; the path of the file, none where nothing had changed.
fn export(shared: &Shared, sftp: &SftpControl, name: &str, wanted: &ExportForm) -> Option<String> {
    let now = shared.clocks.of(System::Campaign).now();
    let since = {
        let mut last = shared.exported.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *last, now.as_millisecond())
    };
    let rows = rows(shared, since, wanted);
    if rows.is_empty() {
        return None;
    }
    let mut bytes = file(rows, &wanted.form);
    bytes.truncate(wanted.cut_at.unwrap_or(usize::MAX));
    let end = if wanted.form.gzip { ".csv.gz" } else { ".csv" };
    let path = format!("{DIRECTORY}/{name}{end}");
    let hour_ago = shared.clock.now() - SignedDuration::from_hours(1);
    sftp.put_at(&path, &bytes, wanted.modified.unwrap_or(hour_ago));
    Some(path)
}

impl Sandbox {
    /// Runs the daily export: a file `d365_loads/exports/{name}.csv` (or
    /// `.csv.gz`) with the profiles changed since the last export. Gives its
    /// path; none where nothing had changed.
    pub fn export_optouts(&self, name: &str, form: &ExportForm) -> Option<String> {
        export(&self.shared, &self.sftp(), name, form)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    #[serde(default)]
    all: bool,
}

/// Answers `POST /_sandbox/optouts` with `{"name": "optout_1", "all": false}`.
pub(crate) fn answer(shared: &Shared, call: &Call) -> Reply {
    match serde_json::from_slice::<Wanted>(&call.body) {
        Ok(wanted) => {
            let form = ExportForm { all: wanted.all, ..ExportForm::default() };
            let path = export(shared, &shared.sftp, &wanted.name, &form);
            let body = serde_json::json!({ "path": path });
            Reply::new(StatusCode::OK, "application/json", body.to_string())
        }
        Err(error) => Reply::new(StatusCode::BAD_REQUEST, "text/plain", error.to_string()),
    }
}
