//! Events of the copy of the log on Campaign's file server.

use crate::telemetry::event::events;

events! { LOG_EVENTS;
    /// A part of the log is on Campaign's file server.
    LogsCopied = "logs.copied" DEBUG, "Nothing." {
        /// The file there.
        file: String,
        /// Its size.
        bytes: u64,
    }
    /// The log cannot be copied to Campaign's file server. Told once; lines are kept beside the store meanwhile, up to 64 MiB, and the copy is tried again.
    LogsCopyFailing = "logs.copy_failing" WARN, "Do what `reason` says. Flows are not concerned; `logs.copy_recovered` tells when it works again." {
        /// What stands in the way.
        reason: String,
    }
    /// The log is copied again; what was kept is there.
    LogsCopyRecovered = "logs.copy_recovered" INFO, "Nothing." {
        /// Attempts that had failed in a row.
        failed: u64,
    }
    /// Lines will be missing in the copy of the log. Told once, until the copy works again. The log itself has them.
    LogsDropped = "logs.dropped" WARN, "See `logs.copy_failing` before it, or make room on the disk of the store. The journal has the lines." {
        /// Bytes of lines that are missing so far.
        bytes: u64,
        /// Why they could not be kept.
        reason: String,
    }
}
