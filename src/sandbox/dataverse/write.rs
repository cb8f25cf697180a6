//! Creating, changing and deleting rows (Dynamics sheet 4).
//!
//! Owns: what a payload may hold and what the server fills in by itself.
//! Knows no paths, no headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::error::{Refusal, no_row, payload, refuse};
use super::privileges::{self, Verb};
use super::schema::{ColumnType, Role, Table};
use super::store::Db;
use super::{connection, path, value};
use crate::sandbox::row::{Cell, Fields};

/// A payload: names to JSON in its original spelling.
pub(crate) type Body = BTreeMap<String, Box<RawValue>>;

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actor {
    pub(crate) user: Uuid,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
    /// Whether an empty text counts as null.
    pub(crate) empty_is_null: bool,
    /// Whether a closed activity refuses changes.
    pub(crate) closed_is_read_only: bool,
    /// Whether publishers and solutions never get the id that a request gives.
    pub(crate) own_solution_ids: bool,
    /// A person's client may create a row in any state.
    pub(crate) person: bool,
}

/// Reads a request body.
pub(crate) fn body(set: &str, bytes: &[u8]) -> Result<Body, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        payload(
            set,
            &format!("Microsoft.OData.ODataException: The JSON body cannot be read: {error}"),
        )
    })
}

