//! Seeded rows of any table.
//!
//! Owns: what the columns hold that nearly every table has.

use uuid::Uuid;

use super::stream::{Stream, any};
use crate::sandbox::dataverse::schema::{Column, ColumnType, Role};
use crate::sandbox::dataverse::store::Db;
use crate::sandbox::row::{Cell, Fields};

/// What a column of a row holds.
pub(super) enum Own {
    /// Whatever suits its type.
    Any,
    /// Nothing.
    Null,
    /// This.
    Is(Cell<'static>),
}

impl From<Option<Cell<'static>>> for Own {
    fn from(cell: Option<Cell<'static>>) -> Self {
        cell.map_or(Self::Null, Self::Is)
    }
}

/// A text.
pub(super) fn text(value: impl Into<String>) -> Own {
    Own::Is(Cell::Text(value.into().into()))
}

/// A lookup at the target of this place; empty without a target.
pub(super) fn link(target: Option<Uuid>, place: u8) -> Own {
    target.map(|target| Cell::Ref(target, place)).into()
}

/// Adds rows; `own` says what a column holds. Returns the ids in order.
pub(super) fn rows(
    db: &mut Db,
    stream: &mut Stream,
    table: &str,
    count: usize,
    now: i64,
    mut own: impl FnMut(&str, &mut Stream, usize) -> Own,
) -> Vec<Uuid> {
    let columns: Vec<Column> =
        db.table(table).map(|data| data.def.columns.clone()).unwrap_or_default();
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        let id = stream.guid();
        let state = usize::from(stream.one_in(12));
        let mut fields = Fields::new();
        for column in columns.iter().filter(|column| column.role == Role::Plain) {
            let cell = match own(&column.name, stream, number) {
                Own::Any => shared(db, column, stream, state, now),
                Own::Null => None,
                Own::Is(cell) => Some(cell),
            };
            if let Some(cell) = cell {
                fields.insert(column.number, cell);
            }
        }
        // Generated keys are distinct, so nothing can be refused.
        let _ = db.put(table, id, &fields);
        ids.push(id);
    }
    ids
}

/// A whole second within the last days, in milliseconds since 1970.
pub(super) fn past(now: i64, stream: &mut Stream, days: u64) -> i64 {
    (now.div_euclid(1000) - stream.signed(days * 86_400)) * 1000
}

fn shared(
    db: &Db,
    column: &Column,
    stream: &mut Stream,
    state: usize,
    now: i64,
) -> Option<Cell<'static>> {
    match column.name.as_str() {
        "overriddencreatedon" | "importsequencenumber" => None,
        "createdon" => Some(Cell::Time(past(now, stream, 5 * 365) - 86_400_000)),
        "modifiedon" => Some(Cell::Time(past(now, stream, 1))),
        "createdby" | "modifiedby" | "ownerid" => Some(Cell::Ref(db.fixed.person, 0)),
        "owningbusinessunit" => Some(Cell::Ref(db.fixed.unit, 0)),
        "transactioncurrencyid" => Some(Cell::Ref(db.fixed.currency, 0)),
        _ => match &column.kind {
            ColumnType::State(states) => states.get(state).map(|state| Cell::Int(state.value)),
            ColumnType::Status(reasons) => {
                let wanted = i64::try_from(state).ok();
                let reason = reasons.iter().find(|reason| reason.partner == wanted);
                reason.map(|reason| Cell::Int(reason.value))
            }
            ColumnType::Uniqueidentifier
            | ColumnType::Text { .. }
            | ColumnType::Memo { .. }
            | ColumnType::EntityName
            | ColumnType::Integer { .. }
            | ColumnType::BigInt
            | ColumnType::Decimal { .. }
            | ColumnType::Double
            | ColumnType::Money
            | ColumnType::Boolean { .. }
            | ColumnType::Picklist(_)
            | ColumnType::MultiSelect(_)
            | ColumnType::DateTime { .. }
            | ColumnType::Lookup { .. } => any(column, stream),
        },
    }
}
