//! Reading opt-out flags: what each side tells becomes hints in the ledger.
//! Nothing is decided here: every flag whose sides seem to differ is read again
//! on both before anything is written.

mod addresses;
mod changes;
mod files;
mod listing;

use self::addresses::{Reading, Seen, look_up};

pub(crate) use self::addresses::AddressBook;
pub(crate) use self::files::FileSource;
pub(crate) use crate::flows::egress_files::FileReport;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::campaign::{self, Failure, Listed};
use crate::clock::Clock;
use crate::dynamics::{self, Query};
use crate::flows::inventory::canonical_key;
use crate::mapping::Compiled;
use crate::model::consent::{BoundPair, CampaignSide, Direction};
use crate::model::{FieldName, RecordId, ResourceSchema, TableName, Tally, TallyDelta};
use crate::store::consent::Hinted;
use crate::store::{Store, StoreError, Work};
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

/// What one row of a source says.
enum Told {
    /// A contact of Dynamics, with one value per pair where the row has it.
    Contact { contact: RecordId, values: Vec<Option<bool>>, seen: Seen },
    /// A contact that was merged into another.
    Merged { contact: RecordId, into: RecordId, values: Vec<Option<bool>>, seen: Seen },
    /// A contact that was deleted.
    Gone { contact: RecordId },
    /// A profile of Campaign, by its key, with one side per pair.
    Profile { contact: Option<RecordId>, key: String, sides: Vec<Option<CampaignSide>> },
    /// Somebody the flow does not know.
    Nobody,
}

/// Puts what rows say into the ledger.
struct Taking<'s> {
    of: &'s OptoutSource,
    /// The full read that the rows belong to.
    reading: i64,
    pub(super) delta: TallyDelta,
    /// Contacts that came back under another id.
    recreated: Vec<OptoutRecreated>,
}

impl<'s> Taking<'s> {
    pub(super) fn of(of: &'s OptoutSource, reading: i64) -> Self {
        Self { of, reading, delta: TallyDelta::default(), recreated: Vec::new() }
    }

    /// One row, told by this source.
    pub(super) fn take(
        &mut self,
        work: &mut Work<'_>,
        told: Told,
        source: &str,
    ) -> Result<(), StoreError> {
        self.delta.read += 1;
        let (contact, was_open, due) = match told {
            Told::Nobody => {
                self.delta.filtered += 1;
                return Ok(());
            }
            Told::Contact { contact, values, seen } => {
                let was_open = work.contact_open(contact)?;
                let due = self.contact(work, (contact, &values, &seen), source)?;
                (contact, was_open, due)
            }
            Told::Gone { contact } => {
                work.contact_gone(contact)?;
                (contact, work.contact_open(contact)?, false)
            }
            Told::Merged { contact, into, values, seen } => {
                let loser_was_open = work.contact_open(contact)?;
                work.note_merge(contact, into)?;
                let into = work.survivor_of(contact)?.unwrap_or(into);
                let was_open = work.contact_open(into)?;
                let due = self.merged(work, (contact, &values, &seen), into)?;
                self.closed(work, contact, loser_was_open)?;
                if !loser_was_open && work.contact_open(contact)? {
                    // The row is about both of them.
                    self.delta.read += 1;
                }
                (into, was_open, due)
            }
            Told::Profile { contact, key, sides } => {
                let contact = match contact {
                    Some(contact) => Some(contact),
                    None => work.record_of_key(self.of.table(), &canonical_key(&key))?,
                };
                let Some(contact) = contact else {
                    self.delta.filtered += 1;
                    return Ok(());
                };
                self.profile(work, (contact, sides), source)?
            }
        };
        // A contact counts once, when it is settled.
        if was_open || !due || !work.contact_open(contact)? {
            self.delta.unchanged += 1;
        }
        Ok(())
    }

