//! Fuzz targets of this layer: lists of records, metadata, the journal and its
//! links.
#![allow(clippy::panic, clippy::unwrap_used, reason = "what fails here is what is looked for")]

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::journal::{Journal, MAX_LINK_BYTES, MAX_QUIET, links as links_of};
use super::metadata::{filter_list, schema};
use super::reader::Reader;
use super::value::{Clearing, decode, encode};
use super::wire::{ResourceReply, Written, parse};
use super::writer::confirmed;
use crate::fuzz::head_and_body;
use crate::http::{Origin, System, fuzz as http};
use crate::model::{
    ApiRoot, Field, FieldName, FieldType, ResourceName, ResourceSchema, TargetValue,
};

static READER: LazyLock<Reader> = LazyLock::new(|| {
    let (client, origin) = http::client(System::Campaign, "https://mc.adobe.io/tenant/");
    Reader::new(client, origin)
});

static JOURNAL: LazyLock<(Journal, Origin)> = LazyLock::new(|| {
    let (client, origin) = http::client(System::Journal, "https://events.adobe.test/");
    (Journal::new(client, origin.clone(), "/events/organizations/1/integrations/2/3"), origin)
});

static SCHEMA: LazyLock<ResourceSchema> = LazyLock::new(|| {
    let fields = [
        ("externalId", FieldType::Text { max_length: Some(50) }),
        ("gender", FieldType::Enumeration(Vec::new())),
        ("age", FieldType::Integer { bits: 32 }),
        ("score", FieldType::Double),
        ("blackList", FieldType::Boolean),
        ("birthDate", FieldType::Date),
        ("lastModified", FieldType::DateTime),
        ("orgUnit", FieldType::Link { target: None }),
        ("subscriptions", FieldType::Collection),
    ];
    let fields = fields.map(|(text, kind)| {
        let name = FieldName::new(text).unwrap();
        (name.clone(), Field { name, kind, read_only: false, sortable: true })
    });
    ResourceSchema {
        name: ResourceName::new("profile").unwrap(),
        root: ApiRoot::ProfileAndServicesExt,
        fields: fields.into(),
    }
});

/// A list of records: one for each that came, values that are written as they
/// were read, addresses that lead back here.
pub(crate) fn page(data: &[u8]) {
    let response = http::response(200, b"", data);
    let fields: Vec<FieldName> = SCHEMA.fields.keys().cloned().collect();
    let key = FieldName::new("externalId").unwrap();
    let page = match READER.listing_page(&SCHEMA, &key, &fields, &response) {
        Ok(page) => page,
        Err(failure) => return http::silent(&failure),
    };
    if let Ok(whole) = serde_json::from_slice::<Json>(data) {
        let records = whole.get("content").and_then(Json::as_array).map_or(0, Vec::len);
        assert_eq!(records, page.records.len());
    }
    let hrefs = page.records.iter().filter_map(|record| record.href.as_ref());
    for link in page.next.iter().chain(hrefs) {
        assert_eq!(READER.storable(link).as_ref(), Ok(link));
        assert!(link.starts_with("/tenant"), "{link:?}");
    }
    for record in &page.records {
        assert!(record.key.as_ref().is_none_or(|key| !key.is_empty()));
        // An address that is built of a key is one below the resource.
        if let Ok(Some(path)) = READER.address(&SCHEMA, None, record.pkey.as_deref()) {
            let below = path.strip_prefix("/tenant/campaign/profileAndServicesExt/profile/");
            assert!(below.is_some_and(|it| !it.is_empty() && !it.contains(['/', '?'])), "{path}");
        }
        for (name, value) in &record.fields {
            written_as_read(value, &SCHEMA.fields.get(name).unwrap().kind);
        }
        let absent = record.absent_links.iter();
        assert!(record.set_links.iter().chain(absent).all(|name| name.as_str() == "orgUnit"));
    }
}

fn written_as_read(value: &TargetValue, kind: &FieldType) {
    // A link is written by its target's address. Of these only `null` is read.
    if matches!(kind, FieldType::Link { .. } | FieldType::Collection | FieldType::Other(_)) {
        assert_eq!(*value, TargetValue::Empty);
        return;
    }
    // Years before 0 are read, and written in a form that is not.
    if matches!(value, TargetValue::Instant(it) if it.as_second() < -62_167_219_200) {
        return;
    }
    for clearing in [Clearing::EmptyText, Clearing::Null] {
        let raw = encode(value, clearing);
        let again = decode(&raw, kind).unwrap_or_else(|| panic!("{value:?} is written as {raw}"));
        // Campaign keeps milliseconds.
        match (&again, value) {
            (TargetValue::Instant(again), TargetValue::Instant(value)) => {
                assert!(again.duration_since(*value).abs().as_micros() < 1000);
            }
            // What is no boolean is kept as it stands.
            (_, TargetValue::Text(text)) if *kind == FieldType::Boolean => {
                assert!(again == *value || text.trim() != text, "{value:?} as {again:?}");
            }
            _ => assert_eq!(again, *value),
        }
        assert_eq!(encode(&again, clearing).get(), raw.get());
    }
}

