//! `activitypointers`: all activities in one set, to read (Dynamics sheet 4.6).
//!
//! Owns: what of an activity the base table shows. Its rows are those of the
//! activity tables, gathered for each request.

use super::schema::{ColumnType, LookupFlavour, Table, Target};
use super::store::{Db, Stored};
use crate::sandbox::row::{Cell, Fields, Packed};

/// The base table's logical name.
pub(super) const TABLE: &str = "activitypointer";

/// Takes the suffix off: on the base table `regardingobjectid_contact` is all.
pub(super) fn base(mut table: Table) -> Table {
    (table.tracked, table.trackable) = (false, false);
    for column in &mut table.columns {
        if let ColumnType::Lookup { targets, flavour: LookupFlavour::Lookup } = &mut column.kind {
            for Target { navigation, .. } in targets {
                if let Some(stem) = navigation.strip_suffix("_activitypointer") {
                    *navigation = stem.to_owned();
                }
            }
        }
    }
    table
}

/// Gathers the rows as they are now.
pub(super) fn refresh(db: &mut Db) {
    let Some(own) = db.table(TABLE).map(|data| std::sync::Arc::clone(&data.def)) else {
        return;
    };
    let kind = own.column("activitytypecode").map(|column| column.number);
    let mut rows = Vec::new();
    for data in db.tables.values().filter(|data| data.def.activity && data.def.name != TABLE) {
        let shared: Vec<(u16, u16)> = own
            .columns
            .iter()
            .filter_map(|column| Some((data.def.column(&column.name)?.number, column.number)))
            .collect();
        for (id, row) in &data.rows {
            let full = row.data.unpack();
            let mut fields: Fields = shared
                .iter()
                .filter_map(|(from, to)| Some((*to, full.get(from)?.clone())))
                .collect();
            if let Some(kind) = kind {
                fields.insert(kind, Cell::Text(data.def.name.clone().into()));
            }
            rows.push((*id, Stored { version: row.version, data: Packed::pack(&fields) }));
        }
    }
    if let Some(data) = db.tables.get_mut(TABLE) {
        data.by_version = rows.iter().map(|(id, row)| (row.version, *id)).collect();
        data.rows = rows.into_iter().collect();
    }
}
