//! docs/reliability.md and docs/security.md say what is there: each fault has a
//! test that exists or a reason why not, and each limit is the number in the
//! source.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use syn::visit::Visit;

use crate::fidelity::{Tests, quoted};

type Outcome = Result<(), Box<dyn Error>>;

/// Faults of the catalogue.
const FAULTS: usize = 146;

fn text(path: &str) -> Result<String, Box<dyn Error>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(place).map_err(|error| format!("{path}: {error}").into())
}

/// `module::name` of the tests of the integration binary, `path::name` of the
/// others.
fn tests() -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut all = BTreeSet::new();
    for (path, source) in crate::repository(&["tests/it", "src"])? {
        if Path::new(&path).extension().is_none_or(|ext| ext != "rs") {
            continue;
        }
        let mut found = Tests::default();
        found.visit_file(&syn::parse_file(&source)?);
        let module = match path.strip_prefix("tests/it/") {
            Some(file) => file.trim_end_matches(".rs"),
            None => &path,
        };
        all.extend(found.0.iter().map(|name| format!("{module}::{name}")));
    }
    Ok(all)
}

/// The cells of the rows of all tables whose first cell passes.
fn rows<'d>(document: &'d str, is_row: impl Fn(&str) -> bool) -> Vec<Vec<&'d str>> {
    let cells = |line: &'d str| -> Option<Vec<&'d str>> {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(line.split(" | ").collect())
    };
    document.lines().filter_map(cells).filter(|row| is_row(row[0])).collect()
}

/// `P1`, `C15`.
fn is_id(cell: &str) -> bool {
    let mut letters = cell.chars();
    letters.next().is_some_and(|c| c.is_ascii_uppercase())
        && cell.len() > 1
        && letters.all(|c| c.is_ascii_digit())
}

#[test]
fn each_fault_has_a_test_that_exists_or_a_reason() -> Outcome {
    let tests = tests()?;
    for page in ["docs/reliability.md", "docs/security.md"] {
        let document = text(page)?;
        let named = quoted(&document).filter(|text| text.contains("::") && !text.contains(' '));
        let missing: Vec<&str> = named.filter(|name| !tests.contains(*name)).collect();
        assert!(missing.is_empty(), "{page} names no tests: {missing:#?}");
    }
    let document = text("docs/reliability.md")?;
    let rows = rows(&document, is_id);
    let ids: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!((rows.len(), ids.len()), (FAULTS, FAULTS), "rows, different ids");
    for row in rows {
        let [id, fault, expected, shown] = row[..] else {
            return Err(format!("a row of another form: {row:?}").into());
        };
        assert!(!fault.is_empty() && !expected.is_empty(), "{id}");
        let reason = shown.strip_prefix("not shown: ").is_some_and(|why| why.len() > 10);
        assert!(reason || quoted(shown).any(|name| tests.contains(name)), "{id}: {shown}");
    }
    Ok(())
}

/// A number, or seconds.
fn value(expr: &syn::Expr) -> Option<u64> {
    if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) = expr {
        return number.base10_parse().ok();
    }
    if let syn::Expr::Binary(both) = expr {
        let (left, right) = (value(&both.left)?, value(&both.right)?);
        return if matches!(both.op, syn::BinOp::Mul(_)) {
            left.checked_mul(right)
        } else if matches!(both.op, syn::BinOp::Shl(_)) {
            left.checked_shl(u32::try_from(right).ok()?)
        } else {
            None
        };
    }
    let syn::Expr::Call(call) = expr else { return None };
    let syn::Expr::Path(path) = &*call.func else { return None };
    let unit = match path.path.segments.last()?.ident.to_string().as_str() {
        "from_secs" => 1,
        "from_mins" => 60,
        "from_hours" => 3600,
        _ => return None,
    };
    value(call.args.first()?)?.checked_mul(unit)
}

/// `64 MiB`, `2 minutes`, `200`.
fn said(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let unit = match unit {
        "" | "s" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.replace(' ', "").parse::<u64>().ok()?.checked_mul(unit)
}

#[test]
fn each_limit_of_the_security_page_is_the_number_in_the_source() -> Outcome {
    let document = text("docs/security.md")?;
    let rows = rows(&document, |cell| said(cell).is_some());
    assert!(rows.len() >= 15, "the table of limits is read: {rows:?}");
    for row in rows {
        let [number, what, place] = row[..] else {
            return Err(format!("a row of another form: {row:?}").into());
        };
        let mut names = quoted(place);
        let (Some(name), Some(path)) = (names.next(), names.next()) else {
            return Err(format!("{what}: no constant and file in {place}").into());
        };
        let file = syn::parse_file(&text(path)?)?;
        let constant = file.items.iter().find_map(|item| {
            let syn::Item::Const(item) = item else { return None };
            (item.ident == name).then(|| value(&item.expr)).flatten()
        });
        assert_eq!(constant, said(number), "{what}: left: {path}, right: docs/security.md");
    }
    Ok(())
}
