//! Global choices as data (Dynamics sheet 7.3 and 7.5).
//!
//! Owns: what is known of one. `metadata/option_sets.rs` shows and changes them.

use uuid::Uuid;

use super::schema::{Choice, name_guid};

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
