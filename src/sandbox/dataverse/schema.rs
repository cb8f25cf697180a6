//! Tables and columns as data.
//!
//! Owns: the vocabulary that the built-in tables, the metadata replies and the
//! type checks share ("Column data types", Dynamics sheet 2.6 and 7).

use std::collections::BTreeMap;

use uuid::Uuid;

pub(crate) use super::keys::{AlternateKey, name_guid};
pub use super::option_set::Choice;
use super::relation::Pair;

/// How a date-time column behaves (`DateTimeBehavior/Value`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    /// Stored in UTC, shown in the user's zone.
    UserLocal,
    /// Neither stored nor shown with a zone.
    TimeZoneIndependent,
    /// A true date.
    DateOnly,
}

/// One table that a lookup may point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Logical name.
    pub table: String,
    /// Single-valued navigation property, the name for `@odata.bind`.
    pub navigation: String,
}

/// The metadata name of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFlavour {
    /// `Lookup`
    Lookup,
    /// `Customer`
    Customer,
    /// `Owner`
    Owner,
    /// The id of a row in an intersect table: `Uniqueidentifier`
    Bare,
}

/// A column's type with its limits.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnType {
    /// An identifier.
    Uniqueidentifier,
    /// One line of text.
    Text {
        /// Characters at most.
        max: usize,
    },
    /// Many lines of text.
    Memo {
        /// Characters at most.
        max: usize,
    },
    /// The logical name of a table.
    EntityName,
    /// A 32-bit integer.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A 64-bit integer.
    BigInt,
    /// A decimal number.
    Decimal {
        /// Digits after the point.
        precision: usize,
        /// Largest absolute value.
        limit: i64,
    },
    /// A floating point number.
    Double,
    /// An amount; four digits after the point go over the wire.
    Money,
    /// Two options.
    Boolean {
        /// Value of a new row.
        default: bool,
        /// Labels of true and false.
        labels: [Choice; 2],
    },
    /// One of a list.
    Picklist(Vec<Choice>),
    /// Several of a list.
    MultiSelect(Vec<Choice>),
    /// Active, inactive and their like.
    State(Vec<Choice>),
    /// Reasons for a state.
    Status(Vec<Choice>),
    /// A point in time or a date.
    DateTime {
        /// What the value means.
        behavior: Behavior,
        /// `Format` says `DateOnly`: display only.
        date_format: bool,
    },
    /// A reference to another row.
    Lookup {
        /// Its metadata name.
        flavour: LookupFlavour,
        /// Where it may point.
        targets: Vec<Target>,
    },
}

