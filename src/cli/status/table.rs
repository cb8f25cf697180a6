//! The status as tables of at most 80 columns, where names are not long.

use crate::app::{
    Closed, FlowStatus, JournalStatus, Lag, Status, SystemLoad, SystemStatus, TableStatus,
};
use crate::cli::output::{Align, age, count, many, table};
use crate::model::Flow;
use crate::store::{Gap, Purpose};

const TABLE_COLUMNS: [(&str, Align); 8] = [
    ("table", Align::Left),
    ("position", Align::Left),
    ("records", Align::Right),
    ("backlog", Align::Right),
    ("lag", Align::Right),
    ("deletes\nheld", Align::Right),
    ("dead\nletters", Align::Right),
    ("cursor age", Align::Right),
];

const LAG_COLUMNS: [(&str, Align); 5] = [
    ("table", Align::Left),
    ("flow", Align::Left),
    ("direction", Align::Left),
    ("backlog", Align::Right),
    ("lag", Align::Right),
];

const SYSTEM_COLUMNS: [(&str, Align); 6] = [
    ("system", Align::Left),
    ("calls\ntoday", Align::Right),
    ("budget\na day", Align::Right),
    ("calls in\nits window", Align::Right),
    ("times\nthrottled", Align::Right),
    ("condition", Align::Left),
];

/// All of it.
pub(super) fn as_tables(status: &Status) -> String {
    let flows: Vec<Vec<String>> = status.flows.iter().map(flow_row).collect();
    let flow_columns = [
        ("flow", Align::Left),
        ("state", Align::Left),
        ("backlog", Align::Right),
        ("dead letters", Align::Right),
        ("lag", Align::Right),
        ("last success", Align::Left),
    ];
    let mut out = table(&flow_columns, &flows);
    let mut add = |columns: &[(&str, Align)], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            out.push_str("\n\n");
            out.push_str(&table(columns, &rows));
        }
    };
    add(&TABLE_COLUMNS, status.tables.iter().map(table_row).collect());
    let others = status.lags.iter().filter(|lag| lag.flow != Flow::Ingress);
    add(&LAG_COLUMNS, others.map(lag_row).collect());
    add(&SYSTEM_COLUMNS, status.systems.iter().map(system_row).collect());
    if let Some(journal) = &status.journal {
        out.push_str(&journal_line(journal));
    }
    status.flows.iter().for_each(|flow| unpaid(flow, &mut out));
    for resync in status.resyncs.iter().filter(|it| it.purpose != Purpose::Reconcile) {
        let total =
            resync.total.map_or_else(String::new, |total| format!(" of about {}", count(total)));
        out.push_str(&format!(
            "\n\n{} of {} is not done ({}{total}); {} goes on with it",
            resync.purpose.as_str(),
            resync.table,
            many(resync.done, "row"),
            if status.daemon { "the daemon" } else { "the next `cdsync resync` or `cdsync sync`" },
        ));
    }
    status.tables.iter().for_each(|table| who_waits(table, &mut out));
    if !status.daemon {
        out.push_str(
            "\n\nno daemon has the store: nothing runs by its schedule until `cdsync run`",
        );
    }
    status.gaps.iter().for_each(|gap| lost(gap, &mut out));
    for (table, waiting) in &status.unmapped {
        out.push_str(&format!(
            "\n\n{table} is not mapped any more: {} of its changes are not delivered; put the mapping back, or `cdsync discard-table {table}`",
            count(*waiting)
        ));
    }
    out
}

/// What of a table waits for a person or for other records.
fn who_waits(table: &TableStatus, out: &mut String) {
    if table.held.held > 0 || table.empty_read {
        out.push_str(&format!(
            "\n\n{} waits for a person: `cdsync approve-deletes {}`",
            table.table, table.table
        ));
    }
    if table.waiting_for_parent > 0 {
        out.push_str(&format!(
            "\n\n{}: {} of its records wait until their parent is in Campaign",
            table.table,
            count(table.waiting_for_parent)
        ));
    }
    if table.waiting_for_children > 0 {
        out.push_str(&format!(
            "\n\n{}: {} of its deletions wait until the records that link to them have been written or deleted",
            table.table,
            count(table.waiting_for_children)
        ));
    }
}

