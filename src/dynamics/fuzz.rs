//! Fuzz targets of this layer: pages of rows, answers to a batch, metadata.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use serde_json::{Map, Value as Json};

use super::batch_reply::read;
use super::changes::{Page, Query};
use super::definition::Definition;
use super::keys::KeyReply;
use super::metadata::column;
use super::privileges::HeldReply;
use super::reader::Reader;
use super::wire::{
    AttributeReply, CastReply, EntityReply, List, RelatedReply, TotalsReply, WhoAmIReply, parse,
};
use crate::fuzz::{first_line, quiet};
use crate::http::{System, classify, fuzz as http};
use crate::model::{
    Change, Choices, Column, ColumnName, ColumnType, DateTimeBehavior, TableName, TableSchema,
    Value,
};

const ORIGIN: &str = "https://org.crm4.dynamics.com/";

static READER: LazyLock<Reader> = LazyLock::new(|| {
    let (client, origin) = http::client(System::Dynamics, ORIGIN);
    Reader::new(client, origin)
});

static QUERY: LazyLock<Query> = LazyLock::new(|| {
    let name = |text| ColumnName::new(text).unwrap();
    let columns = [
        ("firstname", ColumnType::Text { max_length: Some(50) }),
        ("numberofchildren", ColumnType::Integer),
        ("creditlimit", ColumnType::Decimal),
        ("address1_latitude", ColumnType::Double),
        ("donotbulkemail", ColumnType::Boolean(Choices::default())),
        ("gendercode", ColumnType::Choice(Choices::default())),
        ("new_hobbies", ColumnType::MultiChoice(Choices::default())),
        ("modifiedon", ColumnType::DateTime(DateTimeBehavior::UserLocal)),
        ("birthdate", ColumnType::DateTime(DateTimeBehavior::DateOnly)),
        ("new_wall", ColumnType::DateTime(DateTimeBehavior::TimeZoneIndependent)),
        ("new_guid", ColumnType::Guid),
        ("parentcustomerid", ColumnType::Lookup { targets: vec!["account".into()] }),
        ("new_file", ColumnType::Other("File".into())),
    ];
    let columns = columns.map(|(text, kind)| Column { name: name(text), kind, readable: true });
    let table = TableSchema {
        name: TableName::contact(),
        entity_set: "contacts".into(),
        primary_id: name("contactid"),
        primary_name: None,
        change_tracking: true,
        change_tracking_possible: true,
        intersect: false,
        columns: columns.iter().cloned().map(|it| (it.name.clone(), it)).collect(),
    };
    Query { table, columns: columns.to_vec(), page_rows: 5000 }
});

/// A page of rows or changes: one item for each that came, values of the
/// columns' types only, links that lead back here.
pub(crate) fn page(data: &[u8]) {
    let response = http::response(200, b"Date: Sat, 21 Nov 2026 10:00:00 GMT", data);
    let page = match READER.page(&QUERY, &response) {
        Ok(page) => page,
        Err(failure) => return http::silent(&failure),
    };
    let Page { changes, next, delta, .. } = &page;
    assert!(next.is_none() || delta.is_none());
    for link in [next, delta].into_iter().flatten() {
        assert_eq!(READER.storable(link).as_ref(), Ok(link));
    }
    // An independent reading, where it reads so much depth.
    if let Ok(Json::Object(whole)) = serde_json::from_slice(data) {
        let items = whole.get("value").and_then(Json::as_array).map_or(0, Vec::len);
        assert_eq!(items, changes.len());
        assert_eq!(whole.get("@odata.nextLink").is_some_and(Json::is_string), next.is_some());
    }
    for change in changes {
        let Change::Upsert(row) = change else { continue };
        for (name, value) in &row.columns {
            let column = QUERY.table.columns.get(name).unwrap();
            assert!(of_type(value, &column.kind), "{name}: {value:?}");
        }
        assert!(row.points_to.keys().all(|name| name.as_str() == "parentcustomerid"));
    }
}

fn of_type(value: &Value, kind: &ColumnType) -> bool {
    match value {
        Value::Null | Value::Unreadable(_) => true,
        Value::Bool(_) => matches!(kind, ColumnType::Boolean(_)),
        Value::Integer(_) => matches!(kind, ColumnType::Integer),
        Value::Decimal(_) => matches!(kind, ColumnType::Decimal),
        Value::Double(number) => matches!(kind, ColumnType::Double) && number.is_finite(),
        Value::Text(_) => matches!(kind, ColumnType::Text { .. }),
        Value::Choice(_) => matches!(kind, ColumnType::Choice(_)),
        Value::MultiChoice(_) => matches!(kind, ColumnType::MultiChoice(_)),
        Value::Instant(_) => matches!(kind, ColumnType::DateTime(DateTimeBehavior::UserLocal)),
        Value::Date(_) => matches!(kind, ColumnType::DateTime(DateTimeBehavior::DateOnly)),
        Value::Civil(_) => {
            matches!(kind, ColumnType::DateTime(DateTimeBehavior::TimeZoneIndependent))
        }
        Value::Guid(_) => matches!(kind, ColumnType::Guid | ColumnType::Lookup { .. }),
    }
}