impl ColumnType {
    /// `AttributeType` in metadata (sheet 7.2).
    pub(crate) fn attribute_type(&self) -> &'static str {
        match self {
            Self::Uniqueidentifier | Self::Lookup { flavour: LookupFlavour::Bare, .. } => {
                "Uniqueidentifier"
            }
            Self::Text { .. } => "String",
            Self::Memo { .. } => "Memo",
            Self::EntityName => "EntityName",
            Self::Integer { .. } => "Integer",
            Self::BigInt => "BigInt",
            Self::Decimal { .. } => "Decimal",
            Self::Double => "Double",
            Self::Money => "Money",
            Self::Boolean { .. } => "Boolean",
            Self::Picklist(_) => "Picklist",
            Self::MultiSelect(_) => "Virtual",
            Self::State(_) => "State",
            Self::Status(_) => "Status",
            Self::DateTime { .. } => "DateTime",
            Self::Lookup { flavour: LookupFlavour::Lookup, .. } => "Lookup",
            Self::Lookup { flavour: LookupFlavour::Customer, .. } => "Customer",
            Self::Lookup { flavour: LookupFlavour::Owner, .. } => "Owner",
        }
    }

    /// The stem of `…AttributeMetadata` and of `AttributeTypeName`.
    pub(crate) fn metadata_stem(&self) -> &'static str {
        match self {
            Self::MultiSelect(_) => "MultiSelectPicklist",
            Self::Uniqueidentifier | Self::Lookup { flavour: LookupFlavour::Bare, .. } => {
                "UniqueIdentifier"
            }
            Self::Lookup { .. } => "Lookup",
            Self::Text { .. }
            | Self::Memo { .. }
            | Self::EntityName
            | Self::Integer { .. }
            | Self::BigInt
            | Self::Decimal { .. }
            | Self::Double
            | Self::Money
            | Self::Boolean { .. }
            | Self::Picklist(_)
            | Self::State(_)
            | Self::Status(_)
            | Self::DateTime { .. } => self.attribute_type(),
        }
    }

    /// The options of a choice of any kind.
    pub(crate) fn choices(&self) -> &[Choice] {
        match self {
            Self::Picklist(choices)
            | Self::MultiSelect(choices)
            | Self::State(choices)
            | Self::Status(choices) => choices,
            Self::Boolean { labels, .. } => labels,
            Self::Uniqueidentifier
            | Self::Text { .. }
            | Self::Memo { .. }
            | Self::EntityName
            | Self::Integer { .. }
            | Self::BigInt
            | Self::Decimal { .. }
            | Self::Double
            | Self::Money
            | Self::DateTime { .. }
            | Self::Lookup { .. } => &[],
        }
    }

    /// Whether it reads as `_name_value`: a lookup outside of intersect tables.
    fn underscored(&self) -> bool {
        matches!(self, Self::Lookup { flavour, .. } if *flavour != LookupFlavour::Bare)
    }

    /// The targets of a lookup.
    pub(crate) fn targets(&self) -> &[Target] {
        if let Self::Lookup { targets, .. } = self { targets } else { &[] }
    }
}

/// What a column is to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The primary id.
    Id,
    /// The row version.
    Version,
    /// Anything stored in cells.
    Plain,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// Logical name.
    pub(crate) name: String,
    /// Schema name.
    pub(crate) schema_name: String,
    /// Type and limits.
    pub(crate) kind: ColumnType,
    /// `IsValidForCreate`
    pub(crate) create: bool,
    /// `IsValidForUpdate`
    pub(crate) update: bool,
    pub(crate) role: Role,
    /// Column security keeps the application from reading it.
    pub(crate) secured: bool,
    pub(crate) number: u16,
    pub(crate) metadata_id: Uuid,
}

impl Column {
    /// A column that may be written.
    pub(crate) fn new(schema_name: &str, kind: ColumnType) -> Self {
        Self {
            name: schema_name.to_lowercase(),
            schema_name: schema_name.to_owned(),
            kind,
            create: true,
            update: true,
            role: Role::Plain,
            secured: false,
            number: 0,
            metadata_id: name_guid("column", schema_name),
        }
    }

    /// The same, read-only.
    #[must_use]
    pub(crate) fn read_only(mut self) -> Self {
        (self.create, self.update) = (false, false);
        self
    }

    /// The id of another row in an intersect table.
    pub(crate) fn is_bare(&self) -> bool {
        !self.kind.targets().is_empty() && !self.kind.underscored()
    }

    /// The name in a row: lookups read as `_name_value`.
    pub(crate) fn wire_name(&self) -> String {
        if self.kind.underscored() { format!("_{}_value", self.name) } else { self.name.clone() }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) schema_name: String,
    pub(crate) set: String,
    pub(crate) id: String,
    pub(crate) primary_name: String,
    pub(crate) type_code: u32,
    pub(crate) activity: bool,
    /// Joins two other tables: no read by id, no update (sheet 9.4).
    pub(crate) intersect: bool,
    /// The relations of many to many whose rows these are.
    pub(crate) pairs: Vec<Pair>,
    pub(crate) tracked: bool,
    pub(crate) trackable: bool,
    /// Turned on in the definition, but not published yet.
    pub(crate) tracking_unpublished: bool,
    /// Display names by language.
    pub(crate) labels: Vec<(u64, String)>,
    /// Display names of columns that were given some, by logical name.
    pub(crate) column_labels: BTreeMap<String, Vec<(u64, String)>>,
    /// The global choices that columns take their options from, by logical name.
    pub(crate) globals: BTreeMap<String, String>,
    /// Display names of many rows; without any it is the set's name.
    pub(crate) collection_labels: Vec<(u64, String)>,
    /// Members that a definition without them resets.
    pub(crate) color: Option<String>,
    pub(crate) audited: bool,
    pub(crate) columns: Vec<Column>,
    /// Removed columns, the oldest first; their cells are still in the rows.
    pub(crate) dropped: Vec<Column>,
    pub(crate) keys: Vec<AlternateKey>,
    pub(crate) metadata_id: Uuid,
    pub(crate) next_number: u16,
}

