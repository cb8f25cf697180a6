//! Where the readings of the opt-out flow stand, and what is known of the
//! clocks.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use crate::model::consent::{SAMPLES, Sample, Witness};
use crate::store::{StoreError, Work};

/// Whose clock a sample is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockOf {
    /// Dynamics'.
    Dynamics,
    /// Campaign's.
    Campaign,
}

impl ClockOf {
    fn as_str(self) -> &'static str {
        match self {
            Self::Dynamics => "dynamics",
            Self::Campaign => "campaign",
        }
    }
}

/// A sample on its way into the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredSample {
    /// Whose clock.
    pub(crate) of: ClockOf,
    /// Whether it is the stamp of a write of ours.
    pub(crate) own: bool,
    /// The sample.
    pub(crate) sample: Sample,
}

impl Work<'_> {
    /// Where a reading stands: text of its own making.
    pub(crate) fn consent_cursor(&self, source: &str) -> Result<Option<String>, StoreError> {
        let row: Option<(String, Vec<u8>)> = self
            .sql
            .prepare_cached("SELECT position, seal FROM consent_cursor WHERE source = ?1")?
            .query_row([source], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((position, seal)) = row else { return Ok(None) };
        self.key.verify("consent_cursor", &[source.as_bytes(), position.as_bytes()], &seal)?;
        Ok(Some(position))
    }

    /// Stores it, in the transaction of what it stands for.
    pub(crate) fn set_consent_cursor(
        &mut self,
        source: &str,
        position: &str,
    ) -> Result<(), StoreError> {
        let seal = self.key.seal("consent_cursor", &[source.as_bytes(), position.as_bytes()]);
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO consent_cursor (source, position, updated_us, seal)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((source, position, self.now_us(), seal.as_slice()))?;
        Ok(())
    }

    /// Forgets where a reading stands: it begins anew.
    pub(crate) fn clear_consent_cursor(&mut self, source: &str) -> Result<(), StoreError> {
        self.sql
            .prepare_cached("DELETE FROM consent_cursor WHERE source = ?1")?
            .execute([source])?;
        Ok(())
    }

    /// Adds a sample and forgets those that are too old to count.
    pub(crate) fn add_clock_sample(&mut self, new: &StoredSample) -> Result<(), StoreError> {
        let Sample { stamp, sent, received, witness } = new.sample;
        let of = new.of.as_str();
        self.sql
            .prepare_cached(
                "INSERT INTO clock_sample (system, own, stamp_us, sent_us, received_us, millis)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                of,
                new.own,
                stamp.as_microsecond(),
                sent.as_microsecond(),
                received.as_microsecond(),
                witness == Witness::Millis,
            ))?;
        self.sql
            .prepare_cached(
                "DELETE FROM clock_sample WHERE system = ?1 AND own = ?2 AND id <= (
                   SELECT id FROM clock_sample WHERE system = ?1 AND own = ?2
                   ORDER BY id DESC LIMIT 1 OFFSET ?3)",
            )?
            .execute((of, new.own, i64::try_from(SAMPLES).unwrap_or(i64::MAX)))?;
        Ok(())
    }

    /// The samples of a clock, oldest first: those of our own writes, or those
    /// of answers.
    pub(crate) fn clock_samples(&self, of: ClockOf, own: bool) -> Result<Vec<Sample>, StoreError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT stamp_us, sent_us, received_us, millis FROM clock_sample
             WHERE system = ?1 AND own = ?2 ORDER BY id",
        )?;
        let mut rows = statement.query((of.as_str(), own))?;
        let mut samples = Vec::new();
        while let Some(row) = rows.next()? {
            let at = |place| -> Result<Timestamp, StoreError> {
                Timestamp::from_microsecond(row.get(place)?)
                    .map_err(|_| StoreError::Corrupt("a clock sample is out of range".into()))
            };
            let witness = if row.get(3)? { Witness::Millis } else { Witness::Seconds };
            samples.push(Sample { stamp: at(0)?, sent: at(1)?, received: at(2)?, witness });
        }
        Ok(samples)
    }
}
