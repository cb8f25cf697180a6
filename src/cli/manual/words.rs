//! What a man page tells beside the arguments.

/// A variable or a file.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// On every page; the others on those of the program and of the daemon.
    pub(super) always: bool,
}

/// Variables that the program reads.
pub(super) const ENVIRONMENT: &[Entry] = &[
    Entry {
        name: "CDSYNC_CONFIG",
        text: "The configuration file, where --config is not given.",
        always: true,
    },
    Entry {
        name: "CREDENTIALS_DIRECTORY",
        text: "Where systemd puts what LoadCredential= names: { credential = \"NAME\" } in the configuration.",
        always: false,
    },
    Entry {
        name: "the variable of a secret",
        text: "Where the configuration says { env = \"NAME\" }, the secret is the value of NAME.",
        always: false,
    },
    Entry {
        name: "NO_COLOR",
        text: "If it is set, nothing is coloured. Without a terminal nothing ever is.",
        always: true,
    },
    Entry {
        name: "JOURNAL_STREAM",
        text: "Set by systemd: --log-format auto then writes to the journal.",
        always: false,
    },
    Entry {
        name: "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
        text: "Set by systemd: where the daemon says that it is ready, what it does and that it lives, and how often. See sd_notify(3).",
        always: false,
    },
    Entry { name: "TMPDIR", text: "Where cdsync demo has its store while it runs.", always: false },
];

/// Files that the program reads and writes.
pub(super) const FILES: &[Entry] = &[
    Entry {
        name: "/etc/cdsync/config.toml",
        text: "The configuration, where nothing else is named. The secrets lie beside it.",
        always: true,
    },
    Entry {
        name: "/var/lib/cdsync/cdsync.db",
        text: "The store, at [store] path; with cdsync.db-wal and cdsync.db.lock beside it while it is open.",
        always: true,
    },
    Entry {
        name: "/var/lib/cdsync/cdsync.sock",
        text: "Beside the store, or at [daemon] socket: how commands reach a running daemon of the same user.",
        always: false,
    },
    Entry {
        name: "/usr/lib/systemd/system/cdsync.service, cdsync@.service",
        text: "The daemon under systemd, one or several: cdsync@NAME reads /etc/cdsync/NAME.toml.",
        always: false,
    },
];

/// Pages of others, with their sections.
pub(super) const SEE_ALSO: &[(&str, u8)] =
    &[("systemctl", 1), ("journalctl", 1), ("systemd.exec", 5)];
