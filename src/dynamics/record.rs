//! One row as it is now, and columns of it written only if nobody changed it
//! since ("Perform conditional operations using the Web API").

use crate::dynamics::rows::{Row, source_row};
use crate::dynamics::wire::garbled;
use crate::dynamics::{Failure, Outcome, Query, Reader};
use crate::http::{Request, Response};
use crate::model::consent::Sample;
use crate::model::{Column, ColumnName, RecordId, RowVersion, SourceRow};

/// An answer about one row.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The row; none if it is not there, or if the answer to a write did not
    /// bring it.
    pub(crate) row: Option<SourceRow>,
    /// The vendor's id of the exchange.
    pub(crate) request_id: Option<String>,
}

/// Writes single rows. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RecordWriter(Reader);

impl RecordWriter {
    /// What Dynamics' clock showed in its newest answers.
    pub(crate) fn clock_samples(&self) -> Vec<Sample> {
        let dates = self.0.client().dates().into_iter();
        dates.map(|it| Sample::of_date(it.date, it.sent, it.received)).collect()
    }

    /// One row as it is now, with the id of the exchange: what a write of it
    /// rests on.
    pub(crate) async fn fresh_row(&self, query: &Query, id: RecordId) -> Result<Told, Failure> {
        let path = format!("{}({id})?$select={}", query.table.entity_set, query.select());
        match self.0.get(&path).await {
            Ok(response) => told(query, &response),
            Err(failure) if failure.outcome == Outcome::Missing => {
                Ok(Told { row: None, request_id: failure.request_id })
            }
            Err(failure) => Err(failure),
        }
    }
}

impl RecordWriter {
    /// A writer over the reader's connection.
    pub(crate) fn new(reader: &Reader) -> Self {
        Self(reader.clone())
    }

    /// Sets boolean columns of a row that is still in `version`; whatever it
    /// is, where none is known. Gives the row as the write left it.
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
            self.0.url(&path)?,
            serde_json::Value::Object(body).to_string().into_bytes(),
        )
        .header("if-match", tag)
        .header("prefer", "return=representation");
        let response = self.0.client().send(request).await?;
        if response.body.trim_ascii().is_empty() {
            return Ok(Told { row: None, request_id: response.request_id });
        }
        told(query, &response)
    }
}

fn told(query: &Query, response: &Response) -> Result<Told, Failure> {
    let row: Row<'_> = serde_json::from_slice(&response.body)
        .map_err(|_| garbled(response, "the answer is not one row"))?;
    let names: Vec<String> = query.columns.iter().map(Column::wire_name).collect();
    let row = source_row(&row, &query.table, &query.columns, &names)
        .ok_or_else(|| garbled(response, "the row has no readable primary id"))?;
    Ok(Told { row: Some(row), request_id: response.request_id.clone() })
}
