//! From what the program knows of itself to the numbers of `/metrics`. Pure:
//! asks nobody.

use std::sync::atomic::Ordering;

use crate::app::{FlowStatus, Status, TableStatus, Traffic};
use crate::daemon::vitals::{OUTCOMES, Totals, Vitals};
use crate::telemetry::{
    BACKLOG, BUILD, CALLS, CURSOR_AGE, CURSOR_RETENTION, DEAD_LETTERS, EVENTS, EventDoc,
    FLOW_STATE, IN_FLIGHT, JOURNAL_GAPS, LAG, LAST_PASS, LAST_SUCCESS, PASS_SECONDS, PASSES, Page,
    RECORDS, RETRIES, START, TABLE_BACKLOG, TABLE_DEAD_LETTERS, TABLE_HELD, TABLE_LAG,
    TABLE_RECORDS, TABLE_WAITING, THROTTLED, TOKEN_CALLS, UNREACHABLE,
};

/// The states of a flow.
pub(super) const STATES: [&str; 5] = ["running", "idle", "paused", "failed", "stopped"];

/// The way in which the mapped tables go.
const TO_CAMPAIGN: &str = "dynamics-to-campaign";

/// All numbers of one moment.
pub(super) fn page(
    status: &Status,
    vitals: &Vitals,
    traffic: &[Traffic],
    events: &[EventDoc],
) -> Page {
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
    page.add(&JOURNAL_GAPS, [], number(status.gaps.len() as u64));
    for system in traffic {
        add_system(&mut page, system);
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
        page.add(&FLOW_STATE, [flow, state], if state == status.state { 1.0 } else { 0.0 });
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
    page.add(&TABLE_BACKLOG, [table, TO_CAMPAIGN], number(status.backlog));
    page.add(&TABLE_LAG, [table, TO_CAMPAIGN], number(status.lag_seconds));
    page.add(&TABLE_DEAD_LETTERS, [table], number(status.dead_letters));
    // An empty read is one decision that waits for the same approval.
    let held = status.held.held + u64::from(status.empty_read);
    page.add(&TABLE_HELD, [table], number(held));
    let waiting = status.waiting_for_parent + status.waiting_for_children;
    page.add(&TABLE_WAITING, [table], number(waiting));
    if let Some(age) = status.cursor_age_seconds {
        page.add(&CURSOR_AGE, [table], number(age));
    }
    if let Some(retention) = status.retention_seconds {
        page.add(&CURSOR_RETENTION, [table], number(retention));
    }
}

fn add_system(page: &mut Page, traffic: &Traffic) {
    let system = traffic.system;
    page.add(&CALLS, [system], number(traffic.calls));
    page.add(&TOKEN_CALLS, [system], number(traffic.token_calls));
    page.add(&RETRIES, [system], number(traffic.retries));
    page.add(&THROTTLED, [system], number(traffic.throttled));
    page.add(&IN_FLIGHT, [system], number(traffic.in_flight));
    page.add(&UNREACHABLE, [system], if traffic.unreachable { 1.0 } else { 0.0 });
}

/// Counts are far below 2^53, from where on a number loses its last digit.
#[expect(clippy::cast_precision_loss, reason = "the text format has floating point numbers only")]
fn number(count: u64) -> f64 {
    count as f64
}

fn seconds(ms: u64) -> f64 {
    number(ms) / 1000.0
}
