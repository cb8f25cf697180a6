//! What `resync` prints: records that differ, and the counts of each table.

use std::io;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use crate::app::{Drift, DriftField, Ended};
use crate::model::{RecordId, TableName};
use crate::store::Purpose;

use super::output::{Align, count, table};

/// Lines that are set in columns together.
const GROUP: usize = 500;

/// Writes each record that differs; `print` gets whole lines.
pub(super) fn write_out(
    drifts: &Receiver<Drift>,
    (as_json, values): (bool, bool),
    print: &mut dyn FnMut(String) -> io::Result<()>,
) -> io::Result<()> {
    let mut group = Vec::new();
    for drift in drifts {
        if as_json {
            print(in_json(&drift, values).to_string())?;
            continue;
        }
        group.push(in_words(&drift, values));
        if group.len() == GROUP {
            print_group(&mut group, print)?;
        }
    }
    print_group(&mut group, print)
}

/// Ids only, unless values are asked for: a key that is not the id may be an
/// address.
fn in_json(drift: &Drift, values: bool) -> Value {
    let names: Vec<&str> = drift.fields.iter().map(|field| field.name.as_str()).collect();
    let mut line = json!({
        "table": drift.table.as_str(),
        "id": drift.id.to_string(),
        "kind": drift.kind.as_str(),
        "fields": names,
        "mended": drift.mended,
    });
    if values {
        let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        let pairs: serde_json::Map<String, Value> = drift
            .fields
            .iter()
            .map(|field| {
                let pair = json!({
                    "campaign": parsed(&field.campaign),
                    "dynamics": parsed(&field.dynamics),
                });
                (field.name.clone(), pair)
            })
            .collect();
        line["key"] = Value::from(drift.key.as_str());
        line["values"] = Value::from(pairs);
    }
    line
}

fn in_words(drift: &Drift, values: bool) -> Vec<String> {
    let field = |field: &DriftField| {
        if values {
            format!("{}: {} → {}", field.name, field.campaign, field.dynamics)
        } else {
            field.name.clone()
        }
    };
    let fields: Vec<String> = drift.fields.iter().map(field).collect();
    vec![
        drift.table.to_string(),
        drift.id.to_string(),
        drift.kind.as_str().to_owned(),
        if drift.mended { "yes" } else { "no" }.to_owned(),
        fields.join(", "),
    ]
}

fn print_group(
    group: &mut Vec<Vec<String>>,
    print: &mut dyn FnMut(String) -> io::Result<()>,
) -> io::Result<()> {
    if group.is_empty() {
        return Ok(());
    }
    let columns = [
        ("table", Align::Left),
        ("id", Align::Left),
        ("drift", Align::Left),
        ("mended", Align::Left),
        ("fields", Align::Left),
    ];
    print(table(&columns, group))?;
    group.clear();
    Ok(())
}

/// Records that were asked for by id and that no table knows, in neither
/// system. Where a table could not be looked at, nobody can say so.
pub(super) fn unknown(ended: &[Ended], tables: &[TableName]) -> Vec<RecordId> {
    let compared = || ended.iter().filter(|one| one.purpose != Purpose::Replay);
    let Some(first) = compared().next().filter(|_| compared().count() == tables.len()) else {
        return Vec::new();
    };
    let everywhere = |id: &&RecordId| compared().all(|one| one.nowhere.contains(id));
    first.nowhere.iter().filter(everywhere).copied().collect()
}

/// Says so: an object each, or one line.
pub(super) fn tell_unknown(ids: &[RecordId], tables: &[TableName], as_json: bool) -> String {
    let table = if let [only] = tables { Some(only.as_str()) } else { None };
    if as_json {
        let object = |id: &RecordId| {
            let id = id.to_string();
            let line = json!({
                "table": table, "id": id, "kind": "unknown", "fields": [], "mended": false,
            });
            format!("{line}\n")
        };
        return ids.iter().map(object).collect();
    }
    let line = |id: &RecordId| {
        let place = table.unwrap_or("any mapped table");
        format!("{id} is unknown: not in {place} of Dynamics, nor in Campaign\n")
    };
    ids.iter().map(line).collect()
}

/// The counts of each table. In JSON only a replay has a line for it: a
/// comparison prints one object per record that differs, and nothing else.
pub(super) fn sum_up(ended: &[Ended], as_json: bool) -> String {
    let mut parts = Vec::new();
    let replays = ended.iter().filter(|one| one.purpose == Purpose::Replay);
    if as_json {
        for one in replays {
            let (table, rows, absent) = (one.table.as_str(), one.rows, one.absent);
            parts.push(json!({ "table": table, "rows": rows, "absent": absent }).to_string());
        }
        return parts.join("\n");
    }
    let rows: Vec<Vec<String>> = replays
        .map(|one| vec![one.table.to_string(), count(one.rows), count(one.absent)])
        .collect();
    if !rows.is_empty() {
        let columns =
            [("table", Align::Left), ("rows", Align::Right), ("not in Dynamics", Align::Right)];
        parts.push(table(&columns, &rows));
    }
    let compared = ended.iter().filter(|one| one.purpose != Purpose::Replay);
    let rows: Vec<Vec<String>> = compared
        .map(|one| {
            let found = &one.found;
            let [edited, missing, orphaned, duplicated] = found.drift;
            let numbers = [
                // Records that were asked for by id, and are not of this table.
                one.rows.saturating_sub(one.nowhere.len() as u64),
                edited,
                missing,
                orphaned,
                duplicated,
                found.pending,
                found.kept,
                found.unmappable,
            ];
            std::iter::once(one.table.to_string()).chain(numbers.map(count)).collect()
        })
        .collect();
    if rows.is_empty() {
        return parts.join("\n");
    }
    let headings =
        ["rows", "edited", "missing", "orphaned", "duplicated", "pending", "kept", "unmappable"];
    let mut columns = vec![("table", Align::Left)];
    columns.extend(headings.map(|heading| (heading, Align::Right)));
    parts.push(table(&columns, &rows));
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::default_trait_access, reason = "the type has no name here")]
    fn a_record_counts_in_the_table_that_has_it() {
        let id = RecordId::parse("2e451703-c286-e711-80ef-00155db19e6d").unwrap();
        let ended = |table: &str, nowhere: Vec<RecordId>| Ended {
            table: TableName::new(table).unwrap(),
            purpose: Purpose::Verify,
            rows: 1,
            absent: nowhere.len() as u64,
            nowhere,
            found: Default::default(),
        };
        let text = sum_up(&[ended("contact", Vec::new()), ended("lead", vec![id])], false);
        let rows: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
        assert_eq!(rows, [["table", "rows"], ["contact", "1"], ["lead", "0"]]);
    }
}
