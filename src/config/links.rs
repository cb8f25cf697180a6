//! `links` of a table mapping: from the tree to link mappings, and what they
//! mean for the tables together: every parent is mapped, no ring of links.

use std::collections::{BTreeMap, HashMap};

use super::fields::canonical;
use super::tree::{Keys, Node};
use super::values::name;
use crate::mapping::parents_first;
use crate::mapping::spec::{LinkMapping, MissingParent, TableMapping};
use crate::model::{ColumnName, FieldName, ResourceName, TableName};

const LINK_KEYS: &[&str] = &["from", "to", "table", "missing_parent"];

/// The choices of `missing_parent`.
const MISSING_PARENT: &[(&str, MissingParent)] = &[
    ("wait", MissingParent::Wait),
    ("send-without", MissingParent::SendWithout),
    ("dead-letter", MissingParent::DeadLetter),
];

/// The links of one table; `key_field` is the Campaign field of its key.
pub(super) fn links(table: &Keys<'_>, key_field: Option<&str>) -> Option<Vec<LinkMapping>> {
    let default = table.get("missing_parent").map(|node| node.word(MISSING_PARENT));
    let Some(node) = table.get("links") else {
        if default.is_some() {
            table.problem_at(
                "missing_parent",
                "the table has no `links`, so nothing can miss its parent",
                "remove `missing_parent`, or add `links`",
            );
        }
        return Some(Vec::new());
    };
    let default = match default {
        Some(word) => word?,
        None => MissingParent::Wait,
    };
    let nodes = node.list()?;
    let links: Vec<_> = nodes.iter().map(|node| link(node, default)).collect();
    refuse_taken(table, key_field, &nodes);
    links.into_iter().collect()
}

fn link(node: &Node<'_>, default: MissingParent) -> Option<LinkMapping> {
    let keys = node.keys(LINK_KEYS)?;
    let from = keys.required("from", "from = \"new_contactid\"").and_then(|node| {
        name(&node, ColumnName::new, "the lookup's logical name, such as `new_contactid`")
    });
    let to = keys.required("to", "to = \"vehicleOwner\"").and_then(|node| {
        name(&node, FieldName::new, "the link's API name, such as `vehicleOwner`")
    });
    let table = keys.required("table", "table = \"contact\"").and_then(|node| {
        name(&node, TableName::new, "the logical name of the table it points to, such as `contact`")
    });
    let missing_parent = match keys.get("missing_parent") {
        Some(node) => node.word(MISSING_PARENT)?,
        None => default,
    };
    let from = logical_name(from?);
    Some(LinkMapping { from, to: to?, table: table?, resource: None, missing_parent })
}

/// A lookup reads as `_name_value`; that spelling is understood too.
fn logical_name(column: ColumnName) -> ColumnName {
    let text = column.as_str();
    let inner = text.strip_prefix('_').and_then(|text| text.strip_suffix("_value"));
    inner.and_then(|inner| ColumnName::new(inner).ok()).unwrap_or(column)
}

/// No Campaign field is filled twice: not by the key, a field or another link.
fn refuse_taken(table: &Keys<'_>, key_field: Option<&str>, links: &[Node<'_>]) {
    let mut taken: HashMap<String, String> = HashMap::new();
    if let Some(key) = key_field {
        taken.insert(canonical(key), format!("{}.key", table.path));
    }
    let fields = table.get("fields").and_then(|node| node.value.as_array());
    for (at, field) in fields.into_iter().flatten().enumerate() {
        if let Some(to) = field.get_ref().get("to").and_then(|to| to.get_ref().as_str()) {
            taken.entry(canonical(to)).or_insert(format!("{}.fields[{at}]", table.path));
        }
    }
    for node in links {
        let Some(to) = node.value.get("to") else { continue };
        let Some(text) = to.get_ref().as_str() else { continue };
        if let Some(earlier) = taken.get(&canonical(text)) {
            node.doc.problem(
                &to.span(),
                &format!("{}.to", node.path),
                format!("the field `{text}` is filled already, by `{earlier}`"),
                "a Campaign field takes its value from one column: remove one of the two",
            );
        } else {
            taken.insert(canonical(text), node.path.clone());
        }
    }
}

/// What the links mean for all tables together; fills in the resources that
/// the parents are mapped to. `nodes` and `tables` are in step.
pub(super) fn across(nodes: &[Node<'_>], tables: &mut [Option<TableMapping>]) {
    let resources: BTreeMap<TableName, ResourceName> =
        tables.iter().flatten().map(|it| (it.dynamics.clone(), it.campaign.clone())).collect();
    // A mapping with a problem of its own is a mapping all the same.
    let named: Vec<&str> = nodes
        .iter()
        .filter_map(|node| node.value.get("dynamics").and_then(|name| name.get_ref().as_str()))
        .collect();
    for (node, table) in nodes.iter().zip(tables.iter_mut()) {
        let Some(table) = table else { continue };
        for (at, link) in table.links.iter_mut().enumerate() {
            link.resource = resources.get(&link.table).cloned();
            let mapped = named.contains(&link.table.as_str());
            if !mapped && link.missing_parent == MissingParent::Wait {
                at_link(
                    node,
                    at,
                    "table",
                    format!("`{}` is not mapped, so its children would wait for ever", link.table),
                    "add an `[[ingress.table]]` for it, or set `missing_parent` to `send-without` or `dead-letter`",
                );
            }
        }
    }
    refuse_ring(nodes, tables);
}

fn refuse_ring(nodes: &[Node<'_>], tables: &[Option<TableMapping>]) {
    let known: Vec<(&Node<'_>, TableMapping)> =
        nodes.iter().zip(tables).filter_map(|(node, table)| Some((node, table.clone()?))).collect();
    let mut mappings: Vec<TableMapping> = known.iter().map(|(_, table)| table.clone()).collect();
    // One ring is reported, opened at its first link, and the next looked for.
    while let Err(cycle) = parents_first(&mappings) {
        let Some(first) = cycle.0.first() else { return };
        let next = cycle.0.get(1).unwrap_or(first);
        let ring: Vec<String> =
            cycle.0.iter().chain([first]).map(|table| format!("`{table}`")).collect();
        let Some(table) = mappings.iter().position(|table| table.dynamics == *first) else {
            return;
        };
        let links = mappings.get(table).map(|table| table.links.as_slice()).unwrap_or_default();
        let Some(link) = links.iter().position(|link| link.table == *next) else { return };
        if let Some((node, spec)) = known.get(table) {
            let written = spec.links.iter().position(|it| Some(it) == links.get(link));
            at_link(
                node,
                written.unwrap_or(link),
                "table",
                format!("the links make a ring: {}", ring.join(" → ")),
                "a parent must be written before its child: remove one link of the ring",
            );
        }
        if let Some(table) = mappings.get_mut(table) {
            table.links.remove(link);
        }
    }
}

/// A problem with a key of the link at this position of a table's `links`.
fn at_link(table: &Node<'_>, at: usize, key: &str, problem: String, hint: &str) {
    let links = table.value.get("links").and_then(|links| links.get_ref().as_array());
    let link = links.and_then(|links| links.get(at));
    let value = link.and_then(|link| link.get_ref().get(key));
    let span = value.or(link).map_or_else(|| table.span.clone(), toml::Spanned::span);
    table.doc.problem(&span, &format!("{}.links[{at}].{key}", table.path), problem, hint);
}
