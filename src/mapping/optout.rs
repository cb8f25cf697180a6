//! The export of opt-out flags as the configuration states it: which files,
//! which columns.

use std::time::Duration;

use crate::model::{FieldName, FileFormat, Pattern};

/// Files of Campaign's opt-out export.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OptoutFiles {
    /// The directory on the server; relative to where the login leads.
    pub(crate) directory: String,
    /// Its files.
    pub(crate) pattern: Pattern,
    /// The header's name of the column with the profile's key.
    pub(crate) contact: String,
    /// The columns of each flag.
    pub(crate) columns: Vec<FlagColumns>,
    /// How the files are written.
    pub(crate) format: FileFormat,
    /// Whether a file is deleted once all its rows are taken.
    pub(crate) delete: bool,
    /// For how long size and time must not have changed.
    pub(crate) settle: Duration,
    /// What is behind the name of a file whose presence says that it is
    /// complete.
    pub(crate) marker: Option<String>,
    /// After how long without a new file somebody is told.
    pub(crate) alarm: Option<Duration>,
}

/// The columns of one flag. A file may lack either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagColumns {
    /// Which flag.
    pub(crate) flag: FieldName,
    /// The header's name of its value: any one of these.
    pub(crate) value: Vec<String>,
    /// The header's name of its stamp: any one of these.
    pub(crate) stamp: Vec<String>,
}

impl FlagColumns {
    /// The names of the fields, in both spellings.
    pub(crate) fn usual(flag: &FieldName) -> Self {
        let mut value = vec![flag.as_str().to_owned()];
        value.extend(flag.as_str().strip_prefix("blackList").map(|rest| format!("denyList{rest}")));
        let stamp = value.iter().map(|name| format!("{name}LastModified")).collect();
        Self { flag: flag.clone(), value, stamp }
    }
}
