//! What an administrator does to tables and columns while clients read them.
//!
//! Owns: the changes of the schema by the control handle. Adding and removing
//! columns or tables makes the table's delta tokens expire (Dynamics sheet 3.6);
//! lengths, choices and column security do not.

use std::sync::Arc;

use super::control::{ControlError, DynamicsControl, unknown};
use super::schema::{Choice, Column, ColumnType, Role, Table};

impl Table {
    /// Takes a column away until it is restored; false where there is none.
    pub(super) fn drop_column(&mut self, name: &str) -> bool {
        let is = |column: &Column| column.name == name && column.role == Role::Plain;
        let Some(at) = self.columns.iter().position(is) else {
            return false;
        };
        let column = self.columns.remove(at);
        self.dropped.push(column);
        true
    }
}

impl DynamicsControl {
    /// Changes a table's definition.
    fn alter<T>(
        &self,
        table: &str,
        expire: bool,
        change: impl FnOnce(&mut Table) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let mut db = self.db();
        let data = db.tables.get_mut(table).ok_or_else(|| unknown("such table"))?;
        let done = change(Arc::make_mut(&mut data.def))?;
        if expire {
            data.rekey();
            db.metadata_changed(table);
        } else {
            db.metadata_version += 1;
        }
        Ok(done)
    }

    fn alter_column(
        &self,
        table: &str,
        name: &str,
        change: impl FnOnce(&mut Column) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        self.alter(table, false, |def| {
            let column = def.columns.iter_mut().find(|column| column.name == name);
            change(column.ok_or_else(|| unknown("such column"))?)
        })
    }

    /// Adds a column; the table's tokens expire.
    pub fn add_column(
        &self,
        table: &str,
        schema_name: &str,
        kind: ColumnType,
    ) -> Result<(), ControlError> {
        self.alter(table, true, |def| {
            let column = Column::new(schema_name, kind);
            if def.column(&column.name).is_some() {
                return Err(ControlError {
                    code: "0x80047013".to_owned(),
                    message: "An attribute with the specified name already exists".to_owned(),
                });
            }
            def.add(column);
            Ok(())
        })
    }

    /// Removes a column; the table's tokens expire. Its values are out of
    /// reach until [`DynamicsControl::restore_column`].
    pub fn remove_column(&self, table: &str, name: &str) -> Result<(), ControlError> {
        self.alter(table, true, |def| {
            def.drop_column(name).then_some(()).ok_or_else(|| unknown("such column"))
        })
    }

    /// Puts a column back as it was before its first removal or change of
    /// type, with the values of that time; the table's tokens expire.
    pub fn restore_column(&self, table: &str, name: &str) -> Result<(), ControlError> {
        self.alter(table, true, |def| {
            let at = def.dropped.iter().position(|column| column.name == name);
            let column = def.dropped.remove(at.ok_or_else(|| unknown("such column"))?);
            def.dropped.retain(|column| column.name != name);
            def.columns.retain(|column| column.name != name);
            def.columns.push(column);
            Ok(())
        })
    }

    /// Gives a column another type; its values are gone, the table's tokens
    /// expire.
    pub fn retype_column(
        &self,
        table: &str,
        schema_name: &str,
        kind: ColumnType,
    ) -> Result<(), ControlError> {
        self.remove_column(table, &schema_name.to_lowercase())?;
        self.add_column(table, schema_name, kind)
    }

    /// Changes `MaxLength` of a text; longer values that are there stay.
    pub fn set_max_length(
        &self,
        table: &str,
        name: &str,
        length: usize,
    ) -> Result<(), ControlError> {
        self.alter_column(table, name, |column| {
            if let ColumnType::Text { max } | ColumnType::Memo { max } = &mut column.kind {
                *max = length;
                return Ok(());
            }
            Err(unknown("text of that name"))
        })
    }

    /// Adds a choice, or gives the one with this value other labels.
    pub fn put_choice(&self, table: &str, name: &str, choice: Choice) -> Result<(), ControlError> {
        self.alter_choices(table, name, |choices| {
            match choices.iter_mut().find(|known| known.value == choice.value) {
                Some(known) => *known = choice,
                None => choices.push(choice),
            }
        })
    }

    /// Removes a choice; rows that have it keep its number.
    pub fn remove_choice(&self, table: &str, name: &str, value: i64) -> Result<(), ControlError> {
        self.alter_choices(table, name, |choices| choices.retain(|choice| choice.value != value))
    }

    fn alter_choices(
        &self,
        table: &str,
        name: &str,
        change: impl FnOnce(&mut Vec<Choice>),
    ) -> Result<(), ControlError> {
        self.alter_column(table, name, |column| {
            if let ColumnType::Picklist(choices)
            | ColumnType::MultiSelect(choices)
            | ColumnType::State(choices)
            | ColumnType::Status(choices) = &mut column.kind
            {
                change(choices);
                return Ok(());
            }
            Err(unknown("choice of that name"))
        })
    }

    /// Column security: with `false` the application may no longer read the
    /// column. Naming it is refused with 403, or it reads as null, by variant.
    pub fn set_column_readable(
        &self,
        table: &str,
        name: &str,
        readable: bool,
    ) -> Result<(), ControlError> {
        self.alter_column(table, name, |column| {
            column.secured = !readable;
            Ok(())
        })
    }

    /// Removes a table with its rows until [`DynamicsControl::restore_table`].
    pub fn remove_table(&self, table: &str) -> Result<(), ControlError> {
        self.db().drop_table(table).then_some(()).ok_or_else(|| unknown("such table"))
    }

    /// Puts a removed table back with its rows; its tokens have expired.
    pub fn restore_table(&self, table: &str) -> Result<(), ControlError> {
        let mut db = self.db();
        let data = db.dropped.remove(table).ok_or_else(|| unknown("such table"))?;
        db.add_table(data);
        db.metadata_changed(table);
        Ok(())
    }
}
