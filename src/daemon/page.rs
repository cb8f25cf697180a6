//! From what the program knows of itself to the numbers of `/metrics`. Pure:
//! asks nobody.

use std::sync::atomic::Ordering;

use crate::app::{Closed, FlowStatus, Status, SystemLoad, SystemStatus, TableStatus};
use crate::daemon::vitals::{OUTCOMES, Totals, Vitals};
use crate::telemetry::{
    BACKLOG, BUDGET_CLOSED, BUILD, CALLS, CALLS_TODAY, CURSOR_AGE, CURSOR_RETENTION, DAY_BUDGET,
    DEAD_LETTERS, EVENTS, EventDoc, FLOW_STATE, IN_FLIGHT, IN_FLIGHT_LIMIT, JOURNAL_AGE,
    JOURNAL_GAPS, JOURNAL_RETENTION, LAG, LAST_PASS, LAST_SUCCESS, PASS_SECONDS, PASSES, PAUSE,
    Page, RECORDS, RETRIES, START, TABLE_BACKLOG, TABLE_DEAD_LETTERS, TABLE_HELD, TABLE_LAG,
    TABLE_RECORDS, TABLE_WAITING, THROTTLED, TOKEN_CALLS, UNREACHABLE,
};

/// The states of a flow.
pub(super) const STATES: [&str; 5] = ["running", "idle", "paused", "failed", "stopped"];

/// All numbers of one moment.
pub(super) fn page(status: &Status, vitals: &Vitals, events: &[EventDoc]) -> Page {
    let mut page = Page::default();
    page.add(&BUILD, [env!("CARGO_PKG_VERSION")], 1.0);
    page.add(&START, [], vitals.started().as_duration().as_secs_f64());
    for flow in &status.flows {
        add_flow(&mut page, flow);
    }
    for flow in status.flows.iter().filter(|flow| flow.state != "stopped") {
        add_totals(&mut page, flow.flow.as_str(), &vitals.totals(flow.flow));
    }
    for table in &status.tables {
        add_table(&mut page, table);
    }
    for lag in &status.lags {
        let labels = [lag.flow.as_str(), lag.table.as_str(), lag.way.as_str()];
        page.add(&TABLE_BACKLOG, labels, number(lag.backlog));
        page.add(&TABLE_LAG, labels, number(lag.lag_seconds.unwrap_or(0)));
    }
    if let Some(journal) = status.journal {
        if let Some(age) = journal.read_age_seconds {
            page.add(&JOURNAL_AGE, [], number(age));
        }
        page.add(&JOURNAL_RETENTION, [], number(journal.retention_seconds));
    }
    page.add(&JOURNAL_GAPS, [], number(status.gaps.len() as u64));
    for system in &status.systems {
        add_budget(&mut page, system);
    }
    for load in status.systems.iter().filter_map(|system| system.live.as_ref()) {
        add_load(&mut page, load);
    }
    for event in events.iter().filter(|event| matches!(event.level, "ERROR" | "WARN" | "INFO")) {
        let told = (event.told)().load(Ordering::Relaxed);
        page.add(&EVENTS, [event.name, &event.level.to_lowercase()], number(told));
    }
    page
}

fn add_flow(page: &mut Page, status: &FlowStatus) {
    let flow = status.flow.as_str();
    for state in STATES {
        page.add(&FLOW_STATE, [flow, state], truth(state == status.state));
    }
    page.add(&BACKLOG, [flow], number(status.backlog));
    page.add(&DEAD_LETTERS, [flow], number(status.dead_letters));
    page.add(&LAG, [flow], number(status.lag_seconds));
    if let Some(at) = status.last_success {
        page.add(&LAST_SUCCESS, [flow], at.as_duration().as_secs_f64());
    }
    if let Some(counts) = status.last_run {
        page.add(&LAST_PASS, [flow], seconds(counts.duration_ms));
    }
}

fn add_totals(page: &mut Page, flow: &str, totals: &Totals) {
    for (outcome, passes) in OUTCOMES.into_iter().zip(totals.passes) {
        page.add(&PASSES, [flow, outcome], number(passes));
    }
    page.add(&PASS_SECONDS, [flow], totals.duration.as_secs_f64());
    let records = totals.records;
    for (outcome, records) in [
        ("written", records.written),
        ("unchanged", records.unchanged),
        ("filtered", records.filtered),
        ("deleted", records.deleted),
        ("dead_lettered", records.dead_lettered),
    ] {
        page.add(&RECORDS, [flow, outcome], number(records));
    }
}

fn add_table(page: &mut Page, status: &TableStatus) {
    let table = status.table.as_str();
    page.add(&TABLE_RECORDS, [table], number(status.mapped));
    page.add(&TABLE_DEAD_LETTERS, [table], number(status.dead_letters));
    // An empty read is one decision that waits for the same approval.
    let held = status.held.held + u64::from(status.empty_read);
    page.add(&TABLE_HELD, [table], number(held));
    let waiting = status.waiting_for_parent + status.waiting_for_children;
    page.add(&TABLE_WAITING, [table], number(waiting));
    if let Some(age) = status.cursor_age_seconds {
        page.add(&CURSOR_AGE, [table], number(age));
    }
    page.add(&CURSOR_RETENTION, [table], number(status.retention_seconds));
}

fn add_budget(page: &mut Page, status: &SystemStatus) {
    let system = status.system;
    page.add(&CALLS_TODAY, [system], number(status.calls_today));
    if let Some(budget) = status.requests_per_day {
        page.add(&DAY_BUDGET, [system], number(budget));
    }
    let (ordinary, all) = match status.closed {
        Closed::Nothing => (false, false),
        Closed::Ordinary => (true, false),
        Closed::All => (true, true),
    };
    page.add(&BUDGET_CLOSED, [system, "ordinary"], truth(ordinary));
    page.add(&BUDGET_CLOSED, [system, "all"], truth(all));
}

fn add_load(page: &mut Page, load: &SystemLoad) {
    let system = load.system;
    page.add(&CALLS, [system], number(load.calls));
    page.add(&TOKEN_CALLS, [system], number(load.token_calls));
    page.add(&RETRIES, [system], number(load.retries));
    page.add(&THROTTLED, [system], number(load.throttled));
    page.add(&IN_FLIGHT, [system], number(load.in_flight));
    page.add(&IN_FLIGHT_LIMIT, [system], number(load.in_flight_limit));
    page.add(&PAUSE, [system], number(load.pause_seconds.unwrap_or(0)));
    page.add(&UNREACHABLE, [system], truth(load.silent));
}

fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// Counts are far below 2^53, from where on a number loses its last digit.
#[expect(clippy::cast_precision_loss, reason = "the text format has floating point numbers only")]
fn number(count: u64) -> f64 {
    count as f64
}

fn seconds(ms: u64) -> f64 {
    number(ms) / 1000.0
}
