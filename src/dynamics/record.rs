//! One row as it is now, and columns of it written only if nobody changed it
//! since ("Perform conditional operations using the Web API").

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::dynamics::rows::{Row, source_row};
use crate::dynamics::wire::garbled;
use crate::dynamics::{Failure, Outcome, Query, Reader};
use crate::http::{Request, Response};
use crate::model::consent::Sample;
use crate::model::{Column, ColumnName, RecordId, RowVersion, SourceRow};

/// An answer about one row.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The row; none if it is not there, or if nobody tells how a write left
    /// it.
    pub(crate) row: Option<SourceRow>,
    /// Whether its version is that of our write: not where somebody was faster
    /// than the read behind it.
    pub(crate) ours: bool,
    /// The vendor's id of the exchange.
    pub(crate) request_id: Option<String>,
}

/// Writes single rows. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RecordWriter {
    reader: Reader,
    /// Our user's id; empty where it cannot be read.
    me: Arc<OnceCell<String>>,
}

/// Who changed a row last, as a read shows it.
const CHANGED_BY: &str = "_modifiedby_value";

impl RecordWriter {
    /// What Dynamics' clock showed in its newest answers.
    pub(crate) fn clock_samples(&self) -> Vec<Sample> {
        let dates = self.reader.client().dates().into_iter();
        dates.map(|it| Sample::of_date(it.date, it.sent, it.received)).collect()
    }

    /// One row as it is now, with the id of the exchange: what a write of it
    /// rests on.
    pub(crate) async fn fresh_row(&self, query: &Query, id: RecordId) -> Result<Told, Failure> {
        let path = format!("{}({id})?$select={}", query.table.entity_set, query.select());
        match self.reader.get(&path).await {
            Ok(response) => told(query, &response, |_| false),
            Err(failure) if failure.outcome == Outcome::Missing => {
                Ok(Told { row: None, ours: false, request_id: failure.request_id })
            }
            Err(failure) => Err(failure),
        }
    }
}

impl RecordWriter {
    /// A writer over the reader's connection.
    pub(crate) fn new(reader: &Reader) -> Self {
        Self { reader: reader.clone(), me: Arc::default() }
    }

    /// Sets boolean columns of a row that is still in `version`; whatever it
    /// is, where none is known: the rule then only sets opt-outs. Gives the row
    /// as the write left it.
    ///
    /// # Errors
    /// `VersionConflict` if the row has changed, `Missing` if it is gone.
    pub(crate) async fn set(
        &self,
        query: &Query,
        id: RecordId,
        version: Option<RowVersion>,
        values: &[(ColumnName, bool)],
    ) -> Result<Told, Failure> {
        let path = format!("{}({id})?$select={}", query.table.entity_set, query.select());
        let body: serde_json::Map<String, serde_json::Value> =
            values.iter().map(|(column, value)| (column.to_string(), (*value).into())).collect();
        let tag = match version {
            Some(RowVersion(version)) => format!("W/\"{version}\""),
            None => "*".to_owned(),
        };
        let request = Request::patch(
            self.reader.url(&path)?,
            serde_json::Value::Object(body).to_string().into_bytes(),
        )
        .header("if-match", tag)
        .header("prefer", "return=representation");
        let response = self.reader.client().send(request).await?;
        if response.body.trim_ascii().is_empty() {
            let request_id = response.request_id;
            let row = self.left_behind(query, id).await;
            let nobody = || Told { row: None, ours: false, request_id: None };
            return Ok(Told { request_id, ..row.unwrap_or_else(nobody) });
        }
        told(query, &response, |_| true)
    }

    /// The row behind a write whose answer did not bring it. It is as we left
    /// it only if we are the last who changed it. None where that cannot be
    /// read: the write then counts as another's, and lifts nothing.
    async fn left_behind(&self, query: &Query, id: RecordId) -> Option<Told> {
        let me = self.me.get_or_init(async || {
            self.reader.who_am_i().await.map(|me| me.user_id).unwrap_or_default()
        });
        let me = me.await;
        let path =
            format!("{}({id})?$select={},{CHANGED_BY}", query.table.entity_set, query.select());
        let response = self.reader.get(&path).await.ok()?;
        let ours = |row: &Row<'_>| {
            let by =
                row.get(CHANGED_BY).and_then(|raw| serde_json::from_str::<&str>(raw.get()).ok());
            by.is_some_and(|by| !me.is_empty() && by.eq_ignore_ascii_case(me))
        };
        told(query, &response, ours).ok()
    }
}

fn told(
    query: &Query,
    response: &Response,
    ours: impl Fn(&Row<'_>) -> bool,
) -> Result<Told, Failure> {
    let row: Row<'_> = serde_json::from_slice(&response.body)
        .map_err(|_| garbled(response, "the answer is not one row"))?;
    let ours = ours(&row);
    let names: Vec<String> = query.columns.iter().map(Column::wire_name).collect();
    let row = source_row(&row, &query.table, &query.columns, &names)
        .ok_or_else(|| garbled(response, "the row has no readable primary id"))?;
    Ok(Told { row: Some(row), ours, request_id: response.request_id.clone() })
}
