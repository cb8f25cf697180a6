//! What Campaign showed in a listing: by the hash of each record's key, as
//! fingerprints of the mapped fields.

use std::collections::BTreeMap;

use crate::campaign::{Listed, ListingPage};
use crate::mapping::canonical;
use crate::model::{FieldName, FieldType, RecordId};
use crate::store::{Checkpoint, Fingerprint, SealKey, StoreError, Work};

use super::prepare::Table;

/// Notes a page of Campaign's listing.
pub(crate) fn commit_inventory(
    work: &mut Work<'_>,
    table: &Table,
    page: &ListingPage,
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    for listed in &page.records {
        let Some(key) = &listed.key else { continue };
        let hash = key_hash(work.key(), key);
        let fields = fingerprints(work.key(), table, listed);
        work.add_inventory(&table.name, hash, &fields)?;
    }
    work.set_checkpoint(&table.name, checkpoint)
}

/// Fingerprints of the mapped fields that Campaign showed. Where a set link
/// leads, it does not tell: no two `PKey`s of one record are alike. Such a link
/// is not among them, and is written once.
pub(super) fn fingerprints(
    key: &SealKey,
    table: &Table,
    listed: &Listed,
) -> BTreeMap<String, Fingerprint> {
    let fields = table.mapping.fields().iter().map(|field| (&field.name, &field.kind));
    let links = table.mapping.links().iter().map(|link| (&link.name, &link.kind));
    let shown = |(name, kind): (&FieldName, &FieldType)| {
        let value = listed.fields.get(name)?;
        Some((name.to_string(), key.fingerprint(&canonical(value, kind))))
    };
    fields.chain(links).filter_map(shown).collect()
}

/// A key that is a GUID may be spelled differently in Campaign.
pub(super) fn canonical_key(key: &str) -> String {
    RecordId::parse(key).map_or_else(|_| key.to_owned(), |id| id.to_string())
}

pub(super) fn key_hash(seal: &SealKey, key: &str) -> Fingerprint {
    seal.fingerprint(canonical_key(key).as_bytes())
}
