//! A schema file as written, in TOML or JSON.
//!
//! Owns: its keys. What they mean is in `tables.rs` and `resources.rs`.

use serde::Deserialize;

use super::FileForm;

/// All of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Schema {
    #[serde(rename = "table")]
    pub(super) tables: Vec<TableFile>,
    #[serde(rename = "resource")]
    pub(super) resources: Vec<ResourceFile>,
}

/// A table of Dynamics: a new one, or more columns for one that is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableFile {
    /// Schema name; in lower case it is the logical name.
    pub(super) name: String,
    /// Name of the set; the server's plural by default.
    pub(super) set: Option<String>,
    pub(super) label: Option<String>,
    /// Logical name of the primary name column.
    pub(super) primary_name: Option<String>,
    #[serde(default)]
    pub(super) activity: bool,
    pub(super) change_tracking: Option<bool>,
    #[serde(default)]
    pub(super) columns: Vec<ColumnFile>,
    #[serde(default)]
    pub(super) keys: Vec<KeyFile>,
}

/// The types of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ColumnWord {
    Text,
    Memo,
    Integer,
    BigInteger,
    Decimal,
    Double,
    Money,
    Boolean,
    Choice,
    Choices,
    Date,
    DateTime,
    Lookup,
    Guid,
}

/// A column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnFile {
    /// Schema name.
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: ColumnWord,
    pub(super) label: Option<String>,
    /// Characters of a text, or the largest number.
    pub(super) max: Option<i64>,
    /// The smallest integer.
    pub(super) min: Option<i64>,
    /// Digits after a decimal's point.
    pub(super) precision: Option<usize>,
    /// Of a boolean in a new row.
    pub(super) default: Option<bool>,
    /// Of a choice; of a boolean, two labels: yes and no.
    #[serde(default)]
    pub(super) choices: Vec<ChoiceFile>,
    /// Tables that a lookup may lead to, by logical name.
    #[serde(default)]
    pub(super) targets: Vec<String>,
    /// A date-time without a zone.
    #[serde(default)]
    pub(super) zoneless: bool,
    /// Clients cannot write it.
    #[serde(default)]
    pub(super) read_only: bool,
}

/// One option.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChoiceFile {
    pub(super) value: Option<i64>,
    pub(super) label: String,
    /// The label in German; the English one by default.
    pub(super) german: Option<String>,
}

/// An alternate key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    /// Schema name.
    pub(super) name: String,
    /// Logical names of its columns.
    pub(super) columns: Vec<String>,
}

/// A resource of Campaign: a new one, or more fields for one that is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceFile {
    pub(super) name: String,
    pub(super) label: Option<String>,
    pub(super) api: Option<Root>,
    #[serde(default)]
    pub(super) fields: Vec<FieldFile>,
    #[serde(default)]
    pub(super) keys: Vec<ResourceKeyFile>,
    #[serde(default)]
    pub(super) filters: Vec<FilterFile>,
}

/// The root that reaches a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Root {
    #[serde(rename = "profileAndServicesExt")]
    Ext,
    #[serde(rename = "customResources")]
    Custom,
}

/// The types of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FieldWord {
    Text,
    Memo,
    Byte,
    Short,
    Long,
    Int64,
    Double,
    Boolean,
    Date,
    DateTime,
    Enumeration,
    Link,
}

/// A field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldFile {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: FieldWord,
    /// Characters of a text.
    pub(super) max: Option<usize>,
    /// Of an enumeration; the first is the default.
    #[serde(default)]
    pub(super) values: Vec<ValueFile>,
    /// Of a link.
    pub(super) target: Option<String>,
    #[serde(default)]
    pub(super) read_only: bool,
}

/// One value of an enumeration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueFile {
    pub(super) name: String,
    /// The name by default.
    pub(super) label: Option<String>,
    /// What files carry; the name by default.
    pub(super) value: Option<String>,
}

/// A one-field identification key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceKeyFile {
    pub(super) field: String,
    /// Whether it may stand in an address.
    #[serde(default)]
    pub(super) in_uri: bool,
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OperatorWord {
    #[default]
    Equal,
    AtLeast,
    Prefix,
}

/// A custom filter of one condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterFile {
    pub(super) name: String,
    pub(super) parameter: String,
    pub(super) field: String,
    #[serde(default)]
    pub(super) operator: OperatorWord,
}

/// Reads a schema file; the text says where it is wrong.
pub(super) fn read(text: &str, form: FileForm) -> Result<Schema, String> {
    match form {
        FileForm::Toml => toml::from_str(text).map_err(|error| error.to_string()),
        FileForm::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
        FileForm::Csv => Err("a schema is written in TOML or JSON".to_owned()),
    }
}

/// Whether a name may stand in addresses and metadata.
pub(super) fn name_is_fine(name: &str) -> bool {
    let first = name.chars().next();
    name.len() <= 100
        && first.is_some_and(|c| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
