//! Secrets and URLs that may not leak: values without `Display` and without a
//! telling `Debug`.

use std::path::PathBuf;

/// Where a secret is to be found; never the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read.
    File(PathBuf),
}

/// A secret text (stub; the full type is being written elsewhere).
pub(crate) struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}