/// What the journal lost.
fn lost(gap: &Gap, out: &mut String) {
    let from = gap.from.map_or_else(|| "the beginning".to_owned(), |at| format!("{at:.0}"));
    out.push_str(&format!(
        "\n\nevents from {from} to {:.0} are lost to the journal: they expired before they were read",
        gap.to
    ));
}

fn flow_row(flow: &FlowStatus) -> Vec<String> {
    vec![
        flow.flow.to_string(),
        flow.state.to_owned(),
        count(flow.backlog),
        count(flow.dead_letters),
        if flow.backlog == 0 { "-".to_owned() } else { age(flow.lag_seconds) },
        flow.last_success
            .map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()),
    ]
}

fn table_row(table: &TableStatus) -> Vec<String> {
    let cursor = table.cursor_age_seconds.map_or_else(
        || "-".to_owned(),
        |seconds| format!("{} of {}", rough(seconds), rough(table.retention_seconds)),
    );
    vec![
        table.table.to_string(),
        table.phase.to_owned(),
        count(table.mapped),
        count(table.backlog),
        if table.backlog == 0 { "-".to_owned() } else { rough(table.lag_seconds) },
        count(table.held.held),
        count(table.dead_letters),
        cursor,
    ]
}

fn lag_row(lag: &Lag) -> Vec<String> {
    vec![
        lag.table.to_string(),
        lag.flow.to_string(),
        lag.way.as_str().to_owned(),
        count(lag.backlog),
        lag.lag_seconds.map_or_else(|| "-".to_owned(), rough),
    ]
}

fn system_row(system: &SystemStatus) -> Vec<String> {
    let live =
        |text: fn(&SystemLoad) -> String| system.live.as_ref().map_or_else(|| "-".to_owned(), text);
    vec![
        system.system.to_owned(),
        count(system.calls_today),
        system.requests_per_day.map_or_else(|| "-".to_owned(), count),
        live(|load| {
            format!(
                "{} of {} in {} s",
                count(load.window_calls),
                count(load.window_limit),
                load.window_seconds
            )
        }),
        live(|load| count(load.throttled)),
        condition(system),
    ]
}

/// What a system is like, in words: of what is true of it, the first.
fn condition(system: &SystemStatus) -> String {
    let pause = system.live.as_ref().and_then(|load| load.pause_seconds);
    if system.live.as_ref().is_some_and(|load| load.silent) {
        return "does not answer".to_owned();
    }
    if let Some(seconds) = pause {
        return format!("asked to wait {}", rough(seconds));
    }
    match system.closed {
        Closed::Nothing => "open".to_owned(),
        Closed::Ordinary => "for opt-outs only".to_owned(),
        Closed::All => "budget used up".to_owned(),
    }
}

fn journal_line(journal: &JournalStatus) -> String {
    let since = |seconds: Option<u64>| {
        seconds.map_or_else(|| "never".to_owned(), |seconds| format!("{} ago", rough(seconds)))
    };
    format!(
        "\n\njournal: read {}; latest event {}; events are kept for {}",
        since(journal.read_age_seconds),
        since(journal.last_event_age_seconds),
        rough(journal.retention_seconds)
    )
}

/// Who waits for the budget of the day.
fn unpaid(flow: &FlowStatus, out: &mut String) {
    if let Some(until) = flow.budget_until {
        out.push_str(&format!("\n\n{} waits for the budget of the day until {until}", flow.flow));
    }
}

/// A duration in its largest unit that says something: for narrow columns.
fn rough(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::rough;

    #[test]
    fn a_duration_is_told_in_its_largest_unit() {
        let cases =
            [(59, "59 s"), (60, "1 min"), (3600, "1 h"), (172_799, "47 h"), (604_800, "7 d")];
        for (seconds, text) in cases {
            assert_eq!(rough(seconds), text);
        }
    }
}
