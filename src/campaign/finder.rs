//! Looking single records up, for those who must not write.

use crate::campaign::{Failure, Found, Writer};

/// Finds records of one resource by their key. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Finder(Writer);

impl Finder {
    /// A finder of the records that this writer writes.
    pub(crate) fn new(writer: &Writer) -> Self {
        Self(writer.clone())
    }

    /// The record that has this key now.
    pub(crate) async fn find(&self, key: &str) -> Result<Found, Failure> {
        self.0.find(key).await
    }
}
