//! Both sides of one record compared: pure, and tested as a table.

use std::collections::BTreeMap;

use crate::store::{Fingerprint, Payload};

use super::decide::Deletions;

/// What Dynamics says of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// Campaign shall hold this.
    Record(&'a Payload),
    /// The filter leaves it out.
    FilteredOut,
    /// Dynamics does not have it.
    Gone,
    /// It cannot be mapped.
    Unmappable,
}

/// What Campaign says of the record's key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holding<'a> {
    /// Nothing has it.
    Nothing,
    /// One record has it; fingerprints of the fields that could be read.
    One(&'a BTreeMap<String, Fingerprint>),
    /// Several have it.
    Several,
}

/// What the store knows of the record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Story {
    /// A decision about it is on its way.
    pub(crate) pending: bool,
    /// Dynamics deleted it, and the configuration keeps it in Campaign.
    pub(crate) kept: bool,
}

/// The kinds of drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriftKind {
    /// Fields differ.
    Edited,
    /// Campaign lacks the record.
    Missing,
    /// Campaign has a record that Dynamics does not have, or leaves out.
    Orphaned,
    /// Campaign has the key more than once.
    Duplicated,
}

impl DriftKind {
    /// All kinds, in the order of reports.
    pub(crate) const ALL: [Self; 4] =
        [Self::Edited, Self::Missing, Self::Orphaned, Self::Duplicated];

    /// The word in outputs and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Missing => "missing",
            Self::Orphaned => "orphaned",
            Self::Duplicated => "duplicated",
        }
    }
}

/// What the comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both sides agree.
    InStep,
    /// They do not; with the names of the fields that differ.
    Drift(DriftKind, Vec<String>),
    /// A decision is on its way; what it will change is no drift.
    Pending,
    /// Campaign keeps the record because the configuration says so.
    Kept,
    /// The mapping fails: nobody can say what Campaign should hold.
    Unmappable,
}

/// Stands for a link that is set, wherever it leads: Campaign shows an address
/// that changes from answer to answer.
pub(crate) const LINKED: Fingerprint = *b"linked\0\0";

/// The fields in which Campaign does not hold what the mapping says. A field
/// with `updates = false` belongs to Campaign once it is written; of a link
/// only whether it is set is compared; what could not be read proves nothing.
pub(crate) fn differing(payload: &Payload, holds: &BTreeMap<String, Fingerprint>) -> Vec<String> {
    payload
        .fields
        .iter()
        .filter(|field| field.updates)
        .filter(|field| {
            let linked = payload.links.iter().any(|link| *link.field == *field.name);
            let wanted = if linked { LINKED } else { field.fingerprint };
            holds.get(&*field.name).is_some_and(|held| *held != wanted)
        })
        .map(|field| field.name.to_string())
        .collect()
}

/// Judges one record.
pub(crate) fn judge(
    wanted: Wanted<'_>,
    holding: Holding<'_>,
    story: Story,
    deletions: Deletions,
) -> Verdict {
    if story.pending {
        return Verdict::Pending;
    }
    let drift = |kind| Verdict::Drift(kind, Vec::new());
    match (wanted, holding) {
        (Wanted::Unmappable, _) => Verdict::Unmappable,
        (Wanted::Record(_), Holding::Nothing) => drift(DriftKind::Missing),
        (Wanted::Record(payload), Holding::One(fields)) => match differing(payload, fields) {
            fields if fields.is_empty() => Verdict::InStep,
            fields => Verdict::Drift(DriftKind::Edited, fields),
        },
        (Wanted::FilteredOut | Wanted::Gone, Holding::Nothing) => Verdict::InStep,
        (Wanted::FilteredOut, _) if !deletions.filtered_out => Verdict::Kept,
        (Wanted::Gone, _) if !deletions.apply && story.kept => Verdict::Kept,
        (_, Holding::Several) => drift(DriftKind::Duplicated),
        (Wanted::FilteredOut | Wanted::Gone, Holding::One(_)) => drift(DriftKind::Orphaned),
    }
}

