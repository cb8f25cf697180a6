//! Both sides of a table compared, in steps that can be interrupted: Campaign
//! is listed, Dynamics is read page by page against the listing, and what the
//! listing has beyond that is looked for. Whatever looks different is put on a
//! list; `mend` asks both systems again for each record of it and judges.

use std::collections::{BTreeMap, BTreeSet};

use crate::campaign::{Failure, Finder, Listed, ListingPage};
use crate::model::{Change, FieldName, Flow, RecordId, TableName, TargetValue};
use crate::store::{
    Fingerprint, Purpose, Resync, ResyncPosition, Scope, SealKey, StoreError, Work,
};

use crate::telemetry::ListingRestarted;

use super::ingress::{Intake, IntakeError};
use super::inventory::{canonical_key, fingerprints, key_hash};
use super::judge::{LINKED, differing};
use super::links::follow;
use super::page_watch::PageWatch;
use super::prepare::{Content, Prepared, Table};
use super::replay::{Pages, refuse_since};
use super::report::{Ended, Found};
use super::steps::{FULL_READS, link_refused};

/// Records of the listing that a sweep puts on the list in one transaction.
const SWEEP_RECORDS: usize = 500;

/// What ends a slice: too few calls are left for one record.
const LEAST_CALLS: u64 = 2;

/// One comparison on its way.
pub(super) struct Comparison<'a> {
    pub(super) intake: &'a Intake,
    pub(super) table: Table,
    pub(super) finder: &'a Finder,
    pub(super) request: Resync,
    pub(super) pages: Pages,
    /// Whether what differs is mended.
    pub(super) repair: bool,
    /// Requests that may still be made; none, if there is no limit.
    pub(super) budget: Option<u64>,
    /// Requests made.
    pub(super) calls: u64,
    pub(super) found: Found,
    pub(super) absent: u64,
    /// Records that were asked for by id and that nobody knows.
    pub(super) nowhere: Vec<RecordId>,
    /// Rows taken up by this run.
    pub(super) rows: u64,
    restarts: u32,
    /// Of the listing's pages.
    watch: PageWatch,
}

/// A row of Dynamics on its way through the comparison with the listing.
struct Row {
    key: Option<String>,
    prepared: Prepared,
}

/// What a comparison needs: the pass, the table, a way to look records up.
type Context<'a> = (&'a Intake, &'a Table, &'a Finder);

impl<'a> Comparison<'a> {
    pub(super) fn new((intake, table, finder): Context<'a>, request: Resync, repair: bool) -> Self {
        // A parent that nobody knows of by now is missing.
        let parents: BTreeSet<TableName> =
            table.mapping.links().iter().map(|link| link.table.clone()).collect();
        Self {
            intake,
            table: table.with_read(&parents),
            finder,
            request,
            pages: Pages::new(table),
            repair,
            budget: None,
            calls: 0,
            found: Found::default(),
            absent: 0,
            nowhere: Vec::new(),
            rows: 0,
            restarts: 0,
            watch: PageWatch::default(),
        }
    }

    /// Runs to the end, and forgets the request.
    pub(super) async fn run(mut self) -> Result<Found, IntakeError> {
        let report = &self.intake.requests.report;
        report.begin(&self.request, &self.intake.clock);
        if let Err(error) = refuse_since(&self.table, &self.request.scope) {
            // It never could be done; it must not stand in the way for ever.
            self.forget().await?;
            return Err(error);
        }
        loop {
            self.intake.requests.others.go_first().await;
            if !self.step().await? {
                break;
            }
            self.intake.backpressure().await?;
            report.progress(&self.request, &self.intake.clock);
        }
        self.forget().await?;
        report.end(Ended {
            table: self.table.name.clone(),
            purpose: self.request.purpose,
            rows: self.request.done,
            absent: self.absent,
            nowhere: std::mem::take(&mut self.nowhere),
            found: self.found,
        });
        Ok(self.found)
    }

    pub(super) async fn forget(&self) -> Result<(), StoreError> {
        forget(self.intake, self.request.id).await
    }

    /// Whether the next step may be begun.
    pub(super) fn affordable(&self) -> bool {
        self.budget.is_none_or(|budget| budget >= self.calls + LEAST_CALLS)
    }

