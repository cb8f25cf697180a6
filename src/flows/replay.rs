//! Rows that someone asked to send again, whatever Campaign was told: the
//! mirror's fingerprints are forgotten, so that each record is written once.

use std::collections::HashMap;
use std::time::Duration;

use crate::dynamics::{Outcome, Page, Query};
use crate::model::{Change, Flow, RecordId, TableName};
use crate::store::{Mirror, Purpose, Resync, ResyncPosition, Scope, StoreError, UNKNOWN, Work};

use super::commit::{Committed, decide_page};
use super::ingress::{Intake, IntakeError};
use super::page_watch::PageWatch;
use super::prepare::{Content, Prepared, Table};
use super::report::{Ended, Found};
use super::shape::digest;
use super::steps::{FULL_READS, link_refused, report_committed};

const FLOW: Flow = Flow::Ingress;

/// Records that are asked for in one request.
pub(super) const IDS: usize = 50;
const IDS_PER_PAGE: u32 = 50;

/// How long a record that is on its way is waited for before it is looked at
/// again.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// Rows of a page below which a page that is too large is not halved further.
const LEAST_ROWS: u32 = 100;

/// One replay on its way.
pub(super) struct Replay<'a> {
    intake: &'a Intake,
    table: &'a Table,
    request: Resync,
    pages: Pages,
    absent: u64,
    /// Whether the last records were partly on their way.
    busy: bool,
}

/// Reads of Dynamics by page, with what may go wrong between pages.
pub(super) struct Pages {
    page_rows: u32,
    /// Digest of the columns that are read.
    columns: String,
    restarts: u32,
    watch: PageWatch,
}

impl Pages {
    pub(super) fn new(table: &Table) -> Self {
        let names: Vec<&str> =
            table.query.columns.iter().map(|column| column.name.as_str()).collect();
        Self {
            page_rows: table.query.page_rows,
            columns: digest(&names.join(",")),
            restarts: 0,
            watch: PageWatch::default(),
        }
    }

    /// The position at a page that follows.
    pub(super) fn behind(&self, next: String) -> ResyncPosition {
        ResyncPosition::Read { next: Some(next), columns: self.columns.clone() }
    }

    pub(super) fn query(&self, table: &Table) -> Query {
        Query { page_rows: self.page_rows, ..(*table.query).clone() }
    }

    /// The next page of what a request is about, by its link and the columns
    /// that go with that; none if the link was not understood, or is one to
    /// other columns, and the read begins again.
    pub(super) async fn next(
        &mut self,
        intake: &Intake,
        table: &Table,
        scope: &Scope,
        (next, columns): (Option<&str>, &str),
    ) -> Result<Option<Page>, IntakeError> {
        if next.is_some() && columns != self.columns {
            return Ok(None);
        }
        loop {
            let query = self.query(table);
            let page = match scope {
                Scope::Since(since) => intake.dynamics.modified_since(&query, *since, next).await,
                Scope::All | Scope::Ids => intake.dynamics.all_rows(&query, next).await,
            };
            let page = match page {
                Err(failure)
                    if failure.outcome == Outcome::TooLarge && self.page_rows > LEAST_ROWS =>
                {
                    self.page_rows /= 2;
                    continue;
                }
                // A stored page link does not live for ever.
                Err(failure)
                    if link_refused(&failure) && next.is_some() && self.restarts < FULL_READS =>
                {
                    self.restarts += 1;
                    return Ok(None);
                }
                page => page?,
            };
            self.watch.rows(page.changes.len()).map_err(IntakeError::Table)?;
            if let Some(link) = &page.next {
                self.watch.link((0, self.restarts), link).map_err(IntakeError::Table)?;
            }
            return Ok(Some(page));
        }
    }
}

