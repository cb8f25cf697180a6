//! Rows of data files in the Dataverse look-alike.
//!
//! Owns: which columns a file may give, ids, and lookups to rows that come
//! later. The rules of the values are the server's own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::source::{Given, Row};
use super::{DataFile, DataProblem, convert};
use crate::sandbox::dataverse::schema::{Column, Role, Table, name_guid};
use crate::sandbox::dataverse::store::{Db, STEADY};
use crate::sandbox::dataverse::write::{self, Actor, Body};
use crate::sandbox::dataverse::{path, value};
use crate::sandbox::row::Cell;

/// The id that a text stands for where it is no GUID: always the same.
fn id_of(table: &str, text: &str) -> Uuid {
    let text = text.trim();
    Uuid::try_parse(text).unwrap_or_else(|_| name_guid(&format!("data {table}"), text))
}

/// What a cell of a file is to the server.
enum Sort {
    Id,
    Value(Column),
    Lookup(Column),
    Created,
    Modified,
    /// Filled in by the server, or an annotation.
    Skipped,
}

/// A lookup whose row was not there yet.
struct Later {
    file: String,
    line: u64,
    table: String,
    id: Uuid,
    column: Column,
    text: String,
}

/// Loads rows.
pub(super) struct Loader<'a> {
    db: &'a mut Db,
    now: i64,
    later: Vec<Later>,
    problems: Vec<DataProblem>,
    rows: BTreeMap<String, u64>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(db: &'a mut Db, now: i64) -> Self {
        Self { db, now, later: Vec::new(), problems: Vec::new(), rows: BTreeMap::new() }
    }

    /// The table of a logical name or of a set's name.
    pub(super) fn table(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        let set = || self.db.sets.get(&name).cloned();
        self.db.tables.contains_key(&name).then(|| name.clone()).or_else(set)
    }

    /// Loads the rows of a file.
    pub(super) fn file(&mut self, file: &DataFile, table: &str, rows: Vec<Row>) {
        let Some(def) = self.db.table(table).map(|data| data.def.clone()) else { return };
        let mut strange = BTreeSet::new();
        for row in rows {
            let unknown: Vec<&Given> =
                row.cells.iter().filter(|cell| sort(&def, &cell.name).is_none()).collect();
            for cell in &unknown {
                if strange.insert(cell.name.clone()) {
                    let problem = format!("{table} has no such column; a schema file adds it");
                    self.problem(file, cell.line, Some(&cell.name), problem);
                }
            }
            if unknown.is_empty() {
                self.row(file, &def, &row);
            }
        }
    }

    fn problem(&mut self, file: &DataFile, line: u64, column: Option<&str>, problem: String) {
        self.problems.push(DataProblem {
            file: file.name.clone(),
            line: Some(line),
            column: column.map(str::to_owned),
            problem,
        });
    }

    fn row(&mut self, file: &DataFile, def: &Table, row: &Row) {
        let number = self.rows.entry(def.name.clone()).or_default();
        *number += 1;
        let mut id = id_of(&def.name, &format!("row {number}"));
        let (mut body, mut lookups, mut now) = (Body::new(), Vec::new(), self.now);
        let mut sound = true;
        for cell in &row.cells {
            let done = match sort(def, &cell.name) {
                None | Some(Sort::Skipped) => Ok(()),
                Some(Sort::Id) => {
                    id = id_of(&def.name, &text(&cell.value));
                    Ok(())
                }
                Some(Sort::Modified) => convert::time(&text(&cell.value)).map(|at| now = at),
                Some(Sort::Created) => created(def, cell, &mut body),
                Some(Sort::Value(column)) => take(def, &column, cell, &mut body),
                Some(Sort::Lookup(column)) => {
                    lookups.push((column, text(&cell.value), cell.line));
                    Ok(())
                }
            };
            if let Err(problem) = done {
                self.problem(file, cell.line, Some(&cell.name), problem);
                sound = false;
            }
        }
        if !sound {
            return;
        }
        let mut later = Vec::new();
        for (column, text, line) in lookups {
            match self.bound(&column, &text) {
                Some((name, reference)) => {
                    body.insert(name, reference);
                }
                None => later.push(Later {
                    file: file.name.clone(),
                    line,
                    table: def.name.clone(),
                    id,
                    column,
                    text,
                }),
            }
        }
        let actor = Actor {
            user: self.db.fixed.person,
            now,
            empty_is_null: true,
            closed_is_read_only: false,
            own_solution_ids: false,
            person: true,
        };
        match write::create(self.db, &def.name, Some(id), &body, actor, id) {
            Ok(_) => self.later.extend(later),
            Err(refusal) => self.problem(file, row.line, None, refusal.message),
        }
    }

    /// The row that a lookup's text names, and the place of its table.
    fn target(&self, column: &Column, text: &str) -> Option<(Uuid, usize)> {
        let targets = column.kind.targets();
        let named = text.trim_start_matches('/').strip_suffix(')').and_then(|text| {
            let (set, id) = text.split_once('(').filter(|(_, id)| !id.contains('='))?;
            Some((self.db.sets.get(set)?, id))
        });
        if let Some((table, id)) = named {
            let place = targets.iter().position(|target| target.table == *table)?;
            let id = id_of(table, id);
            return self.db.holds(table, id).then_some((id, place));
        }
        if let Some((set, key)) = path::reference(text)
            && let Some(table) = self.db.sets.get(&set)
        {
            let place = targets.iter().position(|target| target.table == *table)?;
            return Some((path::find(self.db, table, &key).ok()?, place));
        }
        let held = |(place, table): (usize, &str)| {
            let id = id_of(table, text);
            self.db.holds(table, id).then_some((id, place))
        };
        targets.iter().map(|target| target.table.as_str()).enumerate().find_map(held)
    }

    fn bound(&self, column: &Column, text: &str) -> Option<(String, Box<RawValue>)> {
        let (id, place) = self.target(column, text)?;
        let target = column.kind.targets().get(place)?;
        let set = &self.db.table(&target.table)?.def.set;
        let reference = RawValue::from_string(format!("\"/{set}({id})\"")).ok()?;
        Some((format!("{}@odata.bind", target.navigation), reference))
    }

    /// Fills in the lookups that waited; all that was wrong.
    pub(super) fn finish(mut self) -> Vec<DataProblem> {
        for later in std::mem::take(&mut self.later) {
            let targets: Vec<&str> =
                later.column.kind.targets().iter().map(|target| target.table.as_str()).collect();
            let found = self.target(&later.column, &later.text);
            if let Some((id, place)) = found
                && let Ok(place) = u8::try_from(place)
                && let Some(mut fields) = self.db.fields(&later.table, later.id)
            {
                fields.insert(later.column.number, Cell::Ref(id, place));
                if let Err(refusal) = self.db.put(&later.table, later.id, &fields) {
                    self.problems.push(later.wrong(refusal.message));
                }
            } else if !targets.iter().all(|table| STEADY.contains(table)) {
                // Users and units of another system stay what the server set.
                let problem = format!("there is no such row in {}", targets.join(" or "));
                self.problems.push(later.wrong(problem));
            }
        }
        self.problems
    }
}

