//! New tables, columns and alternate keys (Dynamics sheet 7.5 and 7.6).
//!
//! Owns: the POSTs below `EntityDefinitions` and what they are refused for.
//! `kinds.rs` reads the columns.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::change::{labels, read};
use super::kinds;
use super::{address, find_table, no_segment};
use crate::sandbox::dataverse::builtin::{active, custom_activity};
use crate::sandbox::dataverse::error::{Refusal, payload, refuse};
use crate::sandbox::dataverse::privileges::require_named;
use crate::sandbox::dataverse::schema::{AlternateKey, Column, ColumnType, Table, name_guid};
use crate::sandbox::dataverse::store::{Db, TableData};
use crate::sandbox::dataverse::{Surroundings, api};
use crate::sandbox::row::Cell;
use crate::sandbox::wire::{Call, Reply};

/// A key takes at most this many columns, a table this many keys.
const MOST_COLUMNS: usize = 16;
const MOST_KEYS: usize = 10;

/// `POST EntityDefinitions`, `…/Attributes`, `…/Keys`.
pub(crate) fn post(
    db: &mut Db,
    call: &Call,
    segments: &[&str],
    around: &Surroundings<'_>,
) -> Result<Reply, Refusal> {
    let solution = solution(db, call)?;
    let body = read(&call.body)?;
    match segments {
        ["EntityDefinitions"] => table(db, call, &body, solution, around),
        [first, rest] => {
            let key = address(first, "EntityDefinitions").ok_or_else(|| no_segment(first))?;
            let name = find_table(db, key)?.name.clone();
            match *rest {
                "Attributes" => attribute(db, call, &name, &body, solution),
                "Keys" => alternate_key(db, call, &name, &body, around),
                other => Err(no_segment(other)),
            }
        }
        _ => Err(no_segment(segments.last().unwrap_or(&""))),
    }
}

pub(super) fn wrong(text: impl std::fmt::Display) -> Refusal {
    payload("EntityDefinitions", &format!("Microsoft.OData.ODataException: {text}"))
}

pub(super) fn invalid(text: impl std::fmt::Display) -> Refusal {
    refuse(400, "0x80040203", format!("Invalid argument. {text}"))
}

pub(super) fn string<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    body.get(name).and_then(Value::as_str).ok_or_else(|| invalid(format!("{name} is missing.")))
}

/// The unmanaged solution that the header or the query names, by unique name.
fn solution(db: &Db, call: &Call) -> Result<Option<String>, Refusal> {
    let named =
        call.header("mscrm.solutionuniquename").or_else(|| call.param("SolutionUniqueName"));
    let Some(name) = named else { return Ok(None) };
    let known = db.table("solution").is_some_and(|data| {
        let column = data.def.column("uniquename").map(|column| column.number);
        let held = |row: &crate::sandbox::row::Packed| {
            row.get(column?).and_then(|cell| cell.text().map(str::to_owned))
        };
        data.rows.values().any(|row| held(&row.data).is_some_and(|held| held == name))
    });
    if known {
        return Ok(Some(name.to_owned()));
    }
    // Code and text of an unknown solution are not in the sheet.
    Err(refuse(400, "0x80048042", format!("The solution '{name}' was not found.")))
}

fn is_type(body: &Map<String, Value>, stem: &str) -> bool {
    let given = body.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
    given.trim_start_matches('#') == format!("Microsoft.Dynamics.CRM.{stem}")
}

/// A schema name of one's own begins with a publisher's prefix.
pub(super) fn prefixed(db: &Db, schema_name: &str) -> Result<(), Refusal> {
    let prefix = schema_name.split_once('_').map_or("", |(prefix, _)| prefix);
    let known = db.table("publisher").is_some_and(|data| {
        let column = data.def.column("customizationprefix").map(|column| column.number);
        data.rows.values().any(|row| {
            column.and_then(|column| row.data.get(column)).as_ref().and_then(Cell::text)
                == Some(prefix)
        })
    });
    if known && !prefix.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("'{schema_name}' does not begin with the prefix of a publisher.")))
}

/// The label of the organization's own language must be there; general
/// knowledge, not in the sheet.
pub(super) fn in_base_language(db: &Db, body: &Map<String, Value>) -> Result<(), Refusal> {
    let column = db.table("organization").and_then(|data| data.def.column("languagecode"));
    let fields = db.fields("organization", db.fixed.organization);
    let language =
        column.zip(fields).and_then(|(column, fields)| fields.get(&column.number)?.int());
    let language = language.and_then(|language| u64::try_from(language).ok()).unwrap_or(1033);
    if labels(body, "DisplayName")
        .iter()
        .any(|(given, text)| *given == language && !text.is_empty())
    {
        return Ok(());
    }
    Err(invalid(format!("DisplayName has no label in the base language {language}.")))
}