/// What a payload asks for.
#[derive(Debug, Default)]
struct Change {
    id: Option<Uuid>,
    cells: Vec<(u16, Option<Cell<'static>>)>,
    state: Option<i64>,
    status: Option<i64>,
    back_dated: Option<i64>,
}

fn read(
    db: &Db,
    table: &Table,
    body: &Body,
    actor: Actor,
    creating: bool,
) -> Result<Change, Refusal> {
    let mut change = Change::default();
    for (name, raw) in body {
        let raw = raw.get();
        if let Some(navigation) = name.strip_suffix("@odata.bind") {
            change.cells.push(bind(db, table, navigation, raw, actor)?);
            continue;
        }
        if name.contains('@') {
            continue;
        }
        if let Some((column, _)) = table.navigation(name) {
            if raw != "null" {
                return Err(refuse(501, "0x80060888", "Deep insert is not part of this sandbox."));
            }
            change.cells.push((column.number, None));
            continue;
        }
        let Some(column) = table.column(name) else {
            return Err(value::undeclared(table, name));
        };
        let cell = value::parse(table, column, raw, actor.empty_is_null)?;
        match (column.role, &column.kind) {
            (Role::Id, _) => {
                if let Some(Cell::Guid(id)) = cell {
                    change.id = Some(id);
                }
            }
            (Role::Version, _) => {}
            (Role::Plain, ColumnType::State(_)) => change.state = cell.as_ref().and_then(Cell::int),
            (Role::Plain, ColumnType::Status(_)) => {
                change.status = cell.as_ref().and_then(Cell::int);
            }
            (Role::Plain, _) if column.name == "overriddencreatedon" => {
                if let (Some(Cell::Time(at)), true) = (cell, creating) {
                    change.back_dated = Some(at);
                }
            }
            // The server drops values for columns it fills in by itself.
            (Role::Plain, _) if !(if creating { column.create } else { column.update }) => {}
            (Role::Plain, _) => change.cells.push((column.number, cell)),
        }
    }
    Ok(change)
}

fn bind(
    db: &Db,
    table: &Table,
    navigation: &str,
    raw: &str,
    actor: Actor,
) -> Result<(u16, Option<Cell<'static>>), Refusal> {
    let Some((column, place)) = table.navigation(navigation) else {
        return Err(payload(
            &table.set,
            &format!(
                "Microsoft.OData.ODataException: An undeclared property '{navigation}' which only has property annotations in the payload but no property value was found in the payload. In OData, only declared navigation properties and declared named streams can be represented as properties without values."
            ),
        ));
    };
    let Ok(text) = serde_json::from_str::<String>(raw) else {
        return Err(payload(
            &table.set,
            &format!(
                "Microsoft.OData.ODataException: The annotation 'odata.bind' of '{navigation}' must have a non-null string value."
            ),
        ));
    };
    let (set, key) = path::reference(&text).ok_or_else(|| {
        payload(
            &table.set,
            &format!("Microsoft.OData.ODataException: The bind value '{text}' is not a reference."),
        )
    })?;
    let same_navigation = column
        .kind
        .targets()
        .iter()
        .enumerate()
        .filter(|(_, target)| target.navigation == navigation);
    let mut found = None;
    for (at, target) in same_navigation {
        if db.sets.get(&set) == Some(&target.table) {
            found = u8::try_from(at).ok().map(|at| (at, target.table.clone()));
        }
    }
    let (place, target) = found.ok_or_else(|| {
        let wanted = column
            .kind
            .targets()
            .get(usize::from(place))
            .map(|t| t.table.clone())
            .unwrap_or_default();
        payload(
            &table.set,
            &format!(
                "Microsoft.OData.ODataException: '{set}' does not hold rows of type '{wanted}'."
            ),
        )
    })?;
    let id = path::find(db, &target, &key)?;
    if !actor.person {
        privileges::require(db, &table.name, Verb::Append)?;
        privileges::require(db, &target, Verb::AppendTo)?;
    }
    Ok((column.number, Some(Cell::Ref(id, place))))
}

fn number(table: &Table, name: &str) -> Option<u16> {
    table.column(name).map(|column| column.number)
}

fn set(fields: &mut Fields, at: Option<u16>, cell: Option<Cell<'static>>) {
    match (at, cell) {
        (Some(at), Some(cell)) => {
            fields.insert(at, cell);
        }
        (Some(at), None) => {
            fields.remove(&at);
        }
        (None, _) => {}
    }
}

/// Creates a row; the id may come from the address or from the payload.
pub(crate) fn create(
    db: &mut Db,
    table: &str,
    id: Option<Uuid>,
    body: &Body,
    actor: Actor,
    fresh: Uuid,
) -> Result<Uuid, Refusal> {
    let def = definition(db, table)?;
    if !actor.person {
        privileges::require(db, table, Verb::Create)?;
    }
    let change = read(db, &def, body, actor, true)?;
    if change.back_dated.is_some() && !actor.person {
        privileges::require_named(db, "prvOverrideCreatedOnCreatedBy")?;
    }
    let own = actor.own_solution_ids && matches!(table, "publisher" | "solution");
    let id = change.id.or(id).filter(|_| !own).unwrap_or(fresh);
    if db.holds(table, id) {
        return Err(refuse(412, "0x80040237", "A record with matching key values already exists."));
    }
    let mut fields = Fields::new();
    for column in &def.columns {
        if let ColumnType::Boolean { default, .. } = &column.kind {
            fields.insert(column.number, Cell::Bool(*default));
        }
    }
    let now = actor.now.div_euclid(1000) * 1000;
    set(&mut fields, number(&def, "createdon"), Some(Cell::Time(change.back_dated.unwrap_or(now))));
    if change.back_dated.is_some() {
        set(&mut fields, number(&def, "overriddencreatedon"), Some(Cell::Time(now)));
    }
    set(&mut fields, number(&def, "createdby"), Some(Cell::Ref(actor.user, 0)));
    set(&mut fields, number(&def, "ownerid"), Some(Cell::Ref(actor.user, 0)));
    set(&mut fields, number(&def, "owningbusinessunit"), Some(Cell::Ref(db.fixed.unit, 0)));
    apply(db, &def, id, &mut fields, change, actor, true)?;
    let other = connection::mirrored(db, &def, id, &mut fields);
    db.put(table, id, &fields)?;
    if let Some((other, fields)) = other {
        db.put(table, other, &fields)?;
    }
    Ok(id)
}

/// Changes a row that is there.
pub(crate) fn update(
    db: &mut Db,
    table: &str,
    id: Uuid,
    body: &Body,
    actor: Actor,
) -> Result<(), Refusal> {
    let def = definition(db, table)?;
    if !actor.person {
        privileges::require(db, table, Verb::Write)?;
    }
    let change = read(db, &def, body, actor, false)?;
    let Some(mut fields) = db.fields(table, id) else {
        return Err(no_row(table, id));
    };
    if actor.closed_is_read_only && closed(&def, &fields) && !change.cells.is_empty() {
        return Err(refuse(
            400,
            "0x80040230",
            "The object cannot be updated because it is inactive.",
        ));
    }
    apply(db, &def, id, &mut fields, change, actor, false)?;
    db.put(table, id, &fields)?;
    Ok(())
}

/// Whether an activity was completed or canceled (sheet 4.7).
fn closed(def: &Table, fields: &Fields) -> bool {
    let state = def.column("statecode").filter(|_| def.activity);
    let value = state.and_then(|column| fields.get(&column.number)?.int());
    matches!(value, Some(1 | 2))
}

fn definition(db: &Db, table: &str) -> Result<Arc<Table>, Refusal> {
    db.table(table).map(|data| Arc::clone(&data.def)).ok_or_else(|| {
        refuse(
            400,
            "0x80041102",
            format!("The entity with a name = '{table}' was not found in the MetadataCache."),
        )
    })
}

fn apply(
    db: &Db,
    def: &Table,
    id: Uuid,
    fields: &mut Fields,
    change: Change,
    actor: Actor,
    creating: bool,
) -> Result<(), Refusal> {
    let money = def.columns.iter().any(|column| {
        column.kind == ColumnType::Money
            && change.cells.iter().any(|(at, cell)| *at == column.number && cell.is_some())
    });
    for (at, cell) in change.cells {
        set(fields, Some(at), cell);
    }
    let currency = number(def, "transactioncurrencyid");
    if money && currency.is_some_and(|at| !fields.contains_key(&at)) {
        set(fields, currency, Some(Cell::Ref(db.fixed.currency, 0)));
    }
    state(def, id, fields, change.state, change.status, creating && !actor.person)?;
    let now = actor.now.div_euclid(1000) * 1000;
    set(fields, number(def, "modifiedon"), Some(Cell::Time(now)));
    set(fields, number(def, "modifiedby"), Some(Cell::Ref(actor.user, 0)));
    compute(def, fields);
    Ok(())
}

/// State and status go in pairs (sheet 4.7).
fn state(
    def: &Table,
    id: Uuid,
    fields: &mut Fields,
    state: Option<i64>,
    status: Option<i64>,
    ignore_state: bool,
) -> Result<(), Refusal> {
    let (Some(state_column), Some(status_column)) =
        (def.column("statecode"), def.column("statuscode"))
    else {
        return Ok(());
    };
    let current = fields.get(&state_column.number).and_then(Cell::int).unwrap_or(0);
    let wanted = if ignore_state { 0 } else { state.unwrap_or(current) };
    let choices = state_column.kind.choices();
    let default =
        choices.iter().find(|choice| choice.value == wanted).and_then(|choice| choice.partner);
    let kept = fields.get(&status_column.number).and_then(Cell::int).filter(|_| wanted == current);
    let status = status.or(kept).or(default).unwrap_or(1);
    let belongs = status_column
        .kind
        .choices()
        .iter()
        .any(|choice| choice.value == status && choice.partner == Some(wanted));
    if !belongs {
        let label = choices
            .iter()
            .find(|choice| choice.value == wanted)
            .map(|choice| choice.english.clone())
            .unwrap_or_default();
        return Err(refuse(
            400,
            "0x80048408",
            format!(
                "{status} is not a valid status code for state code {}State.{label} on {} with Id {id}.",
                def.schema_name, def.name
            ),
        ));
    }
    fields.insert(state_column.number, Cell::Int(wanted));
    fields.insert(status_column.number, Cell::Int(status));
    Ok(())
}

/// Columns that follow from others.
fn compute(def: &Table, fields: &mut Fields) {
    if let (Some(column), Some(kind)) = (def.column("entityid"), number(def, "entitytype")) {
        let target = match fields.get(&column.number) {
            Some(Cell::Ref(_, place)) => column.kind.targets().get(usize::from(*place)),
            _ => None,
        };
        set(fields, Some(kind), target.map(|target| Cell::Text(target.table.clone().into())));
    }
    let names = ["firstname", "middlename", "lastname"];
    if def.column("fullname").is_none() || def.column("lastname").is_none() {
        return;
    }
    let parts: Vec<String> = names
        .iter()
        .filter_map(|name| {
            fields.get(&number(def, name)?).and_then(|cell| cell.text().map(str::to_owned))
        })
        .filter(|part| !part.is_empty())
        .collect();
    let full = parts.join(" ");
    let full = (!full.is_empty()).then(|| Cell::Text(full.into()));
    set(fields, number(def, "fullname"), full);
}
