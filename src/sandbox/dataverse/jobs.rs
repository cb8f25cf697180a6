//! Work that the server does behind the request: `BulkDelete` (Dynamics sheet 5.5
//! and 10.3).
//!
//! Owns: reading its query and the row of `asyncoperations` that tells the end.
//! The work itself is done at once.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::{Refusal, query, refuse};
use super::privileges::{self, Verb};
use super::store::Db;
use super::write::{self, Actor, Body};
use super::{Surroundings, api};
use crate::sandbox::wire::{Call, Reply};

/// `POST BulkDelete`
pub(crate) fn bulk_delete(
    db: &mut Db,
    call: &Call,
    around: &Surroundings<'_>,
    actor: Actor,
) -> Result<Reply, Refusal> {
    let body: Value = serde_json::from_slice(&call.body).map_err(|error| {
        query(format!("Microsoft.OData.ODataException: The JSON body cannot be read: {error}"))
    })?;
    for member in ["JobName", "QuerySet", "SendEmailNotification", "RecurrencePattern"] {
        if body.get(member).is_none() {
            return Err(refuse(
                400,
                "0x80040203",
                format!("Required field '{member}' is missing."),
            ));
        }
    }
    let mut removed = 0;
    for question in body.get("QuerySet").and_then(Value::as_array).into_iter().flatten() {
        let (table, ids) = wanted(db, question)?;
        privileges::require(db, &table, Verb::Delete)?;
        removed += ids.into_iter().filter(|id| db.remove(&table, *id)).count();
    }
    let job = finished(db, around, actor, &format!("{removed} rows"))?;
    let context = format!("{}/$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse", api(call));
    let body = json!({"@odata.context": context, "JobId": job.to_string()});
    Ok(Reply::new(StatusCode::OK, "application/json; odata.metadata=minimal", body.to_string()))
}

/// The rows that a query expression names: `In` or `Equal` on the primary id.
fn wanted(db: &Db, question: &Value) -> Result<(String, Vec<Uuid>), Refusal> {
    let name = question.get("EntityName").and_then(Value::as_str).unwrap_or_default();
    let data = db.table(name).ok_or_else(|| {
        refuse(
            400,
            "0x80041102",
            format!("The entity with a name = '{name}' was not found in the MetadataCache."),
        )
    })?;
    let conditions = question
        .get("Criteria")
        .and_then(|criteria| criteria.get("Conditions"))
        .and_then(Value::as_array);
    let [condition] = conditions.map(Vec::as_slice).unwrap_or_default() else {
        return Err(refuse(501, "0x80060888", "Only one condition is part of this sandbox."));
    };
    let is = |member: &str, values: &[&str]| {
        condition.get(member).and_then(Value::as_str).is_some_and(|given| values.contains(&given))
    };
    if !is("AttributeName", &[&data.def.id]) || !is("Operator", &["In", "Equal"]) {
        return Err(refuse(501, "0x80060888", "Only ids are part of this sandbox."));
    }
    let values = condition.get("Values").and_then(Value::as_array);
    let id = |value: &Value| {
        let text = value.get("Value").unwrap_or(value).as_str()?;
        Uuid::try_parse(text).ok()
    };
    let ids: Option<Vec<Uuid>> = values.into_iter().flatten().map(id).collect();
    Ok((name.to_owned(), ids.ok_or_else(|| query("A value is not a GUID."))?))
}

/// The row of a job that has succeeded: state 3, status 30.
fn finished(
    db: &mut Db,
    around: &Surroundings<'_>,
    actor: Actor,
    message: &str,
) -> Result<Uuid, Refusal> {
    let row = json!({"statecode": 3, "statuscode": 30, "message": message}).to_string();
    let row: Body = write::body("asyncoperations", row.as_bytes())?;
    let system = Actor { person: true, ..actor };
    write::create(db, "asyncoperation", None, &row, system, around.clock.guid())
}
