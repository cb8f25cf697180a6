//! Rows as JSON (Dynamics sheet 2.1 and 2.5).
//!
//! Owns: which columns a reply shows, in which order, with which annotations.

use uuid::Uuid;

use super::error::{Refusal, no_property, refuse};
use super::schema::{Column, ColumnType, Role, Table};
use super::store::{Db, Stored};
use super::value;
use crate::sandbox::row::Cell;
use crate::sandbox::variants::{SecuredRead, Variants};
use crate::sandbox::wire::{Call, push_json};

/// Annotations asked for by `Prefer: odata.include-annotations`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotations(Vec<String>);

impl Annotations {
    /// Reads the list inside the quotes.
    pub(crate) fn new(list: &str) -> Self {
        Self(
            list.split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
        )
    }

    /// Whether this annotation is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.0.iter().any(|wanted| {
            wanted == "*"
                || wanted == name
                || wanted.strip_suffix('*').is_some_and(|stem| name.starts_with(stem))
        })
    }

    /// Whether everything is wanted.
    pub(crate) fn all(&self) -> bool {
        self.0.iter().any(|wanted| wanted == "*")
    }
}

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";
const LOGICAL: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

/// The columns of a reply, with their names ready to be written.
pub(crate) struct Plan {
    columns: Vec<(Column, Vec<u8>)>,
    widest: usize,
    formatted: bool,
    navigation: bool,
    logical: bool,
    /// Show columns that are hidden from the caller as null.
    blank: bool,
}

/// Column security: a request that names a hidden column (sheet 8.3).
pub(crate) fn refuse_secured(
    table: &Table,
    call: &Call,
    variants: Variants,
) -> Result<(), Refusal> {
    let options = ["$select", "$filter", "$orderby"].map(|option| call.param(option));
    refuse_named(table, options, variants)
}

/// The same of the options of an expansion.
pub(crate) fn refuse_named(
    table: &Table,
    options: [Option<&str>; 3],
    variants: Variants,
) -> Result<(), Refusal> {
    if variants.secured_read == SecuredRead::Null {
        return Ok(());
    }
    let word = |letter: char| letter.is_alphanumeric() || letter == '_';
    for column in table.columns.iter().filter(|column| column.secured) {
        let name = column.wire_name();
        for text in options.into_iter().flatten() {
            if text.split(|letter| !word(letter)).any(|part| part == name) {
                return Err(refuse(
                    403,
                    "0x8004f504",
                    format!(
                        "The caller does not have read permissions to a secured field. Entity: {}, attribute: {}.",
                        table.name, column.name
                    ),
                ));
            }
        }
    }
    Ok(())
}

impl Plan {
    /// The same for a caller from whom some columns are hidden.
    pub(crate) fn for_caller(mut self, variants: Variants) -> Self {
        match variants.secured_read {
            SecuredRead::Refused => self.columns.retain(|(column, _)| !column.secured),
            SecuredRead::Null => self.blank = true,
        }
        self
    }