/// A table as `CreateEntities` has it.
pub(super) fn posted_table(
    db: &mut Db,
    call: &Call,
    body: &Map<String, Value>,
    around: &Surroundings<'_>,
) -> Result<(), Refusal> {
    let solution = solution(db, call)?;
    table(db, call, body, solution, around).map(|_| ())
}

fn table(
    db: &mut Db,
    call: &Call,
    body: &Map<String, Value>,
    solution: Option<String>,
    around: &Surroundings<'_>,
) -> Result<Reply, Refusal> {
    require_named(db, "prvCreateEntity")?;
    if !is_type(body, "EntityMetadata") {
        return Err(wrong("@odata.type names another type."));
    }
    kinds::known_members(body, &kinds::TABLE_MEMBERS)?;
    let schema_name = string(body, "SchemaName")?;
    prefixed(db, schema_name)?;
    in_base_language(db, body)?;
    let name = schema_name.to_lowercase();
    if db.table(&name).is_some() {
        return Err(refuse(
            400,
            "0x8004700b",
            format!("An entity with the specified name already exists. Entity name: {name}."),
        ));
    }
    let activity = body.get("IsActivity").and_then(Value::as_bool).unwrap_or(false);
    if activity {
        activity_rules(body)?;
    }
    let mut def = plain(db, schema_name, activity);
    attributes(db, &mut def, body)?;
    def.tracked = body.get("ChangeTrackingEnabled").and_then(Value::as_bool).unwrap_or(false);
    def.labels = labels(body, "DisplayName");
    def.collection_labels = labels(body, "DisplayCollectionName");
    def.color = None;
    def.audited = false;
    def.suffix_navigation(around.variants.navigation_by_schema_name);
    let id = def.metadata_id;
    db.add_table(TableData::new(def));
    db.unpublished.insert(name.clone());
    db.components.entry(solution.unwrap_or_default()).or_default().insert(name);
    let address = format!("{}/EntityDefinitions({id})", api(call));
    Ok(Reply::empty(StatusCode::NO_CONTENT).with("odata-entityid", &address))
}

/// The rules for activities (sheet 7.5).
fn activity_rules(body: &Map<String, Value>) -> Result<(), Refusal> {
    let is = |name: &str| body.get(name).and_then(Value::as_bool);
    if is("IsAvailableOffline") != Some(true) {
        return Err(refuse(400, "0x8004f122", "An activity entity must be available offline."));
    }
    if is("HasNotes") != Some(true) {
        return Err(refuse(400, "0x8004f123", "An activity entity must have notes."));
    }
    if is("HasActivities") == Some(true) {
        return Err(invalid("An activity entity cannot have activities."));
    }
    if body.get("OwnershipType").and_then(Value::as_str) != Some("UserOwned") {
        return Err(invalid("An activity entity is owned by a user or a team."));
    }
    if body.get("ActivityTypeMask").is_some_and(|mask| !matches!(mask.as_u64(), Some(0 | 1))) {
        return Err(invalid("ActivityTypeMask is 0 or 1."));
    }
    Ok(())
}

/// A table with the columns that the server makes.
pub(crate) fn plain(db: &Db, schema_name: &str, activity: bool) -> Table {
    let name = schema_name.to_lowercase();
    let (code, set) = (plain_code(db), plural(&name));
    if activity {
        return custom_activity(schema_name, &set, code);
    }
    let mut def = Table::new(&name, schema_name, &set, &format!("{name}id"), "", code);
    active(&mut def);
    def
}

/// The type code of the next new table.
pub(super) fn plain_code(db: &Db) -> u32 {
    let codes = db.tables.values().map(|data| data.def.type_code);
    codes.max().unwrap_or(0).max(11_000) + 1
}

/// The plural that the server makes.
fn plural(name: &str) -> String {
    if let Some(stem) = name.strip_suffix('y') {
        return format!("{stem}ies");
    }
    let hisses = ["s", "x", "ch", "sh"].iter().any(|end| name.ends_with(end));
    if hisses { format!("{name}es") } else { format!("{name}s") }
}