    /// One step; false if there is none left.
    pub(super) async fn step(&mut self) -> Result<bool, IntakeError> {
        // The list first: so it stays short.
        if self.judge_records().await? {
            return Ok(true);
        }
        match self.request.position.clone() {
            ResyncPosition::List { next, restarts } => self.list(next.as_deref(), restarts).await?,
            ResyncPosition::Read { next, columns } => {
                self.read(next.as_deref(), &columns).await?;
            }
            ResyncPosition::Sweep { after } => self.sweep(after).await?,
            ResyncPosition::Records => return Ok(false),
        }
        Ok(true)
    }

    /// A page of Campaign's listing.
    async fn list(&mut self, next: Option<&str>, restarts: u32) -> Result<(), IntakeError> {
        if next.is_none() {
            let id = self.request.id;
            while self.intake.store.call(move |work| work.shed_listed(id)).await? {}
        }
        let fields: Vec<FieldName> = self.table.field_names();
        let (resource, key) = (&self.table.resource, &self.table.key);
        self.calls += 1;
        let page = match self.intake.campaign.listing(resource, key, &fields, next).await {
            // A page link that Campaign gave once need not lead on for ever.
            Err(failure)
                if next.is_some() && self.restarts < FULL_READS && stale_link(&failure) =>
            {
                self.restarts += 1;
                return self.list_again(restarts + 1).await;
            }
            page => page?,
        };
        self.request.position = match &page.next {
            Some(next) => {
                self.watch.rows(page.records.len()).map_err(IntakeError::Table)?;
                self.watch.link((0, self.restarts), next).map_err(IntakeError::Table)?;
                ResyncPosition::List { next: Some(next.clone()), restarts }
            }
            None => ResyncPosition::reading(),
        };
        let (request, table) = (self.request.clone(), self.table.clone());
        self.intake.store.call(move |work| commit_listing(work, &table, &request, &page)).await?;
        Ok(())
    }

    /// The listing begins again; `restarts` times by now.
    async fn list_again(&mut self, restarts: u32) -> Result<(), IntakeError> {
        ListingRestarted {
            table: self.table.name.clone(),
            purpose: self.request.purpose.as_str(),
            restarts: u64::from(restarts),
        }
        .emit();
        self.request.position = ResyncPosition::List { next: None, restarts };
        let request = self.request.clone();
        Ok(self.intake.store.call(move |work| work.set_resync(&request)).await?)
    }

    /// A page of Dynamics against the listing.
    async fn read(&mut self, next: Option<&str>, columns: &str) -> Result<(), IntakeError> {
        let scope = self.request.scope.clone();
        let place = (next, columns);
        self.calls += 1;
        let Some(page) = self.pages.next(self.intake, &self.table, &scope, place).await? else {
            self.request.position = ResyncPosition::reading();
            self.request.done = 0;
            return Ok(());
        };
        let key = self.intake.store.key();
        let rows: Vec<Row> = page.changes.iter().map(|change| self.row(change, key)).collect();
        if scope == Scope::All {
            self.taken(rows.len());
        }
        self.request.position = match page.next {
            Some(next) => self.pages.behind(next),
            None if scope == Scope::All => ResyncPosition::Sweep { after: None },
            None => ResyncPosition::Records,
        };
        let (request, table) = (self.request.clone(), self.table.clone());
        let found =
            self.intake.store.call(move |work| commit_rows(work, &table, &request, &rows)).await?;
        self.found.add(found);
        Ok(())
    }

    pub(super) fn taken(&mut self, rows: usize) {
        self.request.done += rows as u64;
        self.rows += rows as u64;
    }

    fn row(&self, change: &Change, key: &SealKey) -> Row {
        let prepared = self.table.prepare(change, false, key);
        let key = match change {
            // A row that cannot be mapped may have a key all the same.
            Change::Upsert(row) => self.table.mapping.key(row).ok(),
            Change::Delete(_) => None,
        };
        Row { key, prepared }
    }

    /// What the listing has beyond the rows that were read goes on the list.
    async fn sweep(&mut self, after: Option<u64>) -> Result<(), IntakeError> {
        let mut request = self.request.clone();
        let position = self
            .intake
            .store
            .call(move |work| {
                let unmatched = work.unmatched(request.id, after, SWEEP_RECORDS)?;
                let ids: Vec<RecordId> = unmatched.iter().map(|(_, id)| *id).collect();
                request.position = match unmatched.last() {
                    Some((hash, _)) => ResyncPosition::Sweep { after: Some(*hash) },
                    None => ResyncPosition::Records,
                };
                work.add_resync_records(request.id, &ids)?;
                work.set_resync(&request)?;
                Ok(request.position)
            })
            .await?;
        self.request.position = position;
        Ok(())
    }
}

