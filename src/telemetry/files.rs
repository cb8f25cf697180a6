//! Events of files on Campaign's server.

use crate::model::Flow;
use crate::telemetry::event::events;

events! { FILE_EVENTS;
    /// All rows of a file are taken up.
    FileTaken = "file.taken" INFO, "Nothing." {
        /// The flow.
        flow: Flow,
        /// The file.
        file: String,
        /// Its rows.
        rows: u64,
        /// A file with the same content that was taken up before; then no row of this one is.
        same_as: Option<String>,
        /// Whether it was deleted on the server.
        deleted: bool,
    }
    /// A file cannot be read. The others are; this one is tried again when it changes, or the configuration of the files does. Told in each pass.
    FileRefused = "file.refused" ERROR once, "Do what `reason` says. Its rows are missing until then; to be rid of it, delete the file." {
        /// The flow.
        flow: Flow,
        /// The file.
        file: String,
        /// What is wrong, with the line, and what to do.
        reason: String,
    }
    /// Files whose names no export would make. They are never opened.
    FileNamesRefused = "file.names_refused" WARN once, "Find out who writes to the directory; rename or delete the files." {
        /// The flow.
        flow: Flow,
        /// How many.
        files: u64,
        /// One of them, escaped.
        example: String,
    }
    /// A file was to be deleted after it was taken, and could not be.
    FileKept = "file.kept" WARN once, "Give the user the right to delete in the directory, or set `after = \"keep\"`. Nothing is read twice." {
        /// The flow.
        flow: Flow,
        /// The file.
        file: String,
        /// What the server said.
        reason: String,
    }
    /// What the journal had lost is taken from the log files.
    GapFilled = "gap.filled" INFO, "Nothing. Events at the borders of the time may be told twice: rows of logs and events of the journal have different ids." {
        /// The flow.
        flow: Flow,
        /// When the last event before the gap had happened, where there was one.
        from: Option<String>,
        /// When the first event after it had happened.
        to: String,
    }
    /// No new file has come for longer than `file_alarm`. Told once in that time.
    FilesLate = "file.late" WARN once, "See whether the export workflow in Campaign runs, and whether it writes to this directory under a name that the pattern means." {
        /// The flow.
        flow: Flow,
        /// The directory.
        directory: String,
        /// Since the last new file, or since files are looked for.
        late_seconds: u64,
    }
}
