//! All rows of a table, page by page, with what a long read may have missed.

use jiff::{SignedDuration, Timestamp};

use crate::dynamics::Page;
use crate::model::{Change, Flow};
use crate::store::{Checkpoint, Held, Position};
use crate::telemetry::{LoadFinished, ReadEmpty};

use super::ingress::IntakeError;
use super::steps::{FULL_READS, Next, TableRun, link_refused};

const FLOW: Flow = Flow::Ingress;

/// How far before the start of a full read the catch-up looks, for clocks that
/// disagree and writes that commit late.
pub(super) const CATCH_UP_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A full read that finds nothing is an alarm from this many known records on.
const EMPTY_ALARM: u64 = 10;

impl TableRun<'_> {
    pub(super) async fn full_read(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::FullRead { next, started, pages, rows, initial } =
            checkpoint.position.clone()
        else {
            return Ok(Next::Done);
        };
        let query = self.query();
        let page = match &next {
            None => self.intake.dynamics.full_read(&query).await?,
            Some(next) => match self.intake.dynamics.tracked_page(&query, next).await {
                Err(failure) if link_refused(&failure) => {
                    // A stored page link does not live for ever: begin again.
                    return self
                        .begin_full_read(checkpoint, initial, "cursor-expired")
                        .await
                        .map(Next::Go);
                }
                page => page?,
            },
        };
        let started = if pages == 0 { page.date.unwrap_or(started) } else { started };
        let pages = pages + 1;
        let seen = rows + live_rows(&page);
        let position = match (&page.next, &page.delta) {
            (Some(next), _) => {
                Position::FullRead { next: Some(next.clone()), started, pages, rows: seen, initial }
            }
            (None, Some(delta)) => {
                if let Some(alarm) = self.empty_alarm(checkpoint, seen).await? {
                    return Err(alarm);
                }
                self.after_full_read(delta, &page, started, pages, seen, initial)
            }
            (None, None) => {
                return Err(IntakeError::Table(
                    "Dynamics ended the read without a delta link, so changes could not be followed; is change tracking on for this table?".into(),
                ));
            }
        };
        let next = Checkpoint { position, ..checkpoint.clone() };
        self.commit(&page.changes, initial, &next).await?;
        Ok(Next::Go(next))
    }

    fn after_full_read(
        &self,
        delta: &str,
        page: &Page,
        started: Timestamp,
        pages: u64,
        rows: u64,
        initial: bool,
    ) -> Position {
        LoadFinished { flow: FLOW, table: self.table.name.clone(), rows, pages }.emit();
        let obtained = page.date.unwrap_or_else(|| self.intake.clock.now());
        let delta = delta.to_owned();
        // The token stands for the moment of the last page; rows of earlier
        // pages may have changed in between. A table that does not say when a
        // row was changed (intersect tables, sheet 9.4) is read once more.
        let dated = self.table.query.table.columns.contains_key("modifiedon");
        if pages == 1 {
            Position::Sweep { delta, obtained, rows, compare: false }
        } else {
            let since = dated.then(|| started.checked_sub(CATCH_UP_MARGIN).unwrap_or(started));
            Position::CatchUp { next: None, since, delta, obtained, initial, rows }
        }
    }

    /// A read of nothing where much was: an alarm, not a success.
    pub(super) async fn empty_alarm(
        &self,
        checkpoint: &Checkpoint,
        rows: u64,
    ) -> Result<Option<IntakeError>, IntakeError> {
        let name = self.table.name.clone();
        let restart = Checkpoint {
            position: Position::FullRead {
                next: None,
                started: self.intake.clock.now(),
                pages: 0,
                rows: 0,
                initial: false,
            },
            ..checkpoint.clone()
        };
        let mapped = self
            .intake
            .store
            .call(move |work| {
                let mapped = work.mapped_records(&name)?;
                let approved = work.empty_read(&name)? == Some(Held::Approved);
                if rows > 0 || mapped < EMPTY_ALARM || approved {
                    work.set_empty_read(&name, None)?;
                    return Ok(None);
                }
                work.set_empty_read(&name, Some(Held::Held))?;
                work.set_checkpoint(&name, &restart)?;
                Ok(Some(mapped))
            })
            .await?;
        let Some(mapped) = mapped else { return Ok(None) };
        ReadEmpty { flow: FLOW, table: self.table.name.clone(), mapped }.emit();
        Ok(Some(IntakeError::Held))
    }

    pub(super) async fn catch_up(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::CatchUp { next, since, delta, obtained, initial, rows } =
            checkpoint.position.clone()
        else {
            return Ok(Next::Done);
        };
        let query = self.query();
        let (dynamics, from) = (&self.intake.dynamics, next.as_deref());
        let page = match since {
            Some(since) => dynamics.modified_since(&query, since, from).await,
            None => dynamics.all_rows(&query, from).await,
        };
        let page = match page {
            // A stored page link does not live for ever: begin again.
            Err(failure)
                if link_refused(&failure) && next.is_some() && self.full_reads < FULL_READS =>
            {
                self.full_reads += 1;
                let position =
                    Position::CatchUp { next: None, since, delta, obtained, initial, rows };
                return Ok(Next::Go(Checkpoint { position, ..checkpoint.clone() }));
            }
            page => page?,
        };
        let position = match &page.next {
            Some(next) => Position::CatchUp {
                next: Some(next.clone()),
                since,
                delta,
                obtained,
                initial,
                rows,
            },
            None => Position::Presence { next: None, delta, obtained, rows },
        };
        let next = Checkpoint { position, ..checkpoint.clone() };
        self.commit(&page.changes, initial, &next).await?;
        Ok(Next::Go(next))
    }
}

pub(super) fn live_rows(page: &Page) -> u64 {
    page.changes.iter().filter(|change| matches!(change, Change::Upsert(_))).count() as u64
}
