//! `status`: where everything stands, from the store.

use serde_json::{Map, Value, json};

use crate::app::{
    FlowStatus, JournalStatus, Lag, Status, SystemLoad, SystemStatus, TableStatus, status,
};
use crate::store::{Gap, Purpose, Resync};

use super::args::Json;
use super::desk::Place;
use super::exit::End;
use super::output::{Align, Spoken, age, count, table};

/// Answers the command.
pub(super) async fn answer(arguments: Json, place: &Place<'_>) -> Result<Spoken, End> {
    let status = status(place.config, place.store, place.clock, place.daemon.clone()).await?;
    Ok(if arguments.json {
        Spoken::json(&as_json(&status))
    } else {
        Spoken::out(as_tables(&status))
    })
}

fn as_json(status: &Status) -> Value {
    let flows: Map<String, Value> =
        status.flows.iter().map(|flow| (flow.flow.to_string(), flow_json(flow))).collect();
    let tables: Map<String, Value> =
        status.tables.iter().map(|table| (table.table.to_string(), table_json(table))).collect();
    let unmapped: Map<String, Value> = status
        .unmapped
        .iter()
        .map(|(table, waiting)| (table.to_string(), json!(waiting)))
        .collect();
    let resyncs: Vec<Value> = status.resyncs.iter().map(resync_json).collect();
    json!({
        "flows": flows,
        "tables": tables,
        "lags": status.lags.iter().map(lag_json).collect::<Vec<Value>>(),
        "journal": status.journal.as_ref().map(journal_json),
        "systems": status
            .systems
            .iter()
            .map(|system| (system.system.to_owned(), system_json(system)))
            .collect::<Map<String, Value>>(),
        "not_mapped": unmapped,
        "resync": resyncs,
        "journal_gaps": status.gaps.iter().map(gap_json).collect::<Vec<Value>>(),
        "daemon": status.daemon,
        "last_reconcile": status.last_slice.map(|at| at.to_string()),
    })
}

fn lag_json(lag: &Lag) -> Value {
    json!({
        "flow": lag.flow.as_str(),
        "table": lag.table.as_str(),
        "direction": lag.way.as_str(),
        "backlog": lag.backlog,
        "oldest": lag.oldest.map(|at| at.to_string()),
        "lag_seconds": lag.lag_seconds,
    })
}

fn journal_json(journal: &JournalStatus) -> Value {
    json!({
        "last_event_age_seconds": journal.last_event_age_seconds,
        "read_age_seconds": journal.read_age_seconds,
        "retention_seconds": journal.retention_seconds,
    })
}

fn system_json(system: &SystemStatus) -> Value {
    json!({
        "calls_today": system.calls_today,
        "requests_per_day": system.requests_per_day,
        "kept_for_optouts": system.kept_for_optouts,
        "closed": system.closed.as_str(),
        "day_ends": system.day_ends.to_string(),
        "live": system.live.as_ref().map(load_json),
    })
}

fn load_json(load: &SystemLoad) -> Value {
    json!({
        "calls": load.calls,
        "token_calls": load.token_calls,
        "throttled": load.throttled,
        "retries": load.retries,
        "in_flight": load.in_flight,
        "in_flight_limit": load.in_flight_limit,
        "window_calls": load.window_calls,
        "window_limit": load.window_limit,
        "window_seconds": load.window_seconds,
        "pause_seconds": load.pause_seconds,
        "silent": load.silent,
    })
}

fn gap_json(gap: &Gap) -> Value {
    json!({ "from": gap.from.map(|at| at.to_string()), "to": gap.to.to_string() })
}

fn resync_json(resync: &Resync) -> Value {
    json!({
        "table": resync.table.as_str(),
        "purpose": resync.purpose.as_str(),
        "rows": resync.done,
        "total": resync.total,
    })
}

fn flow_json(flow: &FlowStatus) -> Value {
    json!({
        "state": flow.state,
        "backlog": flow.backlog,
        "dead_letters": flow.dead_letters,
        "last_success": flow.last_success.map(|at| at.to_string()),
        "lag_seconds": flow.lag_seconds,
        "oldest": flow.oldest.map(|at| at.to_string()),
        "budget_until": flow.budget_until.map(|at| at.to_string()),
        "last_run": flow.last_run,
    })
}

fn table_json(table: &TableStatus) -> Value {
    json!({
        "state": table.phase,
        "backlog": table.backlog,
        "dead_letters": table.dead_letters,
        "lag_seconds": table.lag_seconds,
        "records": table.mapped,
        "deletes_held": table.held.held,
        "deletes_approved": table.held.approved,
        "cursor_age_seconds": table.cursor_age_seconds,
        "retention_seconds": table.retention_seconds,
        "empty_read_held": table.empty_read,
        "waiting_for_parent": table.waiting_for_parent,
        "waiting_for_children": table.waiting_for_children,
    })
}

fn as_tables(status: &Status) -> String {
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
    if !status.tables.is_empty() {
        let tables: Vec<Vec<String>> = status.tables.iter().map(table_row).collect();
        let table_columns = [
            ("table", Align::Left),
            ("position", Align::Left),
            ("records", Align::Right),
            ("backlog", Align::Right),
            ("held deletes", Align::Right),
            ("dead letters", Align::Right),
            ("cursor age", Align::Right),
            ("kept for", Align::Right),
        ];
        out.push_str("\n\n");
        out.push_str(&table(&table_columns, &tables));
    }
    for resync in status.resyncs.iter().filter(|it| it.purpose != Purpose::Reconcile) {
        let total =
            resync.total.map_or_else(String::new, |total| format!(" of about {}", count(total)));
        out.push_str(&format!(
            "\n\n{} of {} is not done ({}{total} rows); {} goes on with it",
            resync.purpose.as_str(),
            resync.table,
            count(resync.done),
            if status.daemon { "the daemon" } else { "the next `cdsync resync` or `cdsync sync`" },
        ));
    }
    status.tables.iter().for_each(|table| who_waits(table, &mut out));
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
    let or_dash = |seconds: Option<u64>| seconds.map_or_else(|| "-".to_owned(), age);
    vec![
        table.table.to_string(),
        table.phase.to_owned(),
        count(table.mapped),
        count(table.backlog),
        count(table.held.held),
        count(table.dead_letters),
        or_dash(table.cursor_age_seconds),
        age(table.retention_seconds),
    ]
}