/// Whether the rows of a table can be asked for by the time of their change.
pub(super) fn refuse_since(table: &Table, scope: &Scope) -> Result<(), IntakeError> {
    let timed = table.query.table.columns.contains_key("modifiedon");
    if timed || !matches!(scope, Scope::Since(_)) {
        return Ok(());
    }
    Err(IntakeError::Table(
        "the table has no column modifiedon, so its rows cannot be found by the time of their change; ask for all of them, or by id".to_owned(),
    ))
}

/// The generation that a decision outside a read belongs to. Before the first
/// load it is older than every read, so that the load looks at the record too.
pub(super) fn generation(work: &Work<'_>, table: &Table) -> Result<i64, StoreError> {
    Ok(work.checkpoint(&table.name)?.map_or(0, |checkpoint| checkpoint.generation))
}

impl<'a> Replay<'a> {
    pub(super) fn new(intake: &'a Intake, table: &'a Table, request: Resync) -> Self {
        Self { intake, table, request, pages: Pages::new(table), absent: 0, busy: false }
    }

    pub(super) async fn run(mut self) -> Result<(), IntakeError> {
        let report = &self.intake.requests.report;
        report.begin(&self.request, &self.intake.clock);
        if let Err(error) = refuse_since(self.table, &self.request.scope) {
            // It never could be done; it must not stand in the way for ever.
            let id = self.request.id;
            self.intake.store.call(move |work| work.remove_resync(id)).await?;
            return Err(error);
        }
        loop {
            self.intake.backpressure().await?;
            let more = match self.request.position.clone() {
                ResyncPosition::Records => self.records().await?,
                ResyncPosition::Read { next, columns } => {
                    self.page((next.as_deref(), &columns)).await?
                }
                ResyncPosition::List { .. } | ResyncPosition::Sweep { .. } => false,
            };
            report.progress(&self.request, &self.intake.clock);
            if !more {
                break;
            }
        }
        let id = self.request.id;
        self.intake.store.call(move |work| work.remove_resync(id)).await?;
        report.end(Ended {
            table: self.table.name.clone(),
            purpose: Purpose::Replay,
            rows: self.request.done,
            absent: self.absent,
            nowhere: Vec::new(),
            found: Found::default(),
        });
        Ok(())
    }

    async fn page(&mut self, place: (Option<&str>, &str)) -> Result<bool, IntakeError> {
        let scope = self.request.scope.clone();
        let Some(page) = self.pages.next(self.intake, self.table, &scope, place).await? else {
            self.request.position = ResyncPosition::reading();
            self.request.done = 0;
            return Ok(true);
        };
        self.request.done += page.changes.len() as u64;
        self.request.position = match page.next {
            Some(next) => self.pages.behind(next),
            None => ResyncPosition::Records,
        };
        self.commit(&page.changes, Vec::new()).await?;
        Ok(true)
    }

    async fn records(&mut self) -> Result<bool, IntakeError> {
        if self.busy {
            self.intake.clock.sleep(BUSY_WAIT).await;
        }
        let id = self.request.id;
        let (name, waited) = (self.table.name.clone(), self.busy);
        let (listed, asked) = self
            .intake
            .store
            .call(move |work| {
                let mut asked = work.resync_records(id, IDS)?;
                let listed = asked.len();
                if waited {
                    // To look them up would be progress where there is none.
                    let mut free = Vec::with_capacity(listed);
                    for record in asked {
                        if !on_its_way(work, &name, record)? {
                            free.push(record);
                        }
                    }
                    asked = free;
                }
                Ok((listed, asked))
            })
            .await?;
        if asked.is_empty() {
            return Ok(listed > 0);
        }
        let changes = look_up(self.intake, &self.pages.query(self.table), &asked).await?;
        let held_up = asked.len() < listed;
        self.commit(&changes, asked).await?;
        self.busy |= held_up;
        Ok(true)
    }

