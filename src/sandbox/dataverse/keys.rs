//! Alternate keys as data.
//!
//! Owns: which columns they are made of and how far their index is (Dynamics
//! sheet 7.6), and how names and values become keys. The values are in `store.rs`.

use uuid::Uuid;

use crate::sandbox::row::Cell;

/// An alternate key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AlternateKey {
    /// Logical name.
    pub(crate) name: String,
    pub(crate) schema_name: String,
    pub(crate) columns: Vec<String>,
    /// Reads of its definition until its index is built.
    pub(crate) pending: u32,
    /// The rows that were there hold a value twice.
    pub(crate) failed: bool,
}

impl AlternateKey {
    /// A key whose index is built.
    pub(crate) fn ready(schema_name: &str, columns: &[&str]) -> Self {
        Self {
            name: schema_name.to_lowercase(),
            schema_name: schema_name.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            pending: 0,
            failed: false,
        }
    }

    /// Whether rows can be found by it (`EntityKeyIndexStatus` is `Active`).
    pub(crate) fn usable(&self) -> bool {
        self.pending == 0 && !self.failed
    }
}

/// A GUID that a name always gets.
pub(crate) fn name_guid(space: &str, name: &str) -> Uuid {
    let digest = blake3::hash(format!("{space}/{name}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// One column of an alternate key as text; texts compare without case.
pub(crate) fn key_part(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => text.to_lowercase(),
        Cell::Bool(_)
        | Cell::Int(_)
        | Cell::Double(_)
        | Cell::Decimal(_)
        | Cell::Guid(_)
        | Cell::Ref(..)
        | Cell::Time(_)
        | Cell::Date(_) => {
            let mut out = Vec::new();
            super::value::write(&mut out, Some(cell));
            String::from_utf8_lossy(&out).trim_matches('"').to_owned()
        }
    }
}