/// Whether a repair may mend this by itself.
pub(crate) fn mendable(wanted: Wanted<'_>, kind: DriftKind, deletions: Deletions) -> bool {
    match kind {
        DriftKind::Edited | DriftKind::Missing => true,
        DriftKind::Duplicated => false,
        DriftKind::Orphaned => match wanted {
            Wanted::FilteredOut => deletions.filtered_out,
            Wanted::Gone => deletions.apply,
            Wanted::Record(_) | Wanted::Unmappable => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::model::{RecordId, TableName};
    use crate::store::{PayloadField, PayloadLink};

    fn payload(fields: &[(&str, u8, bool)]) -> Payload {
        let field = |(name, print, updates): &(&str, u8, bool)| PayloadField {
            name: (*name).into(),
            json: RawValue::NULL.to_owned(),
            fingerprint: [*print; 8],
            updates: *updates,
        };
        Payload {
            key: "k".to_owned(),
            initial: false,
            fields: fields.iter().map(field).collect(),
            links: Vec::new(),
            opt_outs: Vec::new(),
        }
    }

    fn holds(fields: &[(&str, u8)]) -> BTreeMap<String, Fingerprint> {
        fields.iter().map(|(name, print)| ((*name).to_owned(), [*print; 8])).collect()
    }

    #[test]
    fn every_pair_of_sides_has_its_verdict() {
        let drift = |kind, fields: &[&str]| {
            Verdict::Drift(kind, fields.iter().map(|field| (*field).to_owned()).collect())
        };
        let wanted = payload(&[("a", 1, true), ("b", 2, true), ("once", 3, false)]);
        let record = Wanted::Record(&wanted);
        let same = holds(&[("a", 1), ("b", 2), ("once", 9)]);
        let other = holds(&[("a", 1), ("b", 7)]);
        let unread = holds(&[("a", 1)]);
        let strict = Deletions { apply: true, filtered_out: true };
        let loose = Deletions { apply: false, filtered_out: false };
        let plain = Story::default();
        let pending = Story { pending: true, kept: false };
        let kept = Story { pending: false, kept: true };
        let cases = [
            (record, Holding::One(&same), plain, loose, Verdict::InStep),
            (record, Holding::One(&unread), plain, loose, Verdict::InStep),
            (record, Holding::One(&other), plain, loose, drift(DriftKind::Edited, &["b"])),
            (record, Holding::One(&other), pending, loose, Verdict::Pending),
            (record, Holding::Nothing, plain, loose, drift(DriftKind::Missing, &[])),
            (record, Holding::Nothing, pending, loose, Verdict::Pending),
            (record, Holding::Several, plain, loose, drift(DriftKind::Duplicated, &[])),
            (Wanted::Gone, Holding::Nothing, plain, strict, Verdict::InStep),
            (Wanted::Gone, Holding::One(&same), plain, strict, drift(DriftKind::Orphaned, &[])),
            (Wanted::Gone, Holding::One(&same), kept, strict, drift(DriftKind::Orphaned, &[])),
            (Wanted::Gone, Holding::One(&same), plain, loose, drift(DriftKind::Orphaned, &[])),
            (Wanted::Gone, Holding::One(&same), kept, loose, Verdict::Kept),
            (Wanted::Gone, Holding::Several, plain, strict, drift(DriftKind::Duplicated, &[])),
            (Wanted::FilteredOut, Holding::Nothing, plain, strict, Verdict::InStep),
            (Wanted::FilteredOut, Holding::One(&same), plain, loose, Verdict::Kept),
            (
                Wanted::FilteredOut,
                Holding::One(&same),
                plain,
                strict,
                drift(DriftKind::Orphaned, &[]),
            ),
            (Wanted::Unmappable, Holding::One(&same), plain, strict, Verdict::Unmappable),
        ];
        for (wanted, holding, story, deletions, expected) in cases {
            assert_eq!(
                judge(wanted, holding, story, deletions),
                expected,
                "{wanted:?} {holding:?} {story:?} {deletions:?}"
            );
        }
    }

    #[test]
    fn of_a_link_only_whether_it_is_set_is_compared() {
        let mut set = payload(&[("owner", 5, true)]);
        let table = TableName::new("contact").unwrap();
        let parent = RecordId::from_bytes([1; 16]);
        set.links.push(PayloadLink {
            field: "owner".to_owned(),
            table,
            record: parent,
            by_key: false,
        });
        let unset = payload(&[("owner", 9, true)]);
        let (shows_set, shows_unset) =
            (BTreeMap::from([("owner".to_owned(), LINKED)]), holds(&[("owner", 9)]));
        assert!(differing(&set, &shows_set).is_empty());
        assert!(differing(&unset, &shows_unset).is_empty());
        assert_eq!(differing(&set, &shows_unset), ["owner"]);
        assert_eq!(differing(&unset, &shows_set), ["owner"]);
        assert!(differing(&set, &holds(&[])).is_empty());
    }

    #[test]
    fn a_repair_never_removes_a_twin_nor_deletes_where_deletions_are_not_carried() {
        let wanted = payload(&[]);
        let strict = Deletions { apply: true, filtered_out: false };
        let cases = [
            (Wanted::Record(&wanted), DriftKind::Edited, true),
            (Wanted::Record(&wanted), DriftKind::Missing, true),
            (Wanted::Record(&wanted), DriftKind::Duplicated, false),
            (Wanted::Gone, DriftKind::Duplicated, false),
            (Wanted::Gone, DriftKind::Orphaned, true),
            (Wanted::FilteredOut, DriftKind::Orphaned, false),
        ];
        for (wanted, kind, expected) in cases {
            assert_eq!(mendable(wanted, kind, strict), expected, "{wanted:?} {kind:?}");
        }
        let loose = Deletions { apply: false, filtered_out: true };
        assert!(!mendable(Wanted::Gone, DriftKind::Orphaned, loose));
        assert!(mendable(Wanted::FilteredOut, DriftKind::Orphaned, loose));
    }
}
