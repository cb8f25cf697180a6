//! Alternate keys as data.
//!
//! Owns: which columns they are made of and how far their index is (Dynamics
//! sheet 7.6). The values are in `store.rs`.

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
