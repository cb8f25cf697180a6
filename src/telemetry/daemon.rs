//! Events of the daemon's life.

use crate::model::Flow;
use crate::telemetry::event::events;

events! { DAEMON_EVENTS;
    /// The daemon is ready: the configuration is valid, the store is open, the schedule runs.
    DaemonStarted = "daemon.started" INFO, "Nothing." {
        /// The version of the program.
        version: &'static str,
        /// Its process id.
        pid: u64,
        /// Where the commands reach it.
        socket: String,
    }
    /// The daemon takes no more work, and settles what is under way.
    DaemonStopping = "daemon.stopping" INFO, "Nothing." {
        /// The signal.
        signal: &'static str,
    }
    /// The daemon ends.
    DaemonStopped = "daemon.stopped" INFO, "Nothing. What was not settled is looked up at the next start, before it is written again." {
        /// Whether all that was under way was settled.
        settled: bool,
    }
    /// The program found a bug in itself, and ends without any clean-up; the store is safe.
    BugFound = "program.bug" ERROR, "Report it, with the place and the lines before. The service manager starts the daemon again." {
        /// File, line and column of the program.
        place: String,
    }
    /// The configuration was read again and holds from now on.
    ConfigReloaded = "config.reloaded" INFO, "Nothing." {
        /// The file.
        path: String,
    }
    /// The configuration was read again and is refused; the daemon keeps the one it has.
    ConfigRefused = "config.refused" ERROR, "Do what `reason` says, then send SIGHUP again. `cdsync check --offline` says the same." {
        /// The file.
        path: String,
        /// What is wrong, and where.
        reason: String,
    }
    /// Passes of a flow fail. Told once, and again when refusals take the place of silence or the other way round; further passes try again, at growing distances.
    FlowFailing = "flow.failing" ERROR, "Do what `reason` says. Nothing is lost; `flow.recovered` tells when it works again." {
        /// The flow.
        flow: Flow,
        /// What stands in the way.
        reason: String,
    }
    /// A pass of a flow that failed before did its work.
    FlowRecovered = "flow.recovered" INFO, "Nothing." {
        /// The flow.
        flow: Flow,
        /// Passes that had failed in a row.
        failed: u64,
        /// From the end of the first of them to now.
        failing_ms: u64,
    }
    /// The passes of a flow find nothing to do: a sign of life, once an hour.
    FlowQuiet = "flow.quiet" INFO, "Nothing." {
        /// The flow.
        flow: Flow,
        /// Passes since the last `flow.finished` or `flow.quiet` of the flow.
        passes: u64,
    }
    /// A person paused or resumed a flow.
    FlowPaused = "flow.paused" INFO, "Nothing; `cdsync resume FLOW` lets it run." {
        /// The flow.
        flow: Flow,
        /// Whether it is paused from now on.
        paused: bool,
    }
    /// Metrics are served.
    MetricsServed = "metrics.served" INFO, "Nothing." {
        /// Address and port, `/metrics` and `/healthz` below it.
        address: String,
    }
    /// A command reached the daemon.
    ControlAnswered = "control.answered" DEBUG, "Nothing." {
        /// The exit code it was told.
        exit: u64,
        /// How long it took.
        duration_ms: u64,
    }
    /// Something on the control socket was turned away.
    ControlRefused = "control.refused" WARN, "Run the commands as the user of the daemon, and with the same version of the program." {
        /// Why.
        reason: String,
    }
}
