//! Names of tables, columns, resources and fields. Each is its own type, and
//! each has passed the pattern that keeps it from breaking out of a URL.

use std::fmt;

/// A name that is not an identifier of either system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: a letter or underscore, then at most 127 letters, digits or underscores"
)]
pub(crate) struct NameError(String);

fn checked(text: &str) -> Result<String, NameError> {
    let mut chars = text.chars();
    let head = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let tail = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if head && tail && text.len() <= 128 {
        Ok(text.to_owned())
    } else {
        Err(NameError(text.chars().take(64).collect()))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(String);

        impl $name {
            /// Checks `text` against the identifier pattern.
            pub(crate) fn new(text: &str) -> Result<Self, NameError> {
                checked(text).map(Self)
            }

            /// The name as text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A Dynamics table, by logical name (`contact`).
    TableName
);
name!(
    /// A Dynamics column, by logical name (`emailaddress1`).
    ColumnName
);
name!(
    /// A Campaign resource, by API name (`profile`, `cusVehicle`).
    ResourceName
);
name!(
    /// A Campaign field, by API name (`firstName`, `cusCrmId`).
    FieldName
);

impl TableName {
    /// The table of persons: the one that opt-outs and e-mail events are about.
    pub(crate) fn contact() -> Self {
        Self("contact".to_owned())
    }
}