/// Forgets a request. What was listed for it goes bit by bit: it may be much,
/// and others wait for the store. Interrupted, the request is taken up again
/// and ends here once more.
pub(super) async fn forget(intake: &Intake, id: i64) -> Result<(), StoreError> {
    while intake.store.call(move |work| work.shed_listed(id)).await? {}
    intake.store.call(move |work| work.remove_resync(id)).await
}

fn stale_link(failure: &Failure) -> bool {
    // Campaign answers client mistakes with 500 too.
    link_refused(failure) || failure.status == Some(500)
}

/// Whose a listed key must be: the id it spells, where keys are ids, or whom
/// the mirror knows by it. Of others nobody can say that they are ours.
fn owner(work: &Work<'_>, table: &Table, key: &str) -> Result<Option<RecordId>, StoreError> {
    if let Ok(id) = RecordId::parse(key)
        && table.mapping.key_of_id(id).is_some()
    {
        return Ok(Some(id));
    }
    work.record_of_key(&table.name, &canonical_key(key))
}

/// Fingerprints of what Campaign shows, with links as far as they can be
/// compared.
pub(super) fn shown(
    key: &SealKey,
    table: &Table,
    listed: &Listed,
) -> BTreeMap<String, Fingerprint> {
    let mut fields = fingerprints(key, table, listed);
    for link in table.mapping.links() {
        let set = if link.by_key() {
            listed.fields.get(&link.name).is_some_and(|value| *value != TargetValue::Empty)
        } else {
            listed.set_links.contains(&link.name)
        };
        if set {
            fields.insert(link.name.to_string(), LINKED);
        } else if listed.absent_links.contains(&link.name) {
            fields.insert(link.name.to_string(), table.unset(link, key).fingerprint);
        }
    }
    fields
}

fn commit_listing(
    work: &mut Work<'_>,
    table: &Table,
    request: &Resync,
    page: &ListingPage,
) -> Result<(), StoreError> {
    for listed in &page.records {
        let Some(key) = &listed.key else { continue };
        let hash = key_hash(work.key(), key);
        let owner = owner(work, table, key)?;
        let fields = shown(work.key(), table, listed);
        work.add_listed(request.id, hash, owner, &fields)?;
    }
    work.set_resync(request)
}

/// Puts the rows that do not look like the listing on the list.
fn commit_rows(
    work: &mut Work<'_>,
    table: &Table,
    request: &Resync,
    rows: &[Row],
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut suspects = Vec::new();
    for row in rows {
        let listed = match &row.key {
            Some(key) if request.scope == Scope::All => {
                let hash = key_hash(work.key(), key);
                work.match_listed(request.id, hash)?
            }
            Some(_) | None => None,
        };
        let (prepared, _) = follow(work, table, &row.prepared)?;
        let suspect = match (&prepared.content, &listed) {
            _ if request.scope != Scope::All => true,
            (Content::Record(payload), Some(listed)) => {
                listed.copies > 1 || !differing(payload, &listed.fields).is_empty()
            }
            (Content::Record(_), None) | (Content::FilteredOut(_), Some(_)) => true,
            (Content::FilteredOut(_), None) | (Content::Deleted, _) => false,
            (Content::Failed(_), _) => {
                found.unmappable += 1;
                false
            }
        };
        if !suspect {
            continue;
        }
        let kept = matches!(prepared.content, Content::FilteredOut(_))
            && request.scope == Scope::All
            && !table.deletions.filtered_out;
        if kept {
            found.kept += 1;
        } else if work.pending(Flow::Ingress, &table.name, prepared.id)?.is_some() {
            found.pending += 1;
        } else {
            suspects.push(prepared.id);
        }
    }
    work.add_resync_records(request.id, &suspects)?;
    work.set_resync(request)?;
    Ok(found)
}

/// Whether a request is a comparison whose rows are counted when they are
/// read, and not when they are judged.
pub(super) fn counted_by_page(request: &Resync) -> bool {
    request.scope == Scope::All && request.purpose != Purpose::Replay
}