    /// Chooses the columns; an unknown one is refused.
    pub(crate) fn new(
        table: &Table,
        select: Option<&str>,
        annotations: &Annotations,
    ) -> Result<Self, Refusal> {
        let mut columns: Vec<Column> = Vec::new();
        match select {
            None => columns.extend(table.columns.iter().cloned()),
            Some(list) => {
                for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    let column =
                        table.by_wire(name).ok_or_else(|| no_property(name, &table.name))?;
                    if !columns.contains(column) {
                        columns.push(column.clone());
                    }
                }
                let money = columns.iter().any(|column| column.kind == ColumnType::Money);
                if let Some(currency) = table.column("transactioncurrencyid").filter(|_| money)
                    && !columns.contains(currency)
                {
                    columns.push(currency.clone());
                }
                if let Some(id) = table.columns.iter().find(|column| column.role == Role::Id)
                    && !columns.contains(id)
                {
                    columns.push(id.clone());
                }
            }
        }
        let widest = columns.iter().map(|column| usize::from(column.number)).max().unwrap_or(0);
        let columns = columns
            .into_iter()
            .map(|column| {
                let mut key = vec![b','];
                push_json(&mut key, &column.wire_name());
                key.push(b':');
                (column, key)
            })
            .collect();
        Ok(Self {
            columns,
            widest,
            formatted: annotations.wants(FORMATTED),
            navigation: annotations.wants(NAVIGATION),
            logical: annotations.wants(LOGICAL),
            blank: false,
        })
    }

    /// Appends a row; `head` stands before the etag, such as a context.
    pub(crate) fn row(&self, db: &Db, out: &mut Vec<u8>, head: &str, id: Uuid, row: &Stored) {
        self.headed(db, out, head, id, row);
        out.push(b'}');
    }

    /// The same without the closing bracket, for more members.
    pub(crate) fn headed(&self, db: &Db, out: &mut Vec<u8>, head: &str, id: Uuid, row: &Stored) {
        out.push(b'{');
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\"@odata.etag\":\"W/\\\"");
        out.extend_from_slice(row.version.to_string().as_bytes());
        out.extend_from_slice(b"\\\"\"");
        self.members(db, out, id, row);
    }

    /// An inner row without its closing bracket, with an etag or without one.
    pub(crate) fn open(&self, db: &Db, out: &mut Vec<u8>, tagged: bool, id: Uuid, row: &Stored) {
        if tagged {
            return self.headed(db, out, "", id, row);
        }
        let mut members = Vec::new();
        self.members(db, &mut members, id, row);
        out.push(b'{');
        // Each member stands behind a comma.
        out.extend_from_slice(members.get(1..).unwrap_or_default());
    }

    fn members(&self, db: &Db, out: &mut Vec<u8>, id: Uuid, row: &Stored) {
        let mut cells: Vec<Option<Cell<'_>>> = vec![None; self.widest + 1];
        for (number, cell) in row.data.cells() {
            if let Some(place) = cells.get_mut(usize::from(number)) {
                *place = Some(cell);
            }
        }
        for (column, key) in &self.columns {
            let own;
            let cell = match column.role {
                Role::Id => {
                    own = Cell::Guid(id);
                    Some(&own)
                }
                Role::Version => {
                    own = Cell::Int(i64::try_from(row.version).unwrap_or(i64::MAX));
                    Some(&own)
                }
                Role::Plain if self.blank && column.secured => None,
                Role::Plain => cells.get(usize::from(column.number)).and_then(Option::as_ref),
            };
            if let Some(cell) = cell {
                self.annotate(db, out, column, cell);
            }
            out.extend_from_slice(key);
            value::write(out, cell);
        }
    }

    fn annotate(&self, db: &Db, out: &mut Vec<u8>, column: &Column, cell: &Cell<'_>) {
        if !self.formatted && !self.navigation && !self.logical {
            return;
        }
        let mut put = |name: &str, text: &str| {
            out.push(b',');
            push_json(out, &format!("{}@{name}", column.wire_name()));
            out.push(b':');
            push_json(out, text);
        };
        let Cell::Ref(id, place) = cell else {
            if self.formatted
                && column.role == Role::Plain
                && let Some(text) = value::formatted(column, cell)
            {
                put(FORMATTED, &text);
            }
            return;
        };
        let Some(target) = column.kind.targets().get(usize::from(*place)) else {
            return;
        };
        if self.formatted
            && let Some(name) = primary_name(db, &target.table, *id)
        {
            put(FORMATTED, &name);
        }
        if self.navigation {
            put(NAVIGATION, &target.navigation);
        }
        if self.logical {
            put(LOGICAL, &target.table);
        }
    }
}

fn primary_name(db: &Db, table: &str, id: Uuid) -> Option<String> {
    let data = db.table(table)?;
    let number = data.def.column(&data.def.primary_name)?.number;
    data.rows.get(&id)?.data.get(number)?.text().map(str::to_owned)
}
