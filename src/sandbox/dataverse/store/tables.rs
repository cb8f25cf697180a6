//! Tables that come and go, and variants that are part of what is stored.
//!
//! Owns: keeping sets and definitions together.

use std::sync::Arc;

use uuid::Uuid;

use super::{Db, TableData};
use crate::sandbox::dataverse::builtin;
use crate::sandbox::row::Cell;
use crate::sandbox::variants::{ParentDelete, Variants};

impl Db {
    /// Takes a new table in, or one that was gone.
    pub(crate) fn add_table(&mut self, data: TableData) {
        self.sets.insert(data.def.set.clone(), data.def.name.clone());
        self.tables.insert(data.def.name.clone(), data);
        self.metadata_version += 1;
    }

    /// Takes a table away until it is put back; false where there is none.
    pub(crate) fn drop_table(&mut self, name: &str) -> bool {
        let Some(data) = self.tables.remove(name) else {
            return false;
        };
        self.sets.remove(&data.def.set);
        self.dropped.insert(name.to_owned(), data);
        self.metadata_version += 1;
        true
    }

    /// Takes the four tables of mail events away.
    pub(crate) fn remove_mail_tables(&mut self) {
        for name in builtin::MAIL_TABLES {
            if let Some(data) = self.tables.remove(name) {
                self.sets.remove(&data.def.set);
            }
        }
        self.metadata_version += 1;
    }

    /// Plays the variants that are part of what is stored.
    pub(crate) fn adopt(&mut self, variants: Variants) {
        self.empty_is_null = variants.empty_text_is_null;
        self.regarding_cascades = variants.regarding_delete == ParentDelete::Cascade;
        for data in self.tables.values_mut().filter(|data| data.def.activity) {
            Arc::make_mut(&mut data.def).suffix_navigation(variants.navigation_by_schema_name);
        }
    }

    /// The rows that refer to a row: table, column, id.
    pub(crate) fn referring(&self, parent: Uuid) -> Vec<(String, String, Uuid)> {
        let (low, high) = ((parent, 0, 0, Uuid::nil()), (parent, u32::MAX, u16::MAX, Uuid::max()));
        let found = self.children.range(low..=high).filter_map(|(_, code, column, child)| {
            let def = &self.tables.values().find(|data| data.def.type_code == *code)?.def;
            let column = def.columns.iter().find(|known| known.number == *column)?;
            Some((def.name.clone(), column.name.clone(), *child))
        });
        found.collect()
    }

    /// Days for which deletions are kept.
    pub(crate) fn retention_days(&self) -> i64 {
        let column = self
            .table("organization")
            .and_then(|data| data.def.column("expirechangetrackingindays"));
        let fields = self.fields("organization", self.fixed.organization);
        match (column, fields) {
            (Some(column), Some(fields)) => {
                fields.get(&column.number).and_then(Cell::int).unwrap_or(7)
            }
            _ => 7,
        }
    }
}
