//! What a table mapping rested on when it last ran: types and lengths of both
//! schemas, and digests of the configuration. No mapped value in clear.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use crate::model::TableName;
use crate::store::{Fingerprint, StoreError, Work};

/// A type as far as it may drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownKind {
    /// In words, without its length.
    pub(crate) words: String,
    /// Characters or bits.
    pub(crate) size: Option<u32>,
    /// Tables that a lookup may point to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) targets: Vec<String>,
}

/// One field of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownField {
    /// The column that it reads.
    pub(crate) column: String,
    /// The column's type.
    pub(crate) reads: KnownKind,
    /// The field's type.
    pub(crate) writes: KnownKind,
    /// Digest of its entry in the configuration.
    pub(crate) spec: String,
    /// Digest of everything but the cases that decides what is sent.
    pub(crate) rule: String,
    /// Whether later changes are carried.
    pub(crate) updates: bool,
    /// `whole`, `parts` or `open`: what the cases cover.
    pub(crate) domain: String,
    /// Fingerprint of what is sent for a case, by the fingerprint of the case.
    pub(crate) cases: BTreeMap<u64, Option<u64>>,
    /// The same without replacements; known only while the mapping is.
    #[serde(skip)]
    pub(crate) plain: BTreeMap<u64, Option<u64>>,
    /// How Dynamics is asked for the rows that hold a case; known only while
    /// the mapping is.
    #[serde(skip)]
    pub(crate) asks: BTreeMap<u64, String>,
    /// Fingerprint of an empty field; known only while the mapping is.
    #[serde(skip)]
    pub(crate) empty: Fingerprint,
    /// How Dynamics is asked for the rows whose column is not empty; none in a
    /// store that an earlier version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filled: Option<String>,
    /// Whether an empty column empties the field.
    #[serde(default)]
    pub(crate) clears: bool,
    /// Of a link: digest of its entry without `missing_parent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
}

/// All of a table mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownTable {
    /// By target field; the key among them.
    pub(crate) fields: BTreeMap<String, KnownField>,
    /// The columns of the filter.
    pub(crate) filter_columns: BTreeMap<String, KnownKind>,
    /// Digest of the filter as the configuration has it.
    pub(crate) filter_spec: String,
    /// Digest of the filter as it decides.
    pub(crate) filter: String,
    /// How Dynamics is asked for the rows that may pass the filter, and for
    /// those that may fail it; none in a store that an earlier version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sides: Option<[String; 2]>,
    /// `delete_filtered_out`
    pub(crate) delete_filtered_out: bool,
    /// What a write looks like apart from its values (how a field is emptied).
    pub(crate) form: String,
    /// Digest of what else decides which records are written.
    pub(crate) rest: String,
    /// Digest of the opt-out flags that a record is made with; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) opt_outs: String,
}

impl Work<'_> {
    /// What the mapping of a table rested on when it last ran.
    pub(crate) fn shape(&self, table: &TableName) -> Result<Option<KnownTable>, StoreError> {
        let row = self
            .sql
            .prepare_cached("SELECT known, seal FROM shape WHERE table_name = ?1")?
            .query_row([table.as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        let Some((known, seal)) = row else { return Ok(None) };
        self.key.verify("shape", &[table.as_str().as_bytes(), known.as_bytes()], &seal)?;
        serde_json::from_str(&known)
            .map(Some)
            .map_err(|error| StoreError::unreadable("a shape", &error))
    }

    /// Remembers what the mapping rests on.
    pub(crate) fn set_shape(
        &mut self,
        table: &TableName,
        shape: &KnownTable,
    ) -> Result<(), StoreError> {
        let known = serde_json::to_string(shape)
            .map_err(|error| StoreError::Statement(error.to_string()))?;
        let seal = self.key.seal("shape", &[table.as_str().as_bytes(), known.as_bytes()]);
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO shape (table_name, known, seal) VALUES (?1, ?2, ?3)",
            )?
            .execute((table.as_str(), &known, seal.as_slice()))?;
        Ok(())
    }

    /// Forgets it: the next pass takes both schemas as they are, and reads all
    /// rows.
    pub(crate) fn forget_shape(&mut self, table: &TableName) -> Result<(), StoreError> {
        self.sql.execute("DELETE FROM shape WHERE table_name = ?1", [table.as_str()])?;
        Ok(())
    }
}
