//! The status as one JSON object. Keys are promised: more may come, none goes.

use serde_json::{Map, Value, json};

use crate::app::{FlowStatus, JournalStatus, Lag, Status, SystemLoad, SystemStatus, TableStatus};
use crate::store::{Gap, Resync};

/// All of it.
pub(super) fn as_json(status: &Status) -> Value {
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
        "last_success": table.last_success.map(|at| at.to_string()),
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
