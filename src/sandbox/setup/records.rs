//! Records of data files in the Campaign look-alike.
//!
//! Owns: which fields a file may give, the stamps that only a file can set,
//! and links to records that come later.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::source::{Given, Row};
use super::{DataFile, DataProblem, convert};
use crate::sandbox::campaign::schema::{Api, Field, FieldType, Resource};
use crate::sandbox::campaign::store::Db;
use crate::sandbox::campaign::value;
use crate::sandbox::campaign::write::{self, Scene};
use crate::sandbox::row::{Cell, Packed};
use crate::sandbox::variants::Variants;

/// Members of an exported record that are no fields of it.
const COMPUTED: [&str; 8] =
    ["PKey", "href", "age", "domain", "title", "cryptedId", "postalAddress", "metadata"];

enum Sort<'d> {
    Value(&'d Field),
    /// Written by the server; a file may say when.
    Stamp(&'d Field),
    Link(&'d Field, &'d str),
    Skipped,
}

/// A link whose record was not there yet.
struct Later {
    file: String,
    line: u64,
    place: usize,
    row: u64,
    number: u16,
    column: String,
    target: String,
    text: String,
}

/// Loads records.
pub(super) struct Loader<'a> {
    db: &'a mut Db,
    variants: Variants,
    now: i64,
    later: Vec<Later>,
    problems: Vec<DataProblem>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(db: &'a mut Db, variants: Variants, now: i64) -> Self {
        Self { db, variants, now, later: Vec::new(), problems: Vec::new() }
    }

    /// Whether there is such a resource.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.db.place(name).is_some()
    }

    /// Loads the records of a file.
    pub(super) fn file(&mut self, file: &DataFile, resource: &str, rows: Vec<Row>) {
        let found = self.db.place(resource);
        let data = found.and_then(|place| Some((place, self.db.resources.get(place)?)));
        let Some((place, def)) = data.map(|(place, data)| (place, data.def.clone())) else {
            return;
        };
        let mut strange = BTreeSet::new();
        for row in rows {
            let unknown: Vec<&Given> =
                row.cells.iter().filter(|cell| sort(&def, &cell.name).is_none()).collect();
            for cell in &unknown {
                if strange.insert(cell.name.clone()) {
                    let problem = format!("{resource} has no such field; a schema file adds it");
                    self.problem(file, cell.line, Some(&cell.name), problem);
                }
            }
            if unknown.is_empty() {
                self.record(file, place, &def, &row);
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

    fn record(&mut self, file: &DataFile, place: usize, def: &Resource, row: &Row) {
        let mut body = Map::new();
        let (mut stamps, mut links, mut sound) = (Vec::new(), Vec::new(), true);
        for cell in &row.cells {
            let text = cell.value.as_str().map_or_else(|| cell.value.to_string(), str::to_owned);
            let done = match sort(def, &cell.name) {
                None | Some(Sort::Skipped) => Ok(()),
                Some(Sort::Stamp(field)) => {
                    convert::time(&text).map(|at| stamps.push((field.number, Cell::Time(at))))
                }
                Some(Sort::Link(field, target)) => {
                    links.push((field.number, cell, target.to_owned(), text));
                    Ok(())
                }
                Some(Sort::Value(field)) => take(def, field, &cell.value, self.variants, &mut body),
            };
            if let Err(problem) = done {
                self.problem(file, cell.line, Some(&cell.name), problem);
                sound = false;
            }
        }
        if !sound {
            return;
        }
        let scene = Scene { api: Api::Ext, variants: self.variants, now: self.now };
        let number = match write::create(self.db, place, &body, scene) {
            Ok(number) => number,
            Err(refusal) => {
                // Behind the first line stands what the database said.
                let text = refusal.text.lines().next().unwrap_or_default().to_owned();
                self.problem(file, row.line, None, text);
                return;
            }
        };
        self.set(place, number, stamps);
        for (field, cell, target, text) in links {
            self.later.push(Later {
                file: file.name.clone(),
                line: cell.line,
                place,
                row: number,
                number: field,
                column: cell.name.clone(),
                target,
                text,
            });
        }
    }

    fn set(&mut self, place: usize, row: u64, cells: Vec<(u16, Cell<'static>)>) {
        let Some(data) = self.db.resources.get_mut(place) else { return };
        let mut fields = data.rows.get(&row).map(Packed::unpack).unwrap_or_default();
        fields.extend(cells);
        data.put(row, &fields);
    }

    /// Fills in the links; all that was wrong.
    pub(super) fn finish(mut self) -> Vec<DataProblem> {
        for later in std::mem::take(&mut self.later) {
            let found = self.db.named(&later.target).and_then(|data| {
                let keys = data.def.keys.iter().filter_map(|key| data.def.field(&key.field));
                keys.flat_map(|field| data.with(field.number, &later.text)).next()
            });
            match found.and_then(|row| i64::try_from(row).ok()) {
                Some(target) => {
                    self.set(later.place, later.row, vec![(later.number, Cell::Int(target))]);
                }
                None => self.problems.push(DataProblem {
                    file: later.file,
                    line: Some(later.line),
                    column: Some(later.column),
                    problem: format!("there is no {} with this key", later.target),
                }),
            }
        }
        self.problems
    }
}

/// `None` for a field that the resource does not have.
fn sort<'d>(def: &'d Resource, name: &str) -> Option<Sort<'d>> {
    let (outer, inner) = match name.split_once(['.', '/']) {
        Some((outer, inner)) => (outer, Some(inner)),
        None => (name, None),
    };
    let computed = COMPUTED.contains(&outer) && def.field(outer).is_none();
    if computed || name.contains('@') {
        return Some(Sort::Skipped);
    }
    if let Some(field) = inner.and_then(|inner| def.inner(outer, inner)) {
        return Some(Sort::Value(field));
    }
    let field = def.field(outer)?;
    let written_by_server = field.read_only;
    Some(match (&field.kind, inner) {
        (FieldType::Link { target }, None | Some("key")) if !written_by_server => {
            Sort::Link(field, target)
        }
        // Beside the key of a linked record stand its address and title.
        (FieldType::Collection { .. } | FieldType::Link { .. }, _) => Sort::Skipped,
        (_, Some(_)) => return None,
        (FieldType::DateTime, None) if written_by_server => Sort::Stamp(field),
        (_, None) if written_by_server => Sort::Skipped,
        (_, None) => Sort::Value(field),
    })
}

fn take(
    def: &Resource,
    field: &Field,
    given: &Value,
    variants: Variants,
    body: &mut Map<String, Value>,
) -> Result<(), String> {
    let value = convert::for_field(&field.kind, given)?;
    value::parse(def, field, &value, variants).map_err(|refusal| refusal.text)?;
    match &field.item {
        None => {
            body.insert(field.name.clone(), value);
        }
        Some(item) => {
            let holder = body.entry(item.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(holder) = holder.as_object_mut() {
                holder.insert(field.name.clone(), value);
            }
        }
    }
    Ok(())
}
