//! What the program can report: one type per event, so that names and fields
//! cannot drift, and `docs/events.md` is tested against the same list.
//!
//! Ids may stand in an event; names, addresses, mapped values, tokens and
//! secrets may not.

mod activities;
mod daemon;
mod event;
mod files;
mod http;
mod ingress;
mod journald;
mod log;
mod logs;
mod metrics;
#[cfg(test)]
mod monitoring_tests;
mod optout;
mod repeat;
mod resync;
mod spool;
mod stops;
#[cfg(test)]
mod tests;

pub(crate) use activities::*;
pub(crate) use daemon::*;
pub(crate) use event::{EventDoc, Loggable};
pub(crate) use files::*;
pub(crate) use http::*;
pub(crate) use ingress::*;
pub(crate) use log::{LogFormat, start};
pub(crate) use logs::*;
pub(crate) use metrics::*;
pub(crate) use optout::*;
pub(crate) use repeat::{pass_over, remember_passes};
pub(crate) use resync::*;
pub(crate) use spool::{Part, Spool};
pub(crate) use stops::{stops_over, tell_stop};

/// All events, those of the flows first. A new file of events is added here,
/// and so shows in `docs/events.md` and in the metrics.
pub(crate) fn catalogue() -> Vec<EventDoc> {
    [
        INGRESS_EVENTS,
        ACTIVITY_EVENTS,
        FILE_EVENTS,
        OPTOUT_EVENTS,
        RESYNC_EVENTS,
        DAEMON_EVENTS,
        LOG_EVENTS,
        HTTP_EVENTS,
    ]
    .concat()
}
