//! The whole file: syntax first, then every section, all problems at once.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::problem::Problems;
use super::settings::{
    ActivityTables, Config, DaemonSettings, EgressSettings, MetricsSettings, StoreSettings,
};
use super::tree::{Doc, Keys};
use super::{egress, ingress, optout, sections, syntax};

/// Largest configuration file, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

const ROOT_KEYS: &[&str] = &[
    "dynamics",
    "campaign",
    "store",
    "ingress",
    "reconcile",
    "egress",
    "optout",
    "metrics",
    "daemon",
];

/// Why the file could not be read at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Absent, a directory, or closed to us.
    #[error("the configuration `{}` cannot be read: {error}; name another with --config or CDSYNC_CONFIG, or write one with `cdsync init`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Not UTF-8.
    #[error("the configuration `{}` is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// Larger than 4 MiB.
    #[error("the configuration `{}` is larger than 4 MiB; is it the right file?", .0.display())]
    TooLarge(PathBuf),
}

/// Reads the file's text. Its mode does not matter: it holds no secrets.
pub(crate) fn read(path: &Path) -> Result<String, ReadError> {
    let unreadable = |error| ReadError::Unreadable { path: path.to_owned(), error };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let limit = u64::try_from(MAX_FILE_BYTES + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| ReadError::NotText(path.to_owned()))
}

/// Checks the text of a file; contacts nothing, reads no secret.
pub(crate) fn load(text: &str) -> Result<Config, Problems> {
    let doc = Doc::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What a damaged tree would say beyond this is guesswork.
        syntax::problems(&doc, &errors);
        return Err(doc.finish());
    }
    let config = root_section(&doc, root.get_ref());
    match config {
        Some(config) if doc.is_clean() => Ok(config),
        Some(_) | None => Err(doc.finish()),
    }
}

fn root_section<'d>(doc: &'d Doc<'d>, root: &'d DeTable<'d>) -> Option<Config> {
    let keys = Keys::root(doc, root, ROOT_KEYS);
    let dynamics =
        keys.required("dynamics", "[dynamics]").and_then(|node| sections::dynamics(&node));
    let campaign =
        keys.required("campaign", "[campaign]").and_then(|node| sections::campaign(&node));
    let store = match keys.get("store") {
        Some(node) => sections::store(&node),
        None => Some(StoreSettings::default()),
    };
    let ingress = keys.get("ingress").map(|node| ingress::ingress(&node));
    let reconcile = keys.get("reconcile").map(|node| ingress::reconcile(&node));
    let egress = keys.get("egress").map(|node| egress::egress(&node));
    let optout =
        keys.get("optout").and_then(|node| optout::optout(&node, keys.get("ingress").as_ref()));
    let metrics = match keys.get("metrics") {
        Some(node) => sections::metrics(&node),
        None => Some(MetricsSettings::default()),
    };
    let daemon = match keys.get("daemon") {
        Some(node) => sections::daemon(&node),
        None => Some(DaemonSettings::default()),
    };
    let reads_files = |egress: &EgressSettings| !egress.events.is_empty() && egress.files.is_some();
    let uses = SftpUses {
        egress: egress.as_ref().is_some_and(|it| it.as_ref().is_some_and(reads_files)),
        optout: optout.as_ref().is_some_and(|optout| optout.files.is_some()),
        log_copy: daemon.as_ref().is_some_and(|daemon| daemon.log_copy.is_some()),
    };
    if campaign.as_ref().is_some_and(|campaign| campaign.sftp.is_none()) {
        uses.miss(&keys);
    }
    let egress = match egress {
        Some(egress) => Some(egress?),
        None => None,
    };
    Some(Config {
        dynamics: dynamics?,
        campaign: campaign?,
        store: store?,
        daemon: daemon?,
        metrics: metrics?,
        ingress: match ingress {
            Some(ingress) => Some(ingress?),
            None => None,
        },
        reconcile: match reconcile {
            Some(reconcile) => Some(reconcile?),
            None => None,
        },
        optout,
        activity_tables: ActivityTables::of(egress.as_ref()),
        egress: egress.filter(|settings| !settings.events.is_empty()),
    })
}

/// What needs the file server.
struct SftpUses {
    egress: bool,
    optout: bool,
    log_copy: bool,
}

impl SftpUses {
    /// Records that the server is not named, where it is needed.
    fn miss(&self, keys: &Keys<'_>) {
        let uses = [
            (self.egress, "`[egress.sftp]` reads files from it", "remove `[egress.sftp]`"),
            (self.optout, "`[optout]` reads files from it", "write `source = \"rest\"` there"),
            (self.log_copy, "`[daemon.log_copy]` writes to it", "remove `[daemon.log_copy]`"),
        ];
        if let Some((_, why, otherwise)) = uses.into_iter().find(|(used, ..)| *used) {
            keys.problem_at(
                "campaign",
                format!("`[campaign.sftp]` is missing: {why}"),
                format!("add `[campaign.sftp]` with `host`, `user`, `private_key` and `known_hosts`, or {otherwise}"),
            );
        }
    }
}
