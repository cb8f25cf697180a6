//! The writing half of the client: one record per call, found by its key.
//!
//! A record's `PKey` and link are never stored: they are an encryption of the
//! row, differ from place to place and change with the instance.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::campaign::reader::foreign;
use crate::campaign::wire::{Record, Written, garbled};
use crate::campaign::{Failure, Listed, Outcome, Reader};
use crate::http::{RemoteUrl, Request, Response, System};
use crate::model::consent::Sample;
use crate::model::{FieldName, ResourceSchema};

/// How the record with a key is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyLookup {
    /// The key stands in the URI.
    InUri,
    /// Through a custom filter.
    Filter {
        /// Path segment.
        filter: String,
        /// Query parameter.
        parameter: String,
    },
}

/// Where a record is, for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// By its key in the URI.
    Key(String),
    /// By a path that Campaign gave in this process's life.
    Path(String),
}

/// What a look-up found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// No record has the key.
    Nothing,
    /// One record has it.
    One(Box<Listed>),
    /// Several have it; which one is meant, nobody can say.
    Several(usize),
}

/// Where a new record is; for this process's life only.
#[derive(Clone, Debug)]
pub(crate) struct Created {
    /// Its path.
    pub(crate) path: Option<String>,
    /// Its `PKey`.
    pub(crate) pkey: Option<String>,
    /// The vendor's id of the request.
    pub(crate) request_id: Option<String>,
}

/// Most pages of a look-up without a record, though each says that another
/// follows.
const MOST_PAGES: usize = 16;

/// Writes one resource. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    reader: Reader,
    schema: Arc<ResourceSchema>,
    key: FieldName,
    lookup: KeyLookup,
    fields: Arc<[FieldName]>,
    /// The address of the resource, once it was needed.
    collection: Arc<OnceLock<RemoteUrl>>,
}

impl Writer {
    /// A writer of the records of `schema` that are known by `key`. `fields`
    /// are those a look-up shall bring along.
    pub(crate) fn new(
        reader: Reader,
        schema: Arc<ResourceSchema>,
        key: FieldName,
        lookup: KeyLookup,
        fields: Vec<FieldName>,
    ) -> Self {
        Self { reader, schema, key, lookup, fields: fields.into(), collection: Arc::default() }
    }

    /// What Campaign's clock showed in its newest answers.
    pub(crate) fn clock_samples(&self) -> Vec<Sample> {
        let dates = self.reader.client.dates().into_iter();
        dates.map(|it| Sample::of_date(it.date, it.sent, it.received)).collect()
    }

    /// The resource's metadata.
    pub(crate) fn schema(&self) -> &ResourceSchema {
        &self.schema
    }

    /// The field that holds the key.
    pub(crate) fn key(&self) -> &FieldName {
        &self.key
    }

    /// Whether a record can be written by its key without a look-up.
    pub(crate) fn by_uri(&self) -> bool {
        self.lookup == KeyLookup::InUri
    }

    /// POST. Gives where the new record is, as far as the answer has it.
    pub(crate) async fn create(&self, body: Vec<u8>) -> Result<Created, Failure> {
        let url = if let Some(url) = self.collection.get() {
            url.clone()
        } else {
            let path = format!("campaign/{}/{}", self.schema.root.as_str(), self.schema.name);
            let url = self.reader.origin.own(&path).map_err(|e| foreign(&e.to_string()))?;
            self.collection.get_or_init(|| url).clone()
        };
        let response = self.reader.client.send(Request::post(url, Bytes::from(body))).await?;
        let written: Written = super::wire::parse(&response)?;
        if written.pkey.is_none() && written.href.is_none() {
            // What a proxy may say in Campaign's place is no proof of a record.
            return Err(garbled(&response, "the answer to the creation names no record"));
        }
        let (href, pkey) = (written.href.as_deref(), written.pkey.as_deref());
        let path = self.reader.address(&self.schema, href, pkey)?;
        let pkey = written.pkey.filter(|pkey| !pkey.is_empty());
        Ok(Created { path, pkey, request_id: response.request_id })
    }

