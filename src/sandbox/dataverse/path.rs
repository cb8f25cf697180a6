//! Addresses of rows: `contacts(<id>)` and alternate keys (Dynamics sheet 4.5).
//!
//! Owns: taking an address apart and finding the row it names.

use uuid::Uuid;

use super::error::{Refusal, no_row, refuse};
use super::store::{Db, key_part};
use super::value;

/// What stands in the parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A bare GUID.
    Id(Uuid),
    /// Name and literal pairs.
    Named(Vec<(String, String)>),
}

/// Splits `name(key)`; `None` for the key where there are no parentheses.
pub(crate) fn segment(text: &str) -> Option<(String, Option<Key>)> {
    let Some((name, rest)) = text.split_once('(') else {
        return Some((text.to_owned(), None));
    };
    let inner = rest.strip_suffix(')')?;
    if let Ok(id) = Uuid::try_parse(inner) {
        return Some((name.to_owned(), Some(Key::Id(id))));
    }
    let mut pairs = Vec::new();
    for part in outside_quotes(inner) {
        let (key, literal) = part.split_once('=')?;
        pairs.push((key.trim().to_owned(), literal.trim().to_owned()));
    }
    (!pairs.is_empty()).then(|| (name.to_owned(), Some(Key::Named(pairs))))
}

/// Parts at commas that stand outside of quotes.
fn outside_quotes(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The set and key of a reference: `/set(key)`, `set(key)` or a full URL.
pub(crate) fn reference(text: &str) -> Option<(String, Key)> {
    let local = match text.split_once("/api/data/") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => text.trim_start_matches('/'),
    };
    let (set, key) = segment(local)?;
    Some((set, key?))
}

/// The JSON spelling of a key literal.
pub(crate) fn literal_json(literal: &str) -> String {
    let inner = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    match inner {
        Some(text) => serde_json::Value::from(text.replace("''", "'")).to_string(),
        None if literal.parse::<f64>().is_ok() || matches!(literal, "true" | "false" | "null") => {
            literal.to_owned()
        }
        None => serde_json::Value::from(literal).to_string(),
    }
}

/// The row a key names, or why there is none.
pub(crate) fn find(db: &Db, table: &str, key: &Key) -> Result<Uuid, Refusal> {
    let data = db
        .table(table)
        .ok_or_else(|| refuse(400, "0x80041102", "The specified table does not exist."))?;
    let pairs = match key {
        Key::Id(id) if data.rows.contains_key(id) => return Ok(*id),
        Key::Id(id) => return Err(no_row(table, *id)),
        Key::Named(pairs) => pairs,
    };
    if let [(name, literal)] = pairs.as_slice()
        && *name == data.def.id
    {
        let id = Uuid::try_parse(literal)
            .map_err(|_| refuse(400, "0x80060888", "The key is not a GUID."))?;
        return find(db, table, &Key::Id(id));
    }
    let at = data.def.keys.iter().position(|known| {
        known.usable()
            && known.columns.len() == pairs.len()
            && pairs.iter().all(|(name, _)| known.columns.contains(name))
    });
    let Some(at) = at else {
        return Err(refuse(
            400,
            "0x80060890",
            format!("The specified key attributes are not a defined key for the {table} entity"),
        ));
    };
    let mut parts = Vec::new();
    for name in &data.def.keys[at].columns {
        let literal = pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, literal)| literal.as_str())
            .unwrap_or_default();
        if literal.contains(['/', '<', '>', '*', '%', '&', ':', '\\', '?', '+']) {
            return Err(refuse(
                400,
                "0x80060888",
                "The key in the request URI holds a character that is not allowed.",
            ));
        }
        let column = data
            .def
            .column(name)
            .ok_or_else(|| refuse(400, "0x80060890", "The key is not defined."))?;
        let cell = value::parse(&data.def, column, &literal_json(literal), true)?;
        parts.push(cell.map(|cell| key_part(&cell)).unwrap_or_default());
    }
    data.by_key(at, &parts.join("\u{1f}")).ok_or_else(|| {
        refuse(
            404,
            "0x80060891",
            format!("A record with the specified key values does not exist in {table} entity"),
        )
    })
}
