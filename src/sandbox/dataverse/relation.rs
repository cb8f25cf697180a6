//! Where the navigation properties of a table lead (Dynamics sheet 2.3 and 4.2).
//!
//! Owns: the three kinds of relations seen from one row, and the rows behind
//! them. Writes nothing.

use uuid::Uuid;

use super::metadata;
use super::schema::Column;
use super::store::{Db, STEADY};
use crate::sandbox::row::Cell;

/// One side of a relation of many to many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Logical name of the table on this side.
    pub(crate) table: String,
    /// The column of the intersect table that holds its id.
    pub(crate) column: String,
    /// The navigation property of this side's rows.
    pub(crate) navigation: String,
}

/// A relation of many to many; its rows are those of an intersect table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) schema_name: String,
    pub(crate) ends: [End; 2],
}

/// Where a navigation property leads.
pub(super) enum Way {
    /// The one row that a lookup holds, if it points at this of its targets.
    One { column: Column, place: u8, table: String },
    /// The rows whose lookup holds this one.
    Many { table: String, column: Column, navigation: String },
    /// The rows on the other side of an intersect table.
    Pairs { table: String, through: String, own: Box<Column>, other: Box<Column> },
}

impl Way {
    /// The table at its end.
    pub(super) fn table(&self) -> &str {
        match self {
            Self::One { table, .. } | Self::Many { table, .. } | Self::Pairs { table, .. } => table,
        }
    }
}

/// The way that a table has under a name.
pub(super) fn way(db: &Db, table: &str, name: &str) -> Option<Way> {
    let def = &db.table(table)?.def;
    if let Some((column, place)) = def.navigation(name) {
        let target = column.kind.targets().get(usize::from(place))?;
        return Some(Way::One { column: column.clone(), place, table: target.table.clone() });
    }
    if let Some(child) = metadata::child(db, table, name) {
        let column = db.table(&child.table)?.def.column(&child.column)?.clone();
        return Some(Way::Many { table: child.table, column, navigation: child.navigation });
    }
    db.tables.values().find_map(|data| {
        data.def.pairs.iter().find_map(|pair| {
            let at =
                pair.ends.iter().position(|end| end.table == table && end.navigation == name)?;
            let (own, other) = (pair.ends.get(at)?, pair.ends.get(1 - at)?);
            Some(Way::Pairs {
                table: other.table.clone(),
                through: data.def.name.clone(),
                own: Box::new(data.def.column(&own.column)?.clone()),
                other: Box::new(data.def.column(&other.column)?.clone()),
            })
        })
    })
}

fn held(db: &Db, table: &str, id: Uuid, column: &Column) -> Option<(Uuid, u8)> {
    match db.table(table)?.rows.get(&id)?.data.get(column.number)? {
        Cell::Ref(to, place) => Some((to, place)),
        Cell::Bool(_)
        | Cell::Int(_)
        | Cell::Double(_)
        | Cell::Text(_)
        | Cell::Decimal(_)
        | Cell::Guid(_)
        | Cell::Time(_)
        | Cell::Date(_) => None,
    }
}

/// The rows of a table whose lookup holds an id.
fn holders(db: &Db, table: &str, column: &Column, id: Uuid) -> Vec<Uuid> {
    let steady = column.kind.targets().iter().all(|to| STEADY.contains(&to.table.as_str()));
    if steady {
        // Links to these are not indexed.
        let rows = db.table(table).into_iter().flat_map(|data| data.rows.keys());
        let holds = |row: &Uuid| held(db, table, *row, column).is_some_and(|(to, _)| to == id);
        return rows.copied().filter(holds).collect();
    }
    let found = db.referring(id).into_iter();
    found.filter(|(of, by, _)| of == table && *by == column.name).map(|(_, _, row)| row).collect()
}

/// The row of an intersect table that holds two ids.
pub(super) fn pair_row(
    db: &Db,
    through: &str,
    (own, one): (&Column, Uuid),
    (other, two): (&Column, Uuid),
) -> Option<Uuid> {
    let rows = holders(db, through, own, one);
    rows.into_iter().find(|row| held(db, through, *row, other).is_some_and(|(to, _)| to == two))
}

/// The rows that a way leads to from a row, in the order of their ids.
pub(super) fn reached(db: &Db, from: &str, id: Uuid, way: &Way) -> Vec<Uuid> {
    let mut rows = match way {
        Way::One { column, place, .. } => held(db, from, id, column)
            .filter(|(_, at)| at == place)
            .map(|(to, _)| to)
            .into_iter()
            .collect(),
        Way::Many { table, column, .. } => holders(db, table, column, id),
        Way::Pairs { through, own, other, .. } => holders(db, through, own, id)
            .into_iter()
            .filter_map(|row| held(db, through, row, other))
            .map(|(to, _)| to)
            .collect(),
    };
    rows.retain(|row| db.holds(way.table(), *row));
    rows.sort_unstable();
    rows
}