    /// PATCH. Gives the vendor's id of the request.
    pub(crate) async fn update(
        &self,
        address: &Address,
        body: Vec<u8>,
    ) -> Result<Option<String>, Failure> {
        let url = self.url(address)?;
        let request = Request::patch(url, Bytes::from(body));
        let response = self.reader.client.send(request).await;
        confirmed(response.map_err(|failure| absent(failure, address))?)
    }

    /// DELETE. Gives the vendor's id of the request. `Missing` at a path says that
    /// no record is there, which may be elsewhere now.
    pub(crate) async fn delete(&self, address: &Address) -> Result<Option<String>, Failure> {
        let url = self.url(address)?;
        let response = self.reader.client.send(Request::delete(url)).await;
        confirmed(response.map_err(|failure| absent(failure, address))?)
    }

    /// The record that has this key now.
    pub(crate) async fn find(&self, key: &str) -> Result<Found, Failure> {
        match &self.lookup {
            KeyLookup::InUri => self.find_in_uri(key).await,
            KeyLookup::Filter { filter, parameter } => {
                self.find_by_filter(key, filter, parameter).await
            }
        }
    }

    async fn find_in_uri(&self, key: &str) -> Result<Found, Failure> {
        let path = self.path(&key_segment(key)?);
        let response = match self.reader.get(&path).await {
            Ok(response) => response,
            Err(failure) => match absent(failure, &Address::Key(key.to_owned())) {
                failure if failure.outcome == Outcome::Missing => return Ok(Found::Nothing),
                failure => return Err(failure),
            },
        };
        let record: Record<'_> = serde_json::from_slice(&response.body)
            .map_err(|_| garbled(&response, "the answer is not one record"))?;
        let listed = self.listed(&record, &response)?;
        check_key(&listed, key, "the record at this key's address has another key")?;
        Ok(Found::One(Box::new(listed)))
    }

    async fn find_by_filter(
        &self,
        key: &str,
        filter: &str,
        parameter: &str,
    ) -> Result<Found, Failure> {
        let path = format!("{}?{}={}", self.path(filter), segment(parameter), segment(key));
        let response = self.reader.get(&path).await.map_err(|failure| {
            if failure.outcome != Outcome::Missing {
                return failure;
            }
            // A filter that finds nothing answers with an empty list.
            let message = format!(
                "there is no filter {filter}; bring it back, or change the key of the mapping"
            );
            Failure { outcome: Outcome::Setup, message, ..failure }
        })?;
        let Writer { reader, schema, key: field, fields, .. } = self;
        let mut page = reader.listing_page(schema, field, fields, &response)?;
        // A page without records is the end only where no other follows.
        for pages in 1.. {
            let Some(next) = page.next.take().filter(|_| page.records.is_empty()) else { break };
            if pages == MOST_PAGES {
                return Err(garbled(&response, "page after page is empty, and another follows"));
            }
            page = reader.listing(schema, field, fields, Some(&next)).await?;
        }
        let mut matching = Vec::new();
        for listed in page.records {
            // A misspelt parameter makes a filter return every record.
            let text = format!(
                "the filter {filter} returns records whose {} is not the one asked for; check the filter and the parameter {parameter}",
                self.key
            );
            check_key(&listed, key, &text)?;
            matching.push(listed);
        }
        Ok(match (matching.len(), matching.pop()) {
            (0, _) | (_, None) => Found::Nothing,
            (1, Some(one)) => Found::One(Box::new(one)),
            (several, Some(_)) => Found::Several(several),
        })
    }

    fn listed(&self, record: &Record<'_>, response: &Response) -> Result<Listed, Failure> {
        self.reader.listed(record, &self.schema, &self.key, &self.fields, response)
    }

    /// Path below `/campaign/` of something below the resource.
    fn path(&self, rest: &str) -> String {
        format!("{}/{}/{rest}", self.schema.root.as_str(), self.schema.name)
    }

    fn url(&self, address: &Address) -> Result<RemoteUrl, Failure> {
        let url = match address {
            Address::Key(key) => {
                self.reader.origin.own(&format!("campaign/{}", self.path(&key_segment(key)?)))
            }
            Address::Path(path) => self.reader.origin.handed(path),
        };
        url.map_err(|error| foreign(&error.to_string()))
    }
}

