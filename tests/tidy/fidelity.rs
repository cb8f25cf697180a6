//! docs/fidelity.md says what is there: its tests exist, it names each variant
//! with its words and no other, and each section of the sheets that leaves
//! something open has a row.
//!
//! The sheets are no part of the repository; which of their sections leave
//! something open stands at the end of the page.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use syn::visit::{self, Visit};

type Outcome = Result<(), Box<dyn Error>>;

/// A row of a table: section, fact, sandbox, what is open.
type Row = [String; 4];

fn document() -> Result<String, std::io::Error> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fidelity.md"))
}

/// The rows whose first cell is a section.
fn rows(document: &str) -> Vec<Row> {
    let row = |line: &str| -> Option<Row> {
        let line = line.strip_prefix("| ")?.replace("\\|", "\u{1}");
        let cells = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|"));
        let mut cells: Vec<String> = cells.filter(|cell| !cell.starts_with('-')).collect();
        cells.truncate(4);
        cells.resize(4, String::new());
        let row = Row::try_from(cells).ok()?;
        row[0].starts_with(['C', 'D']).then_some(row)
    };
    document.lines().filter_map(row).collect()
}

/// The texts in backquotes.
pub(crate) fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of test functions.
#[derive(Default)]
pub(crate) struct Tests(pub(crate) BTreeSet<String>);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let is_test = |one: &syn::Attribute| {
            one.path().segments.last().is_some_and(|segment| segment.ident == "test")
        };
        if item.attrs.iter().any(is_test) {
            self.0.insert(item.sig.ident.to_string());
        }
        visit::visit_item_fn(self, item);
    }
}

/// `module::name` of each test of the one integration binary.
fn tests() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut all = BTreeSet::new();
    for (path, source) in crate::repository(&["tests/it"])? {
        let path = Path::new(&path);
        if path.extension().is_some_and(|ext| ext == "rs") {
            let mut found = Tests::default();
            found.visit_file(&syn::parse_file(&source)?);
            let module = path.file_stem().unwrap_or_default().to_string_lossy();
            all.extend(found.0.iter().map(|name| format!("{module}::{name}")));
        }
    }
    Ok(all)
}

/// The list of variants: `one(name, values, meaning)`.
#[derive(Default)]
struct Variants {
    constants: BTreeMap<String, String>,
    /// By name, what they take; none where it is a number.
    found: BTreeMap<String, Option<String>>,
}

fn literal(expr: &syn::Expr) -> Option<String> {
    if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = expr {
        return Some(text.value());
    }
    None
}

impl<'ast> Visit<'ast> for Variants {
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if let Some(text) = literal(&item.expr) {
            self.constants.insert(item.ident.to_string(), text);
        }
        visit::visit_item_const(self, item);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let mut arguments = call.args.iter();
        if let (Some(name), Some(values)) = (arguments.next(), arguments.next())
            && let Some(name) = literal(name)
        {
            let named = if let syn::Expr::Path(path) = values {
                path.path.get_ident().map(ToString::to_string)
            } else {
                None
            };
            let text = literal(values)
                .or_else(|| named.and_then(|named| self.constants.get(&named).cloned()));
            self.found.insert(name, text.filter(|text| text.contains('|')));
        }
        visit::visit_expr_call(self, call);
    }
}

fn variants() -> Result<BTreeMap<String, Option<String>>, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/variants/words.rs");
    let mut file = syn::parse_file(&std::fs::read_to_string(path)?)?;
    file.items.retain(|item| matches!(item, syn::Item::Const(_)));
    let mut variants = Variants::default();
    variants.visit_file(&file);
    Ok(variants.found)
}

#[test]
fn each_test_that_is_named_exists_and_each_fact_has_one() -> Outcome {
    let (document, tests) = (document()?, tests()?);
    let named: BTreeSet<&str> =
        quoted(&document).filter(|text| text.contains("::") && !text.contains(' ')).collect();
    assert!(named.len() > 50, "the page is read: {named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !tests.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/fidelity.md names tests that are not there: {missing:#?}");
    for [section, fact, sandbox, _] in rows(&document) {
        let other = sandbox.starts_with("see C ") || sandbox == "none";
        let idle = ["D 1.6", "D 9.5"].contains(&section.as_str());
        let shown = quoted(&sandbox).any(|text| text.contains("::"));
        assert!(shown || other || idle, "{section}, {fact}: no test of the sandbox");
    }
    Ok(())
}

#[test]
fn each_variant_is_named_with_its_words_and_no_other() -> Outcome {
    let (document, variants) = (document()?, variants()?);
    let mut named = BTreeSet::new();
    for row in rows(&document) {
        for switch in quoted(&row[3]).filter_map(|text| text.strip_prefix("--variant ")) {
            let (name, value) = switch.split_once('=').unwrap_or((switch, ""));
            let Some(words) = variants.get(name) else {
                return Err(format!("{}: there is no variant {name}", row[0]).into());
            };
            let number = value == "N" || value.parse::<u64>().is_ok();
            let right = words.as_deref().map_or(number, |words| words == value);
            assert!(right, "{}: {name} takes {words:?}, not {value}", row[0]);
            named.insert(name.to_owned());
        }
    }
    let all: BTreeSet<String> = variants.into_keys().collect();
    assert_eq!(named, all, "left: docs/fidelity.md, right: the list of variants");
    Ok(())
}

#[test]
fn each_section_that_leaves_something_open_has_a_row_that_says_what_is_done() -> Outcome {
    let document = document()?;
    let (_, list) = document
        .split_once("\n## Sections that leave something open\n")
        .ok_or("docs/fidelity.md has no list of open sections")?;
    let (rows, mut sheet, mut count) = (rows(&document), "", 0);
    for word in list.split_whitespace() {
        match word {
            "D:" | "C:" => sheet = &word[..1],
            number if !sheet.is_empty() && number.starts_with(|c: char| c.is_ascii_digit()) => {
                count += 1;
                let section = format!("{sheet} {number}");
                let said = rows.iter().any(|[at, _, sandbox, open]| {
                    *at == section && (!open.is_empty() || sandbox.starts_with("see C "))
                });
                // What nothing rests on has its reason in the third cell.
                let idle = rows.iter().any(|[at, _, why, _]| *at == section && !why.contains('`'));
                assert!(said || idle, "docs/fidelity.md says nothing of {section}");
            }
            _ => {}
        }
    }
    assert!(count > 40, "the list is read: {count}");
    Ok(())
}
