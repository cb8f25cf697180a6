//! The documents say what the code does: dependencies, configuration keys, the
//! commands to type, links.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use syn::visit::{self, Visit};

type Outcome = Result<(), Box<dyn Error>>;

/// The table of docs/configuration.md that describes each list of allowed keys
/// in src/config.
const KEY_TABLES: &[(&str, &str)] = &[
    ("ROOT_KEYS", "## The file"),
    ("SECRET_KEYS", "## Secrets"),
    ("DYNAMICS_KEYS", "## `[dynamics]`"),
    ("CAMPAIGN_KEYS", "## `[campaign]`"),
    ("STORE_KEYS", "## `[store]`"),
    ("DAEMON_KEYS", "## `[daemon]`"),
    ("LOG_COPY_KEYS", "## `[daemon.log_copy]`"),
    ("METRICS_KEYS", "## `[metrics]`"),
    ("INGRESS_KEYS", "## `[ingress]`"),
    ("RECONCILE_KEYS", "## `[reconcile]`"),
    ("EGRESS_KEYS", "## `[egress]`"),
    ("ACTIVITY_KEYS", "### `tables`"),
    ("JOURNAL_KEYS", "### `[egress.journal]`"),
    ("POINTER_KEYS", "#### `pointers`"),
    ("TABLE_KEYS", "## `[[ingress.table]]`"),
    ("KEY_KEYS", "### `key`"),
    ("GUARD_KEYS", "### `delete_guard`"),
    ("FIELD_KEYS", "### `fields`"),
    ("LINK_KEYS", "### `links`"),
    ("REPLACE_KEYS", "#### `replace`"),
    ("FILTER_KEYS", "### `filter`"),
    ("GROUP_KEYS", "#### A group of rules"),
    ("RULE_KEYS", "#### A rule"),
    ("OPTOUT_KEYS", "## `[optout]`"),
    ("PAIR_KEYS", "### `pairs`"),
    ("REST_KEYS", "### `rest`"),
    ("OPTOUT_SFTP_KEYS", "### `sftp`"),
    ("SFTP_KEYS", "## `[campaign.sftp]`"),
    ("EGRESS_SFTP_KEYS", "## `[egress.sftp]`"),
    ("DELIVERY_LOG_KEYS", "### `delivery_log`"),
    ("DELIVERY_COLUMN_KEYS", "#### `columns` of `delivery_log`"),
    ("TRACKING_LOG_KEYS", "### `tracking_log`"),
    ("TRACKING_COLUMN_KEYS", "#### `columns` of `tracking_log`"),
    ("FORMAT_KEYS", "### `format`"),
];

fn text(path: &str) -> Result<String, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The text below a heading, up to the next heading of any level.
fn below<'t>(document: &'t str, heading: &str) -> Option<&'t str> {
    let start = document.find(&format!("\n{heading}\n"))? + heading.len() + 2;
    let rest = document.get(start..)?;
    let end = rest.match_indices("\n#").map(|(end, _)| end).next();
    rest.get(..end.unwrap_or(rest.len()))
}

/// The names in backquotes that begin the rows of a table.
fn row_names(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

/// `const …_KEYS: &[&str] = &["…"];`
#[derive(Default)]
struct KeyLists(BTreeMap<String, BTreeSet<String>>);

impl<'ast> Visit<'ast> for KeyLists {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if item.ident.to_string().ends_with("_KEYS") {
            let mut strings = Strings::default();
            strings.visit_expr(&item.expr);
            self.0.insert(item.ident.to_string(), strings.0);
        }
        visit::visit_item_const(self, item);
    }
}

#[derive(Default)]
struct Strings(BTreeSet<String>);

impl<'ast> Visit<'ast> for Strings {
    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.0.insert(literal.value());
    }
}

#[test]
fn the_readme_gives_a_reason_for_every_direct_dependency() -> Outcome {
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")?)?;
    let mut declared = BTreeSet::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let names = manifest.get(section).and_then(toml::Value::as_table);
        declared.extend(names.into_iter().flat_map(toml::Table::keys).cloned());
    }
    let readme = text("README.md")?;
    let table = below(&readme, "## Dependencies").ok_or("README.md has no ## Dependencies")?;
    assert_eq!(row_names(table), declared, "left: README.md, right: Cargo.toml");
    let bare = table.lines().find(|line| line.starts_with("| `") && line.len() < 30);
    assert_eq!(bare, None, "a dependency without a reason");
    Ok(())
}

