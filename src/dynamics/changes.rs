//! Change tracking ("Use change tracking to synchronize data with external
//! systems"): the first read, deltas, and the reads that repair gaps.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::dynamics::link::encode;
use crate::dynamics::rows::{Row, deleted, is_deletion, source_row};
use crate::dynamics::wire::{RowPage, garbled};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::{Response, System};
use crate::model::{Change, Column, RecordId, SourceRow, TableSchema};

/// What is read of a table.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The table.
    pub(crate) table: TableSchema,
    /// The columns that are selected; the primary id comes by itself.
    pub(crate) columns: Vec<Column>,
    /// Rows per page asked for; Dataverse gives at most 5000.
    pub(crate) page_rows: u32,
}

/// One page of a read.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Its items, in order.
    pub(crate) changes: Vec<Change>,
    /// Path and query of the next page.
    pub(crate) next: Option<String>,
    /// Path and query of the delta link; on the last page of a tracked read.
    pub(crate) delta: Option<String>,
    /// The server's clock when it answered.
    pub(crate) date: Option<Timestamp>,
}

impl Query {
    fn select(&self) -> String {
        let mut names: Vec<String> = vec![self.table.primary_id.to_string()];
        for column in &self.columns {
            let name = column.wire_name();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(",")
    }

    /// The preference of tracked pages; not stored in links, so it is repeated
    /// on each of them.
    fn tracked(&self) -> String {
        format!("odata.track-changes,odata.maxpagesize={}", self.page_rows)
    }

    fn untracked(&self) -> String {
        format!("odata.maxpagesize={}", self.page_rows)
    }
}

impl Reader {
    /// The first page of a full read with change tracking.
    pub(crate) async fn full_read(&self, query: &Query) -> Result<Page, Failure> {
        let path = format!("{}?$select={}", query.table.entity_set, query.select());
        let link = self.link(&path)?;
        self.tracked_page(query, &link).await
    }

    /// A further page of a tracked read, or a delta: the link verbatim.
    pub(crate) async fn tracked_page(&self, query: &Query, link: &str) -> Result<Page, Failure> {
        let response = self.follow(link, &query.tracked()).await?;
        self.page(query, &response)
    }

    /// Rows modified since `since`, without change tracking; `next` is a page
    /// within this read.
    pub(crate) async fn modified_since(
        &self,
        query: &Query,
        since: Timestamp,
        next: Option<&str>,
    ) -> Result<Page, Failure> {
        let link = match next {
            Some(next) => next.to_owned(),
            None => {
                let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                self.link(&format!(
                    "{}?$select={}&$filter={}",
                    query.table.entity_set,
                    query.select(),
                    encode(&format!("modifiedon ge {since}")),
                ))?
            }
        };
        let response = self.follow(&link, &query.untracked()).await?;
        self.page(query, &response)
    }

    /// A page of the ids of all rows, without change tracking; `next` is a page
    /// within this read.
    pub(crate) async fn ids(&self, query: &Query, next: Option<&str>) -> Result<Page, Failure> {
        let link = match next {
            Some(next) => next.to_owned(),
            None => {
                let (set, key) = (&query.table.entity_set, &query.table.primary_id);
                self.link(&format!("{set}?$select={key}"))?
            }
        };
        let response = self.follow(&link, &query.untracked()).await?;
        self.page(query, &response)
    }

    /// One row as it is now; none if it is not there.
    pub(crate) async fn row(
        &self,
        query: &Query,
        id: RecordId,
    ) -> Result<Option<SourceRow>, Failure> {
        let path = format!("{}({id})?$select={}", query.table.entity_set, query.select());
        let response = match self.get(&path).await {
            Ok(response) => response,
            Err(failure) if failure.outcome == Outcome::Missing => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let row = serde_json::from_slice(&response.body)
            .map_err(|_| garbled(&response, "the answer is not one row"))?;
        let names: Vec<String> = query.columns.iter().map(Column::wire_name).collect();
        source_row(&row, &query.table, &query.columns, &names)
            .map(Some)
            .ok_or_else(|| garbled(&response, "the row has no readable primary id"))
    }

    /// Those of `ids` (at most 50) that exist, as they are now.
    pub(crate) async fn rows(
        &self,
        query: &Query,
        ids: &[RecordId],
    ) -> Result<Vec<Change>, Failure> {
        let key = &query.table.primary_id;
        let tests: Vec<String> = ids.iter().map(|id| format!("{key} eq {id}")).collect();
        let path = format!(
            "{}?$select={}&$filter={}",
            query.table.entity_set,
            query.select(),
            encode(&tests.join(" or ")),
        );
        let mut next = Some(self.link(&path)?);
        let mut found = Vec::with_capacity(ids.len());
        while let Some(link) = next {
            let response = self.follow(&link, &query.untracked()).await?;
            let page = self.page(query, &response)?;
            found.extend(page.changes);
            next = page.next;
        }
        Ok(found)
    }

    /// Which of `ids` (at most 50) exist now.
    pub(crate) async fn existing(
        &self,
        query: &Query,
        ids: &[RecordId],
    ) -> Result<HashSet<RecordId>, Failure> {
        let key = &query.table.primary_id;
        let tests: Vec<String> = ids.iter().map(|id| format!("{key} eq {id}")).collect();
        let path = format!(
            "{}?$select={key}&$filter={}",
            query.table.entity_set,
            encode(&tests.join(" or ")),
        );
        let link = self.link(&path)?;
        let response = self.follow(&link, &query.untracked()).await?;
        let mut page = self.page(query, &response)?;
        let mut found: HashSet<RecordId> = page.changes.iter().map(Change::id).collect();
        // Fewer ids than a page holds are asked, yet a page may be cut short.
        while let Some(next) = page.next {
            let response = self.follow(&next, &query.untracked()).await?;
            page = self.page(query, &response)?;
            found.extend(page.changes.iter().map(Change::id));
        }
        Ok(found)
    }

    fn page(&self, query: &Query, response: &Response) -> Result<Page, Failure> {
        let page: RowPage<'_> = serde_json::from_slice(&response.body)
            .map_err(|_| garbled(response, "the answer is not a page of rows"))?;
        let mut changes = Vec::with_capacity(page.value.len());
        let names: Vec<String> = query.columns.iter().map(Column::wire_name).collect();
        for row in page.value {
            let row: Row<'_> = serde_json::from_str(row.get())
                .map_err(|_| garbled(response, "the answer is not a page of rows"))?;
            let change = if is_deletion(&row) {
                deleted(&row).map(Change::Delete)
            } else {
                source_row(&row, &query.table, &query.columns, &names).map(Change::Upsert)
            };
            changes.push(
                change.ok_or_else(|| garbled(response, "an item has no readable primary id"))?,
            );
        }
        let storable = |link: Option<String>| link.map(|link| self.storable(&link)).transpose();
        let (next, delta) = (storable(page.next)?, storable(page.delta)?);
        if let Some(next) = &next
            && delta.is_some()
        {
            return Err(Failure::new(
                System::Dynamics,
                Outcome::Garbled,
                &format!("a page has a next link and a delta link ({} bytes)", next.len()),
            ));
        }
        Ok(Page { changes, next, delta, date: response.date })
    }
}
