//! Setting up Dynamics: turning change tracking of a table on, making alternate
//! keys.

use std::time::Duration;

use crate::app::App;
use crate::dynamics::{Definition, KeyIndex, MetadataRequest, MetadataWriter, make_key};
use crate::http::{Failure, Outcome};
use crate::model::{ColumnName, TableName};

/// Waits between tries: only one change of metadata may run at a time in an
/// environment, and each takes seconds to minutes (Dynamics sheet, 7.5).
const WAITS_SECONDS: [u64; 7] = [1, 2, 4, 8, 15, 30, 30];

/// What turning change tracking on came to.
#[derive(Clone, Debug)]
pub(crate) enum Provisioned {
    /// It is on already.
    Already,
    /// It cannot be turned on for this table.
    Impossible,
    /// A dry run: these requests would be sent, in this order.
    Planned(Vec<MetadataRequest>),
    /// It was turned on and published, and the metadata says so.
    Done,
    /// It was turned on and published, and the metadata does not say so yet.
    Unconfirmed,
}

/// What making an alternate key came to.
#[derive(Clone, Debug)]
pub(crate) enum KeyMade {
    /// It is there, and rows can be found by it.
    Already,
    /// A dry run: this request would be sent.
    Planned(MetadataRequest),
    /// It was made, or is now ready.
    Done,
    /// Its index is still being built.
    Building,
    /// Its index cannot be built: rows hold a value twice.
    Failed,
}

impl App {
    /// Makes an alternate key of a table, unless there is one of these columns,
    /// and waits for its index.
    pub(crate) async fn make_key(
        &self,
        table: &TableName,
        columns: &[ColumnName],
        dry_run: bool,
    ) -> Result<KeyMade, Failure> {
        match self.dynamics.alternate_key(table, columns).await? {
            Some(KeyIndex::Active) => return Ok(KeyMade::Already),
            Some(KeyIndex::Failed) => return Ok(KeyMade::Failed),
            Some(KeyIndex::Building) => {}
            None => {
                let language = self.dynamics.base_language().await?;
                let prefix = &self.config.activity_tables.prefix;
                let request = make_key(table, columns, prefix, language);
                if dry_run {
                    return Ok(KeyMade::Planned(request));
                }
                self.change_metadata(&request).await?;
            }
        }
        for wait in WAITS_SECONDS {
            match self.dynamics.alternate_key(table, columns).await? {
                Some(KeyIndex::Active) => return Ok(KeyMade::Done),
                Some(KeyIndex::Failed) => return Ok(KeyMade::Failed),
                Some(KeyIndex::Building) | None => {}
            }
            self.clock.sleep(Duration::from_secs(wait)).await;
        }
        Ok(KeyMade::Building)
    }

    /// The whole definition of a table.
    pub(crate) async fn definition(&self, table: &TableName) -> Result<Definition, Failure> {
        MetadataWriter::new(self.dynamics.clone()).definition(table).await
    }

    /// Turns change tracking of a table on, publishes the table and looks
    /// whether it is so. May be repeated; cannot be undone (Dynamics sheet, 3.5).
    pub(crate) async fn track_changes(
        &self,
        table: &TableName,
        definition: &Definition,
        dry_run: bool,
    ) -> Result<Provisioned, Failure> {
        if definition.tracked() {
            return Ok(Provisioned::Already);
        }
        if !definition.trackable() {
            return Ok(Provisioned::Impossible);
        }
        let requests = [definition.track_changes(), definition.publish()];
        if dry_run {
            return Ok(Provisioned::Planned(requests.into()));
        }
        for request in &requests {
            self.change_metadata(request).await?;
        }
        for wait in WAITS_SECONDS.iter().take(4) {
            if self.definition(table).await?.tracked() {
                return Ok(Provisioned::Done);
            }
            self.clock.sleep(Duration::from_secs(*wait)).await;
        }
        Ok(Provisioned::Unconfirmed)
    }

    /// Sends a change, again while another one is running.
    pub(super) async fn change_metadata(&self, request: &MetadataRequest) -> Result<(), Failure> {
        let writer = MetadataWriter::new(self.dynamics.clone());
        let mut waits = WAITS_SECONDS.iter();
        loop {
            let failure = match writer.send(request).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let passes = matches!(
                failure.outcome,
                Outcome::Unavailable | Outcome::Unknown | Outcome::NotSent
            );
            let (true, Some(wait)) = (passes, waits.next()) else { return Err(failure) };
            self.clock.sleep(Duration::from_secs(*wait)).await;
        }
    }
}
