//! Change tracking ("Use change tracking to synchronize data with external
//! systems"): the first read, deltas, and the reads that repair gaps.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::dynamics::link::encode;
use crate::dynamics::rows::{LOOKUP_TABLE, Row, deleted, is_deletion, source_row};
use crate::dynamics::wire::{RowPage, garbled};
use crate::dynamics::{Failure, Outcome, Reader};
use crate::http::{Response, System};
use crate::model::{Change, Column, ColumnType, RecordId, SourceRow, TableSchema};

/// Most pages of a read of a few rows by their ids.
const MOST_PAGES: usize = 64;

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

/// Whether Dynamics says that it does not track the table's changes (Dynamics
/// sheet, 3.4): the metadata may say otherwise of an intersect table.
pub(crate) fn not_tracked(failure: &Failure) -> bool {
    matches!(failure.code.as_deref(), Some("0x80072491" | "0x80072492"))
}

impl Query {
    pub(super) fn select(&self) -> String {
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
        format!("odata.track-changes,{}", self.untracked())
    }

    fn untracked(&self) -> String {
        let size = format!("odata.maxpagesize={}", self.page_rows);
        match self.annotations() {
            Some(annotations) => format!("{size},{annotations}"),
            None => size,
        }
    }

    /// What tells apart the tables that a lookup may point to; asked for where
    /// there are several.
    fn annotations(&self) -> Option<String> {
        let several = |column: &Column| matches!(&column.kind, ColumnType::Lookup { targets } if targets.len() != 1);
        let wanted = self.columns.iter().any(several);
        wanted.then(|| format!("odata.include-annotations=\"{LOOKUP_TABLE}\""))
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
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.matching(query, &format!("modifiedon ge {since}"), next).await
    }

    /// Rows that fulfil a condition, without change tracking; `next` is a page
    /// within this read.
    pub(crate) async fn matching(
        &self,
        query: &Query,
        condition: &str,
        next: Option<&str>,
    ) -> Result<Page, Failure> {
        let link = match next {
            Some(next) => next.to_owned(),
            None => self.link(&format!(
                "{}?$select={}&$filter={}",
                query.table.entity_set,
                query.select(),
                encode(condition),
            ))?,
        };
        let response = self.follow(&link, &query.untracked()).await?;
        self.page(query, &response)
    }

    /// All rows as they are, without change tracking; `next` is a page within
    /// this read.
    pub(crate) async fn all_rows(
        &self,
        query: &Query,
        next: Option<&str>,
    ) -> Result<Page, Failure> {
        let link = match next {
            Some(next) => next.to_owned(),
            None => self.link(&format!("{}?$select={}", query.table.entity_set, query.select()))?,
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
        if query.table.intersect {
            return self.row_by_filter(query, id).await;
        }
        let path = format!("{}({id})?$select={}", query.table.entity_set, query.select());
        let asked = match query.annotations() {
            Some(annotations) => self.follow(&self.link(&path)?, &annotations).await,
            None => self.get(&path).await,
        };
        let response = match asked {
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

    /// The same for a table whose rows have no address of their own.
    async fn row_by_filter(
        &self,
        query: &Query,
        id: RecordId,
    ) -> Result<Option<SourceRow>, Failure> {
        let (set, key) = (&query.table.entity_set, &query.table.primary_id);
        let filter = encode(&format!("{key} eq {id}"));
        let link = self.link(&format!("{set}?$select={}&$filter={filter}", query.select()))?;
        let page = self.page(query, &self.follow(&link, &query.untracked()).await?)?;
        Ok(page.changes.into_iter().find_map(|change| match change {
            Change::Upsert(row) if row.id == id => Some(row),
            Change::Upsert(_) | Change::Delete(_) => None,
        }))
    }

    /// Those of `ids` (at most 50) that exist, as they are now.
    pub(crate) async fn rows(
        &self,
        query: &Query,
        ids: &[RecordId],
    ) -> Result<Vec<Change>, Failure> {
        self.among(query, &query.select(), ids).await
    }

    /// Which of `ids` (at most 50) exist now.
    pub(crate) async fn existing(
        &self,
        query: &Query,
        ids: &[RecordId],
    ) -> Result<HashSet<RecordId>, Failure> {
        let found = self.among(query, query.table.primary_id.as_str(), ids).await?;
        Ok(found.iter().map(Change::id).collect())
    }

    /// The rows of `ids` (at most 50) that exist, as they are now.
    pub(crate) async fn rows_of(
        &self,
        query: &Query,
        ids: &[RecordId],
    ) -> Result<Vec<SourceRow>, Failure> {
        let found = self.among(query, &query.select(), ids).await?;
        let rows = found.into_iter().filter_map(|change| match change {
            Change::Upsert(row) => Some(row),
            Change::Delete(_) => None,
        });
        Ok(rows.collect())
    }

    async fn among(
        &self,
        query: &Query,
        select: &str,
        ids: &[RecordId],
    ) -> Result<Vec<Change>, Failure> {
        let key = &query.table.primary_id;
        let tests: Vec<String> = ids.iter().map(|id| format!("{key} eq {id}")).collect();
        let path = format!(
            "{}?$select={select}&$filter={}",
            query.table.entity_set,
            encode(&tests.join(" or ")),
        );
        let mut next = Some(self.link(&path)?);
        let mut found = Vec::with_capacity(ids.len());
        // Fewer ids than a page holds are asked, yet a page may be cut short.
        for pages in 1.. {
            let Some(link) = next else { break };
            let response = self.follow(&link, &query.untracked()).await?;
            let page = self.page(query, &response)?;
            found.extend(page.changes);
            next = page.next;
            if pages == MOST_PAGES && next.is_some() {
                return Err(garbled(&response, "page after page follows for a few rows"));
            }
        }
        Ok(found)
    }

    pub(super) fn page(&self, query: &Query, response: &Response) -> Result<Page, Failure> {
        let page: RowPage<'_> = serde_json::from_slice(&response.body)
            .map_err(|_| garbled(response, "the answer is not a page of rows"))?;
        let mut changes = Vec::with_capacity(page.value.len());
        let names: Vec<String> = query.columns.iter().map(Column::wire_name).collect();
        for row in page.value.iter() {
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
