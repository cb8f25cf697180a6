//! Which contacts have the same e-mail address: keyed fingerprints, never an
//! address. What a deleted contact said no to outlives it here, and shows when
//! the address comes back under another id.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::taken_over::ADDRESS_OF;
use super::{NewConsentDecision, Outcome};
use crate::model::consent::{CampaignSide, DynamicsSide, Reason, Skew};
use crate::model::{FieldName, RecordId};
use crate::store::work::record_id;
use crate::store::{Fingerprint, StoreError, Work};

/// Rows that are looked at in one round.
const ROUND: usize = 500;

/// Contacts of one address that are told of: a collective address may have any
/// number.
const MOST_CONTACTS: usize = 1000;

/// Deleted contacts of one address that are asked, the newest.
const MOST_FORMER: usize = 20;

/// A flag on which the contacts of one address differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedAddress {
    /// The flag.
    pub(crate) flag: FieldName,
    /// Who opted out, in either system.
    pub(crate) opted_out: Vec<RecordId>,
    /// Who did not.
    pub(crate) others: Vec<RecordId>,
}

/// What an address of a contact is to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It was known, or there is none.
    Known,
    /// The contact had none or another so far.
    New,
    /// The contact had said no and was deleted, and is there again.
    Again,
}

impl Work<'_> {
    /// The fingerprint of an address, however it is spelled; none of an empty
    /// one.
    pub(crate) fn address_print(&self, address: &str) -> Option<Fingerprint> {
        let address = address.trim().to_lowercase();
        (!address.is_empty()).then(|| self.key.seal("address", &[address.as_bytes()]))
    }

    /// A contact has this address, as the read `seen` says.
    pub(crate) fn note_address(
        &mut self,
        contact: RecordId,
        print: Option<Fingerprint>,
        seen: i64,
    ) -> Result<Noted, StoreError> {
        let bytes = contact.as_bytes().as_slice();
        let Some(print) = print else {
            self.forget_address(contact)?;
            return Ok(Noted::Known);
        };
        let known: Option<(Vec<u8>, bool)> = self
            .sql
            .prepare_cached(
                "SELECT print, gone_us IS NOT NULL FROM consent_address WHERE contact = ?1",
            )?
            .query_row([bytes], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO consent_address (contact, print, seen, gone_us)
                 VALUES (?1, ?2, ?3, NULL)",
            )?
            .execute((bytes, print.as_slice(), seen))?;
        Ok(match known {
            Some((known, gone)) if known == print.as_slice() => {
                if gone {
                    Noted::Again
                } else {
                    Noted::Known
                }
            }
            Some(_) | None => Noted::New,
        })
    }

    /// A contact was deleted: its address is kept if it had said no.
    pub(crate) fn contact_gone(&mut self, contact: RecordId) -> Result<(), StoreError> {
        if self.said_no(contact)?.is_empty() {
            return self.forget_address(contact);
        }
        self.sql
            .prepare_cached(
                "UPDATE consent_address SET gone_us = ?2 WHERE contact = ?1 AND gone_us IS NULL",
            )?
            .execute((contact.as_bytes().as_slice(), self.now_us()))?;
        Ok(())
    }

    /// The contacts that the full read `seen` has not seen are gone: what was
    /// deleted while nobody could tell.
    pub(crate) fn sweep_addresses(&mut self, seen: i64) -> Result<(), StoreError> {
        loop {
            let gone = {
                let mut statement = self.sql.prepare_cached(
                    "SELECT contact FROM consent_address
                     WHERE gone_us IS NULL AND seen <> ?1 LIMIT ?2",
                )?;
                let limit = i64::try_from(ROUND).unwrap_or(i64::MAX);
                let rows = statement.query_map((seen, limit), |row| row.get::<_, Vec<u8>>(0))?;
                rows.map(|row| record_id(&row?)).collect::<Result<Vec<_>, StoreError>>()?
            };
            if gone.is_empty() {
                return Ok(());
            }
            for contact in gone {
                self.contact_gone(contact)?;
            }
        }
    }

    /// Forgets the addresses of who was deleted before this.
    pub(crate) fn expire_addresses(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM consent_address WHERE gone_us < ?1")?
            .execute([before.as_microsecond()])?;
        Ok(())
    }

    /// Forgets all addresses.
    pub(crate) fn forget_addresses(&mut self) -> Result<(), StoreError> {
        self.sql.execute("DELETE FROM consent_address", [])?;
        Ok(())
    }

    /// Forgets the address of a contact.
    pub(crate) fn forget_address(&mut self, contact: RecordId) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM consent_address WHERE contact = ?1")?
            .execute([contact.as_bytes().as_slice()])?;
        Ok(())
    }

    /// Deleted contacts that had this address and had said no, newest first.
    pub(crate) fn former_contacts(&self, print: Fingerprint) -> Result<Vec<RecordId>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT contact FROM consent_address WHERE print = ?1 AND gone_us IS NOT NULL
             ORDER BY gone_us DESC LIMIT ?2",
        )?;
        let limit = i64::try_from(MOST_FORMER).unwrap_or(i64::MAX);
        let rows =
            statement.query_map((print.as_slice(), limit), |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| record_id(&row?)).collect()
    }

    /// The flags to which a contact said no, in either system.
    pub(crate) fn said_no(&self, contact: RecordId) -> Result<Vec<FieldName>, StoreError> {
        let rows = self.flags_of(contact)?.into_iter();
        Ok(rows.filter(|row| row.dynamics || row.campaign.opted_out).map(|row| row.flag).collect())
    }

    /// `former`, which had this contact's address and is gone, had said no to
    /// `flag`; it may be the contact itself, before it was deleted. With
    /// `opt_out` that counts for `contact`, too; otherwise the ledger keeps that
    /// it was seen. Once: false if it was already; of the contact itself once
    /// for each deletion.
    pub(crate) fn inherit_flag(
        &mut self,
        (contact, dynamics): (RecordId, DynamicsSide),
        former: RecordId,
        flag: &FieldName,
        opt_out: bool,
    ) -> Result<bool, StoreError> {
        let told_by = format!("{ADDRESS_OF}{former}");
        let row = self.flag(contact, flag)?;
        let waits = row.as_ref().is_some_and(|row| row.merged);
        if waits || (former != contact && self.has_decision(contact, flag, &told_by)?) {
            return Ok(false);
        }
        if opt_out {
            self.take_over(contact, flag, told_by)?;
            return Ok(true);
        }
        let off = CampaignSide { opted_out: false, stamp: None };
        self.add_decision(&NewConsentDecision {
            contact,
            flag: flag.clone(),
            dynamics,
            campaign: row.map_or(off, |row| row.campaign),
            result: false,
            reason: Reason::Recreated,
            lead: None,
            skew: Skew::Unknown,
            documented: None,
            told_by,
            request_ids: Vec::new(),
            outcome: Outcome::Kept,
        })?;
        Ok(true)
    }

    /// Flags on which contacts of one address differ, of some addresses after
    /// one; and where the next round begins, if there is one.
    pub(crate) fn shared_addresses(
        &self,
        after: Option<&Fingerprint>,
    ) -> Result<(Vec<SharedAddress>, Option<Fingerprint>), StoreError> {
        let prints: Vec<Vec<u8>> = {
            let mut statement = self.sql.prepare_cached(
                "SELECT print FROM consent_address WHERE gone_us IS NULL AND print > ?1
                 GROUP BY print HAVING count(*) > 1 ORDER BY print LIMIT ?2",
            )?;
            let after = after.map(|print| print.to_vec()).unwrap_or_default();
            let limit = i64::try_from(ROUND).unwrap_or(i64::MAX);
            let rows = statement.query_map((after, limit), |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        let mut shared = Vec::new();
        for print in &prints {
            shared.extend(self.differing(print)?);
        }
        let next = prints.last().and_then(|print| print.as_slice().try_into().ok());
        Ok((shared, next))
    }

    /// How many such flags there are.
    pub(crate) fn shared_address_count(&self) -> Result<u64, StoreError> {
        let (mut after, mut count) = (None, 0);
        loop {
            let (shared, next) = self.shared_addresses(after.as_ref())?;
            count += shared.len() as u64;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }

    fn differing(&self, print: &[u8]) -> Result<Vec<SharedAddress>, StoreError> {
        let contacts: Vec<RecordId> = {
            let mut statement = self.sql.prepare_cached(
                "SELECT contact FROM consent_address WHERE print = ?1 AND gone_us IS NULL
                 ORDER BY contact LIMIT ?2",
            )?;
            let limit = i64::try_from(MOST_CONTACTS).unwrap_or(i64::MAX);
            let rows = statement.query_map((print, limit), |row| row.get::<_, Vec<u8>>(0))?;
            rows.map(|row| record_id(&row?)).collect::<Result<_, StoreError>>()?
        };
        let mut no: BTreeMap<FieldName, BTreeSet<RecordId>> = BTreeMap::new();
        for contact in &contacts {
            for flag in self.said_no(*contact)? {
                no.entry(flag).or_default().insert(*contact);
            }
        }
        let shared = no.into_iter().map(|(flag, no)| {
            let (opted_out, others) = contacts.iter().partition(|it| no.contains(*it));
            SharedAddress { flag, opted_out, others }
        });
        Ok(shared.filter(|it| !it.others.is_empty()).collect())
    }
}
