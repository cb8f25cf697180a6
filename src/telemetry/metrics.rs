//! The metrics: one constant per family, so that names and labels cannot
//! drift, and the text that a scraper reads.
//!
//! Knows nothing of what is measured. `docs/monitoring.md` is tested against
//! the same list. No label may hold anything of a person: flows, tables,
//! systems and words of this program only.

use std::fmt::Write as _;

/// What the numbers of a family do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They rise and fall.
    Gauge,
    /// They only rise, until the process ends.
    Counter,
}

impl Kind {
    /// The word in the text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A family: a name with its unit, and the labels of each of its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric<const LABELS: usize> {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    labels: [&'static str; LABELS],
}

/// What `docs/monitoring.md` says of a family.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricDoc {
    /// As a query names it: counters with `_total`.
    pub(crate) name: &'static str,
    /// What its numbers do.
    pub(crate) kind: Kind,
    /// What it means.
    pub(crate) help: &'static str,
    /// Its labels.
    pub(crate) labels: &'static [&'static str],
}

macro_rules! metrics {
    ($( #[doc = $help:literal] $name:ident = $text:literal $kind:ident [$($label:literal),*]; )*) => {
        $(
            #[doc = $help]
            pub(crate) const $name: Metric<{ const LABELS: &[&str] = &[$($label),*]; LABELS.len() }> =
                Metric { name: $text, kind: Kind::$kind, help: $help, labels: [$($label),*] };
        )*
        /// All families.
        #[cfg(test)]
        pub(crate) const METRICS: &[MetricDoc] = &[
            $( MetricDoc { name: $text, kind: Kind::$kind, help: $help, labels: &[$($label),*] } ),*
        ];
    };
}

metrics! {
    /// Always 1; the label says which version runs.
    BUILD = "cdsync_build_info" Gauge ["version"];
    /// When the process was started, in seconds since 1970.
    START = "cdsync_start_time_seconds" Gauge [];
    /// 1 for the state that the flow is in, 0 for the others.
    FLOW_STATE = "cdsync_flow_state" Gauge ["flow", "state"];
    /// Decisions, events or opt-outs that wait.
    BACKLOG = "cdsync_backlog_records" Gauge ["flow"];
    /// Records that were given up and wait for a person.
    DEAD_LETTERS = "cdsync_dead_letters" Gauge ["flow"];
    /// Age of the oldest that waits; 0 where nothing does.
    LAG = "cdsync_lag_seconds" Gauge ["flow"];
    /// End of the last pass in which all was done, in seconds since 1970; absent before the first.
    LAST_SUCCESS = "cdsync_last_success_timestamp_seconds" Gauge ["flow"];
    /// How long the last pass took; absent before the first.
    LAST_PASS = "cdsync_last_pass_duration_seconds" Gauge ["flow"];
    /// Records of the table that Campaign holds.
    TABLE_RECORDS = "cdsync_table_records" Gauge ["table"];
    /// Records, events or contacts that wait, by where they go.
    TABLE_BACKLOG = "cdsync_table_backlog_records" Gauge ["flow", "table", "direction"];
    /// Age of the oldest of them; 0 where nothing waits.
    TABLE_LAG = "cdsync_table_lag_seconds" Gauge ["flow", "table", "direction"];
    /// Records of the table that were given up.
    TABLE_DEAD_LETTERS = "cdsync_table_dead_letters" Gauge ["table"];
    /// Deletions that the guard holds, or an empty read, until a person approves them.
    TABLE_HELD = "cdsync_table_held_deletes" Gauge ["table"];
    /// Records and deletions that wait for a record they are linked with.
    TABLE_WAITING = "cdsync_table_linked_waiting_records" Gauge ["table"];
    /// Age of the delta token, where there is one.
    CURSOR_AGE = "cdsync_table_cursor_age_seconds" Gauge ["table"];
    /// The age at which Dynamics forgets deleted rows.
    CURSOR_RETENTION = "cdsync_table_cursor_retention_seconds" Gauge ["table"];
    /// Time since the journal was read to its end or its position moved; absent where it never was.
    JOURNAL_AGE = "cdsync_journal_read_age_seconds" Gauge [];
    /// How long the journal keeps events; absent where none is read.
    JOURNAL_RETENTION = "cdsync_journal_retention_seconds" Gauge [];
    /// Times whose events the journal lost and no other source brought.
    JOURNAL_GAPS = "cdsync_journal_gaps" Gauge [];
    /// Passes that ended: `done` is what `flow.finished` calls `ok`.
    PASSES = "cdsync_passes_total" Counter ["flow", "outcome"];
    /// Seconds that passes took.
    PASS_SECONDS = "cdsync_pass_seconds_total" Counter ["flow"];
    /// Records that passes came to an end with.
    RECORDS = "cdsync_records_total" Counter ["flow", "outcome"];
    /// Requests that were sent, tokens not counted. Starts anew when the configuration is read again.
    CALLS = "cdsync_calls_total" Counter ["system"];
    /// Token requests that were sent. Starts anew when the configuration is read again.
    TOKEN_CALLS = "cdsync_token_calls_total" Counter ["system"];
    /// Requests that were sent once more. Starts anew when the configuration is read again.
    RETRIES = "cdsync_retries_total" Counter ["system"];
    /// Answers that asked us to wait. Starts anew when the configuration is read again.
    THROTTLED = "cdsync_throttled_total" Counter ["system"];
    /// Requests that are on their way.
    IN_FLIGHT = "cdsync_requests_in_flight" Gauge ["system"];
    /// Most that may be on their way at present.
    IN_FLIGHT_LIMIT = "cdsync_requests_in_flight_limit" Gauge ["system"];
    /// For how long nothing is sent because the system asked for it; 0 where it did not.
    PAUSE = "cdsync_pause_seconds" Gauge ["system"];
    /// Requests of this UTC day, those of a batch one by one.
    CALLS_TODAY = "cdsync_calls_today" Gauge ["system"];
    /// The budget of a day; absent where there is none.
    DAY_BUDGET = "cdsync_day_budget_calls" Gauge ["system"];
    /// 1 while the budget of the day is used up: to ordinary calls, or to all.
    BUDGET_CLOSED = "cdsync_day_budget_closed" Gauge ["system", "calls"];
    /// 1 while the system does not answer.
    UNREACHABLE = "cdsync_system_unreachable" Gauge ["system"];
    /// Events of the log, those of the levels `error`, `warn` and `info`; counted even where the log leaves them out.
    EVENTS = "cdsync_events_total" Counter ["event", "level"];
}

/// The two forms that scrapers ask for. They differ in how counters are named
/// and in their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format, 0.0.4.
    Prometheus,
}

