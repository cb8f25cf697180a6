//! Every decision with what it rested on: the evidence.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Row;

use super::{micros, sealed, time};
use crate::model::consent::{CampaignSide, DynamicsSide, Reason, Skew};
use crate::model::{FieldName, RecordId, RowVersion};
use crate::store::forget::FORGOTTEN;
use crate::store::work::record_id;
use crate::store::{Fingerprint, StoreError, Work};

/// What came of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stored before it is sent; whether it was, nobody knows yet.
    Intended,
    /// Both sides are as decided.
    Done,
    /// Something changed meanwhile: decided anew.
    Dropped,
    /// An opt-out was not lifted.
    Kept,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Intended, Self::Done, Self::Dropped, Self::Kept];

    /// The word in the store and in exports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::Kept => "kept",
        }
    }
}

/// A decision on its way into the ledger.
#[derive(Clone, Debug)]
pub(crate) struct NewConsentDecision {
    /// Whose.
    pub(crate) contact: RecordId,
    /// Which flag.
    pub(crate) flag: FieldName,
    /// Dynamics' side before.
    pub(crate) dynamics: DynamicsSide,
    /// Campaign's side before.
    pub(crate) campaign: CampaignSide,
    /// What was decided.
    pub(crate) result: bool,
    /// Why.
    pub(crate) reason: Reason,
    /// Campaign's lead after correction.
    pub(crate) lead: Option<SignedDuration>,
    /// The clocks then.
    pub(crate) skew: Skew,
    /// What the vendor's page would have given, where that differs.
    pub(crate) documented: Option<bool>,
    /// Where the change was told: a source, or a file and its row.
    pub(crate) told_by: String,
    /// Ids of the requests that read and wrote.
    pub(crate) request_ids: Vec<String>,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// A stored decision.
#[derive(Clone, Debug)]
pub(crate) struct ConsentDecision {
    /// Its number.
    pub(crate) id: i64,
    /// When it was made.
    pub(crate) at: Timestamp,
    /// What it was.
    pub(crate) what: NewConsentDecision,
}

const COLUMNS: &str =
    "id, contact, flag, at_us, dynamics, campaign, modified_us, version, stamp_us,
     result, reason, lead_us, offset_us, spread_us, documented, told_by, request_ids, outcome,
     seal";

impl NewConsentDecision {
    fn numbers(&self) -> [Option<i64>; 10] {
        let span = |span: SignedDuration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let (offset, spread) = match self.skew {
            Skew::Unknown => (None, None),
            Skew::Measured { offset, spread } => {
                (Some(span(offset)), Some(i64::try_from(spread.as_micros()).unwrap_or(i64::MAX)))
            }
        };
        [
            Some(i64::from(self.dynamics.opted_out)),
            Some(i64::from(self.campaign.opted_out)),
            micros(self.dynamics.modified),
            self.dynamics.version.map(|version| version.0),
            micros(self.campaign.stamp),
            Some(i64::from(self.result)),
            self.lead.map(span),
            offset,
            spread,
            self.documented.map(i64::from),
        ]
    }

