//! `fields` of a table mapping: from the tree to field mappings.

use std::collections::HashMap;

use super::ingress::PICKLISTS;
use super::tree::Node;
use super::values::{flag_or, name, time_zone};
use crate::mapping::spec::{FieldMapping, OnNull, OnTooLong, Replacement};
use crate::model::{ColumnName, FieldName};

const FIELD_KEYS: &[&str] = &[
    "from",
    "to",
    "updates",
    "replace",
    "on_null",
    "on_empty",
    "on_too_long",
    "picklists",
    "time_zone",
];

const REPLACE_KEYS: &[&str] = &["value", "with"];

const ON_NULL: &[(&str, OnNull)] = &[("clear", OnNull::Clear), ("keep", OnNull::Keep)];

const ON_TOO_LONG: &[(&str, OnTooLong)] = &[("fail", OnTooLong::Fail), ("cut", OnTooLong::Cut)];

/// The fields of one table; `key_field` is the Campaign field of its key.
pub(super) fn fields(node: &Node<'_>, key_field: Option<&str>) -> Option<Vec<FieldMapping>> {
    let nodes = node.list()?;
    let fields: Vec<_> = nodes.iter().map(field).collect();
    let mut first: HashMap<String, &str> = HashMap::new();
    for node in &nodes {
        let Some(to) = node.value.get("to") else {
            continue;
        };
        let Some(text) = to.get_ref().as_str() else {
            continue;
        };
        let place = format!("{}.to", node.path);
        let name = canonical(text);
        if key_field.is_some_and(|key| canonical(key) == name) {
            node.doc.problem(
                &to.span(),
                &place,
                format!("`{text}` is the key's field already"),
                "remove this entry; the key is always written",
            );
        } else if let Some(earlier) = first.get(&name) {
            node.doc.problem(
                &to.span(),
                &place,
                format!("the field `{text}` is mapped twice, first in `{earlier}`"),
                "a Campaign field takes its value from one column: remove one of the two",
            );
        } else {
            first.insert(name, &node.path);
        }
    }
    fields.into_iter().collect()
}

/// `denyList…` and `blackList…` are one name (contract).
pub(super) fn canonical(name: &str) -> String {
    match name.strip_prefix("denyList") {
        Some(rest) => format!("blackList{rest}"),
        None => name.to_owned(),
    }
}

fn field(node: &Node<'_>) -> Option<FieldMapping> {
    let keys = node.keys(FIELD_KEYS)?;
    let from = keys.required("from", "from = \"firstname\"").and_then(|node| {
        name(&node, ColumnName::new, "the column's logical name, such as `emailaddress1`")
    });
    let to = keys.required("to", "to = \"firstName\"").and_then(|node| {
        name(&node, FieldName::new, "the field's API name, such as `firstName` or `cusCrmId`")
    });
    let replace = match keys.get("replace") {
        Some(node) => replacements(&node),
        None => Some(Vec::new()),
    };
    let on_null = keys.get("on_null").and_then(|node| node.word(ON_NULL)).unwrap_or(OnNull::Clear);
    let on_empty = keys.get("on_empty").and_then(|node| node.word(ON_NULL)).unwrap_or(on_null);
    let on_too_long = keys.get("on_too_long").and_then(|node| node.word(ON_TOO_LONG));
    let zone = keys.get("time_zone").map(|node| time_zone(&node));
    Some(FieldMapping {
        updates: flag_or(&keys, "updates", true),
        picklists: keys.get("picklists").and_then(|node| node.word(PICKLISTS)),
        from: from?,
        to: to?,
        replace: replace?,
        on_null,
        on_empty,
        on_too_long: on_too_long.unwrap_or(OnTooLong::Fail),
        time_zone: match zone {
            Some(zone) => Some(zone?),
            None => None,
        },
    })
}

fn replacements(node: &Node<'_>) -> Option<Vec<Replacement>> {
    let nodes = node.list()?;
    let list: Vec<_> = nodes.iter().map(replacement).collect();
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for (node, replacement) in nodes.iter().zip(&list) {
        let Some(replacement) = replacement else {
            continue;
        };
        if let Some(earlier) = seen.insert(&replacement.value, &node.path) {
            node.problem(
                format!("this value is replaced already, in `{earlier}`"),
                "remove one of the two",
            );
        }
    }
    list.into_iter().collect()
}

fn replacement(node: &Node<'_>) -> Option<Replacement> {
    let keys = node.keys(REPLACE_KEYS)?;
    let value = keys.required("value", "value = \"Male\"").and_then(|node| as_text(&node));
    let with = keys.required("with", "with = \"male\"").and_then(|node| as_text(&node));
    Some(Replacement { value: value?, with: with? })
}

/// A replacement is compared as text, so that numbers and booleans may be
/// written as they are.
fn as_text(node: &Node<'_>) -> Option<String> {
    if let Some(integer) = node.value.as_integer().and_then(super::tree::as_i64) {
        return Some(integer.to_string());
    }
    match node.value.as_bool() {
        Some(flag) => Some(flag.to_string()),
        None => node.text().map(str::to_owned),
    }
}
