//! The shape of a table mapping: made of a compiled mapping, and compared with
//! the one that the table last ran with. Drift stops the table; what else has
//! changed is `remap`'s.

use std::collections::BTreeMap;

use crate::mapping::spec::{LinkMapping, MissingParent, TableMapping};
use crate::mapping::{Compiled, Domain, FieldShape, Kind, Place, Sides, canonical, field_words};
use crate::model::consent::BoundPair;
use crate::model::{TableName, TableSchema, TargetValue};
use crate::store::{KnownField, KnownKind, KnownTable, SealKey};

/// What a mapping rests on. `form` is how a field is emptied.
pub(crate) fn shape(
    spec: &TableMapping,
    schema: &TableSchema,
    compiled: &Compiled,
    form: &str,
    opt_outs: &[BoundPair],
    key: &SealKey,
) -> KnownTable {
    let own_key = spec.key.canonical(schema);
    let specs = std::iter::once(own_key.clone())
        .chain(spec.fields.iter().map(|field| format!("{field:?}")));
    let fields = compiled.fields().iter().zip(specs).map(|(field, spec)| {
        let known = known(field.column().as_str(), &field.shape(), field.updates, &spec, key);
        (field.name.to_string(), known)
    });
    let links = compiled.links().iter().zip(&spec.links).map(|(link, spec)| {
        // Whatever its entry says may concern every record.
        let rule = digest(&format!("{spec:?}"));
        let bare = LinkMapping { missing_parent: MissingParent::Wait, ..spec.clone() };
        let empty = key.fingerprint(&canonical(&TargetValue::Empty, &link.kind));
        let known = KnownField {
            column: link.column().to_string(),
            reads: link_kind("lookup", link.targets()),
            writes: link_kind(&field_words(&link.kind), &[]),
            spec: rule.clone(),
            rule,
            updates: true,
            domain: "open".to_owned(),
            empty,
            filled: Some(link.filled().text()),
            clears: true,
            link: Some(digest(&format!("{bare:?}"))),
            ..KnownField::default()
        };
        (link.name.to_string(), known)
    });
    let filter_columns = compiled.filter_columns();
    let Sides { passes, fails } = compiled.sides();
    KnownTable {
        fields: fields.chain(links).collect(),
        filter_columns: filter_columns
            .into_iter()
            .map(|(column, kind)| (column.name.to_string(), known_kind(&kind)))
            .collect(),
        filter_spec: digest(&format!("{:?}", spec.filter)),
        filter: digest(&compiled.filter_rule().unwrap_or_default()),
        sides: Some([passes.text(), fails.text()]),
        delete_filtered_out: spec.filter.as_ref().is_some_and(|it| it.delete_filtered_out),
        form: form.to_owned(),
        rest: digest(&own_key),
        opt_outs: if opt_outs.is_empty() {
            String::new()
        } else {
            digest(&format!("{opt_outs:?}"))
        },
    }
}

fn known(column: &str, shape: &FieldShape, updates: bool, spec: &str, key: &SealKey) -> KnownField {
    let print = |bytes: &[u8]| u64::from_le_bytes(key.fingerprint(bytes));
    let print_of = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(print);
    let each = || shape.cases.iter().map(|case| (print(case.name.as_bytes()), case));
    KnownField {
        column: column.to_owned(),
        reads: known_kind(&shape.column),
        writes: known_kind(&shape.field),
        spec: digest(spec),
        rule: digest(&shape.rule),
        updates,
        domain: match shape.domain {
            Domain::Whole => "whole",
            Domain::Parts => "parts",
            Domain::Open => "open",
        }
        .to_owned(),
        cases: each().map(|(name, case)| (name, print_of(&case.sent))).collect(),
        plain: each().map(|(name, case)| (name, print_of(&case.plain))).collect(),
        asks: each().filter_map(|(name, case)| Some((name, case.ask.as_ref()?.text()))).collect(),
        empty: key.fingerprint(&shape.empty),
        filled: Some(shape.filled.text()),
        clears: shape.clears,
        link: None,
    }
}

fn link_kind(words: &str, targets: &[String]) -> KnownKind {
    KnownKind { words: words.to_owned(), targets: targets.to_vec(), ..KnownKind::default() }
}

fn known_kind(kind: &Kind) -> KnownKind {
    KnownKind { words: kind.words.clone(), size: kind.size, targets: kind.targets.clone() }
}

pub(super) fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

/// Whether the part of the mapping that a problem is about ran before as it is
/// written now: then it is the schema that changed.
pub(crate) fn ran_before(known: &KnownTable, spec: &TableMapping, place: &Place) -> bool {
    let same = |name: &str, text: String| {
        known.fields.get(name).is_some_and(|field| field.spec == digest(&text))
    };
    match place {
        Place::Table | Place::Key => true,
        Place::Field(index) => {
            spec.fields.get(*index).is_some_and(|it| same(it.to.as_str(), format!("{it:?}")))
        }
        Place::Link(index) => {
            spec.links.get(*index).is_some_and(|it| same(it.to.as_str(), format!("{it:?}")))
        }
        Place::Rule(_) => known.filter_spec == digest(&format!("{:?}", spec.filter)),
    }
}

