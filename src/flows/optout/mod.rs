//! Reading opt-out flags: what each side tells becomes hints in the ledger.
//! Nothing is decided here: every flag whose sides seem to differ is read again
//! on both before anything is written.

mod addresses;
mod changes;
mod files;
mod listing;
mod taking;

use self::addresses::Reading;
use self::taking::{Taking, Told};

pub(crate) use self::addresses::AddressBook;
pub(crate) use self::files::FileSource;
pub(crate) use crate::flows::egress_files::FileReport;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::campaign::{self, Failure, Listed};
use crate::clock::Clock;
use crate::dynamics::{self, Query};
use crate::mapping::Compiled;
use crate::model::consent::{BoundPair, Direction};
use crate::model::{FieldName, ResourceSchema, TableName, Tally};
use crate::store::{Store, StoreError};
use crate::telemetry::OptoutRecreated;

/// What the flow reads, and how.
#[derive(Clone, Debug)]
pub(crate) struct OptoutSource {
    /// The contacts.
    pub(crate) query: Arc<Query>,
    /// The key of a contact in Campaign.
    pub(crate) mapping: Arc<Compiled>,
    /// The profiles.
    pub(crate) resource: Arc<ResourceSchema>,
    /// The field that holds the key.
    pub(crate) key: FieldName,
    /// When a profile was changed last, by Campaign's clock; where it has that.
    pub(crate) changed: Option<FieldName>,
    /// The flags.
    pub(crate) pairs: Arc<[BoundPair]>,
    /// Which way they travel.
    pub(crate) direction: Direction,
    /// The filter and the parameter that list the profiles changed since a
    /// time, where Campaign is asked so.
    pub(crate) rest: Option<(String, String)>,
    /// What is kept of the contacts' addresses.
    pub(crate) addresses: AddressBook,
    /// Digest of all that the ledger's agreements rest on.
    pub(crate) epoch: String,
}

impl OptoutSource {
    /// The table of the contacts.
    pub(crate) fn table(&self) -> &TableName {
        &self.query.table.name
    }

    /// What is read of a profile.
    pub(crate) fn profile_fields(&self) -> Vec<FieldName> {
        let mut fields: BTreeSet<FieldName> = BTreeSet::new();
        for pair in self.pairs.iter() {
            fields.extend(pair.fields().cloned());
        }
        fields.extend(self.changed.clone());
        fields.into_iter().collect()
    }
}

/// Why reading ended early.
#[derive(Debug)]
pub(crate) enum OptoutError {
    /// A system failed.
    Remote(Failure),
    /// The store did.
    Store(StoreError),
}

impl From<Failure> for OptoutError {
    fn from(failure: Failure) -> Self {
        Self::Remote(failure)
    }
}

impl From<StoreError> for OptoutError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads both systems into the ledger.
#[derive(Clone, Debug)]
pub(crate) struct OptoutIntake {
    /// Reads Dynamics.
    pub(crate) dynamics: dynamics::Reader,
    /// Reads Campaign.
    pub(crate) campaign: campaign::Reader,
    /// The ledger.
    pub(crate) store: Store,
    /// Time.
    pub(crate) clock: Clock,
    /// Counts.
    pub(crate) tally: Tally,
    /// What is read.
    pub(crate) source: OptoutSource,
    /// Campaign's exports, where they are read.
    pub(crate) files: Option<FileSource>,
    /// Whether the contacts were read to their end since the process began; until
    /// then its store may be an older one that was put back.
    pub(crate) has_read: Arc<AtomicBool>,
}

impl OptoutIntake {
    /// Reads all that is new: at first everything.
    pub(crate) async fn run(&self) -> Result<FileReport, OptoutError> {
        self.begin_epoch().await?;
        self.begin_addresses().await?;
        // Contacts first: a flag that is not in the ledger is then known to be
        // off in Dynamics, and a profile's stamp begins no agreement that was
        // none.
        let contacts = remote(self.read_contacts().await)?;
        // What one source cannot tell another may.
        let listed = remote(self.list_profiles().await)?;
        let changed = match self.source.rest {
            Some(_) => remote(self.read_changed_profiles().await)?,
            None => None,
        };
        let mut report = match &self.files {
            Some(files) => self.read_files(files).await?,
            None => FileReport::default(),
        };
        report.failure = contacts.or(listed).or(changed).or(report.failure);
        Ok(report)
    }

    /// With another direction or other pairs, old agreements would make things
    /// look new that are not: everything is read again, as at first sight.
    async fn begin_epoch(&self) -> Result<(), StoreError> {
        let epoch = self.source.epoch.clone();
        self.store
            .call(move |work| {
                if work.consent_cursor("epoch")?.as_ref() == Some(&epoch) {
                    return Ok(());
                }
                for source in ["listing", "dynamics", "rest"] {
                    work.clear_consent_cursor(source)?;
                }
                work.forget_agreements()?;
                work.set_consent_cursor("epoch", &epoch)
            })
            .await
    }

    async fn cursor<T: DeserializeOwned>(
        &self,
        source: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let text = self.store.call(move |work| work.consent_cursor(source)).await?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|_| StoreError::Corrupt(format!("the position of `{source}` cannot be read")))
    }

    /// Commits what a page said, with the position behind it.
    async fn commit(
        &self,
        source: &'static str,
        position: &impl Serialize,
        told: Vec<Told>,
        reading: Option<Reading>,
    ) -> Result<(), StoreError> {
        let position = serde_json::to_string(position)
            .map_err(|error| StoreError::Statement(error.to_string()))?;
        let (tally, of) = (self.tally.clone(), self.source.clone());
        let recreated = self
            .store
            .call(move |work| {
                let mut taking = Taking::of(&of, reading.map_or(0, |reading| reading.number));
                for told in told {
                    taking.take(work, told, source)?;
                }
                if let Some(Reading { number, last: true }) = reading {
                    work.sweep_addresses(number)?;
                }
                work.set_consent_cursor(source, &position)?;
                tally.add(taking.delta);
                Ok(taking.recreated)
            })
            .await?;
        recreated.iter().for_each(OptoutRecreated::emit);
        Ok(())
    }

    fn profile(&self, listed: &Listed) -> Told {
        let sides =
            self.source.pairs.iter().map(|pair| Some(pair.campaign_side(&listed.fields))).collect();
        self.profile_of(listed.key.clone(), sides)
    }
}

/// A system's failure ends the reading of one source, the store's all of it.
fn remote(read: Result<(), OptoutError>) -> Result<Option<Failure>, OptoutError> {
    match read {
        Ok(()) => Ok(None),
        Err(OptoutError::Remote(failure)) => Ok(Some(failure)),
        Err(error @ OptoutError::Store(_)) => Err(error),
    }
}
