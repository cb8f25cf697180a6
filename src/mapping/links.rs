//! Links of a table mapping: checked against both schemas, then applied to a
//! row. Knows parents by their id only; whether Campaign holds them is not
//! asked here.

use crate::mapping::matrix::{column_words, field_words};
use crate::mapping::spec::{LinkMapping, MissingParent};
use crate::model::{
    Column, ColumnName, ColumnType, Field, FieldName, FieldType, RecordId, ResourceName, SourceRow,
    TableName, Value,
};

/// One link that the mapping writes.
#[derive(Clone, Debug)]
pub(crate) struct CompiledLink {
    /// The field of Campaign.
    pub(crate) name: FieldName,
    /// Its type: a link, or a text that holds the parent's key.
    pub(crate) kind: FieldType,
    /// The table of the parents.
    pub(crate) table: TableName,
    /// What becomes of a record whose parent Campaign shall not hold.
    pub(crate) missing_parent: MissingParent,
    pub(super) source: Column,
}

/// Where a row's lookup points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointer {
    /// The answer did not carry the lookup: the link stays as it is.
    Absent,
    /// Nowhere.
    Empty,
    /// To this record of the link's table.
    To(RecordId),
    /// To a record of another table, which the link does not follow.
    Elsewhere,
}

impl CompiledLink {
    /// The lookup that it is filled from.
    pub(crate) fn column(&self) -> &ColumnName {
        &self.source.name
    }

    /// The tables that the lookup may point to, as far as the metadata says.
    pub(crate) fn targets(&self) -> &[String] {
        if let ColumnType::Lookup { targets } = &self.source.kind { targets } else { &[] }
    }

    /// Whether Campaign's field holds the parent's key in place of a link.
    pub(crate) fn by_key(&self) -> bool {
        !matches!(self.kind, FieldType::Link { .. })
    }

    /// Where the row points; `Err` says what was expected.
    pub(super) fn pointer(&self, row: &SourceRow) -> Result<Pointer, String> {
        let id = match row.columns.get(&self.source.name) {
            None => return Ok(Pointer::Absent),
            Some(Value::Null) => return Ok(Pointer::Empty),
            Some(Value::Guid(id)) => RecordId::from_bytes(*id.as_bytes()),
            Some(other) => {
                let text = crate::mapping::apply::misfit(&self.source, other);
                return Err(text.unwrap_or_else(|| "the value is not an id".to_owned()));
            }
        };
        let table = row.points_to.get(&self.source.name);
        Ok(match table {
            Some(table) if table != self.table.as_str() => Pointer::Elsewhere,
            // Without a word of the answer there must be only one table.
            None if several(&self.source.kind) => Pointer::Elsewhere,
            Some(_) | None => Pointer::To(id),
        })
    }
}

fn several(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Lookup { targets } if targets.len() > 1)
}

/// What is wrong with a link: key of the entry, problem, hint.
pub(super) type Misfit = (&'static str, String, String);

/// Whether column and field make this link.
pub(super) fn check(link: &LinkMapping, column: &Column, field: &Field) -> Result<(), Misfit> {
    let ColumnType::Lookup { targets } = &column.kind else {
        let text = format!("a {} column is no lookup", column_words(&column.kind));
        return Err(("from", text, "links follow lookups; map other columns in `fields`".into()));
    };
    if !targets.is_empty() && !targets.iter().any(|target| target == link.table.as_str()) {
        let text = format!("the lookup `{}` does not point to `{}`", link.from, link.table);
        let names = super::problem::listed(targets.iter().map(String::as_str));
        return Err(("table", text, format!("it points to {names}")));
    }
    match &field.kind {
        FieldType::Link { target } => match (target, &link.resource) {
            (Some(target), Some(resource)) if !same_resource(target, resource) => {
                let text = format!(
                    "the link `{}` points to `{target}`, but `{}` is mapped to `{resource}`",
                    field.name, link.table
                );
                Err(("to", text, "name the link field that points to that resource".into()))
            }
            _ => Ok(()),
        },
        FieldType::Text { .. } => Ok(()),
        FieldType::Integer { .. }
        | FieldType::Float
        | FieldType::Double
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::DateTime
        | FieldType::Enumeration(_)
        | FieldType::Collection
        | FieldType::Other(_) => {
            let text = format!("a field of type {} cannot hold a link", field_words(&field.kind));
            let hint = "name a link field, or the text field of a join by fields";
            Err(("to", text, hint.into()))
        }
    }
}

/// Metadata may name a custom resource with or without its prefix, in any case.
fn same_resource(target: &str, resource: &ResourceName) -> bool {
    let plain = |name: &str| {
        let name = name.to_lowercase();
        let name = name.rsplit(':').next().unwrap_or_default().to_owned();
        name.strip_prefix("cus").map(str::to_owned).unwrap_or(name)
    };
    plain(target) == plain(resource.as_str())
}
