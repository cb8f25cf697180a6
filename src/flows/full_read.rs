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
const CATCH_UP_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Since when, by its own clock, a source is asked what changed during a full read
/// that began at `started`: earlier if its clock, which shows `date` now, was set back
/// since. `elapsed` is how long the read took by ours, where that is known.
pub(super) fn catch_up_since(
    started: Timestamp,
    date: Option<Timestamp>,
    elapsed: Option<SignedDuration>,
) -> Timestamp {
    let then = date.zip(elapsed).and_then(|(date, elapsed)| stood_at(date, elapsed));
    let since = [date, then].into_iter().flatten().fold(started, Timestamp::min);
    since.checked_sub(CATCH_UP_MARGIN).unwrap_or(since)
}

/// Where a clock that shows `date` now stood, by that, when so much less had passed:
/// earlier than it seemed then if it was set back.
pub(super) fn stood_at(date: Timestamp, elapsed: SignedDuration) -> Option<Timestamp> {
    date.checked_sub(elapsed.max(SignedDuration::ZERO)).ok()
}

/// A full read that finds nothing is an alarm from this many known records on.
const EMPTY_ALARM: u64 = 10;

impl TableRun<'_> {
    pub(super) async fn full_read(&mut self, checkpoint: &Checkpoint) -> Result<Next, IntakeError> {
        let Position::FullRead { next, started, began, pages, rows, initial } =
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
        let now = self.intake.clock.now();
        let started = if pages == 0 { page.date.unwrap_or(started) } else { started };
        let began = if pages == 0 { Some(now) } else { began };
        let pages = pages + 1;
        let seen = rows + live_rows(&page);
        let position = match (&page.next, &page.delta) {
            (Some(next), _) => {
                let next = Some(next.clone());
                Position::FullRead { next, started, began, pages, rows: seen, initial }
            }
            (None, Some(delta)) => {
                if let Some(alarm) = self.empty_alarm(checkpoint, seen).await? {
                    return Err(alarm);
                }
                let elapsed = began.map(|began| now.duration_since(began));
                let since = catch_up_since(started, page.date, elapsed);
                self.after_full_read(delta, &page, since, pages, seen, initial)
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
        since: Timestamp,
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
            let since = dated.then_some(since);
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
                began: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_clock_that_was_set_back_shows_by_how_far_it_should_have_come() {
        let span = SignedDuration::from_secs;
        assert_eq!(stood_at(at(300), span(300)), Some(at(0)));
        assert_eq!(stood_at(at(-3300), span(300)), Some(at(-3600)));
        // Ours was set back: nothing is known of the time between.
        assert_eq!(stood_at(at(300), span(-900)), Some(at(300)));
    }

    #[test]
    fn what_changed_during_a_read_is_asked_for_by_the_clock_that_stamped_it() {
        let span = SignedDuration::from_secs;
        for (date, elapsed, expected) in [
            (Some(60), Some(60), 0),
            (Some(5000), Some(60), 0),
            (Some(-1740), Some(60), -1800),
            (Some(-100), Some(-900), -100),
            (Some(-100), None, -100),
            (None, Some(60), 0),
        ] {
            let since = catch_up_since(at(0), date.map(at), elapsed.map(span));
            assert_eq!(since, at(expected - 300), "{date:?} {elapsed:?}");
        }
    }
}
