//! What the rows of all sources say, put into the ledger: whose flags they
//! are, and whether a contact is to be looked at.

use super::OptoutSource;
use super::addresses::{Seen, look_up};
use crate::flows::inventory::canonical_key;
use crate::model::consent::{CampaignSide, Direction};
use crate::model::{RecordId, TallyDelta};
use crate::store::consent::Hinted;
use crate::store::{StoreError, Work};
use crate::telemetry::OptoutRecreated;

/// What one row of a source says.
pub(super) enum Told {
    /// A contact of Dynamics, with one value per pair where the row has it, and
    /// whether the ledger may lack what was written for it.
    Contact { contact: RecordId, values: Vec<Option<bool>>, seen: Seen, doubt: bool },
    /// A contact that was merged into another.
    Merged { contact: RecordId, into: RecordId, values: Vec<Option<bool>>, seen: Seen, doubt: bool },
    /// A contact that was deleted.
    Gone { contact: RecordId },
    /// A profile of Campaign, by its key, with one side per pair.
    Profile { contact: Option<RecordId>, key: String, sides: Vec<Option<CampaignSide>> },
    /// Somebody the flow does not know.
    Nobody,
}

/// Puts what rows say into the ledger.
pub(super) struct Taking<'s> {
    of: &'s OptoutSource,
    /// The full read that the rows belong to.
    reading: i64,
    pub(super) delta: TallyDelta,
    /// Contacts that came back under another id.
    pub(super) recreated: Vec<OptoutRecreated>,
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
            Told::Contact { contact, values, seen, doubt } => {
                let was_open = work.contact_open(contact)?;
                let mut due = self.contact(work, (contact, &values, &seen), source)?;
                due |= doubt && self.doubt(work, contact)?;
                (contact, was_open, due)
            }
            Told::Gone { contact } => {
                work.contact_gone(contact)?;
                (contact, work.contact_open(contact)?, false)
            }
            Told::Merged { contact, into, values, seen, doubt } => {
                let loser_was_open = work.contact_open(contact)?;
                work.note_merge(contact, into)?;
                let into = work.survivor_of(contact)?.unwrap_or(into);
                let was_open = work.contact_open(into)?;
                let due = self.merged(work, (contact, &values, &seen), into)?;
                if doubt {
                    self.doubt(work, contact)?;
                }
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

    /// Whether an opt-out of the contact is to be looked at in Campaign.
    fn doubt(&self, work: &mut Work<'_>, contact: RecordId) -> Result<bool, StoreError> {
        let mut due = false;
        for pair in self.of.pairs.iter() {
            due |= work.doubt_flag(contact, &pair.pair.flag)? == Hinted::Due;
        }
        Ok(due)
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
            // A yes that looks older than a no that is known does not count as
            // that no said again: Campaign is to be asked.
            if let Some(survivor) = survivor
                && side.opted_out
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
