//! Where events go: JSON lines, lines for people, or the journal.

use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{Targets, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::journald::{self, Journald};
use super::spool::Spool;

/// The forms of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people; with colour, if so told.
    Pretty {
        /// Whether escape sequences may be written.
        colour: bool,
    },
    /// The journal's native protocol, with real fields.
    Journald,
}

/// One JSON object a line.
fn json<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer)
}

/// Starts the log; the spool takes the same events as JSON, while it is open.
/// Only this program's own events are written: what libraries would say at
/// these levels may hold what must not be logged.
///
/// # Errors
/// Where the journal was asked for and is not there.
pub(crate) fn start<W>(
    format: LogFormat,
    level: Level,
    writer: W,
    spool: Spool,
) -> Result<(), std::io::Error>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = Targets::new().with_target("cdsync", level);
    let asked = spool.clone();
    let copy = json(spool).with_filter(dynamic_filter_fn(move |_, _| asked.is_open()));
    let registry = tracing_subscriber::registry().with(filter).with(copy);
    let started = match format {
        LogFormat::Json => registry.with(json(writer)).try_init(),
        LogFormat::Pretty { colour } => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .compact()
                    .with_target(false)
                    .with_ansi(colour)
                    .with_writer(writer),
            )
            .try_init(),
        LogFormat::Journald => {
            registry.with(Journald::new(&journald::socket(), writer)?).try_init()
        }
    };
    // A second start in one process (tests) leaves the first in place.
    drop(started);
    Ok(())
}
