//! What an administrator does to resources and fields while clients use them.
//!
//! Owns: the changes of the data model by the control handle; each is as if
//! published at once.

use std::sync::Arc;

use super::control::{CampaignControl, unknown};
use super::schema::{EnumValue, Field, FieldType, Removed, Resource};
use crate::sandbox::ControlError;

impl CampaignControl {
    fn alter<T>(
        &self,
        resource: &str,
        change: impl FnOnce(&mut Resource) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let mut db = self.db();
        let data = db.named_mut(resource).ok_or_else(|| unknown("resource"))?;
        change(Arc::make_mut(&mut data.def))
    }

    fn alter_field(
        &self,
        resource: &str,
        name: &str,
        change: impl FnOnce(&mut Field) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        self.alter(resource, |def| {
            let field = def.fields.iter_mut().find(|field| field.name == name);
            change(field.ok_or_else(|| unknown("field"))?)
        })
    }

    /// Adds a field.
    pub fn add_field(
        &self,
        resource: &str,
        name: &str,
        kind: FieldType,
    ) -> Result<(), ControlError> {
        self.alter(resource, |def| {
            if def.field(name).is_some() {
                return Err(ControlError {
                    code: String::new(),
                    message: format!("the field {name} is there already"),
                });
            }
            def.add(name, kind);
            Ok(())
        })
    }

    /// Removes a field with the keys and filters that rest on it. Its values
    /// are out of reach until [`CampaignControl::restore_field`].
    pub fn remove_field(&self, resource: &str, name: &str) -> Result<(), ControlError> {
        self.alter(resource, |def| {
            let at = def.fields.iter().position(|field| field.name == name);
            let field = def.fields.remove(at.ok_or_else(|| unknown("field"))?);
            let (keys, filters) = (def.keys.clone(), def.filters.clone());
            def.keys.retain(|key| key.field != name);
            def.filters.retain(|filter| filter.field != name);
            def.removed.push(Removed { field, keys, filters });
            Ok(())
        })
    }

    /// Puts a field back as it was before its first removal or change of type,
    /// with its keys, its filters and the values of that time.
    pub fn restore_field(&self, resource: &str, name: &str) -> Result<(), ControlError> {
        let number = self.alter(resource, |def| {
            let at = def.removed.iter().position(|removed| removed.field.name == name);
            let removed = def.removed.remove(at.ok_or_else(|| unknown("field"))?);
            def.removed.retain(|removed| removed.field.name != name);
            def.fields.retain(|field| field.name != name);
            for key in removed.keys.into_iter().filter(|key| key.field == name) {
                if !def.keys.iter().any(|known| known.constraint == key.constraint) {
                    def.keys.push(key);
                }
            }
            for filter in removed.filters.into_iter().filter(|filter| filter.field == name) {
                if !def.filters.iter().any(|known| known.name == filter.name) {
                    def.filters.push(filter);
                }
            }
            let number = removed.field.number;
            def.fields.push(removed.field);
            Ok(number)
        })?;
        // Rows that were written meanwhile are missing in the field's index.
        if let Some(data) = self.db().named_mut(resource) {
            data.index_anew(number);
        }
        Ok(())
    }

    /// Gives a field another type; keys and filters stay, its values are gone.
    pub fn retype_field(
        &self,
        resource: &str,
        name: &str,
        kind: FieldType,
    ) -> Result<(), ControlError> {
        self.alter(resource, |def| {
            let number = def.next_number;
            let (keys, filters) = (def.keys.clone(), def.filters.clone());
            let field = def.fields.iter_mut().find(|field| field.name == name);
            let field = field.ok_or_else(|| unknown("field"))?;
            let before = field.clone();
            (field.kind, field.number) = (kind, number);
            def.next_number += 1;
            def.removed.push(Removed { field: before, keys, filters });
            Ok(())
        })
    }

    /// Changes the length of a text; longer values that are there stay.
    pub fn set_field_length(
        &self,
        resource: &str,
        name: &str,
        length: usize,
    ) -> Result<(), ControlError> {
        self.alter_field(resource, name, |field| {
            if let FieldType::Text { max } = &mut field.kind {
                *max = length;
                return Ok(());
            }
            Err(unknown("text field"))
        })
    }

    /// Adds a value to an enumeration, before the technical invalid value.
    pub fn add_enum_value(
        &self,
        resource: &str,
        name: &str,
        value: EnumValue,
    ) -> Result<(), ControlError> {
        self.alter_values(resource, name, |values| {
            values.insert(values.len().saturating_sub(1), value);
        })
    }

    /// Removes a value by name; records that have it show the invalid value.
    pub fn remove_enum_value(
        &self,
        resource: &str,
        name: &str,
        value: &str,
    ) -> Result<(), ControlError> {
        self.alter_values(resource, name, |values| values.retain(|known| known.name != value))
    }

    fn alter_values(
        &self,
        resource: &str,
        name: &str,
        change: impl FnOnce(&mut Vec<EnumValue>),
    ) -> Result<(), ControlError> {
        self.alter_field(resource, name, |field| {
            if let FieldType::Enumeration { values, .. } = &mut field.kind {
                change(values);
                return Ok(());
            }
            Err(unknown("enumeration"))
        })
    }

    /// Takes a resource off the API, as before its publication, or puts it
    /// back with its records.
    pub fn set_published(&self, resource: &str, published: bool) -> Result<(), ControlError> {
        self.alter(resource, |def| {
            def.published = published;
            Ok(())
        })
    }
}
