//! JSON of a remote system, read within limits.
//!
//! Owns: how many parts a document, how many rows a page and how many fields a
//! record may have. A few bytes of text become a value of a hundred: a document
//! within the size of a body could take more memory than the machine has. That
//! it is not too deep, `serde_json` sees to. Must not know what a document means.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Failure, Response, System};

/// Most parts of a document of which only what is known is kept. The largest
/// describes a table: a thousand columns, the labels of its choices in every
/// language.
pub(crate) const MOST_PARTS: usize = 4_000_000;
/// Most parts of a document of which all is kept, whatever it is: a page of events,
/// an error, a resource.
pub(crate) const MOST_VALUES: usize = 500_000;
/// Most rows of a page. Dataverse gives 5,000 ("Page results").
const MOST_ROWS: usize = 100_000;
/// Most fields of a record. A table has 1,024 columns, each with a few annotations.
const MOST_FIELDS: usize = 8_192;

/// The rows of a page, each of them still text: laid open as a whole, a page
/// would take ten times its size.
#[derive(Debug, Default)]
pub(crate) struct Rows<'a>(Vec<&'a RawValue>);

/// The fields of one record, each of them still text until its type is known.
/// None stands there twice: which of both would count, nobody has said.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(HashMap<&'a str, &'a RawValue>);

impl<'a> Deref for Rows<'a> {
    type Target = [&'a RawValue];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> Deref for Fields<'a> {
    type Target = HashMap<&'a str, &'a RawValue>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Rows<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(RowsVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST_ROWS} rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = from.next_element()? {
            if rows.len() == MOST_ROWS {
                return Err(A::Error::invalid_length(rows.len() + 1, &self));
            }
            rows.push(row);
        }
        Ok(Rows(rows))
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a record of at most {MOST_FIELDS} fields, each of them once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut fields = HashMap::new();
        while let Some((name, value)) = from.next_entry()? {
            if fields.len() == MOST_FIELDS {
                return Err(A::Error::invalid_length(fields.len() + 1, &self));
            }
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a field that stands there twice"));
            }
        }
        Ok(Fields(fields))
    }
}

/// Reads a whole body; the failure names the place in it, never its content.
///
/// # Errors
/// Garbled where it is not such a document, or has more than `most` parts.
pub(crate) fn parse<T: DeserializeOwned>(
    response: &Response,
    system: System,
    most: usize,
) -> Result<T, Failure> {
    let garbled = |what: &str| Failure::garbled(system, what, response.request_id.clone());
    if !is_within(&response.body, most) {
        return Err(garbled(&format!("the answer has more than {most} parts")));
    }
    if let Ok(parsed) = serde_json::from_slice(&response.body) {
        return Ok(parsed);
    }
    // Once more, to learn the place; that takes several times as long.
    let mut json = serde_json::Deserializer::from_slice(&response.body);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| garbled(&format!("the answer cannot be read at {}", error.path())))
}

/// Whether a document has at most so many parts, that it can be laid open as a
/// whole. What separates or opens them is counted, in texts too, which are few there.
pub(crate) fn is_within(body: &[u8], most: usize) -> bool {
    body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: usize) -> String {
        let fields: Vec<String> = (0..fields).map(|at| format!("\"f{at}\":{at}")).collect();
        format!("{{{}}}", fields.join(","))
    }

    #[test]
    fn a_record_is_read_up_to_its_limit_and_refused_beyond() {
        let whole = record(MOST_FIELDS);
        let fields: Fields<'_> = serde_json::from_str(&whole).unwrap();
        assert_eq!((fields.len(), fields["f17"].get()), (MOST_FIELDS, "17"));
        let error = serde_json::from_str::<Fields<'_>>(&record(MOST_FIELDS + 1)).unwrap_err();
        assert!(error.to_string().contains("at most 8192 fields"), "{error}");
    }

    #[test]
    fn a_record_that_says_two_things_of_one_field_is_refused() {
        let twice = r#"{"donotbulkemail":true,"name":"x","donotbulkemail":false}"#;
        let error = serde_json::from_str::<Fields<'_>>(twice).unwrap_err();
        assert!(error.to_string().starts_with("a field that stands there twice"), "{error}");
        for other in ["[]", "null", "3", "\"text\"", "{", r#"{"a":}"#, r#"{"a":1,}"#] {
            assert!(serde_json::from_str::<Fields<'_>>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_page_is_read_up_to_its_limit_and_refused_beyond() {
        let page = |rows: usize| format!("[{}{{}}]", "{},".repeat(rows - 1));
        let rows = page(MOST_ROWS);
        assert_eq!(serde_json::from_str::<Rows<'_>>(&rows).unwrap().len(), MOST_ROWS);
        let error = serde_json::from_str::<Rows<'_>>(&page(MOST_ROWS + 1)).unwrap_err();
        assert!(error.to_string().contains("at most 100000 rows"), "{error}");
    }

    #[test]
    fn a_document_is_laid_open_up_to_its_limit_and_refused_beyond() {
        let document = |parts: usize| format!("[{}0]", "0,".repeat(parts - 1)).into_bytes();
        assert!(is_within(&document(MOST_VALUES), MOST_VALUES));
        assert!(!is_within(&document(MOST_VALUES + 1), MOST_VALUES));
    }
}
