//! `[ingress]` and its tables, and `[reconcile]`: from the tree to table
//! mappings and settings.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::fields;
use super::filter;
use super::links;
use super::settings::{IngressSettings, ReconcileSettings};
use super::tree::{Keys, Node, as_i64};
use super::values::{flag_or, name, number_or, schedule, time_zone};
use crate::mapping::spec::{DeleteGuard, Key, Lookup, Picklists, TableMapping, Tracking};
use crate::model::{ColumnName, FieldName, ResourceName, TableName};

const INGRESS_KEYS: &[&str] = &["schedule", "time_zone", "table"];

const RECONCILE_KEYS: &[&str] = &["schedule", "time_zone", "calls_per_run", "repair"];

const TABLE_KEYS: &[&str] = &[
    "dynamics",
    "campaign",
    "key",
    "tracking",
    "apply_deletes",
    "picklists",
    "language",
    "delete_guard",
    "fields",
    "filter",
    "links",
    "missing_parent",
];

const KEY_KEYS: &[&str] = &["from", "to", "in_uri", "filter", "parameter"];

const GUARD_KEYS: &[&str] = &["rows", "percent"];

/// The choices of `picklists`.
pub(super) const PICKLISTS: &[(&str, Picklists)] =
    &[("label", Picklists::Label), ("value", Picklists::Value)];

/// The choices of `tracking`.
const TRACKING: &[(&str, Tracking)] = &[("changes", Tracking::Changes), ("diff", Tracking::Diff)];

/// English (United States).
const DEFAULT_LANGUAGE: u32 = 1033;

/// `[ingress]`
pub(super) fn ingress(node: &Node<'_>) -> Option<IngressSettings> {
    let keys = node.keys(INGRESS_KEYS)?;
    let schedule = keys.get("schedule").map(|node| schedule(&node));
    let zone = keys.get("time_zone").map(|node| time_zone(&node));
    let nodes = match keys.get("table") {
        Some(node) => node.list()?,
        None => Vec::new(),
    };
    if nodes.is_empty() {
        keys.problem(
            "`[ingress]` maps no table",
            "add a `[[ingress.table]]`, or remove `[ingress]`; `cdsync init --from-metadata` writes one",
        );
    }
    let mut tables: Vec<_> = nodes.iter().map(table).collect();
    refuse_twice(&nodes, "dynamics", "table");
    refuse_twice(&nodes, "campaign", "resource");
    links::across(&nodes, &mut tables);
    Some(IngressSettings {
        schedule: match schedule {
            Some(schedule) => Some(schedule?),
            None => None,
        },
        time_zone: zone.unwrap_or(Some(TimeZone::UTC))?,
        tables: tables.into_iter().collect::<Option<_>>()?,
    })
}

/// `[reconcile]`
pub(super) fn reconcile(node: &Node<'_>) -> Option<ReconcileSettings> {
    let keys = node.keys(RECONCILE_KEYS)?;
    let schedule =
        keys.required("schedule", "schedule = \"0 0 * * * *\"").and_then(|node| schedule(&node));
    let zone = keys.get("time_zone").map(|node| time_zone(&node));
    let calls_per_run = number_or(&keys, "calls_per_run", 10..=1_000_000, 200);
    let repair = flag_or(&keys, "repair", false);
    Some(ReconcileSettings {
        schedule: schedule?,
        time_zone: zone.unwrap_or(Some(TimeZone::UTC))?,
        calls_per_run,
        repair,
    })
}

/// One table ↔ one resource, each in one mapping only.
fn refuse_twice(tables: &[Node<'_>], key: &str, what: &str) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for table in tables {
        let Some(node) = table.value.get(key) else {
            continue;
        };
        let Some(text) = node.get_ref().as_str() else {
            continue;
        };
        if let Some(earlier) = first.get(text) {
            table.doc.problem(
                &node.span(),
                &format!("{}.{key}", table.path),
                format!("the {what} `{text}` is mapped twice, first in `{earlier}`"),
                "each table and each resource has one mapping: join the two",
            );
        } else {
            first.insert(text, &table.path);
        }
    }
}

