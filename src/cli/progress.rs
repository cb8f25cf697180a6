//! Starting the log, and a progress line on a terminal that log lines do not
//! tear.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::app::Watch;
use crate::clock::{Clock, Monotonic};
use crate::telemetry::{BugFound, CommandFailed, LogFormat, Spool, start};

use super::args::{Format, Global, Level};
use super::exit::{End, Exit};
use super::output::{colour, complain, count, say};

/// The progress of a command; draws nothing unless stderr is a terminal and
/// the log is for people.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    all: MultiProgress,
    bar: ProgressBar,
    plain: Option<Arc<Plain>>,
}

/// Plain lines in place of a drawn one, for commands that are not logging.
#[derive(Debug)]
struct Plain {
    clock: Clock,
    last: Mutex<Option<Monotonic>>,
}

/// Least time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Writes log lines above the progress line.
#[derive(Clone, Debug)]
struct Above(MultiProgress);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

impl<'w> MakeWriter<'w> for Above {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// Whether the log that was started is JSON.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whether the log that was started is for programs: JSON or the journal.
static EVENTS: AtomicBool = AtomicBool::new(false);

/// Whether its events are all that a reader of stderr needs.
static ENOUGH: AtomicBool = AtomicBool::new(false);

/// Says why a pass failed: as an event where every line of stderr is one.
pub(super) fn report_failure(exit: Exit, reason: String) {
    // In the journal's one line per entry a list of problems is hard to read.
    let many = reason.contains('\n') && !JSON.load(Ordering::Relaxed);
    if many || !ENOUGH.load(Ordering::Relaxed) {
        complain(&reason);
    }
    if EVENTS.load(Ordering::Relaxed) {
        CommandFailed { exit: u64::from(exit as u8), reason }.emit();
    }
}

/// Says where a bug showed itself, in the same way.
pub(super) fn report_bug(place: String) {
    if !ENOUGH.load(Ordering::Relaxed) {
        complain(&format!(
            "cdsync found a bug in itself at {place} and ends; the store is safe, please report it"
        ));
    }
    if EVENTS.load(Ordering::Relaxed) {
        BugFound { place }.emit();
    }
}

impl Progress {
    /// Starts the log as the options say.
    pub(super) fn start(global: &Global) -> Result<Self, End> {
        Self::start_with(global, Spool::default())
    }

    /// The same; the spool takes the lines too, once it is open.
    pub(super) fn start_with(global: &Global, spool: Spool) -> Result<Self, End> {
        let terminal = io::stderr().is_terminal();
        let colour = colour(&io::stderr());
        let stream = std::env::var_os("JOURNAL_STREAM");
        let format = match global.log_format {
            Format::Json => LogFormat::Json,
            Format::Pretty => LogFormat::Pretty { colour },
            Format::Journald => LogFormat::Journald,
            Format::Auto => match (terminal, &stream) {
                (true, _) => LogFormat::Pretty { colour },
                (false, Some(_)) => LogFormat::Journald,
                (false, None) => LogFormat::Json,
            },
        };
        let (json, journal) = (format == LogFormat::Json, format == LogFormat::Journald);
        JSON.store(json, Ordering::Relaxed);
        EVENTS.store(json || journal, Ordering::Relaxed);
        ENOUGH.store(json || (journal && stream.is_some()), Ordering::Relaxed);
        let level = match global.log_level {
            Level::Error => tracing::Level::ERROR,
            Level::Warn => tracing::Level::WARN,
            Level::Info => tracing::Level::INFO,
            Level::Debug => tracing::Level::DEBUG,
            Level::Trace => tracing::Level::TRACE,
        };
        let drawn = terminal && matches!(format, LogFormat::Pretty { .. });
        let all = MultiProgress::with_draw_target(if drawn {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        });
        start(format, level, Above(all.clone()), spool).map_err(|error| {
            End::new(Exit::Usage, format!("the journal cannot be reached: {error}"))
        })?;
        let bar = all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        Ok(Self { all, bar, plain: None })
    }

    /// Of something that nobody watches.
    pub(super) fn none() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self { bar: all.add(ProgressBar::hidden()), all, plain: None }
    }

    /// Tells in plain lines what cannot be drawn.
    pub(super) fn or_plain(self, clock: &Clock) -> Self {
        if !self.bar.is_hidden() {
            return self;
        }
        let plain = Plain { clock: clock.clone(), last: Mutex::new(Some(clock.monotonic())) };
        Self { plain: Some(Arc::new(plain)), ..self }
    }

    /// Shows where a pass is.
    pub(super) fn show(&self, what: &str, watch: Watch) {
        let counts = watch.counts;
        self.tell(&format!(
            "{what}: {} read, {} written, {} waiting",
            count(counts.read),
            count(counts.written + counts.deleted),
            count(watch.backlog),
        ));
    }

    fn tell(&self, message: &str) {
        self.bar.set_message(message.to_owned());
        self.bar.tick();
        let Some(plain) = &self.plain else { return };
        let now = plain.clock.monotonic();
        let mut last = plain.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| now.since(last) >= PLAIN_EVERY) {
            *last = Some(now);
            say(message);
        }
    }

    /// A word to the user, above the line.
    pub(super) fn say(&self, text: &str) {
        self.all.suspend(|| say(text));
    }

    /// Shows a step that has no numbers.
    pub(super) fn step(&self, what: &str) {
        self.tell(what);
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
        let _ = self.all.clear();
    }
}
