//! A compiled mapping applied to one row: a record, a row that the filter
//! leaves out, or every failure at once. Total: no input makes it panic.
//!
//! Knows nothing of how the mapping was written; `compile` builds it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::mapping::convert::Conversion;
use crate::mapping::filter::CompiledFilter;
use crate::mapping::forms;
use crate::mapping::links::{CompiledLink, Pointer};
use crate::mapping::matrix::column_words;
use crate::mapping::spec::{OnNull, OnTooLong};
use crate::model::{
    Column, ColumnName, ColumnType, FieldName, FieldType, RecordId, SourceRow, TargetValue, Value,
};

/// A mapping that has passed every check against both schemas.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(super) primary_id: ColumnName,
    pub(super) key_in_uri: bool,
    pub(super) columns: Vec<Column>,
    pub(super) fields: Vec<CompiledField>,
    pub(super) links: Vec<CompiledLink>,
    pub(super) filter: Option<CompiledFilter>,
}

/// One field of Campaign that the mapping writes.
#[derive(Clone, Debug)]
pub(crate) struct CompiledField {
    /// Its name as the resource's metadata has it (`blackList…` or
    /// `denyList…`, whichever exists there).
    pub(crate) name: FieldName,
    /// Its type.
    pub(crate) kind: FieldType,
    /// False: written on the first load and on replay only. True for the key.
    pub(crate) updates: bool,
    pub(super) conversion: Conversion,
    pub(super) on_null: OnNull,
    pub(super) on_empty: OnNull,
    pub(super) replace: BTreeMap<String, TargetValue>,
}

/// What a row comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Applied {
    /// The record that Campaign shall hold.
    Record(MappedRecord),
    /// The row does not pass the filter.
    FilteredOut,
    /// It cannot be carried; at least one failure.
    Failed(Vec<FieldFailure>),
}

/// A record as Campaign shall hold it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MappedRecord {
    /// The key's value as text; never empty.
    pub(crate) key: String,
    /// One per [`CompiledField`], in that order.
    pub(crate) fields: Vec<MappedField>,
    /// One per [`CompiledLink`], in that order.
    pub(crate) links: Vec<Pointer>,
}

/// What to do with one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MappedField {
    /// Write this; [`TargetValue::Empty`] clears it (`resolve_empty`).
    Send(TargetValue),
    /// Leave it as it is: the column was absent, or empty with
    /// `on_null = "keep"`.
    Keep,
}

/// One reason why a record cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldFailure {
    /// The Campaign field; `None` where a filter's column is to blame.
    pub(crate) field: Option<FieldName>,
    /// The Dynamics column.
    pub(crate) column: ColumnName,
    /// The rule that was broken, with types and lengths, never the value.
    pub(crate) reason: String,
}

impl Compiled {
    /// Every column that a query must select: the primary id, the key, the
    /// fields', the links' and the filter's columns, each once.
    pub(crate) fn columns(&self) -> Vec<&Column> {
        self.columns.iter().collect()
    }

    /// The fields in the order of the mapping, the key first.
    pub(crate) fn fields(&self) -> &[CompiledField] {
        &self.fields
    }

    /// The links in the order of the mapping.
    pub(crate) fn links(&self) -> &[CompiledLink] {
        &self.links
    }

    /// Text fields shorter than their column may be, where a long text would
    /// fail its record: field, characters of the column, characters of the field.
    pub(crate) fn narrow_fields(&self) -> Vec<(&CompiledField, u32, u32)> {
        let narrow = |field: &CompiledField| {
            let ColumnType::Text { max_length: Some(column) } = field.conversion.source.kind else {
                return None;
            };
            let FieldType::Text { max_length: Some(limit) } = field.kind else { return None };
            (column > limit && field.conversion.on_too_long == OnTooLong::Fail)
                .then_some((column, limit))
        };
        let narrow = |field| narrow(field).map(|(column, limit)| (field, column, limit));
        self.fields.iter().filter_map(narrow).collect()
    }

    /// Maps one row. The filter decides first: a row that it leaves out fails
    /// for no other reason; a row whose filter columns are absent or unreadable
    /// always fails.
    pub(crate) fn apply(&self, row: &SourceRow) -> Applied {
        match self.filter.as_ref().map(|filter| filter.passes(row, &self.primary_id)) {
            Some(Err(failures)) => return Applied::Failed(failures),
            Some(Ok(false)) => return Applied::FilteredOut,
            Some(Ok(true)) | None => {}
        }
        let mut fields = Vec::with_capacity(self.fields.len());
        let mut failures = Vec::new();
        for field in &self.fields {
            match field.map(value_of(row, field.column(), &self.primary_id).as_deref()) {
                Ok(mapped) => fields.push(mapped),
                Err(reason) => failures.push(field.failure(reason)),
            }
        }
        let mut links = Vec::with_capacity(self.links.len());
        for link in &self.links {
            match link.pointer(row) {
                Ok(pointer) => links.push(pointer),
                Err(reason) => failures.push(FieldFailure {
                    field: Some(link.name.clone()),
                    column: link.column().clone(),
                    reason,
                }),
            }
        }
        let key = self.key(row);
        if let Err(failure) = &key
            && !failures.contains(failure)
        {
            failures.insert(0, failure.clone());
        }
        match key {
            Ok(key) if failures.is_empty() => Applied::Record(MappedRecord { key, fields, links }),
            Ok(_) | Err(_) => Applied::Failed(failures),
        }
    }