#[test]
fn the_configuration_page_has_every_key_and_no_other() -> Outcome {
    let mut lists = KeyLists::default();
    for (path, source) in crate::repository(&["src/config"])? {
        if Path::new(&path).extension().is_some_and(|ext| ext == "rs") {
            lists.visit_file(&syn::parse_file(&source)?);
        }
    }
    let known: BTreeSet<&str> = KEY_TABLES.iter().map(|(list, _)| *list).collect();
    let found: BTreeSet<&str> = lists.0.keys().map(String::as_str).collect();
    assert_eq!(found, known, "left: lists of keys in src/config, right: known to this test");
    let page = text("docs/configuration.md")?;
    for (list, heading) in KEY_TABLES {
        let section = below(&page, heading).ok_or_else(|| format!("no heading {heading}"))?;
        let documented = row_names(section);
        assert_eq!(Some(&documented), lists.0.get(*list), "{heading}; left: page, right: {list}");
    }
    Ok(())
}

/// Every key has its place in an example that a test of the program loads
/// (`src/cli/documents.rs`).
#[test]
fn the_configuration_page_has_an_example_of_every_key() -> Outcome {
    let mut lists = KeyLists::default();
    for (path, source) in crate::repository(&["src/config"])? {
        if Path::new(&path).extension().is_some_and(|ext| ext == "rs") {
            lists.visit_file(&syn::parse_file(&source)?);
        }
    }
    let page = text("docs/configuration.md")?;
    let (mut examples, mut inside) = (String::new(), false);
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(language) => inside = language == "toml",
            None if inside => examples.push_str(&format!(" {line}\n")),
            None => {}
        }
    }
    let written = |key: &str| {
        let section = [format!(".{key}]"), format!(".{key}."), format!("[{key}]")];
        examples.contains(&format!(" {key} = ")) || section.iter().any(|it| examples.contains(it))
    };
    let keys: BTreeSet<&String> = lists.0.values().flatten().collect();
    let missing: Vec<_> = keys.into_iter().filter(|key| !written(key)).collect();
    assert!(missing.is_empty(), "add to the examples of docs/configuration.md: {missing:?}");
    Ok(())
}

#[test]
fn the_readme_is_short_and_leads_to_every_page() -> Outcome {
    let readme = text("README.md")?;
    let lines = readme.lines().count();
    assert!(lines < 150, "README.md has {lines} lines; 149 are the limit");
    for (path, _) in crate::repository(&["docs"])? {
        let page = Path::new(&path).extension().is_some_and(|ext| ext == "md");
        assert!(!page || readme.contains(&format!("]({path})")), "README.md: no link to {path}");
    }
    Ok(())
}

#[test]
fn ci_runs_the_test_command_of_the_readme() -> Outcome {
    let (readme, ci) = (text("README.md")?, text(".ci/run")?);
    let command = readme.lines().find(|line| line.starts_with("cargo test"));
    let command = command.ok_or("README.md does not say how to test")?;
    let runs = ci.lines().any(|line| line.trim().trim_start_matches("run ") == command);
    assert!(runs, ".ci/run does not run `{command}`");
    Ok(())
}

/// What GitHub makes of the headings of a page.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let plain = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    headings
        .map(|line| line.trim_start_matches('#').trim().chars().filter_map(plain).collect())
        .collect()
}

#[test]
fn relative_links_of_the_documents_lead_somewhere() -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = crate::repository(&["docs"])?;
    for name in ["README.md", "CHANGELOG.md"] {
        documents.push((name.to_owned(), text(name)?));
    }
    for (path, document) in documents {
        let folder = root.join(&path);
        let folder = folder.parent().ok_or("a document without a folder")?;
        for link in document.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { root.join(&path) } else { folder.join(target) };
            assert!(target.exists(), "{path}: {link}");
            if !anchor.is_empty() {
                let page = std::fs::read_to_string(&target)?;
                assert!(anchors(&page).contains(anchor), "{path}: no heading for {link}");
            }
        }
    }
    Ok(())
}

/// Events that no test of the whole program can cause in its time, and why.
const UNTRIED: &[(&str, &str)] =
    &[("cursor.aging", "a token that is days old"), ("flow.quiet", "an hour without work")];

#[test]
fn every_event_is_looked_for_by_a_test_of_the_whole_program() -> Outcome {
    let page = text("docs/events.md")?;
    let names = page.lines().filter_map(|line| line.strip_prefix("## `"));
    let names: Vec<&str> = names.map(|name| name.trim_end_matches('`')).collect();
    let tests = crate::repository(&["tests/it"])?;
    let is_told = |name: &str| {
        let (whole, escaped) = (format!("\"{name}\""), format!("\"{name}\\\""));
        tests.iter().any(|(path, text)| {
            let rust = Path::new(path).extension().is_some_and(|ext| ext == "rs");
            rust && (text.contains(&whole) || text.contains(&escaped))
        })
    };
    assert!(names.len() > 50, "{names:?}");
    let untried: Vec<&str> = names.iter().copied().filter(|name| !is_told(name)).collect();
    let excused: Vec<&str> =
        names.iter().copied().filter(|name| UNTRIED.iter().any(|(it, _)| it == name)).collect();
    assert_eq!(untried, excused, "left: in no test of tests/it, right: excused above");
    Ok(())
}