impl Form {
    /// For the header of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The numbers of one moment; families stand in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Page(Vec<Family>);

#[derive(Debug)]
struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    lines: String,
}

impl Page {
    /// Adds a number.
    pub(crate) fn add<const LABELS: usize>(
        &mut self,
        metric: &Metric<LABELS>,
        values: [&str; LABELS],
        number: f64,
    ) {
        let at = self.0.iter().position(|family| family.name == metric.name);
        let at = at.unwrap_or_else(|| {
            let Metric { name, kind, help, .. } = *metric;
            self.0.push(Family { name, kind, help, lines: String::new() });
            self.0.len() - 1
        });
        let Some(family) = self.0.get_mut(at) else { return };
        let labels: Vec<String> = (metric.labels.iter().zip(values))
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(family.lines, "{}{labels} {number}", metric.name);
    }

    /// The text of all.
    pub(crate) fn text(&self, form: Form) -> String {
        let mut out = String::new();
        for Family { name, kind, help, lines } in &self.0 {
            let name = match form {
                Form::OpenMetrics => name.trim_end_matches("_total"),
                Form::Prometheus => name,
            };
            let kind = kind.as_str();
            let _ = write!(out, "# HELP {name}{help}\n# TYPE {name} {kind}\n{lines}");
        }
        if form == Form::OpenMetrics {
            out.push_str("# EOF\n");
        }
        out
    }
}

/// A label's value as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