/// The columns that come with a new table; one of them is its primary name.
fn attributes(db: &Db, def: &mut Table, body: &Map<String, Value>) -> Result<(), Refusal> {
    let given = body.get("Attributes").and_then(Value::as_array);
    let given: Vec<&Map<String, Value>> =
        given.into_iter().flatten().filter_map(Value::as_object).collect();
    let primary = |body: &Map<String, Value>| {
        body.get("IsPrimaryName").and_then(Value::as_bool).unwrap_or(false)
    };
    if given.iter().filter(|body| primary(body)).count() != 1 {
        return Err(invalid("Attributes must hold the one primary name column."));
    }
    for body in given {
        let column = kinds::column(db, body)?;
        described(db, def, &column, body)?;
        let ColumnType::Text { max } = &column.kind else {
            if primary(body) {
                return Err(invalid("The primary name column is a text."));
            }
            add(db, def, column)?;
            continue;
        };
        if primary(body) && def.activity {
            if column.schema_name != "Subject" {
                return Err(invalid("The primary column of an activity is Subject."));
            }
            let subject = def.columns.iter_mut().find(|column| column.name == "subject");
            if let Some(subject) = subject {
                subject.kind = ColumnType::Text { max: *max };
            }
            continue;
        }
        if primary(body) {
            def.primary_name.clone_from(&column.name);
        }
        add(db, def, column)?;
    }
    Ok(())
}

/// What a table keeps of a column beside it: its labels and its global choice.
fn described(
    db: &Db,
    def: &mut Table,
    column: &Column,
    body: &Map<String, Value>,
) -> Result<(), Refusal> {
    def.column_labels.insert(column.name.clone(), labels(body, "DisplayName"));
    match kinds::shared(db, body)? {
        Some(set) => def.globals.insert(column.name.clone(), set.name.clone()),
        None => def.globals.remove(&column.name),
    };
    Ok(())
}

fn add(db: &Db, def: &mut Table, column: Column) -> Result<Uuid, Refusal> {
    prefixed(db, &column.schema_name)?;
    if def.column(&column.name).is_some() {
        return Err(refuse(
            400,
            "0x80047013",
            format!("An attribute with the specified name {} already exists", column.name),
        ));
    }
    def.add(column);
    Ok(def.columns.last().map(|column| column.metadata_id).unwrap_or_default())
}

fn attribute(
    db: &mut Db,
    call: &Call,
    name: &str,
    body: &Map<String, Value>,
    solution: Option<String>,
) -> Result<Reply, Refusal> {
    require_named(db, "prvCreateAttribute")?;
    let column = kinds::column(db, body)?;
    let component = format!("{name}.{}", column.name);
    let mut def = find_table(db, name)?.clone();
    described(db, &mut def, &column, body)?;
    let id = add(db, &mut def, column)?;
    let table_id = def.metadata_id;
    if let Some(data) = db.tables.get_mut(name) {
        data.def = Arc::new(def);
    }
    db.metadata_changed(name);
    db.unpublished.insert(name.to_owned());
    db.components.entry(solution.unwrap_or_default()).or_default().insert(component);
    let address = format!("{}/EntityDefinitions({table_id})/Attributes({id})", api(call));
    Ok(Reply::empty(StatusCode::NO_CONTENT).with("odata-entityid", &address))
}

fn alternate_key(
    db: &mut Db,
    call: &Call,
    name: &str,
    body: &Map<String, Value>,
    around: &Surroundings<'_>,
) -> Result<Reply, Refusal> {
    require_named(db, "prvWriteEntity")?;
    let schema_name = string(body, "SchemaName")?;
    prefixed(db, schema_name)?;
    in_base_language(db, body)?;
    let columns: Vec<&str> = body
        .get("KeyAttributes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut key = AlternateKey::ready(schema_name, &columns);
    key.pending = around.variants.key_pending_reads;
    let def = find_table(db, name)?;
    kinds::may_be_key(def, &key.columns, MOST_COLUMNS)?;
    if def.keys.len() >= MOST_KEYS {
        return Err(invalid("The table has as many keys as it may have."));
    }
    if def.keys.iter().any(|known| known.name == key.name || known.columns == key.columns) {
        // Not in the sheet.
        return Err(refuse(400, "0x80060893", "A key with these attributes already exists."));
    }
    let (table_id, id) = (def.metadata_id, name_guid("key", &key.name));
    if let Some(data) = db.tables.get_mut(name) {
        Arc::make_mut(&mut data.def).keys.push(key);
        let unique = data.rekey();
        if let Some(key) = Arc::make_mut(&mut data.def).keys.last_mut() {
            key.failed = !unique;
        }
    }
    db.metadata_version += 1;
    let address = format!("{}/EntityDefinitions({table_id})/Keys({id})", api(call));
    Ok(Reply::empty(StatusCode::NO_CONTENT).with("odata-entityid", &address))
}

/// Time passes for the indexes of a table's keys: one step for each look.
pub(super) fn looked_at(db: &mut Db, name: &str) {
    if let Some(data) = db.tables.get_mut(name)
        && data.def.keys.iter().any(|key| key.pending > 0)
    {
        for key in &mut Arc::make_mut(&mut data.def).keys {
            key.pending = key.pending.saturating_sub(1);
        }
    }
}