/// The answer to a batch. The input is a line with the number of writes and the
/// content type, then the body; the same bytes are also sent as the bodies of a
/// well-formed answer, which must give them back.
pub(crate) fn batch_reply(data: &[u8]) {
    let (first, body) = first_line(data);
    let first = String::from_utf8_lossy(first);
    let (sent, content_type) = first.split_once(' ').unwrap_or(("3", &first));
    let sent = sent.parse::<u8>().map_or(3, usize::from);
    match read(Some(content_type), body, sent) {
        Ok(parts) => {
            assert!(parts.len() <= sent);
            assert!(parts.iter().map(|part| part.body.len()).sum::<usize>() <= body.len());
            let stopped = parts.last().is_some_and(|last| !(200..300).contains(&last.status));
            assert!(parts.len() == sent || stopped);
            for part in &parts {
                assert!((200..600).contains(&part.status));
                let _ = part.row();
                let failure = classify(System::Dynamics, part.status, &part.headers, part.body);
                failure.iter().for_each(http::fit);
            }
        }
        Err(told) => quiet(&told),
    }
    well_formed(body);
}

/// Every part comes back once, in order, as it was.
fn well_formed(data: &[u8]) {
    const BOUNDARY: &str = "batchresponse_4a9c";
    let bodies: Vec<&[u8]> = data.split(|byte| *byte == b'|').take(40).collect();
    if data.windows(BOUNDARY.len()).any(|found| found == BOUNDARY.as_bytes()) {
        return;
    }
    let mut whole = Vec::new();
    for (number, body) in bodies.iter().enumerate() {
        let status = [200, 204, 404, 412][number % 4];
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status} x\r\nN: {number}\r\n\r\n"
        );
        whole.extend_from_slice(head.as_bytes());
        whole.extend_from_slice(body);
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/mixed; boundary={BOUNDARY}");
    let parts = read(Some(&kind), &whole, bodies.len()).unwrap();
    assert_eq!(parts.len(), bodies.len());
    for (number, (part, body)) in parts.iter().zip(&bodies).enumerate() {
        assert_eq!(part.body, *body);
        assert_eq!(part.headers.get("n").unwrap().to_str().unwrap(), number.to_string());
    }
    let fewer = bodies.len() - 1;
    assert!(read(Some(&kind), &whole, fewer).is_err(), "one part more than was sent");
}

/// Metadata: names that keep to the pattern, each option once, and errors that
/// name a place.
pub(crate) fn metadata(data: &[u8]) {
    let response = http::response(200, b"", data);
    let attributes = parse::<List<AttributeReply>>(&response);
    let casts = parse::<List<CastReply>>(&response);
    for failure in [attributes.as_ref().err(), casts.as_ref().err()].into_iter().flatten() {
        http::fit(failure);
    }
    let casts: HashMap<String, CastReply> = casts
        .map(|list| list.value.into_iter().map(|cast| (cast.logical_name.clone(), cast)).collect())
        .unwrap_or_default();
    for attribute in attributes.map(|list| list.value).unwrap_or_default() {
        let Some(column) = column(&attribute, &casts) else { continue };
        assert_eq!(ColumnName::new(&attribute.logical_name).as_ref(), Ok(&column.name));
        if let ColumnType::Boolean(all) | ColumnType::Choice(all) | ColumnType::MultiChoice(all) =
            &column.kind
        {
            let values: BTreeSet<i64> = all.0.iter().map(|choice| choice.value).collect();
            assert_eq!(values.len(), all.0.len());
        }
    }
    let failures = [
        parse::<List<EntityReply>>(&response).err(),
        parse::<RelatedReply>(&response).err(),
        parse::<TotalsReply>(&response).err(),
        parse::<WhoAmIReply>(&response).err(),
        parse::<List<KeyReply>>(&response).err(),
        parse::<HeldReply>(&response).err(),
    ];
    failures.iter().flatten().for_each(http::fit);
    if let Ok(members) = serde_json::from_slice::<Map<String, Json>>(data)
        && let Ok(definition) = Definition::read(&TableName::contact(), members.clone())
    {
        let request = definition.track_changes();
        let body = request.body.as_object().unwrap();
        assert!(members.iter().all(|(name, value)| {
            name.contains("@odata.")
                || name.starts_with("ChangeTracking")
                || name == "HasChanged"
                || body.get(name) == Some(value)
        }));
    }
}