fn table(node: &Node<'_>) -> Option<TableMapping> {
    let keys = node.keys(TABLE_KEYS)?;
    let dynamics = keys.required("dynamics", "dynamics = \"contact\"").and_then(|node| {
        name(&node, TableName::new, "the table's logical name, such as `contact`")
    });
    let campaign = keys.required("campaign", "campaign = \"profile\"").and_then(|node| {
        name(&node, ResourceName::new, "the resource's API name, such as `profile` or `cusVehicle`")
    });
    let key = keys
        .required(
            "key",
            "key = { from = \"contactid\", to = \"externalId\", filter = \"byExternalId\", parameter = \"externalId_parameter\" }",
        )
        .and_then(|node| key(&node));
    let tracking = keys.get("tracking").map(|node| node.word(TRACKING));
    let apply_deletes = flag_or(&keys, "apply_deletes", false);
    let picklists = keys.get("picklists").and_then(|node| node.word(PICKLISTS));
    let language = number_or(&keys, "language", 1..=0xF_FFFF, DEFAULT_LANGUAGE);
    let guard = keys.get("delete_guard").map(|node| delete_guard(&node));
    let key_field = keys.get("key").and_then(|node| node.value.get("to"));
    let key_field = key_field.and_then(|to| to.get_ref().as_str());
    let fields = match keys
        .required("fields", "fields = [ { from = \"firstname\", to = \"firstName\" } ]")
    {
        Some(node) => fields::fields(&node, key_field),
        None => None,
    };
    let filter = keys.get("filter").map(|node| filter::filter(&node));
    let links = links::links(&keys, key_field);
    Some(TableMapping {
        dynamics: dynamics?,
        campaign: campaign?,
        key: key?,
        tracking: tracking.unwrap_or(Some(Tracking::Changes))?,
        apply_deletes,
        picklists: picklists.unwrap_or(Picklists::Label),
        language,
        delete_guard: match guard {
            Some(guard) => Some(guard?),
            None => None,
        },
        fields: fields?,
        links: links?,
        filter: match filter {
            Some(filter) => Some(filter?),
            None => None,
        },
    })
}

fn key(node: &Node<'_>) -> Option<Key> {
    let keys = node.keys(KEY_KEYS)?;
    let from = keys
        .get("from")
        .map(|node| name(&node, ColumnName::new, "the column's logical name, such as `contactid`"));
    let to = keys.required("to", "to = \"externalId\"").and_then(|node| {
        name(&node, FieldName::new, "the field's API name, such as `externalId` or `cusCrmId`")
    });
    let lookup = lookup(&keys);
    let from = match from {
        Some(from) => Some(from?),
        None => None,
    };
    Some(Key { from, to: to?, lookup: lookup? })
}

/// In the URI, or through a filter: exactly one of the two.
fn lookup(keys: &Keys<'_>) -> Option<Lookup> {
    let in_uri = match keys.get("in_uri") {
        Some(node) => node.flag()?,
        None => false,
    };
    let segment = |key: &str, example: &str| {
        let node = keys.get(key)?;
        name(&node, FieldName::new, example).map(|name| name.as_str().to_owned())
    };
    let filter = segment("filter", "the filter's API name, such as `byExternalId`");
    let parameter = segment("parameter", "the parameter's name, such as `externalId_parameter`");
    match (in_uri, keys.get("filter").is_some(), keys.get("parameter").is_some()) {
        (true, false, false) => Some(Lookup::InUri),
        (true, _, _) => {
            keys.problem_at(
                "in_uri",
                "`in_uri = true` and `filter` with `parameter` exclude each other",
                "remove `filter` and `parameter` if the resource has a one-field identification key, else remove `in_uri`",
            );
            None
        }
        (false, true, true) => Some(Lookup::Filter { filter: filter?, parameter: parameter? }),
        (false, true, false) => {
            keys.problem(
                "`filter` needs `parameter`",
                "add the parameter that the filter takes, as in `parameter = \"externalId_parameter\"`",
            );
            None
        }
        (false, false, true) => {
            keys.problem(
                "`parameter` needs `filter`",
                "add the filter that takes it, as in `filter = \"byExternalId\"`",
            );
            None
        }
        (false, false, false) => {
            keys.problem(
                "the key does not say how Campaign finds the record",
                "add `filter = \"by…\", parameter = \"…_parameter\"`, or `in_uri = true` where the resource has a one-field identification key",
            );
            None
        }
    }
}

fn delete_guard(node: &Node<'_>) -> Option<DeleteGuard> {
    guard(node).map(|(rows, percent)| DeleteGuard { rows, percent })
}

/// `{ rows, percent }`, either or both.
pub(super) fn guard(node: &Node<'_>) -> Option<(Option<u64>, Option<f64>)> {
    let keys = node.keys(GUARD_KEYS)?;
    let rows = keys.get("rows").map(|node| node.integer(0..=1_000_000_000_000));
    let percent = keys.get("percent").map(|node| percent(&node));
    if rows.is_none() && percent.is_none() {
        let key = node.path.rsplit('.').next().unwrap_or_default();
        keys.problem(
            "an empty guard holds nothing back",
            format!("write `{{ rows = 1000, percent = 5 }}`, either or both; or remove `{key}`"),
        );
        return None;
    }
    let rows = match rows {
        Some(rows) => Some(u64::try_from(rows?).ok()?),
        None => None,
    };
    let percent = match percent {
        Some(percent) => Some(percent?),
        None => None,
    };
    Some((rows, percent))
}

/// From 0 to 100, whole or not.
fn percent(node: &Node<'_>) -> Option<f64> {
    let hint = "a number from 0 to 100, such as `5` or `0.5`";
    let number =
        node.value.as_integer().and_then(as_i64).and_then(|whole| i32::try_from(whole).ok());
    let number = number.map(f64::from).or_else(|| filter::as_f64(node.value));
    let Some(number) = number.filter(|number| (0.0..=100.0).contains(number)) else {
        node.problem("this is not a percentage", hint);
        return None;
    };
    Some(number)
}
