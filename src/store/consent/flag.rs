//! One row per contact and flag.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::{micros, sealed, time};
use crate::model::consent::{Agreement, CampaignSide, OwnWrite};
use crate::model::{FieldName, RecordId, RowVersion};
use crate::store::work::record_id;
use crate::store::{Fingerprint, StoreError, Work};

/// What is still to be done about a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagState {
    /// Nothing.
    Settled,
    /// The sides may differ.
    Due,
    /// An opt-out would be lifted; waits for the others of its run.
    Clearing,
    /// Too many would be: a person is asked.
    Held,
    /// A person let it go.
    Approved,
}

impl FlagState {
    /// All states.
    pub(crate) const ALL: [Self; 5] =
        [Self::Settled, Self::Due, Self::Clearing, Self::Held, Self::Approved];

    /// The word in the store and in exports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Due => "due",
            Self::Clearing => "clearing",
            Self::Held => "held",
            Self::Approved => "approved",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("a row of `consent` has an unknown state".into()))
    }
}

/// What the ledger knows of one flag of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagRow {
    /// Whose.
    pub(crate) contact: RecordId,
    /// Campaign's name of the flag.
    pub(crate) flag: FieldName,
    /// Dynamics' value as last seen.
    pub(crate) dynamics: bool,
    /// Campaign's side as last seen.
    pub(crate) campaign: CampaignSide,
    /// Where the last hint came from: a source, or a file and its row.
    pub(crate) told_by: String,
    /// What both agreed on last.
    pub(crate) agreement: Option<Agreement>,
    /// A no that is no side's counts for this contact: another contact's, or that
    /// of a profile that is gone. Both sides are to say so.
    pub(crate) merged: bool,
    /// What is to be done.
    pub(crate) state: FlagState,
    /// Attempts that failed.
    pub(crate) attempts: u32,
    /// When the row was changed last.
    pub(crate) updated: Timestamp,
}

const COLUMNS: &str = "contact, flag, dynamics, campaign, stamp_us, told_by, agreed_dynamics,
     agreed_campaign, agreed_stamp_us, own_campaign, own_stamp_us, merged, state, attempts,
     updated_us, seal";

impl FlagRow {
    /// A flag of which nothing was known so far.
    pub(super) fn unknown(contact: RecordId, flag: &FieldName, told_by: &str) -> Self {
        Self {
            contact,
            flag: flag.clone(),
            dynamics: false,
            campaign: CampaignSide { opted_out: false, stamp: None },
            told_by: told_by.to_owned(),
            agreement: None,
            merged: false,
            state: FlagState::Settled,
            attempts: 0,
            updated: Timestamp::UNIX_EPOCH,
        }
    }

    /// The last thing our own writes left in Campaign, and the agreement's.
    fn numbers(&self) -> [Option<i64>; 9] {
        let agreement = self.agreement.as_ref();
        let own = agreement.and_then(|agreement| agreement.own_campaign);
        [
            Some(i64::from(self.dynamics)),
            Some(i64::from(self.campaign.opted_out)),
            micros(self.campaign.stamp),
            agreement.map(|agreement| i64::from(agreement.dynamics)),
            agreement.map(|agreement| i64::from(agreement.campaign.opted_out)),
            agreement.and_then(|agreement| micros(agreement.campaign.stamp)),
            own.map(|own| i64::from(own.opted_out)),
            own.and_then(|own| micros(own.stamp)),
            Some(i64::from(self.merged)),
        ]
    }
}