    async fn commit(
        &mut self,
        changes: &[Change],
        asked: Vec<RecordId>,
    ) -> Result<(), IntakeError> {
        let key = self.intake.store.key();
        let prepared: Vec<Prepared> =
            changes.iter().map(|change| self.table.prepare(change, true, key)).collect();
        let (table, tally) = (self.table.clone(), self.intake.tally.clone());
        let mut request = self.request.clone();
        // Of a page only those come by id that were on their way: counted.
        let counts = request.scope == Scope::Ids;
        let (committed, busy, request, absent) = self
            .intake
            .store
            .call(move |work| {
                let (prepared, busy) = apart(work, &table, prepared)?;
                // Each once, when it is taken up.
                let gone = prepared.iter().filter(|it| matches!(it.content, Content::Deleted));
                let absent = if counts { gone.count() as u64 } else { 0 };
                request.done += if counts { prepared.len() as u64 } else { 0 };
                let committed = commit_replay(work, &table, &prepared)?;
                tally.add(committed.tally);
                work.resync_records_done(request.id, &asked)?;
                work.add_resync_records(request.id, &busy)?;
                work.set_resync(&request)?;
                Ok((committed, busy, request, absent))
            })
            .await?;
        self.request = request;
        self.absent += absent;
        report_committed(self.intake, self.table, committed);
        self.busy = !busy.is_empty();
        Ok(())
    }
}

/// Single records as they are now; those that are not there as deletions.
pub(super) async fn look_up(
    intake: &Intake,
    query: &Query,
    asked: &[RecordId],
) -> Result<Vec<Change>, IntakeError> {
    // One page shall hold them all.
    let query = Query { page_rows: query.page_rows.max(IDS_PER_PAGE), ..query.clone() };
    let mut rows: HashMap<RecordId, _> = intake
        .dynamics
        .rows_of(&query, asked)
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    let change = |id: &RecordId| rows.remove(id).map_or(Change::Delete(*id), Change::Upsert);
    Ok(asked.iter().map(change).collect())
}

fn on_its_way(work: &Work<'_>, table: &TableName, record: RecordId) -> Result<bool, StoreError> {
    Ok(work.pending(FLOW, table, record)?.is_some_and(|pending| pending.leased))
}

/// Sets aside the records that are on their way this moment: what was sent of
/// them is a part only, and its acknowledgement would count as all of it.
fn apart(
    work: &Work<'_>,
    table: &Table,
    page: Vec<Prepared>,
) -> Result<(Vec<Prepared>, Vec<RecordId>), StoreError> {
    let (mut free, mut busy) = (Vec::with_capacity(page.len()), Vec::new());
    for prepared in page {
        if on_its_way(work, &table.name, prepared.id)? {
            busy.push(prepared.id);
        } else {
            free.push(prepared);
        }
    }
    Ok((free, busy))
}

/// Decides a page as if Campaign had been told nothing of its records.
fn commit_replay(
    work: &mut Work<'_>,
    table: &Table,
    page: &[Prepared],
) -> Result<Committed, StoreError> {
    let generation = generation(work, table)?;
    let records = page.iter().filter(|it| matches!(it.content, Content::Record(_)));
    let mut doubtful = Vec::new();
    for prepared in records {
        if !forget(work, table, prepared.id)? {
            doubtful.push(prepared.id);
        }
    }
    let committed = decide_page(work, table, page, generation)?;
    for id in doubtful {
        work.mark_uncertain(FLOW, &table.name, id)?;
    }
    Ok(committed)
}

/// Forgets what Campaign was told of a record, but not that it has it. False
/// if nothing is known of it: then its key must be looked up before it is
/// created, because the listing of a first load may never have been read.
pub(super) fn forget(
    work: &mut Work<'_>,
    table: &Table,
    record: RecordId,
) -> Result<bool, StoreError> {
    let Some(mirror) = work.mirror(&table.name, record)? else { return Ok(false) };
    let fields = mirror.fields.keys().map(|name| (name.clone(), UNKNOWN)).collect();
    work.set_mirror(&table.name, record, &Mirror { fields, ..mirror })?;
    Ok(true)
}