    /// Counts a contact that was read before and waited, where another takes its
    /// place: nobody else will count it.
    fn closed(
        &mut self,
        work: &Work<'_>,
        contact: RecordId,
        was_open: bool,
    ) -> Result<(), StoreError> {
        if was_open && !work.contact_open(contact)? {
            self.delta.unchanged += 1;
        }
        Ok(())
    }

    /// Whether something is to be looked at.
    fn contact(
        &mut self,
        work: &mut Work<'_>,
        (contact, values, seen): (RecordId, &[Option<bool>], &Seen),
        source: &str,
    ) -> Result<bool, StoreError> {
        work.forget_merge(contact)?;
        let about = (&self.of.addresses, self.of.table(), &*self.of.pairs);
        let recreated = look_up(work, about, (contact, values, seen), self.reading)?;
        let mut due = recreated.iter().any(|it| it.opted_out);
        if self.of.direction != Direction::CampaignToDynamics {
            let told = self.of.pairs.iter().zip(values).filter(|(_, it)| **it == Some(false));
            let flags: Vec<_> = told.map(|(pair, _)| &pair.pair.flag).collect();
            work.clears_before_creation(self.of.table(), contact, &flags, source)?;
        }
        for (pair, value) in self.of.pairs.iter().zip(values) {
            let Some(value) = *value else { continue };
            due |= work.hint_dynamics(contact, &pair.pair.flag, value, source)? == Hinted::Due;
        }
        self.recreated.extend(recreated);
        Ok(due)
    }

    /// Whose the profile's flags are: the contact's, or the survivor's where a
    /// no of a merged contact counts for that now. Whether anything was open
    /// about it, and is to be looked at.
    fn profile(
        &mut self,
        work: &mut Work<'_>,
        (contact, sides): (RecordId, Vec<Option<CampaignSide>>),
        source: &str,
    ) -> Result<(RecordId, bool, bool), StoreError> {
        let survivor = work.survivor_of(contact)?;
        let was_open = work.contact_open(contact)?;
        let survivor_was_open = survivor.map_or(Ok(false), |it| work.contact_open(it))?;
        let (mut due, mut counts) = (false, Vec::new());
        for (pair, side) in self.of.pairs.iter().zip(sides) {
            let Some(side) = side else { continue };
            let flag = &pair.pair.flag;
            let said_no = |work: &Work<'_>| {
                Ok::<_, StoreError>(
                    work.flag(contact, flag)?.is_some_and(|it| it.campaign.opted_out),
                )
            };
            let before = survivor.is_some() && said_no(work)?;
            due |= work.hint_campaign(contact, flag, side, source)? == Hinted::Due;
            if let Some(survivor) = survivor
                && said_no(work)?
                && work.count_merged(contact, survivor, flag, !before)?
            {
                counts.push(flag);
            }
        }
        match survivor {
            Some(survivor) if !counts.is_empty() => {
                // Another flag of the loser may still be to be looked at.
                counts.into_iter().try_for_each(|flag| work.settle_as_it_is(contact, flag))?;
                self.closed(work, contact, was_open)?;
                if !was_open && work.contact_open(contact)? {
                    self.delta.read += 1;
                }
                Ok((survivor, survivor_was_open, true))
            }
            Some(_) | None => Ok((contact, was_open, due)),
        }
    }

    /// Whether the loser's no counts for the survivor, and did not yet.
    fn merged(
        &mut self,
        work: &mut Work<'_>,
        (contact, values, seen): (RecordId, &[Option<bool>], &Seen),
        into: RecordId,
    ) -> Result<bool, StoreError> {
        if let Some(address) = &seen.address {
            let print = work.address_print(address);
            work.note_address(contact, print, self.reading)?;
        }
        let mut due = false;
        for (pair, value) in self.of.pairs.iter().zip(values) {
            let known = work.flag(contact, &pair.pair.flag)?;
            let said_no = *value == Some(true)
                || known.is_some_and(|row| row.dynamics || row.campaign.opted_out || row.merged);
            if said_no && work.merge_flag(contact, into, &pair.pair.flag, *value == Some(true))? {
                due = true;
            }
        }
        Ok(due)
    }
}