/// What drifted, with what can be done about it.
pub(crate) fn with_remedy(table: &TableName, reason: &str) -> String {
    format!(
        "{reason}; put it back, change its entry in the mapping, or take both schemas as they are now with `cdsync resync --table {table}`"
    )
}

/// What both schemas took away since the table last ran: type or length of a
/// mapped column or field. A part of the mapping that the configuration has
/// changed meanwhile is not compared: whoever changed it has looked at it.
pub(crate) fn drift(before: &KnownTable, now: &KnownTable) -> Vec<String> {
    let mut found = Vec::new();
    for (name, field) in &now.fields {
        let Some(old) = before.fields.get(name).filter(|old| old.spec == field.spec) else {
            continue;
        };
        found.extend(changed(&format!("the column `{}`", old.column), &old.reads, &field.reads));
        found.extend(changed(&format!("the field `{name}`"), &old.writes, &field.writes));
    }
    if before.filter_spec == now.filter_spec {
        let both: BTreeMap<_, _> = before
            .filter_columns
            .iter()
            .filter_map(|(name, old)| Some((name, (old, now.filter_columns.get(name)?))))
            .collect();
        for (name, (old, new)) in both {
            let problem = changed(&format!("the column `{name}`"), old, new);
            found.extend(problem.filter(|problem| !found.contains(problem)));
        }
    }
    found
}

fn changed(what: &str, old: &KnownKind, new: &KnownKind) -> Option<String> {
    let shorter = old.size.zip(new.size).is_some_and(|(old, new)| new < old);
    if old.words != new.words || shorter {
        return Some(format!("{what} was {}, now it is {}", words(old), words(new)));
    }
    let lost: Vec<&str> = old
        .targets
        .iter()
        .filter(|target| !new.targets.is_empty() && !new.targets.contains(target))
        .map(String::as_str)
        .collect();
    (!lost.is_empty()).then(|| format!("{what} no longer points to {}", lost.join(", ")))
}

fn words(kind: &KnownKind) -> String {
    match kind.size {
        Some(size) => format!("{}({size})", kind.words),
        None => kind.words.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(words: &str, size: Option<u32>) -> KnownKind {
        KnownKind { words: words.into(), size, targets: Vec::new() }
    }

    fn lookup(targets: &[&str]) -> KnownKind {
        let targets = targets.iter().map(|it| (*it).to_owned()).collect();
        KnownKind { targets, ..kind("lookup", None) }
    }

    #[test]
    fn only_what_was_taken_away_is_drift() {
        let text = |size| kind("text", size);
        // before, now, the end of the text; none where it is no drift
        let cases = [
            (text(Some(50)), text(Some(50)), None),
            (text(Some(50)), text(Some(100)), None),
            (text(Some(50)), text(None), None),
            (text(None), text(Some(50)), None),
            (text(Some(50)), text(Some(49)), Some("was text(50), now it is text(49)")),
            (text(Some(50)), kind("choice", None), Some("was text(50), now it is choice")),
            (
                kind("integer", Some(32)),
                kind("integer", Some(8)),
                Some("was integer(32), now it is integer(8)"),
            ),
            (
                kind("date (DateOnly)", None),
                kind("date-time (UserLocal)", None),
                Some("was date (DateOnly), now it is date-time (UserLocal)"),
            ),
            (lookup(&["account"]), lookup(&["account", "contact"]), None),
            (
                lookup(&["account", "contact"]),
                lookup(&["account"]),
                Some("no longer points to contact"),
            ),
        ];
        for (old, new, expected) in cases {
            let table = |reads: &KnownKind, spec: &str| KnownTable {
                fields: BTreeMap::from([(
                    "email".to_owned(),
                    KnownField {
                        column: "mail".into(),
                        reads: reads.clone(),
                        spec: spec.into(),
                        ..KnownField::default()
                    },
                )]),
                ..KnownTable::default()
            };
            let expected: Vec<String> =
                expected.iter().map(|text| format!("the column `mail` {text}")).collect();
            assert_eq!(drift(&table(&old, "a"), &table(&new, "a")), expected);
            assert!(drift(&table(&old, "a"), &table(&new, "b")).is_empty(), "accepted");
        }
    }

    #[test]
    fn a_column_of_the_filter_drifts_as_any_other() {
        let table = |size, spec: &str| KnownTable {
            filter_columns: BTreeMap::from([("city".to_owned(), kind("text", Some(size)))]),
            filter_spec: spec.to_owned(),
            ..KnownTable::default()
        };
        let found = drift(&table(80, "a"), &table(40, "a"));
        assert_eq!(found, ["the column `city` was text(80), now it is text(40)"]);
        assert!(drift(&table(80, "a"), &table(40, "b")).is_empty());
    }
}
