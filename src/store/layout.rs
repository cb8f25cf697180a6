//! Layouts: which fields the fingerprints of a row stand for. Every row read
//! or written names one, so those in use are kept in memory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::store::{StoreError, Work};

/// Layouts kept in memory; a table has a few.
const MOST: usize = 256;

/// The layouts that this process has met. Emptied when a transaction fails,
/// because its layouts are gone with it.
#[derive(Debug, Default)]
pub(super) struct Layouts(RefCell<Inner>);

#[derive(Debug, Default)]
struct Inner {
    ids: HashMap<String, i64>,
    names: HashMap<i64, Arc<[String]>>,
}

impl Layouts {
    pub(super) fn clear(&self) {
        *self.0.borrow_mut() = Inner::default();
    }

    fn keep(&self, text: String, id: i64) -> Arc<[String]> {
        let mut inner = self.0.borrow_mut();
        if inner.ids.len() >= MOST {
            *inner = Inner::default();
        }
        let names: Arc<[String]> =
            text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        inner.ids.insert(text, id);
        inner.names.insert(id, Arc::clone(&names));
        names
    }
}

impl Work<'_> {
    /// The number of the layout with these field names; made, if it is new.
    pub(super) fn layout<'n>(
        &mut self,
        fields: impl Iterator<Item = &'n str>,
    ) -> Result<i64, StoreError> {
        let mut text = String::with_capacity(256);
        for field in fields {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(field);
        }
        if let Some(id) = self.layouts.0.borrow().ids.get(&text) {
            return Ok(*id);
        }
        self.sql
            .prepare_cached("INSERT INTO layout (fields) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([&text])?;
        let id = self
            .sql
            .prepare_cached("SELECT id FROM layout WHERE fields = ?1")?
            .query_row([&text], |row| row.get(0))?;
        self.layouts.keep(text, id);
        Ok(id)
    }

    /// The field names of a layout.
    pub(super) fn layout_fields(&self, id: i64) -> Result<Arc<[String]>, StoreError> {
        if let Some(names) = self.layouts.0.borrow().names.get(&id) {
            return Ok(Arc::clone(names));
        }
        let text: String = self
            .sql
            .prepare_cached("SELECT fields FROM layout WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        Ok(self.layouts.keep(text, id))
    }
}