impl Table {
    /// A table with the columns that every table has, and no others.
    pub(crate) fn new(
        name: &str,
        schema_name: &str,
        set: &str,
        id: &str,
        primary_name: &str,
        type_code: u32,
    ) -> Self {
        let mut table = Self {
            name: name.to_owned(),
            schema_name: schema_name.to_owned(),
            set: set.to_owned(),
            id: id.to_owned(),
            primary_name: primary_name.to_owned(),
            type_code,
            activity: false,
            intersect: false,
            pairs: Vec::new(),
            tracked: true,
            trackable: true,
            tracking_unpublished: false,
            labels: vec![(1033, schema_name.to_owned()), (1031, schema_name.to_owned())],
            column_labels: BTreeMap::new(),
            globals: BTreeMap::new(),
            collection_labels: Vec::new(),
            color: Some("#3b79b7".to_owned()),
            audited: true,
            columns: Vec::new(),
            dropped: Vec::new(),
            keys: Vec::new(),
            metadata_id: name_guid("table", name),
            next_number: 0,
        };
        let mut key = Column::new(id, ColumnType::Uniqueidentifier);
        (key.role, key.update) = (Role::Id, false);
        let mut version = Column::new("versionnumber", ColumnType::BigInt).read_only();
        version.role = Role::Version;
        table.add(key);
        table.add(version);
        table
    }

    /// Adds a column and numbers it; numbers are never used again.
    pub(crate) fn add(&mut self, mut column: Column) {
        column.number = self.next_number;
        column.metadata_id = name_guid(&self.name, &column.name);
        self.next_number += 1;
        self.columns.push(column);
    }

    /// A column by logical name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// A column by the name it has in rows.
    pub(crate) fn by_wire(&self, name: &str) -> Option<&Column> {
        if let Some(inner) = name.strip_prefix('_').and_then(|rest| rest.strip_suffix("_value")) {
            return self.column(inner).filter(|column| column.kind.underscored());
        }
        self.column(name).filter(|column| !column.kind.underscored())
    }

    /// Names the lookups of an activity after its schema name or its logical
    /// name, where the two differ (sheet 4.6).
    pub(crate) fn suffix_navigation(&mut self, by_schema_name: bool) {
        let (logical, schema) = (format!("_{}", self.name), format!("_{}", self.schema_name));
        for column in &mut self.columns {
            let ColumnType::Lookup { targets, .. } = &mut column.kind else { continue };
            for target in targets {
                let stem = target
                    .navigation
                    .strip_suffix(&logical)
                    .or_else(|| target.navigation.strip_suffix(&schema));
                let suffix = if by_schema_name { &schema } else { &logical };
                if let Some(stem) = stem {
                    target.navigation = format!("{stem}{suffix}");
                }
            }
        }
    }

    /// A lookup and the place of its target by navigation property.
    pub(crate) fn navigation(&self, name: &str) -> Option<(&Column, u8)> {
        self.columns.iter().find_map(|column| {
            let at = column.kind.targets().iter().position(|target| target.navigation == name)?;
            Some((column, u8::try_from(at).ok()?))
        })
    }
}
