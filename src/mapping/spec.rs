//! A table mapping as the configuration states it, after its syntax has been
//! checked and before either system has been asked anything.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::model::{ColumnName, FieldName, ResourceName, TableName, TableSchema};

/// One `[[ingress.table]]`.
#[derive(Clone, Debug)]
pub(crate) struct TableMapping {
    /// The table in Dynamics.
    pub(crate) dynamics: TableName,
    /// The resource in Campaign.
    pub(crate) campaign: ResourceName,
    /// How a record is found in Campaign.
    pub(crate) key: Key,
    /// How its changes are found.
    pub(crate) tracking: Tracking,
    /// Whether a deletion in Dynamics is carried to Campaign.
    pub(crate) apply_deletes: bool,
    /// What a choice column sends by default.
    pub(crate) picklists: Picklists,
    /// The language of labels (LCID).
    pub(crate) language: u32,
    /// When a wave of deletions is held back.
    pub(crate) delete_guard: Option<DeleteGuard>,
    /// Field by field.
    pub(crate) fields: Vec<FieldMapping>,
    /// Links to records of other tables.
    pub(crate) links: Vec<LinkMapping>,
    /// Which rows belong in Campaign; all, if absent.
    pub(crate) filter: Option<Filter>,
}

impl TableMapping {
    /// Every column that the mapping names: key, fields, links and filter.
    pub(crate) fn columns(&self) -> BTreeSet<ColumnName> {
        let mut columns: BTreeSet<ColumnName> =
            self.fields.iter().map(|field| field.from.clone()).collect();
        columns.extend(self.key.from.clone());
        columns.extend(self.links.iter().map(|link| link.from.clone()));
        if let Some(filter) = &self.filter {
            filter.group.add_columns(&mut columns);
        }
        columns
    }
}

/// `key = { from, to, … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The Dynamics column; none: the table's primary id, as its metadata names
    /// it.
    pub(crate) from: Option<ColumnName>,
    /// The Campaign field that holds its value.
    pub(crate) to: FieldName,
    /// How Campaign is asked for the record with this key.
    pub(crate) lookup: Lookup,
}

impl Key {
    /// The Dynamics column, once the table is known.
    pub(crate) fn column<'a>(&'a self, table: &'a TableSchema) -> &'a ColumnName {
        self.from.as_ref().unwrap_or(&table.primary_id)
    }

    /// What a stored digest of it is made of: the same whether the column is
    /// named or found, and as before it could be left out.
    pub(crate) fn canonical(&self, table: &TableSchema) -> String {
        let (from, to, lookup) = (self.column(table), &self.to, &self.lookup);
        format!("Key {{ from: {from:?}, to: {to:?}, lookup: {lookup:?} }}")
    }
}

/// How a record is addressed by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The resource has a one-field identification key: the value stands in
    /// the URI in place of the `PKey`.
    InUri,
    /// Through a custom filter: one call to find the `PKey`, one to write.
    Filter {
        /// The path segment, `by…`.
        filter: String,
        /// The query parameter, `…_parameter`.
        parameter: String,
    },
}

/// How the changes of a table are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// By Dynamics' change tracking: a pass reads what changed.
    Changes,
    /// By comparison: a pass reads all rows. For tables that Dynamics does not
    /// track, such as intersect tables (Dynamics sheet, 3.4 and 9.4).
    Diff,
}

/// What a choice column sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Picklists {
    /// The label in the mapping's language.
    Label,
    /// The technical number.
    Value,
}

/// `delete_guard = { rows, percent }`: a wave larger than either is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DeleteGuard {
    /// Most deletions that pass unasked.
    pub(crate) rows: Option<u64>,
    /// Largest share of the mapped records, in percent, that passes unasked.
    pub(crate) percent: Option<f64>,
}

/// One entry of `fields`.
#[derive(Clone, Debug)]
pub(crate) struct FieldMapping {
    /// The Dynamics column.
    pub(crate) from: ColumnName,
    /// The Campaign field.
    pub(crate) to: FieldName,
    /// False: written on the first load and on replay only.
    pub(crate) updates: bool,
    /// Values exchanged for others before the conversion to the field's type.
    pub(crate) replace: Vec<Replacement>,
    /// What an empty column does.
    pub(crate) on_null: OnNull,
    /// What an empty text does.
    pub(crate) on_empty: OnNull,
    /// What a text longer than its field does.
    pub(crate) on_too_long: OnTooLong,
    /// What this column's choices send, where it differs from the table's.
    pub(crate) picklists: Option<Picklists>,
    /// The zone in which a date-time is cut to a date, or a date becomes a
    /// date-time; UTC, if absent.
    pub(crate) time_zone: Option<TimeZone>,
}

/// One entry of `links`: a record waits until its parent is in Campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkMapping {
    /// The lookup, by logical name.
    pub(crate) from: ColumnName,
    /// A link field of Campaign, or a text field that holds the parent's key.
    pub(crate) to: FieldName,
    /// The table of the parents.
    pub(crate) table: TableName,
    /// The resource that table is mapped to; none if it is not mapped.
    pub(crate) resource: Option<ResourceName>,
    /// What becomes of a record whose parent Campaign shall not hold.
    pub(crate) missing_parent: MissingParent,
}

/// `missing_parent`: the parent is left out by its filter, or nobody has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingParent {
    /// The record waits, visibly.
    Wait,
    /// It is sent with the link unset, and gets it when the parent comes.
    SendWithout,
    /// It becomes a dead letter.
    DeadLetter,
}

/// One replacement; compared as text with what would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replacement {
    /// The text to be replaced.
    pub(crate) value: String,
    /// What is sent in its place.
    pub(crate) with: String,
}

/// What an empty source value does to the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnNull {
    /// Empties it.
    Clear,
    /// Leaves it as it is.
    Keep,
}

/// What a text longer than its field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnTooLong {
    /// The record is dead-lettered, naming the field.
    Fail,
    /// The text is cut to the field's length.
    Cut,
}

/// `filter = { match, rules, delete_filtered_out }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    /// Whether a record that leaves the filter is deleted in Campaign.
    pub(crate) delete_filtered_out: bool,
    /// The rules.
    pub(crate) group: Group,
}

/// Rules joined by one word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// The word.
    pub(crate) all: bool,
    /// Rules and nested groups.
    pub(crate) rules: Vec<Rule>,
}

impl Group {
    fn add_columns(&self, columns: &mut BTreeSet<ColumnName>) {
        for rule in &self.rules {
            match rule {
                Rule::Test(test) => {
                    columns.insert(test.column.clone());
                }
                Rule::Group(group) => group.add_columns(columns),
            }
        }
    }
}

/// One rule of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// A test of one column.
    Test(Test),
    /// A nested group.
    Group(Group),
}

/// `{ column, is, value }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    /// The column, mapped or not.
    pub(crate) column: ColumnName,
    /// The comparison.
    pub(crate) operator: Operator,
    /// What it is compared with: one operand, several for `in`, none for
    /// `null` and `not-null`.
    pub(crate) operands: Vec<Operand>,
}

/// The comparisons of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
    /// `contains`
    Contains,
    /// `begins-with`
    BeginsWith,
    /// `ends-with`
    EndsWith,
    /// `in`
    In,
    /// `null`
    Null,
    /// `not-null`
    NotNull,
}

/// A value written in a filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// A TOML string: text, a choice's label, a GUID, a date or a date-time.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Bool(bool),
}
