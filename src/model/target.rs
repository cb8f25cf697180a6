//! What Campaign's metadata says of a resource.

use std::collections::BTreeMap;

use crate::model::{FieldName, ResourceName};

/// The API root a resource lives under. A resource is in exactly one of the
/// last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiRoot {
    /// `profileAndServices`: out-of-the-box fields only.
    ProfileAndServices,
    /// `profileAndServicesExt`: custom fields and resources linked to profile.
    ProfileAndServicesExt,
    /// `customResources`: resources that nothing links to profile.
    CustomResources,
}

impl ApiRoot {
    /// The path segment.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ProfileAndServices => "profileAndServices",
            Self::ProfileAndServicesExt => "profileAndServicesExt",
            Self::CustomResources => "customResources",
        }
    }
}

/// One value of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnumValue {
    /// What POST and PATCH send.
    pub(crate) name: String,
    /// What the screen shows.
    pub(crate) label: String,
    /// What files and SQL carry.
    pub(crate) value: String,
}

/// The type of a field, with what a conversion must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    /// Text.
    Text {
        /// Longest text in characters, where the metadata says. A hint: one
        /// capture reports one less than the column holds.
        max_length: Option<u32>,
    },
    /// A whole number of this many bits (8, 16, 32, 64).
    Integer {
        /// Width.
        bits: u8,
    },
    /// Single precision.
    Float,
    /// Double precision.
    Double,
    /// True or false; unset reads as false.
    Boolean,
    /// A calendar date.
    Date,
    /// An instant with milliseconds.
    DateTime,
    /// One of a closed list.
    Enumeration(Vec<EnumValue>),
    /// A link to one record of another resource.
    Link {
        /// The resource it points to.
        target: Option<String>,
    },
    /// A list of records; never written.
    Collection,
    /// A type that cannot be mapped, by its metadata name.
    Other(String),
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its API name.
    pub(crate) name: FieldName,
    /// Its type.
    pub(crate) kind: FieldType,
    /// Server-owned: writing it is an error.
    pub(crate) read_only: bool,
    /// Whether a list may be ordered by it.
    pub(crate) sortable: bool,
}

/// One filter of a resource, as its metadata offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceFilter {
    /// The path segment, `by…`.
    pub(crate) name: String,
    /// The names of its query parameters.
    pub(crate) parameters: Vec<String>,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceSchema {
    /// API name.
    pub(crate) name: ResourceName,
    /// Where it lives.
    pub(crate) root: ApiRoot,
    /// All fields by name. A part of a structured field has the name of the
    /// part and is not listed.
    pub(crate) fields: BTreeMap<FieldName, Field>,
}
