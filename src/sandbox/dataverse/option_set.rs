//! Options and global choices as data (Dynamics sheet 7.3 and 7.5).
//!
//! Owns: what is known of them. `metadata/option_sets.rs` shows and changes them.

use uuid::Uuid;

use super::keys::name_guid;

/// One option of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The stored number.
    pub value: i64,
    /// Label in English, 1033.
    pub english: String,
    /// Label in German, 1031.
    pub german: String,
    /// For a status: its state. For a state: its default status.
    pub partner: Option<i64>,
}

/// A global choice.
#[derive(Clone, Debug)]
pub(crate) struct OptionSet {
    pub(crate) name: String,
    /// Display names by language.
    pub(crate) labels: Vec<(u64, String)>,
    pub(crate) choices: Vec<Choice>,
}

impl OptionSet {
    /// Its `MetadataId`.
    pub(crate) fn id(&self) -> Uuid {
        name_guid("option set", &self.name)
    }
}
