//! What a record goes by: in the store's rows, in what a source told, in lines of
//! the log. Changes nothing.

use serde_json::Value;

use crate::model::RecordId;
use crate::store::event::id_in;
use crate::store::{StoreError, Work};

/// What a person goes by.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(super) record: RecordId,
    pub(super) id: String,
    pub(super) bare: String,
    /// Their keys in Campaign, where those are not the id.
    keys: Vec<String>,
}

impl Names {
    /// Whether a text has the id in it.
    pub(super) fn in_text(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        text.contains(&self.id) || text.contains(&self.bare)
    }

    /// Whether a text is what Campaign calls the record.
    pub(super) fn is(&self, text: &str) -> bool {
        id_in(text) == Some(self.record) || self.keys.iter().any(|key| key == text.trim())
    }

    /// Whether something that a source told, in its words, names the record.
    pub(super) fn told_in(&self, content: &str) -> bool {
        let told = |value: Value| {
            any(&value, &|value| match value {
                Value::String(text) => self.is(text),
                Value::Number(number) => self.is(&number.to_string()),
                Value::Array(_) | Value::Object(_) | Value::Null | Value::Bool(_) => false,
            })
        };
        self.in_text(content) || serde_json::from_str(content).is_ok_and(told)
    }

    /// Whether a line of the log names the record. A key counts where it stands by
    /// itself in a text: the numbers of a line are counts and times.
    pub(crate) fn in_line(&self, line: &str) -> bool {
        let told = |value: Value| {
            any(&value, &|value| {
                value.as_str().is_some_and(|text| self.keys.iter().any(|key| has_word(text, key)))
            })
        };
        self.in_text(line) || serde_json::from_str(line).is_ok_and(told)
    }
}

/// Whether this holds of a value, or of one in it.
fn any(value: &Value, found: &dyn Fn(&Value) -> bool) -> bool {
    let inside = match value {
        Value::Array(list) => list.iter().any(|value| any(value, found)),
        Value::Object(members) => members.values().any(|value| any(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    inside || found(value)
}

/// Whether a text has a word in it, and not only as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let ends = |rest: Option<char>| !rest.is_some_and(char::is_alphanumeric);
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let (before, after) = (text.get(..at), text.get(at + word.len()..));
            ends(before.and_then(|it| it.chars().next_back()))
                && ends(after.and_then(|it| it.chars().next()))
        })
}

impl Work<'_> {
    /// What a record goes by, as far as the store knows.
    pub(crate) fn names_of(&self, record: RecordId) -> Result<Names, StoreError> {
        let id = record.to_string();
        let bare = id.replace('-', "");
        Ok(Names { record, id, bare, keys: self.keys_of(record)? })
    }

    /// Keys of the record in Campaign that no other record has.
    fn keys_of(&self, record: RecordId) -> Result<Vec<String>, StoreError> {
        let mut statement = self.sql.prepare(
            "SELECT target_key FROM mirror m WHERE record = ?1 AND target_key IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM mirror o WHERE o.table_name = m.table_name
                 AND o.target_key = m.target_key AND o.record <> ?1)
             UNION SELECT target_key FROM outbox WHERE record = ?1 AND target_key IS NOT NULL",
        )?;
        let rows = statement.query_map([record.as_bytes().as_slice()], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_names_a_record_by_id_or_by_a_key_of_its_own() {
        let id = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
        let record = RecordId::parse(id).unwrap();
        let keys = vec!["C-12".to_owned(), "77".to_owned()];
        let names = Names { record, id: id.to_owned(), bare: id.replace('-', ""), keys };
        let upper = id.to_uppercase();
        for (line, named) in [
            (format!(r#"{{"event":"record.dead_lettered","id":"{upper}"}}"#), true),
            (format!("not JSON, {}", id.replace('-', "")), true),
            (r#"{"reason":"key C-12 is there twice"}"#.to_owned(), true),
            (r#"{"reason":"/profile/C-12?x"}"#.to_owned(), true),
            (r#"{"reason":"key C-123"}"#.to_owned(), false),
            (r#"{"read":77,"written":12}"#.to_owned(), false),
            (r#"{"file":"a77b"}"#.to_owned(), false),
        ] {
            assert_eq!(names.in_line(&line), named, "{line}");
        }
    }
}