    /// The key of a row as text, whatever the filter and the other fields say:
    /// what a deletion of a row that left the filter needs.
    pub(crate) fn key(&self, row: &SourceRow) -> Result<String, FieldFailure> {
        let Some(field) = self.fields.first() else {
            return Err(FieldFailure {
                field: None,
                column: self.primary_id.clone(),
                reason: "the mapping has no key".to_owned(),
            });
        };
        let value = value_of(row, field.column(), &self.primary_id);
        field
            .map(value.as_deref())
            .and_then(|mapped| self.key_text(mapped))
            .map_err(|reason| field.failure(reason))
    }

    /// The key of a row of which only the id is known, as in a deletion: `None`
    /// unless the key column is the primary id.
    pub(crate) fn key_of_id(&self, id: RecordId) -> Option<String> {
        self.fields
            .first()
            .is_some_and(|key| *key.column() == self.primary_id)
            .then(|| id.to_string())
    }

    fn key_text(&self, mapped: MappedField) -> Result<String, String> {
        let text = match mapped {
            MappedField::Send(value) => forms::written(&value),
            MappedField::Keep => return Err("the row does not carry the key".to_owned()),
        };
        if text.is_empty() {
            return Err("the key is empty".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("the key holds a control character".to_owned());
        }
        let breaks_uri = |c: char| matches!(c, '/' | '?' | '#' | '%' | '\\');
        if self.key_in_uri && (text.contains(breaks_uri) || text == "." || text == "..") {
            return Err("the key holds a character that cannot stand in a URI \
                        (one of / \\ ? # %, or only dots)"
                .to_owned());
        }
        Ok(text)
    }
}

impl CompiledField {
    /// The column that it is filled from.
    pub(crate) fn column(&self) -> &ColumnName {
        &self.conversion.source.name
    }

    fn failure(&self, reason: String) -> FieldFailure {
        FieldFailure { field: Some(self.name.clone()), column: self.column().clone(), reason }
    }

    /// Absent, null and empty are three states; then replacements, then the
    /// conversion. A replacement of the empty text goes before `on_empty`; a
    /// multi-select without any choice is null.
    pub(super) fn map(&self, value: Option<&Value>) -> Result<MappedField, String> {
        let Some(value) = value else { return Ok(MappedField::Keep) };
        if let Some(reason) = misfit(&self.conversion.source, value) {
            return Err(reason);
        }
        let chosen_none = matches!(value, Value::MultiChoice(chosen) if chosen.is_empty());
        if matches!(value, Value::Null) || chosen_none {
            return Ok(emptied(self.on_null));
        }
        if !self.replace.is_empty()
            && let Some(with) = self.replace.get(self.conversion.shown(value)?.as_ref())
        {
            return Ok(MappedField::Send(with.clone()));
        }
        if matches!(value, Value::Text(text) if text.is_empty()) {
            return Ok(emptied(self.on_empty));
        }
        self.conversion.convert(value).map(MappedField::Send)
    }
}

fn emptied(rule: OnNull) -> MappedField {
    match rule {
        OnNull::Clear => MappedField::Send(TargetValue::Empty),
        OnNull::Keep => MappedField::Keep,
    }
}

/// The value of a column in a row; the primary id is known even where the
/// answer did not repeat it.
pub(super) fn value_of<'r>(
    row: &'r SourceRow,
    column: &ColumnName,
    primary: &ColumnName,
) -> Option<Cow<'r, Value>> {
    row.columns
        .get(column)
        .map(Cow::Borrowed)
        .or_else(|| (column == primary).then(|| Cow::Owned(Value::Guid(row.id.into()))))
}

/// Why a value is not one that its column can hold, or `None` if it is.
pub(super) fn misfit(column: &Column, value: &Value) -> Option<String> {
    if let Value::Unreadable(expected) = value {
        return Some(format!("the column `{}` could not be read: {expected}", column.name));
    }
    (!forms::holds(&column.kind, value)).then(|| {
        format!(
            "the value is not of the column's type: the metadata says {}",
            column_words(&column.kind)
        )
    })
}