impl Later {
    fn wrong(&self, problem: String) -> DataProblem {
        DataProblem {
            file: self.file.clone(),
            line: Some(self.line),
            column: Some(self.column.name.clone()),
            problem,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `None` for a column that the table does not have.
fn sort(def: &Table, name: &str) -> Option<Sort> {
    if let Some(navigation) = name.strip_suffix("@odata.bind") {
        return def.navigation(navigation).map(|(column, _)| Sort::Lookup(column.clone()));
    }
    if name.contains('@') {
        return Some(Sort::Skipped);
    }
    let lower = name.to_lowercase();
    let column = def.column(&lower).or_else(|| def.by_wire(&lower))?;
    let state = matches!(column.name.as_str(), "statecode");
    Some(match (column.role, column.name.as_str()) {
        (Role::Id, _) => Sort::Id,
        (Role::Version, _) => Sort::Skipped,
        (Role::Plain, "createdon") => Sort::Created,
        (Role::Plain, "modifiedon") => Sort::Modified,
        (Role::Plain, _) if !column.create && !state => Sort::Skipped,
        (Role::Plain, _) if !column.kind.targets().is_empty() => Sort::Lookup(column.clone()),
        (Role::Plain, _) => Sort::Value(column.clone()),
    })
}

/// Back-dates the row, where the table allows it.
fn created(def: &Table, cell: &Given, body: &mut Body) -> Result<(), String> {
    match def.column("overriddencreatedon") {
        Some(column) => take(def, &column.clone(), cell, body),
        None => Ok(()),
    }
}

fn take(def: &Table, column: &Column, cell: &Given, body: &mut Body) -> Result<(), String> {
    let raw = convert::for_column(&column.kind, &cell.value)?;
    value::parse(def, column, &raw, true).map_err(|refusal| refusal.message)?;
    let raw = RawValue::from_string(raw).map_err(|error| error.to_string())?;
    body.insert(column.name.clone(), raw);
    Ok(())
}
