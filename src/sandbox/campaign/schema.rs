//! Resources and fields as data (campaign sheet 3.1 and 6).
//!
//! Owns: the vocabulary of the built-in resources, the metadata replies and
//! the type checks.

/// One value of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// The name, used on the wire.
    pub name: String,
    /// What people see.
    pub label: String,
    /// What files and SQL carry.
    pub value: String,
}

/// A field's type with its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// One line of text.
    Text {
        /// Characters at most.
        max: usize,
    },
    /// Long text.
    Memo,
    /// An 8-bit integer.
    Byte,
    /// A 16-bit integer.
    Short,
    /// A 32-bit integer.
    Long,
    /// A 64-bit integer.
    Int64,
    /// A floating point number.
    Double,
    /// Yes or no; unset is no.
    Boolean,
    /// A date.
    Date,
    /// A point in time.
    DateTime,
    /// One of a list, by name; the first is the default.
    Enumeration {
        /// Values.
        values: Vec<EnumValue>,
        /// Stored as a byte instead of a string.
        byte: bool,
    },
    /// A simple link to a record of another resource.
    Link {
        /// That resource.
        target: String,
    },
    /// A collection of other records.
    Collection {
        /// Their resource.
        target: String,
    },
}

impl FieldType {
    /// `type` and `resType` in metadata.
    pub(crate) fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Text { .. } => ("string", "string"),
            Self::Memo => ("string", "memo"),
            Self::Byte => ("number", "byte"),
            Self::Short => ("number", "short"),
            Self::Long => ("number", "long"),
            Self::Int64 => ("number", "int64"),
            Self::Double => ("number", "double"),
            Self::Boolean => ("boolean", "boolean"),
            Self::Date => ("date", "date"),
            Self::DateTime => ("datetime", "datetime"),
            Self::Enumeration { byte: true, .. } => ("enumeration", "byte"),
            Self::Enumeration { byte: false, .. } => ("enumeration", "string"),
            Self::Link { .. } => ("link", "link"),
            Self::Collection { .. } => ("collection", "link"),
        }
    }
}

/// A field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) number: u16,
    pub(crate) kind: FieldType,
    /// Shown and accepted only outside of `profileAndServices`.
    pub(crate) custom: bool,
    pub(crate) read_only: bool,
    /// The item that holds it, such as `location`.
    pub(crate) item: Option<String>,
    pub(crate) policy: &'static str,
    pub(crate) indexed: bool,
}

/// A one-field identification key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) field: String,
    /// Whether it may stand in an address.
    pub(crate) in_uri: bool,
    /// Whether a variant switches it.
    pub(crate) optional: bool,
    pub(crate) constraint: String,
    pub(crate) column: String,
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterOperator {
    /// The same value.
    Equal,
    /// The same or a greater value.
    AtLeast,
    /// Begins with, upper and lower case alike.
    Prefix,
}

/// A filter of one condition.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) custom: bool,
    pub(crate) parameter: String,
    pub(crate) field: String,
    pub(crate) operator: FilterOperator,
}

/// Which root reaches a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `profileAndServices`
    Plain,
    /// `profileAndServicesExt`
    Ext,
    /// `customResources`
    Custom,
}

impl Api {
    /// The root by its path segment.
    pub(crate) fn of(segment: &str) -> Option<Self> {
        match segment {
            "profileAndServices" => Some(Self::Plain),
            "profileAndServicesExt" => Some(Self::Ext),
            "customResources" => Some(Self::Custom),
            _ => None,
        }
    }

    /// Its path segment.
    pub(crate) fn segment(self) -> &'static str {
        match self {
            Self::Plain => "profileAndServices",
            Self::Ext => "profileAndServicesExt",
            Self::Custom => "customResources",
        }
    }
}

/// A field that was taken away, with the keys and filters of that time.
#[derive(Clone, Debug)]
pub(crate) struct Removed {
    pub(crate) field: Field,
    pub(crate) keys: Vec<Key>,
    pub(crate) filters: Vec<Filter>,
}

/// A resource.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) schema: String,
    pub(crate) apis: Vec<Api>,
    pub(crate) fields: Vec<Field>,
    pub(crate) keys: Vec<Key>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) next_number: u16,
    /// A link whose absence hides the record under a "1 cardinality" link.
    pub(crate) parent: Option<String>,
    /// Whether the API has it.
    pub(crate) published: bool,
    /// The oldest first; their cells are still in the records.
    pub(crate) removed: Vec<Removed>,
}

impl Resource {
    /// A resource without fields.
    pub(crate) fn new(name: &str, label: &str, schema: &str, apis: &[Api]) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            schema: schema.to_owned(),
            apis: apis.to_vec(),
            fields: Vec::new(),
            keys: Vec::new(),
            filters: Vec::new(),
            next_number: 0,
            parent: None,
            published: true,
            removed: Vec::new(),
        }
    }

    /// Whether a root has it.
    pub(crate) fn reached_by(&self, api: Api) -> bool {
        self.published && self.apis.contains(&api)
    }

    /// Adds a field; names with the `cus` prefix are custom.
    pub(crate) fn add(&mut self, name: &str, kind: FieldType) -> &mut Field {
        let (item, name) =
            name.split_once('/').map_or((None, name), |(item, name)| (Some(item.to_owned()), name));
        let field = Field {
            name: name.to_owned(),
            number: self.next_number,
            custom: name.starts_with("cus"),
            read_only: false,
            item,
            policy: "",
            indexed: matches!(kind, FieldType::Link { .. }),
            kind,
        };
        self.next_number += 1;
        self.fields.push(field);
        let at = self.fields.len() - 1;
        &mut self.fields[at]
    }

    /// A field by name, not one inside an item.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.item.is_none() && field.name == name)
    }

    /// A field inside an item.
    pub(crate) fn inner(&self, item: &str, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.item.as_deref() == Some(item) && field.name == name)
    }

    /// The field of the key that may stand in an address.
    pub(crate) fn uri_key(&self) -> Option<&Field> {
        self.keys.iter().find(|key| key.in_uri).and_then(|key| self.field(&key.field))
    }

    /// A filter that is visible under a root.
    pub(crate) fn filter(&self, name: &str, api: Api) -> Option<&Filter> {
        self.filters
            .iter()
            .find(|filter| filter.name == name && !(filter.custom && api == Api::Plain))
    }
}
