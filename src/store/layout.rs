//! Layouts: which fields the fingerprints of a row stand for. Every row read
//! or written names one, so those in use are kept in memory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::store::{Fingerprint, StoreError, Work};

/// Layouts kept in memory; a table has a few.
const MOST: usize = 256;

/// The layouts that this process has met. Emptied when a transaction fails,
/// because its layouts are gone with it.
#[derive(Debug, Default)]
pub(super) struct Layouts(RefCell<Inner>);

#[derive(Debug, Default)]
struct Inner {
    ids: HashMap<String, Layout>,
    known: HashMap<i64, Layout>,
}

/// Field names in order, and what proves that they are still the same.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) id: i64,
    pub(super) names: Arc<[Arc<str>]>,
    /// Over the names. Rows that hold values carry it, because a value must
    /// not come to another field.
    pub(super) print: Fingerprint,
}

impl Layouts {
    pub(super) fn clear(&self) {
        *self.0.borrow_mut() = Inner::default();
    }

    fn keep(&self, text: String, id: i64, print: Fingerprint) -> Layout {
        let mut inner = self.0.borrow_mut();
        if inner.ids.len() >= MOST {
            *inner = Inner::default();
        }
        let names = text.split(',').filter(|name| !name.is_empty()).map(Arc::from).collect();
        let layout = Layout { id, names, print };
        inner.ids.insert(text, layout.clone());
        inner.known.insert(id, layout.clone());
        layout
    }
}

impl Work<'_> {
    /// The layout with these field names; made, if it is new.
    pub(super) fn layout<'n>(
        &mut self,
        fields: impl Iterator<Item = &'n str>,
    ) -> Result<Layout, StoreError> {
        let mut text = String::with_capacity(256);
        for field in fields {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(field);
        }
        if let Some(layout) = self.layouts.0.borrow().ids.get(&text) {
            return Ok(layout.clone());
        }
        self.sql
            .prepare_cached("INSERT INTO layout (fields) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([&text])?;
        let id = self
            .sql
            .prepare_cached("SELECT id FROM layout WHERE fields = ?1")?
            .query_row([&text], |row| row.get(0))?;
        Ok(self.keep_layout(text, id))
    }

    /// The layout with this number.
    pub(super) fn layout_of(&self, id: i64) -> Result<Layout, StoreError> {
        if let Some(layout) = self.layouts.0.borrow().known.get(&id) {
            return Ok(layout.clone());
        }
        let text: String = self
            .sql
            .prepare_cached("SELECT fields FROM layout WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        Ok(self.keep_layout(text, id))
    }

    fn keep_layout(&self, text: String, id: i64) -> Layout {
        let print = self.key.fingerprint(text.as_bytes());
        self.layouts.keep(text, id, print)
    }
}
