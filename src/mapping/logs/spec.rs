//! `[egress.sftp]` as the configuration states it: which files, which columns,
//! which words.

use std::time::Duration;

use crate::model::{EventKind, FileFormat, Pattern};

/// Files of Campaign's logs.
#[derive(Clone, Debug)]
pub(crate) struct LogFiles {
    /// The directory on the server; relative to where the login leads.
    pub(crate) directory: String,
    /// One or both logs.
    pub(crate) logs: Vec<LogSpec>,
    /// How the files are written.
    pub(crate) format: FileFormat,
    /// Whether a file is deleted once all its rows are taken.
    pub(crate) delete: bool,
    /// For how long size and time must not have changed.
    pub(crate) settle: Duration,
    /// What is behind the name of a file whose presence says that it is
    /// complete.
    pub(crate) marker: Option<String>,
    /// After how long without a new file somebody is told.
    pub(crate) alarm: Option<Duration>,
}

/// One of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogKind {
    /// What was sent and what came back.
    Delivery,
    /// What was opened and clicked.
    Tracking,
}

impl LogKind {
    /// The kinds of event that its rows tell, in the order of
    /// [`LogSpec::words`].
    pub(crate) fn events(self) -> [EventKind; 2] {
        match self {
            Self::Delivery => [EventKind::Send, EventKind::Bounce],
            Self::Tracking => [EventKind::Open, EventKind::Click],
        }
    }

    /// As in the configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Delivery => "delivery_log",
            Self::Tracking => "tracking_log",
        }
    }
}

/// How the files of one log are found and read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogSpec {
    /// Which log.
    pub(crate) kind: LogKind,
    /// Its files.
    pub(crate) pattern: Pattern,
    /// The header's name of each column.
    pub(crate) columns: Vec<(LogColumn, String)>,
    /// What the state of a row is where it tells of an event: the words of
    /// each of [`LogKind::events`].
    pub(crate) words: [Vec<String>; 2],
    /// States of rows that tell of none.
    pub(crate) ignored: Vec<String>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogColumn {
    /// The row's id in the log.
    Id,
    /// The recipient: the profile's key.
    Contact,
    /// When it happened.
    Time,
    /// `status` of the delivery log, `kind` of the tracking log.
    State,
    /// The campaign's name.
    Campaign,
    /// The delivery's name.
    Delivery,
    /// The URL that was clicked.
    Url,
    /// Where the e-mail can be looked at.
    MirrorPage,
    /// Why it failed.
    Reason,
    /// Whether the address is in quarantine.
    Quarantine,
    /// Whether the recipient is a proof's or a seed.
    Proof,
    /// Which channel the message took.
    Channel,
}

impl LogColumn {
    /// Whether a file without it tells nothing.
    pub(crate) fn is_needed(self) -> bool {
        match self {
            Self::Id | Self::Contact | Self::Time | Self::State => true,
            Self::Campaign
            | Self::Delivery
            | Self::Url
            | Self::MirrorPage
            | Self::Reason
            | Self::Quarantine
            | Self::Proof
            | Self::Channel => false,
        }
    }
}

impl LogSpec {
    /// The columns of the usual names (Campaign sheet, 5.2) and the words of
    /// Campaign's labels and numbers.
    pub(crate) fn usual(kind: LogKind, pattern: Pattern) -> Self {
        let columns: &[(LogColumn, &str)] = match kind {
            LogKind::Delivery => &[
                (LogColumn::Id, "id"),
                (LogColumn::Contact, "externalId"),
                (LogColumn::Time, "eventDate"),
                (LogColumn::State, "status"),
                (LogColumn::Campaign, "campaign"),
                (LogColumn::Delivery, "delivery"),
                (LogColumn::MirrorPage, "mirrorPage"),
            ],
            LogKind::Tracking => &[
                (LogColumn::Id, "id"),
                (LogColumn::Contact, "externalId"),
                (LogColumn::Time, "logDate"),
                (LogColumn::State, "type"),
                (LogColumn::Url, "urlSource"),
                (LogColumn::Campaign, "campaign"),
                (LogColumn::Delivery, "delivery"),
                (LogColumn::MirrorPage, "mirrorPage"),
            ],
        };
        let (words, ignored): ([&[&str]; 2], &[&str]) = match kind {
            LogKind::Delivery => (
                [&["Sent", "1"], &["Failed", "2"]],
                &[
                    "Ignored",
                    "0",
                    "Received on mobile",
                    "5",
                    "Pending",
                    "6",
                    "Delivery cancelled",
                    "7",
                    "Taken into account by the service provider",
                ],
            ),
            LogKind::Tracking => (
                [&["Open", "2"], &["Email click", "1"]],
                &["Opt-out", "3", "Web", "4", "Transaction", "5", "Mirror page", "6"],
            ),
        };
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            kind,
            pattern,
            columns: columns.iter().map(|(column, name)| (*column, (*name).to_owned())).collect(),
            words: words.map(owned),
            ignored: owned(ignored),
        }
    }
}