    /// The outcome and the requests are added later and stand outside.
    fn seal(&self, work: &Work<'_>, at_us: i64) -> Fingerprint {
        let numbers: Vec<u8> = self.numbers().iter().flat_map(|number| sealed(*number)).collect();
        let parts: [&[u8]; 6] = [
            self.contact.as_bytes(),
            self.flag.as_str().as_bytes(),
            &at_us.to_le_bytes(),
            self.reason.as_str().as_bytes(),
            self.told_by.as_bytes(),
            &numbers,
        ];
        work.key.seal("consent_decision", &parts)
    }
}

impl Work<'_> {
    /// Adds a decision. Gives its number.
    pub(crate) fn add_decision(&mut self, new: &NewConsentDecision) -> Result<i64, StoreError> {
        let at_us = self.now_us();
        let numbers = new.numbers();
        let seal = new.seal(self, at_us);
        let mut statement = self.sql.prepare_cached(
            "INSERT INTO consent_decision (contact, flag, at_us, dynamics, campaign, modified_us,
               version, stamp_us, result, lead_us, offset_us, spread_us, documented, reason,
               told_by, request_ids, outcome, seal)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
               ?18)",
        )?;
        statement.raw_bind_parameter(1, new.contact.as_bytes().as_slice())?;
        statement.raw_bind_parameter(2, new.flag.as_str())?;
        statement.raw_bind_parameter(3, at_us)?;
        for (place, number) in numbers.iter().enumerate() {
            statement.raw_bind_parameter(place + 4, number)?;
        }
        statement.raw_bind_parameter(14, new.reason.as_str())?;
        statement.raw_bind_parameter(15, &new.told_by)?;
        statement.raw_bind_parameter(16, new.request_ids.join(" "))?;
        statement.raw_bind_parameter(17, new.outcome.as_str())?;
        statement.raw_bind_parameter(18, seal.as_slice())?;
        statement.raw_execute()?;
        Ok(self.sql.last_insert_rowid())
    }

    /// What came of a decision that was stored before it was sent.
    pub(crate) fn end_decision(
        &mut self,
        id: i64,
        outcome: Outcome,
        request_ids: &[String],
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "UPDATE consent_decision SET outcome = ?2, request_ids = ?3 WHERE id = ?1",
            )?
            .execute((id, outcome.as_str(), request_ids.join(" ")))?;
        Ok(())
    }

    /// Liftings of an opt-out that were stored and whose end is not known: they
    /// were carried out if both sides `hold` what they said.
    pub(crate) fn end_intended(
        &mut self,
        contact: RecordId,
        flag: &FieldName,
        hold: Option<bool>,
    ) -> Result<(), StoreError> {
        self.sql
            .prepare_cached(
                "UPDATE consent_decision
                 SET outcome = CASE WHEN result IS ?3 THEN 'done' ELSE 'dropped' END
                 WHERE contact = ?1 AND flag = ?2 AND outcome = 'intended'",
            )?
            .execute((contact.as_bytes().as_slice(), flag.as_str(), hold))?;
        Ok(())
    }

    /// Whether a decision rests on this.
    pub(super) fn has_decision(
        &self,
        contact: RecordId,
        flag: &FieldName,
        told_by: &str,
    ) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM consent_decision
                   WHERE contact = ?1 AND flag = ?2 AND told_by = ?3)",
            )?
            .query_row((contact.as_bytes().as_slice(), flag.as_str(), told_by), |row| row.get(0))?)
    }

    /// Whether such a one is left of a contact.
    pub(crate) fn has_intended(&self, contact: RecordId) -> Result<bool, StoreError> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM consent_decision
                   WHERE contact = ?1 AND outcome = 'intended')",
            )?
            .query_row([contact.as_bytes().as_slice()], |row| row.get(0))?)
    }

    /// The decisions about a contact, newest first; of one flag, if one is
    /// named.
    pub(crate) fn decisions_of(
        &self,
        contact: RecordId,
        flag: Option<&FieldName>,
        limit: usize,
    ) -> Result<Vec<ConsentDecision>, StoreError> {
        self.decisions_before(contact, flag, i64::MAX, limit)
    }

    /// The same, of those before the decision of this number.
    pub(crate) fn decisions_before(
        &self,
        contact: RecordId,
        flag: Option<&FieldName>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<ConsentDecision>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM consent_decision
             WHERE contact = ?1 AND (?2 IS NULL OR flag = ?2) AND id < ?3
             ORDER BY id DESC LIMIT ?4"
        );
        let mut statement = self.sql.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let flag = flag.map(FieldName::as_str);
        let mut rows = statement.query((contact.as_bytes().as_slice(), flag, before, limit))?;
        let mut decisions = Vec::new();
        while let Some(row) = rows.next()? {
            decisions.push(self.decision(row)?);
        }
        Ok(decisions)
    }

    /// Decisions about others that name this contact, because it was merged
    /// into them, no longer do. Gives their number.
    pub(crate) fn forget_in_decisions(&mut self, contact: RecordId) -> Result<u64, StoreError> {
        let id = contact.to_string();
        let naming: Vec<ConsentDecision> = {
            let mut statement = self.sql.prepare(&format!(
                "SELECT {COLUMNS} FROM consent_decision WHERE instr(told_by, ?1) > 0"
            ))?;
            let mut rows = statement.query([&id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(self.decision(row)?);
            }
            found
        };
        for decision in &naming {
            let told_by = decision.what.told_by.replace(&id, FORGOTTEN);
            let what = NewConsentDecision { told_by, ..decision.what.clone() };
            let seal = what.seal(self, decision.at.as_microsecond());
            self.sql.execute(
                "UPDATE consent_decision SET told_by = ?2, seal = ?3 WHERE id = ?1",
                (decision.id, &what.told_by, seal.as_slice()),
            )?;
        }
        Ok(naming.len() as u64)
    }

    fn decision(&self, row: &Row<'_>) -> Result<ConsentDecision, StoreError> {
        let corrupt =
            |what: &str| StoreError::Corrupt(format!("a row of `consent_decision`: {what}"));
        let number = |at| row.get::<_, Option<i64>>(at);
        let word = |at| row.get::<_, String>(at);
        let skew = match (number(12)?, number(13)?) {
            (Some(offset), Some(spread)) => Skew::Measured {
                offset: SignedDuration::from_micros(offset),
                spread: std::time::Duration::from_micros(u64::try_from(spread).unwrap_or(u64::MAX)),
            },
            (_, _) => Skew::Unknown,
        };
        let outcome = word(17)?;
        let what = NewConsentDecision {
            contact: record_id(&row.get::<_, Vec<u8>>(1)?)?,
            flag: FieldName::new(&word(2)?).map_err(|_| corrupt("its flag is not a name"))?,
            dynamics: DynamicsSide {
                opted_out: row.get(4)?,
                modified: time(number(6)?)?,
                version: number(7)?.map(RowVersion),
            },
            campaign: CampaignSide { opted_out: row.get(5)?, stamp: time(number(8)?)? },
            result: row.get(9)?,
            reason: Reason::parse(&word(10)?).ok_or_else(|| corrupt("an unknown reason"))?,
            lead: number(11)?.map(SignedDuration::from_micros),
            skew,
            documented: row.get(14)?,
            told_by: word(15)?,
            request_ids: word(16)?.split_whitespace().map(str::to_owned).collect(),
            outcome: Outcome::ALL
                .into_iter()
                .find(|known| known.as_str() == outcome)
                .ok_or_else(|| corrupt("an unknown outcome"))?,
        };
        let at_us: i64 = row.get(3)?;
        if what.seal(self, at_us).as_slice() != row.get::<_, Vec<u8>>(18)? {
            return Err(corrupt("it does not match its checksum"));
        }
        let at = time(Some(at_us))?.unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(ConsentDecision { id: row.get(0)?, at, what })
    }
}
