//! The files of a directory against what is remembered of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::file_look::{Look, LookRules, look};
use crate::campaign::sftp::{Entry, Listing};
use crate::model::Flow;
use crate::store::{FileState, KnownFile, Store, StoreError};

/// For so many days the content of a file that is gone is remembered.
const REMEMBER_DAYS: u32 = 90;

/// Which files a flow wants.
pub(super) struct Wanted<'a> {
    pub(super) flow: Flow,
    /// By name.
    pub(super) matches: &'a (dyn Fn(&str) -> bool + Sync),
    /// What is behind the name of a file whose presence says that it is
    /// complete.
    pub(super) marker: Option<&'a str>,
    /// For how long nothing must have changed.
    pub(super) settle: Duration,
    /// Digest of the rules by which files are read.
    pub(super) rules: [u8; 32],
}

/// A file of the directory and what is known of it.
pub(super) struct SeenFile {
    pub(super) entry: Entry,
    pub(super) known: Option<KnownFile>,
    pub(super) look: Look,
}

/// What each file of the listing is now; new ones are written down.
pub(super) async fn look_at(
    store: &Store,
    now: Timestamp,
    listing: &Listing,
    wanted: &Wanted<'_>,
) -> Result<Vec<SeenFile>, StoreError> {
    let flow = wanted.flow;
    let mut known: BTreeMap<String, KnownFile> = store
        .call(move |work| work.files(flow))
        .await?
        .into_iter()
        .map(|file| (file.name.clone(), file))
        .collect();
    let names: BTreeSet<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
    let (mut found, mut fresh_ones) = (Vec::new(), Vec::new());
    for entry in listing.files.iter().filter(|entry| (wanted.matches)(&entry.name)) {
        let known = known.remove(&entry.name);
        let marker =
            wanted.marker.map(|end| names.contains(format!("{}{end}", entry.name).as_str()));
        let rules = LookRules { settle: wanted.settle, marker, rules: wanted.rules, now };
        let look = look(known.as_ref(), entry.stat, &rules);
        let changed = known.as_ref().is_none_or(|known| {
            (known.size, known.changed_s) != (entry.stat.size, entry.stat.changed_s)
        });
        let known = if changed {
            let fresh = fresh(entry, now);
            fresh_ones.push(fresh.clone());
            Some(fresh)
        } else {
            known
        };
        found.push(SeenFile { entry: entry.clone(), known, look });
    }
    let gone: Vec<String> = known.into_keys().collect();
    store
        .call(move |work| {
            fresh_ones.iter().try_for_each(|file| work.put_file(flow, file))?;
            work.forget_files(flow, &gone, REMEMBER_DAYS)
        })
        .await?;
    Ok(found)
}

/// A file that was never seen before, or has changed.
pub(super) fn fresh(entry: &Entry, now: Timestamp) -> KnownFile {
    KnownFile {
        name: entry.name.clone(),
        size: entry.stat.size,
        changed_s: entry.stat.changed_s,
        still: now,
        state: FileState::Seen,
        rows: 0,
        digest: None,
        reason: None,
    }
}