/// Metadata: field names that keep to the pattern; an answer to a write.
pub(crate) fn metadata(data: &[u8]) {
    let response = http::response(200, b"", data);
    let name = ResourceName::new("profile").unwrap();
    match parse::<ResourceReply>(&response) {
        Ok(reply) => {
            let schema = schema(&name, ApiRoot::CustomResources, &reply);
            assert!(schema.fields.len() <= reply.content.len());
            for (name, field) in &schema.fields {
                assert_eq!(*name, field.name);
                assert_eq!(FieldName::new(name.as_str()).as_ref(), Ok(name));
                if let FieldType::Enumeration(values) = &field.kind {
                    assert!(!values.is_empty() && values.iter().all(|it| !it.name.is_empty()));
                }
                if let FieldType::Text { max_length } = field.kind {
                    assert_ne!(max_length, Some(0));
                }
            }
        }
        Err(failure) => http::fit(&failure),
    }
    if let Ok(whole) = serde_json::from_slice::<Json>(data) {
        for filter in filter_list(whole) {
            assert!(!filter.name.contains(['/', '?']));
            assert!(filter.parameters.iter().all(|it| !it.is_empty() && !it.contains(['&', '='])));
        }
    }
    if let Err(failure) = parse::<Written>(&response) {
        http::fit(&failure);
    }
    if let Err(failure) = confirmed(response) {
        http::fit(&failure);
    }
}

/// A page of the journal: the input is a status, header lines, an empty line,
/// the body.
pub(crate) fn journal(data: &[u8]) {
    let (head, body) = head_and_body(data);
    let status = if head.starts_with(b"204") { 204 } else { 200 };
    let (journal, origin) = &*JOURNAL;
    let page = match journal.told(&http::response(status, head, body)) {
        Ok(page) => page,
        Err(failure) => return http::silent(&failure),
    };
    if let Some(next) = &page.next {
        let url = origin.own(next).unwrap();
        assert_eq!(url.path_and_query(), next, "what is stored is what is asked");
    }
    if let Some(last) = &page.last {
        assert!(last.len() <= MAX_LINK_BYTES);
        // Whatever the position holds, it stays one parameter of our own path.
        let since = origin.own(&journal.since(last)).unwrap();
        let (path, query) = since.path_and_query().split_once('?').unwrap();
        assert_eq!(path, journal.start());
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        assert_eq!(pairs, [("since".into(), last.as_str().into())]);
    }
    assert!(page.quiet.is_none_or(|quiet| quiet <= MAX_QUIET));
    assert!(page.quiet.is_none() || page.events.is_empty());
    if let Ok(whole) = serde_json::from_slice::<Json>(body)
        && status == 200
    {
        assert_eq!(
            whole.get("events").and_then(Json::as_array).map_or(0, Vec::len),
            page.events.len()
        );
    }
}

/// `Link` headers: targets in order, each found again when they are written.
pub(crate) fn links(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else { return };
    let found = links_of(header);
    assert!(found.len() <= header.matches('<').count());
    let mut rest = header;
    for link in &found {
        let at = rest.find(link.target).unwrap_or_else(|| panic!("{link:?} is not in {rest:?}"));
        rest = &rest[at + link.target.len()..];
        assert!(!link.target.contains('>'));
        let _ = link.is("next");
    }
    let written: Vec<String> = found
        .iter()
        .enumerate()
        .map(|(number, link)| {
            format!("<{}>; title=\"a, <b>; \\\"\"; rel=\"x r{number}\"", link.target)
        })
        .collect();
    let written = written.join(", ");
    let again = links_of(&written);
    assert_eq!(again.len(), found.len(), "{written:?}");
    for (number, (again, link)) in again.iter().zip(&found).enumerate() {
        assert_eq!(again.target, link.target);
        assert!(again.is(&format!("R{number}")) && !again.is("next"), "{written:?}");
    }
}