/// The record that was found must be the one that was asked for.
fn check_key(listed: &Listed, key: &str, text: &str) -> Result<(), Failure> {
    let same = listed.key.as_deref().is_some_and(|found| same_key(found, key));
    if same { Ok(()) } else { Err(Failure::new(System::Campaign, Outcome::Setup, text)) }
}

/// An update is answered with `PKey` and `href`, a deletion with nothing
/// (sheet 3.7); anything else was not said by Campaign.
pub(super) fn confirmed(response: Response) -> Result<Option<String>, Failure> {
    let body = response.body.trim_ascii();
    if body.is_empty() {
        return Ok(response.request_id);
    }
    match serde_json::from_slice::<Record<'_>>(body) {
        Ok(reply)
            if reply.is_empty() || reply.contains_key("PKey") || reply.contains_key("href") =>
        {
            Ok(response.request_id)
        }
        Ok(_) | Err(_) => Err(garbled(&response, "the answer to the write names no record")),
    }
}

/// At the address of one record a 404 of Campaign's own says that the record is
/// not there, in whatever words; only `rc=-2003` speaks of the resource. A 404 of
/// something in front of Campaign says nothing of a record: taken for an absence
/// it would let deletions and opt-outs pass for done.
fn absent(failure: Failure, address: &Address) -> Failure {
    let says = |text: &str| failure.message.contains(text);
    // A PKey that is no longer understood leads nowhere either.
    let stale = ["attribute unknown", "not a valid constant", "Unable to decrypt PKey"];
    if matches!(address, Address::Path(_)) && stale.iter().any(|text| says(text)) {
        return Failure { outcome: Outcome::Missing, ..failure };
    }
    match (failure.status, failure.own_words) {
        (Some(404), true) if !says("rc=-2003") => Failure { outcome: Outcome::Missing, ..failure },
        (Some(404), false) if failure.outcome == Outcome::Setup && !says("Check your URI") => {
            let text = format!(
                "an answer 404 that is not Campaign's own; look at what stands between: {}",
                failure.message
            );
            Failure { outcome: Outcome::Garbled, message: text, ..failure }
        }
        (Some(_) | None, _) => failure,
    }
}

/// Equal as text, or the same GUID in another spelling.
fn same_key(found: &str, asked: &str) -> bool {
    found == asked
        // A data policy may have changed the case.
        || found.to_lowercase() == asked.to_lowercase()
        || match (uuid::Uuid::try_parse(found), uuid::Uuid::try_parse(asked)) {
            (Ok(found), Ok(asked)) => found == asked,
            (Ok(_) | Err(_), _) => false,
        }
}

/// A key as part of a path. `.` and `..` mean other places there, however they
/// are encoded: a deletion would be one of the whole resource.
fn key_segment(key: &str) -> Result<String, Failure> {
    if matches!(key, "." | "..") {
        let text = "a key of nothing but points has no address in Campaign; change it in Dynamics";
        return Err(Failure::ours(System::Campaign, Outcome::BadRecord, text.to_owned()));
    }
    Ok(segment(key))
}

/// Percent-encodes everything but unreserved characters.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_leave_its_place_in_the_url() {
        for key in [".", ".."] {
            let failure = key_segment(key).unwrap_err();
            assert_eq!(failure.outcome, Outcome::BadRecord, "{failure}");
        }
        assert_eq!(key_segment("...").unwrap(), "...");
        assert_eq!(segment("a+b@x.io/../?#"), "a%2Bb%40x.io%2F..%2F%3F%23");
    }

    #[test]
    fn the_same_guid_in_another_spelling_is_the_same_key() {
        assert!(same_key(
            "2E451703-C286-E711-80EF-00155DB19E6D",
            "2e451703-c286-e711-80ef-00155db19e6d"
        ));
        assert!(same_key("a-1", "A-1"), "a data policy may change the case");
        assert!(!same_key("a-1", "a-2"));
        assert!(!same_key("", "2e451703-c286-e711-80ef-00155db19e6d"));
    }
}
