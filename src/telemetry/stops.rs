//! What stopped a pass is one line of the log: where a daemon says of the whole
//! pass that it fails, and why, that line is it.
//!
//! Only a daemon waits for the end of the pass. Must not know why anything stops.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{FlowStopped, repeat};
use crate::model::Flow;

/// Reasons of passes under way that are not told yet.
static HELD: Mutex<BTreeMap<Flow, Vec<String>>> = Mutex::new(BTreeMap::new());

/// Reasons that are held of one pass; what is beyond is told at once.
const MOST: usize = 100;

/// Something stops a flow, or one of its sources.
pub(crate) fn tell_stop(flow: Flow, reason: String) {
    if repeat::remembers() {
        let mut held = lock();
        let held = held.entry(flow).or_default();
        if held.len() < MOST {
            held.push(reason);
            return;
        }
    }
    tell(flow, reason, None);
}

/// A pass is over; `told` is what was said of it as a whole.
pub(crate) fn stops_over(flow: Flow, told: Option<&str>) {
    let held = lock().remove(&flow).unwrap_or_default();
    for reason in held {
        tell(flow, reason, told);
    }
}

fn tell(flow: Flow, reason: String, told: Option<&str>) {
    // Remembered in any case: the next pass may stop for the same reason.
    let is_news = repeat::is_news(flow, "flow.stopped", &[("reason", reason.clone())]);
    let is_told = told == Some(reason.as_str());
    FlowStopped { flow, reason }.emit(is_news && !is_told);
}

fn lock() -> MutexGuard<'static, BTreeMap<Flow, Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