impl Work<'_> {
    /// What the ledger knows of all flags of a contact.
    pub(crate) fn flags_of(&self, contact: RecordId) -> Result<Vec<FlagRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM consent WHERE contact = ?1 ORDER BY flag");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let mut rows = statement.query([contact.as_bytes().as_slice()])?;
        let mut flags = Vec::new();
        while let Some(row) = rows.next()? {
            flags.push(self.flag_row(row)?);
        }
        Ok(flags)
    }

    /// What the ledger knows of one flag.
    pub(crate) fn flag(
        &self,
        contact: RecordId,
        flag: &FieldName,
    ) -> Result<Option<FlagRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM consent WHERE contact = ?1 AND flag = ?2");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let mut rows = statement.query((contact.as_bytes().as_slice(), flag.as_str()))?;
        rows.next()?.map(|row| self.flag_row(row)).transpose()
    }

    /// Stores what is known of a flag.
    pub(crate) fn set_flag(&mut self, flag: &FlagRow) -> Result<(), StoreError> {
        let numbers = flag.numbers();
        let seal = self.flag_seal(flag.contact, flag.flag.as_str(), flag.state, &numbers);
        let contact = flag.contact.as_bytes().as_slice();
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO consent (contact, flag, dynamics, campaign, stamp_us,
                   told_by, agreed_dynamics, agreed_campaign, agreed_stamp_us, own_campaign,
                   own_stamp_us, merged, state, attempts, updated_us, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?
            .execute((
                contact,
                flag.flag.as_str(),
                numbers[0],
                numbers[1],
                numbers[2],
                &flag.told_by,
                numbers[3],
                numbers[4],
                numbers[5],
                numbers[6],
                numbers[7],
                numbers[8],
                flag.state.as_str(),
                flag.attempts,
                self.now_us(),
                seal.as_slice(),
            ))?;
        Ok(())
    }

    /// Contacts that have a flag in `state`, in order of their id, after one.
    pub(crate) fn contacts_with(
        &self,
        state: FlagState,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT DISTINCT contact FROM consent WHERE state = ?1 AND contact > ?2
             ORDER BY contact LIMIT ?3",
        )?;
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query((state.as_str(), after, limit))?;
        let mut contacts = Vec::new();
        while let Some(row) = rows.next()? {
            contacts.push(record_id(&row.get::<_, Vec<u8>>(0)?)?);
        }
        Ok(contacts)
    }

    /// Rows of the ledger, in order of contact and flag, after one.
    pub(crate) fn flags_after(
        &self,
        after: Option<(RecordId, &FieldName)>,
        limit: usize,
    ) -> Result<Vec<FlagRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM consent WHERE (contact, flag) > (?1, ?2)
             ORDER BY contact, flag LIMIT ?3"
        );
        let mut statement = self.sql.prepare_cached(&sql)?;
        let (contact, flag) = after.map_or((Vec::new(), ""), |(contact, flag)| {
            (contact.as_bytes().to_vec(), flag.as_str())
        });
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query((contact, flag, limit))?;
        let mut flags = Vec::new();
        while let Some(row) = rows.next()? {
            flags.push(self.flag_row(row)?);
        }
        Ok(flags)
    }

    /// Flags in a state.
    pub(crate) fn flag_count(&self, state: FlagState) -> Result<u64, StoreError> {
        let count: i64 = self
            .sql
            .prepare_cached("SELECT count(*) FROM consent WHERE state = ?1")?
            .query_row([state.as_str()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Whether something is still to be done about a contact.
    pub(crate) fn contact_open(&self, contact: RecordId) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM consent WHERE contact = ?1 AND state <> 'settled')",
            )?
            .query_row([contact.as_bytes().as_slice()], |row| row.get(0))?)
    }

    /// Contacts about which something is still to be done.
    pub(crate) fn open_contacts(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .sql
            .prepare_cached("SELECT count(DISTINCT contact) FROM consent WHERE state <> 'settled'")?
            .query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Since when the oldest of them waits, in microseconds since 1970.
    pub(crate) fn oldest_open_flag(&self) -> Result<Option<i64>, StoreError> {
        Ok(self
            .sql
            .prepare_cached("SELECT min(updated_us) FROM consent WHERE state <> 'settled'")?
            .query_row([], |row| row.get(0))?)
    }

    /// Contacts with something to be done that Dynamics said, or that Campaign
    /// said, with the time since which the oldest waits, in microseconds since
    /// 1970. Where neither side differs from what was agreed, Dynamics'.
    pub(crate) fn open_contacts_by(
        &self,
        campaign: bool,
    ) -> Result<(u64, Option<i64>), StoreError> {
        let said = if campaign {
            "campaign IS NOT coalesce(agreed_campaign, 0)"
        } else {
            "(dynamics IS NOT coalesce(agreed_dynamics, 0)
              OR campaign IS coalesce(agreed_campaign, 0))"
        };
        let sql = format!(
            "SELECT count(DISTINCT contact), min(updated_us) FROM consent
             WHERE state <> 'settled' AND {said}"
        );
        let (count, oldest): (i64, Option<i64>) =
            self.sql.prepare_cached(&sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((u64::try_from(count).unwrap_or(0), oldest))
    }

    /// All flags of one state go to another. Gives how many.
    pub(crate) fn move_flags(&mut self, from: FlagState, to: FlagState) -> Result<u64, StoreError> {
        /// Rows of one round.
        const ROUND: usize = 500;
        let mut moved = 0;
        loop {
            let contacts = self.contacts_with(from, None, ROUND)?;
            if contacts.is_empty() {
                return Ok(moved);
            }
            for contact in contacts {
                for flag in self.flags_of(contact)? {
                    if flag.state == from {
                        moved += 1;
                        self.set_flag(&FlagRow { state: to, ..flag })?;
                    }
                }
            }
        }
    }

    /// What our last write to the contact in Dynamics produced.
    pub(crate) fn own_write(&self, contact: RecordId) -> Result<Option<OwnWrite>, StoreError> {
        let row: Option<(i64, Option<i64>, Vec<u8>)> = self
            .sql
            .prepare_cached("SELECT version, user_us, seal FROM consent_own WHERE contact = ?1")?
            .query_row([contact.as_bytes().as_slice()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((version, user_us, seal)) = row else { return Ok(None) };
        let parts: [&[u8]; 3] = [contact.as_bytes(), &version.to_le_bytes(), &sealed(user_us)];
        self.key.verify("consent_own", &parts, &seal)?;
        Ok(Some(OwnWrite { version: RowVersion(version), user_time: time(user_us)? }))
    }

    /// Remembers it.
    pub(crate) fn set_own_write(
        &mut self,
        contact: RecordId,
        own: &OwnWrite,
    ) -> Result<(), StoreError> {
        let user_us = micros(own.user_time);
        let parts: [&[u8]; 3] =
            [contact.as_bytes(), &own.version.0.to_le_bytes(), &sealed(user_us)];
        let seal = self.key.seal("consent_own", &parts);
        let contact = contact.as_bytes().as_slice();
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO consent_own (contact, version, user_us, seal)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((contact, own.version.0, user_us, seal.as_slice()))?;
        Ok(())
    }

    fn flag_row(&self, row: &Row<'_>) -> Result<FlagRow, StoreError> {
        let contact = record_id(&row.get::<_, Vec<u8>>(0)?)?;
        let name: String = row.get(1)?;
        let flag = FieldName::new(&name)
            .map_err(|_| StoreError::Corrupt("a flag of `consent` is not a name".into()))?;
        let number = |at| row.get::<_, Option<i64>>(at);
        let bit = |at| row.get::<_, Option<bool>>(at);
        let side = |value: usize| -> Result<Option<CampaignSide>, StoreError> {
            let Some(opted_out) = bit(value)? else { return Ok(None) };
            Ok(Some(CampaignSide { opted_out, stamp: time(number(value + 1)?)? }))
        };
        let agreement = match (bit(6)?, side(7)?) {
            (Some(dynamics), Some(campaign)) => {
                Some(Agreement { campaign, dynamics, own_campaign: side(9)? })
            }
            (Some(_) | None, _) => None,
        };
        let campaign = side(3)?.unwrap_or(CampaignSide { opted_out: false, stamp: None });
        let updated = time(number(14)?)?.unwrap_or(Timestamp::UNIX_EPOCH);
        let found = FlagRow {
            contact,
            flag,
            dynamics: row.get(2)?,
            campaign,
            told_by: row.get(5)?,
            agreement,
            merged: row.get(11)?,
            state: FlagState::parse(&row.get::<_, String>(12)?)?,
            attempts: row.get(13)?,
            updated,
        };
        let seal: Vec<u8> = row.get(15)?;
        if self.flag_seal(contact, &name, found.state, &found.numbers()).as_slice() != seal {
            return Err(StoreError::Corrupt(
                "a row of `consent` does not match its checksum".into(),
            ));
        }
        Ok(found)
    }

    fn flag_seal(
        &self,
        contact: RecordId,
        flag: &str,
        state: FlagState,
        numbers: &[Option<i64>; 9],
    ) -> Fingerprint {
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| sealed(*number)).collect();
        let parts: [&[u8]; 4] =
            [contact.as_bytes(), flag.as_bytes(), state.as_str().as_bytes(), &numbers];
        self.key.seal("consent", &parts)
    }
}
