//! The domain's vocabulary: names, record ids, values, schemas, changes.
//!
//! Owns: one type per kind of name, key and position. No I/O and no wire
//! format: JSON is turned into these types by the clients that read it.

pub(crate) mod consent;
mod email;
mod file;
mod flow;
mod guard;
mod name;
mod record;
mod source;
mod stop;
mod tally;
mod target;
mod value;

pub(crate) use email::{EmailEvent, EventKind, letter_id};
pub(crate) use file::{Compression, DateForm, DatePart, FileFormat, Pattern, glob};
pub(crate) use flow::{Flow, RunId};
pub(crate) use guard::exceeded;
pub(crate) use name::{ColumnName, FieldName, NameError, ResourceName, TableName};
pub(crate) use record::{Change, RecordId, RowVersion, SourceRow};
pub(crate) use source::{
    Choice, Choices, Column, ColumnType, DateTimeBehavior, Label, TableSchema,
};
pub(crate) use stop::Stop;
pub(crate) use tally::{Tally, TallyDelta};
pub(crate) use target::{ApiRoot, EnumValue, Field, FieldType, ResourceFilter, ResourceSchema};
pub(crate) use value::{Decimal, TargetValue, Value};

#[cfg(test)]
mod tests;
