//! What Dynamics' metadata says of a table.

use std::collections::BTreeMap;

use crate::model::{ColumnName, TableName};

/// How a date-time column behaves ("Behavior and format of the date and time
/// column"). Decides the conversion; the column's `Format` is display only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateTimeBehavior {
    /// An instant; on the wire in UTC.
    UserLocal,
    /// A calendar date without a time.
    DateOnly,
    /// A wall-clock time that belongs to no zone, written with a `Z` that
    /// means nothing.
    TimeZoneIndependent,
}

/// One label of a choice in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// The language code (LCID), e.g. 1033 for English.
    pub(crate) language: u32,
    /// The text.
    pub(crate) text: String,
}

/// One option of a choice column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The technical value.
    pub(crate) value: i64,
    /// Its labels, one per language.
    pub(crate) labels: Vec<Label>,
    /// The label in the language of the user who asks, if there is one.
    pub(crate) user_label: Option<String>,
}

impl Choice {
    /// The label in `language`, or else the one of the asking user.
    pub(crate) fn label(&self, language: u32) -> Option<&str> {
        self.labels
            .iter()
            .find(|label| label.language == language)
            .map(|label| label.text.as_str())
            .or(self.user_label.as_deref())
    }
}

/// The options of a choice column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices(pub(crate) Vec<Choice>);

impl Choices {
    /// The option of this value.
    pub(crate) fn get(&self, value: i64) -> Option<&Choice> {
        self.0.iter().find(|choice| choice.value == value)
    }
}

/// The type of a column, with what a conversion must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// `String` and `Memo`.
    Text {
        /// Longest text in characters, where the metadata says.
        max_length: Option<u32>,
    },
    /// `Integer` and `BigInt`.
    Integer,
    /// `Decimal` and `Money`: exact.
    Decimal,
    /// `Double`.
    Double,
    /// `Boolean`, with the labels of false (0) and true (1).
    Boolean(Choices),
    /// `Picklist`, `State` and `Status`.
    Choice(Choices),
    /// A multi-select picklist.
    MultiChoice(Choices),
    /// `DateTime`.
    DateTime(DateTimeBehavior),
    /// `Uniqueidentifier`.
    Guid,
    /// `Lookup`, `Customer`, `Owner`: reads as `_name_value`, a GUID.
    Lookup {
        /// Logical names of the tables it may point to.
        targets: Vec<String>,
    },
    /// A type that cannot be mapped, by its metadata name.
    Other(String),
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its logical name.
    pub(crate) name: ColumnName,
    /// Its type.
    pub(crate) kind: ColumnType,
    /// Whether the caller may read it (`IsValidForRead`).
    pub(crate) readable: bool,
}

impl Column {
    /// The property under which a data query selects and returns it.
    pub(crate) fn wire_name(&self) -> String {
        if matches!(self.kind, ColumnType::Lookup { .. }) {
            format!("_{}_value", self.name)
        } else {
            self.name.to_string()
        }
    }
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableSchema {
    /// Logical name.
    pub(crate) name: TableName,
    /// The name in data URLs; not always a regular plural.
    pub(crate) entity_set: String,
    /// The primary id column.
    pub(crate) primary_id: ColumnName,
    /// The primary name column, if the table has one.
    pub(crate) primary_name: Option<ColumnName>,
    /// Whether change tracking is on.
    pub(crate) change_tracking: bool,
    /// Whether it could be turned on.
    pub(crate) change_tracking_possible: bool,
    /// Whether it joins two others (`IsIntersect`): its rows cannot be asked for
    /// by id in the address (Dynamics sheet, 9.4).
    pub(crate) intersect: bool,
    /// All columns by name.
    pub(crate) columns: BTreeMap<ColumnName, Column>,
}
