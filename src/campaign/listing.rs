//! Reading all records of a resource, page by page ("Pagination"): only the
//! `next` of the answer leads on, and it comes for certain only when paging is
//! forced.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::campaign::value::decode;
use crate::campaign::wire::{ListReply, Record, garbled};
use crate::campaign::writer::segment;
use crate::campaign::{Failure, Reader};
use crate::http::Response;
use crate::model::{FieldName, FieldType, ResourceSchema, TargetValue};

/// Records per page: more is not documented to work.
const PAGE_RECORDS: u32 = 1000;

/// One record of a list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Its key, if it has one.
    pub(crate) key: Option<String>,
    /// Path of the record, for use in this process's life only.
    pub(crate) href: Option<String>,
    /// Its `PKey`, as a link to it is written; for this process's life only.
    pub(crate) pkey: Option<String>,
    /// The values of the fields that were asked for and could be read.
    pub(crate) fields: BTreeMap<FieldName, TargetValue>,
    /// Links among the fields that are set; where they lead cannot be read.
    pub(crate) set_links: Vec<FieldName>,
    /// Links among them that the answer leaves out: Campaign may do so with
    /// those that are unset.
    pub(crate) absent_links: Vec<FieldName>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub(crate) struct ListingPage {
    /// Its records.
    pub(crate) records: Vec<Listed>,
    /// Path and query of the next page.
    pub(crate) next: Option<String>,
    /// What Campaign's clock showed when it answered.
    pub(crate) date: Option<Timestamp>,
}

impl Reader {
    /// A page of all records of a resource; the first, if `next` is none.
    pub(crate) async fn listing(
        &self,
        schema: &ResourceSchema,
        key: &FieldName,
        fields: &[FieldName],
        next: Option<&str>,
    ) -> Result<ListingPage, Failure> {
        let response = match next {
            Some(next) => self.follow(next).await?,
            None => {
                let sortable = schema.fields.get(key).is_some_and(|field| field.sortable);
                let order = if sortable { format!("&_order={key}") } else { String::new() };
                self.get(&format!(
                    "{}/{}?_lineCount={PAGE_RECORDS}&_forcePagination=true{order}",
                    schema.root.as_str(),
                    schema.name,
                ))
                .await?
            }
        };
        self.listing_page(schema, key, fields, &response)
    }

    pub(super) fn listing_page(
        &self,
        schema: &ResourceSchema,
        key: &FieldName,
        fields: &[FieldName],
        response: &Response,
    ) -> Result<ListingPage, Failure> {
        let wrong = |_| garbled(response, "the answer is not a list of records");
        let list: ListReply<'_> = serde_json::from_slice(&response.body).map_err(wrong)?;
        let mut records = Vec::with_capacity(list.content.len());
        for record in list.content.iter() {
            let record: Record<'_> = serde_json::from_str(record.get()).map_err(wrong)?;
            records.push(self.listed(&record, schema, key, fields, response)?);
        }
        let next = list.next.map(|next| self.storable(&next.href)).transpose()?;
        Ok(ListingPage { records, next, date: response.date })
    }

    /// The same for the records that a filter finds, changed since a time.
    pub(crate) async fn filtered(
        &self,
        schema: &ResourceSchema,
        key: &FieldName,
        fields: &[FieldName],
        filter: Option<(&str, &str, Timestamp)>,
        next: Option<&str>,
    ) -> Result<ListingPage, Failure> {
        let (None, Some((filter, parameter, since))) = (next, filter) else {
            return self.listing(schema, key, fields, next).await;
        };
        let since = since.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let path = format!(
            "{}/{}/{filter}?{}={}&_lineCount={PAGE_RECORDS}&_forcePagination=true",
            schema.root.as_str(),
            schema.name,
            segment(parameter),
            segment(&since),
        );
        self.listing_page(schema, key, fields, &self.get(&path).await?)
    }

    pub(super) fn listed(
        &self,
        record: &Record<'_>,
        schema: &ResourceSchema,
        key: &FieldName,
        fields: &[FieldName],
        response: &Response,
    ) -> Result<Listed, Failure> {
        let (mut values, mut set_links) = (BTreeMap::new(), Vec::new());
        let mut absent_links = Vec::new();
        for name in fields {
            let Some(field) = schema.fields.get(name) else { continue };
            let Some(raw) = record.get(name.as_str()) else {
                if matches!(field.kind, FieldType::Link { .. }) {
                    absent_links.push(name.clone());
                }
                continue;
            };
            if let Some(value) = decode(raw, &field.kind) {
                values.insert(name.clone(), value);
            } else if matches!(field.kind, FieldType::Link { .. }) && raw.get().starts_with('{') {
                set_links.push(name.clone());
            }
        }
        let pkey = text_of(record, "PKey").filter(|pkey| !pkey.is_empty());
        Ok(Listed {
            key: record.get(key.as_str()).and_then(|raw| key_text(raw)),
            href: self.href_of(record, pkey.as_deref(), schema, response)?,
            pkey,
            fields: values,
            set_links,
            absent_links,
        })
    }

    /// Where the record is: its own link, or else built from its `PKey`.
    fn href_of(
        &self,
        record: &Record<'_>,
        pkey: Option<&str>,
        schema: &ResourceSchema,
        response: &Response,
    ) -> Result<Option<String>, Failure> {
        let href = text_of(record, "href");
        self.address(schema, href.as_deref(), pkey)
            .map_err(|failure| Failure { request_id: response.request_id.clone(), ..failure })
    }

    pub(super) fn address(
        &self,
        schema: &ResourceSchema,
        href: Option<&str>,
        pkey: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        if let Some(href) = href.filter(|href| !href.is_empty()) {
            return self.storable(href).map(Some);
        }
        let Some(pkey) = pkey.filter(|pkey| !pkey.is_empty()) else { return Ok(None) };
        let path = format!("campaign/{}/{}/{}", schema.root.as_str(), schema.name, segment(pkey));
        let url = self.origin.own(&path).map_err(|e| super::reader::foreign(&e.to_string()))?;
        Ok(Some(url.path_and_query().to_owned()))
    }
}

fn text_of(record: &Record<'_>, name: &str) -> Option<String> {
    record.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok())
}

/// A key as text, whatever the field's type; none if it is empty.
fn key_text(raw: &serde_json::value::RawValue) -> Option<String> {
    if raw.get().starts_with(['[', '{']) {
        return None;
    }
    let text = match serde_json::from_str::<serde_json::Value>(raw.get()).ok()? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}
