//! `docs/monitoring.md`, the alert rules and the dashboard use names that exist.

use std::collections::BTreeSet;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::{METRICS, MetricDoc, catalogue};

/// What a scraper adds to each of our numbers.
const ADDED: [&str; 2] = ["job", "instance"];

/// Words of PromQL that look like names.
const WORDS: [&str; 16] = [
    "sum",
    "max",
    "rate",
    "increase",
    "changes",
    "absent",
    "label_values",
    "by",
    "on",
    "and",
    "or",
    "unless",
    "up",
    "time",
    "without",
    "bool",
];

fn file(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rules: name of the alert, expression, all of its texts.
fn rules() -> Vec<(String, String, Vec<String>)> {
    let documents = YamlLoader::load_from_str(&file("monitoring/prometheus-rules.yml")).unwrap();
    let mut rules = Vec::new();
    for group in documents[0]["groups"].as_vec().unwrap() {
        for rule in group["rules"].as_vec().unwrap() {
            let text = |yaml: &Yaml| yaml.as_str().unwrap().to_owned();
            let texts = rule["annotations"].as_hash().unwrap().values().map(text).collect();
            rules.push((text(&rule["alert"]), text(&rule["expr"]), texts));
        }
    }
    rules
}

/// All expressions of the dashboard, and the texts that name labels.
fn dashboard() -> (Vec<String>, Vec<String>) {
    fn walk(value: &Value, expressions: &mut Vec<String>, texts: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match (key.as_str(), value.as_str()) {
                        ("expr" | "query", Some(text)) if text != "prometheus" => {
                            expressions.push(text.to_owned());
                        }
                        ("legendFormat", Some(text)) => texts.push(text.to_owned()),
                        _ => walk(value, expressions, texts),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|it| walk(it, expressions, texts)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let board: Value = serde_json::from_str(&file("monitoring/grafana-dashboard.json")).unwrap();
    let (mut expressions, mut texts) = (Vec::new(), Vec::new());
    walk(&board, &mut expressions, &mut texts);
    (expressions, texts)
}

fn metric(name: &str) -> Option<&'static MetricDoc> {
    METRICS.iter().find(|metric| metric.name == name)
}

/// The words that a label can have, where they are known here.
fn known_values(metric: &MetricDoc, label: &str) -> Option<BTreeSet<String>> {
    let words = |list: &[&str]| Some(list.iter().map(|it| (*it).to_owned()).collect());
    match (metric.name, label) {
        (_, "flow") => words(&["ingress", "egress", "optout"]),
        (_, "state") => words(&["running", "idle", "paused", "failed", "stopped"]),
        (_, "system") => words(&["dynamics", "campaign", "journal"]),
        (_, "calls") => words(&["ordinary", "all"]),
        (_, "level") => words(&["info", "warn", "error"]),
        ("cdsync_passes_total", "outcome") => words(&["done", "incomplete", "failed", "stopped"]),
        ("cdsync_records_total", "outcome") => {
            words(&["written", "unchanged", "filtered", "deleted", "dead_lettered"])
        }
        (_, "event") => Some(catalogue().iter().map(|event| event.name.to_owned()).collect()),
        _ => None,
    }
}

/// What is wrong with the names of an expression.
fn wrong(expression: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // What stands in braces and in quotes, after the name that it belongs to.
    let mut rest = expression;
    let mut plain = String::new();
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        plain.push_str(before);
        let Some((inside, behind)) = after[1..].split_once('}') else {
            return vec![format!("a brace is not closed in {expression}")];
        };
        let name: String = {
            let reversed: String = before.chars().rev().take_while(|c| word(*c)).collect();
            reversed.chars().rev().collect()
        };
        for matcher in inside.split(',').filter(|it| !it.trim().is_empty()) {
            let (label, value) = matcher.split_once('=').unwrap_or((matcher, ""));
            let label = label.trim().trim_end_matches('!');
            let values = value.trim_start_matches('~').trim().trim_matches('"');
            if ADDED.contains(&label) {
                continue;
            }
            let Some(found) = metric(&name).filter(|it| it.labels.contains(&label)) else {
                wrong.push(format!("{name} has no label {label}"));
                continue;
            };
            for value in values.split('|') {
                if known_values(found, label).is_some_and(|known| !known.contains(value)) {
                    wrong.push(format!("{name} has no {label} {value}"));
                }
            }
        }
        rest = behind;
    }
    plain.push_str(rest);
    let any_label = |name: &str| METRICS.iter().any(|it| it.labels.contains(&name));
    for name in plain.split(|c: char| !word(c)) {
        let a_number = name.chars().next().is_none_or(|c| c.is_ascii_digit());
        let known = a_number
            || WORDS.contains(&name)
            || ADDED.contains(&name)
            || metric(name).is_some()
            || any_label(name);
        if !known {
            wrong.push(format!("nothing is called {name}"));
        }
    }
    wrong
}

/// The labels that a text names as `{{label}}` or `{{ $labels.label }}`.
fn named(text: &str) -> Vec<String> {
    let inside = text.split("{{").skip(1).filter_map(|it| it.split("}}").next());
    let names = inside.map(|it| it.trim().trim_start_matches("$labels.").to_owned());
    names.filter(|it| it != "$value").collect()
}

#[test]
fn the_alert_rules_use_names_that_exist() {
    let rules = rules();
    assert!(rules.len() >= 8, "{rules:?}");
    for (alert, expression, texts) in &rules {
        assert_eq!(wrong(expression), Vec::<String>::new(), "{alert}");
        for label in texts.iter().flat_map(|text| named(text)) {
            assert!(
                expression.contains(&label)
                    || METRICS.iter().any(|metric| {
                        expression.contains(metric.name) && metric.labels.contains(&label.as_str())
                    }),
                "{alert}: {label}"
            );
        }
    }
}

#[test]
fn the_dashboard_uses_names_that_exist() {
    let (expressions, texts) = dashboard();
    assert!(expressions.len() >= 12, "{expressions:?}");
    for expression in &expressions {
        assert_eq!(wrong(expression), Vec::<String>::new(), "{expression}");
    }
    for label in texts.iter().flat_map(|text| named(text)) {
        assert!(METRICS.iter().any(|it| it.labels.contains(&label.as_str())), "{label}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    for (expression, found) in [
        ("cdsync_backlog", "nothing is called cdsync_backlog"),
        ("cdsync_calls", "nothing is called cdsync_calls"),
        ("sum by (flows) (cdsync_lag_seconds)", "nothing is called flows"),
        ("cdsync_lag_seconds{table=\"contact\"}", "cdsync_lag_seconds has no label table"),
        ("cdsync_flow_state{state!=\"dead\"}", "cdsync_flow_state has no state dead"),
        (
            "rate(cdsync_events_total{event=~\"auth.refused|no.such\"}[5m])",
            "cdsync_events_total has no event no.such",
        ),
    ] {
        assert_eq!(wrong(expression), [found], "{expression}");
    }
}

#[test]
fn the_page_has_every_alert_and_no_other() {
    let page = file("docs/monitoring.md");
    let documented: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let rules = rules();
    let alerts: BTreeSet<&str> = rules.iter().map(|(alert, ..)| alert.as_str()).collect();
    assert_eq!(documented, alerts, "left: docs/monitoring.md, right: the rules");
}

#[test]
fn the_page_names_events_and_fields_that_exist() {
    let page = file("docs/monitoring.md");
    let events = catalogue();
    let field = |name: &str| events.iter().flat_map(|it| it.fields).any(|(it, _)| *it == name);
    let mut recipes = 0;
    for part in page.split("CDSYNC_").skip(1) {
        let end = part.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(part.len());
        let (name, behind) = part.split_at(end);
        let name = name.to_lowercase();
        assert!(name.is_empty() || name == "event" || field(&name), "CDSYNC_{name}");
        if let Some(value) = behind.strip_prefix('=').filter(|_| name == "event") {
            let value = value.split_whitespace().next().unwrap();
            assert!(events.iter().any(|it| it.name == value), "{value}");
            recipes += 1;
        }
    }
    assert!(recipes >= 5, "{recipes}");
    for line in page.lines().filter(|line| line.starts_with("jq ")) {
        for part in line.split(".event == \"").skip(1) {
            let value = part.split('"').next().unwrap();
            assert!(events.iter().any(|it| it.name == value), "{value}");
        }
        let list = line.split("[.").nth(1).and_then(|it| it.split(']').next());
        for name in list.into_iter().flat_map(|it| it.split(", ")) {
            let name = name.trim_start_matches('.');
            assert!(name == "timestamp" || field(name), "{name} in {line}");
        }
    }
    // Names of events and metrics in running text.
    for quoted in page.split('`').skip(1).step_by(2) {
        let dotted = quoted.split_once('.').is_some_and(|(head, tail)| {
            let plain = |it: &str| it.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            plain(head) && plain(tail) && !["yml", "json", "service"].contains(&tail)
        });
        assert!(!dotted || events.iter().any(|it| it.name == quoted), "{quoted}");
        let ours = quoted.starts_with("cdsync_");
        assert!(!ours || metric(quoted).is_some(), "{quoted}");
    }
}

#[test]
fn a_recipe_for_an_event_asks_for_fields_of_that_event() {
    let page = file("docs/monitoring.md");
    let events = catalogue();
    let mut looked = 0;
    // From one comment to the next.
    for recipe in page.split("\n# ").filter(|it| it.contains("journalctl ")) {
        let recipe = recipe.split("```").next().unwrap();
        let word = |it: &str| {
            it.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))
                .next()
                .unwrap()
                .to_owned()
        };
        let named: Vec<String> = recipe.split("CDSYNC_EVENT=").skip(1).map(word).collect();
        let fields = recipe.split("CDSYNC_").skip(1).map(|it| word(it).to_lowercase());
        for field in fields.filter(|field| !named.is_empty() && !field.starts_with("event")) {
            for event in events.iter().filter(|event| named.iter().any(|name| name == event.name)) {
                let has = event.fields.iter().any(|(name, _)| *name == field);
                assert!(has, "{} has no {field}: {recipe}", event.name);
                looked += 1;
            }
        }
    }
    assert!(looked >= 8, "{looked}");
}

#[test]
fn the_page_has_every_metric() {
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|it| format!("`{it}`")).collect();
        table.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            metric.name,
            metric.kind.as_str(),
            labels.join(", "),
            metric.help.trim(),
        ));
    }
    let page = file("docs/monitoring.md");
    let found = page.split("## All metrics\n").nth(1).and_then(|it| it.split_once("\n\n| metric"));
    let found = found.map(|(_, rows)| format!("| metric{rows}")).unwrap_or_default();
    assert_eq!(found, table, "put this at the end of docs/monitoring.md:\n\n{table}");
}
