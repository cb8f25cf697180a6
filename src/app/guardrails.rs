//! The limits of the vendor's own connector, as warnings: cdsync does not need
//! them, Campaign's package may. Source: Campaign sheet, section 11, points 59
//! to 69.

use crate::app::App;
use crate::app::explore::{Finding, FindingKind, within};
use crate::mapping::depth;
use crate::mapping::spec::{TableMapping, Tracking};

/// Mapped tables (point 67).
const TABLES: usize = 20;

/// Mapped columns of one table (point 67).
const COLUMNS: usize = 50;

/// Links of one table (point 60).
const LINKS: usize = 5;

/// Tables in a chain of links, the first parent included (point 59).
const LEVELS: usize = 3;

/// Rows of all mapped tables together (point 66).
const ROWS: u64 = 15_000_000;

/// Calls of one pass for a table that is compared, above which `check` says so.
const DIFF_CALLS: u64 = 10;

const HINT: &str = "nothing needs to be done here; ask Adobe whether the Campaign package takes it";

fn warning(place: &str, problem: String) -> Finding {
    Finding { place: place.to_owned(), problem, hint: HINT.to_owned(), kind: FindingKind::Warning }
}

/// What the mappings alone show.
pub(crate) fn guardrails(tables: &[TableMapping]) -> Vec<Finding> {
    let mut found = Vec::new();
    if tables.len() > TABLES {
        let text = format!(
            "{} tables are mapped; Adobe's own connector is offered for up to {TABLES}",
            tables.len()
        );
        found.push(warning("ingress.table", text));
    }
    for (index, table) in tables.iter().enumerate() {
        if table.fields.len() > COLUMNS {
            let text = format!(
                "{} columns of {} are mapped; Adobe's own connector is offered for up to {COLUMNS}",
                table.fields.len(),
                table.dynamics
            );
            found.push(warning(&format!("ingress.table[{index}].fields"), text));
        }
        if table.links.len() > LINKS {
            let text = format!(
                "{} has {} links; Adobe's own connector is offered for up to {LINKS}",
                table.dynamics,
                table.links.len()
            );
            found.push(warning(&format!("ingress.table[{index}].links"), text));
        }
        let levels = depth(tables, index).map_or(0, |parents| parents + 1);
        if levels > LEVELS {
            let text = format!(
                "{} is at level {levels} of its chain of links; Adobe's own connector is offered for up to {LEVELS}",
                table.dynamics
            );
            found.push(warning(&format!("ingress.table[{index}].links"), text));
        }
        found.extend(takes_along(index, table));
    }
    found
}

/// A deletion through the API honours the link's delete rule, and by default
/// that deletes the target of the link (Campaign sheet, 2 and 3.1); which rule
/// a link has cannot be asked.
fn takes_along(index: usize, table: &TableMapping) -> Option<Finding> {
    let left_out = table.filter.as_ref().is_some_and(|filter| filter.delete_filtered_out);
    if table.links.is_empty() || !(table.apply_deletes || left_out) {
        return None;
    }
    let links: Vec<&str> = table.links.iter().map(|link| link.to.as_str()).collect();
    Some(Finding {
        place: format!("ingress.table[{index}].links"),
        problem: format!(
            "deletions of {} are carried, and by default Campaign deletes the target of a link with the record: {}",
            table.dynamics,
            links.join(", ")
        ),
        hint: "make sure that the delete rule of these links in Campaign leaves the target alone"
            .to_owned(),
        kind: FindingKind::Warning,
    })
}

/// What the tables hold. Their counts may be a day old (Dynamics sheet, 2.4);
/// tables that cannot be counted are passed over.
pub(crate) async fn row_findings(app: &App, tables: &[TableMapping]) -> Vec<Finding> {
    let names: Vec<_> = tables.iter().map(|table| table.dynamics.clone()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let counting = app.dynamics.total_rows(&names);
    let Some(counts) = within(app, "dynamics", counting, &mut Vec::new()).await else {
        return Vec::new();
    };
    let all = over_rows(counts.iter().map(|(_, rows)| rows).sum(), counts.len());
    let page_rows = app.config.dynamics.page_rows;
    let compared = tables.iter().enumerate().filter(|(_, one)| one.tracking == Tracking::Diff);
    let long = compared.filter_map(|(index, table)| {
        let (_, rows) = counts.iter().find(|(name, _)| *name == table.dynamics.as_str())?;
        long_diff(index, table, *rows, page_rows)
    });
    all.into_iter().chain(long).collect()
}

/// A comparison whose reading takes long is worth a word.
fn long_diff(index: usize, table: &TableMapping, rows: u64, page_rows: u32) -> Option<Finding> {
    let calls = rows.div_ceil(u64::from(page_rows.max(1)));
    (calls > DIFF_CALLS).then(|| Finding {
        place: format!("ingress.table[{index}].tracking"),
        problem: format!(
            "each pass reads about {rows} rows of {} in {calls} calls; choose the schedule accordingly",
            table.dynamics
        ),
        hint: String::new(),
        kind: FindingKind::Note,
    })
}

fn over_rows(rows: u64, tables: usize) -> Option<Finding> {
    (rows > ROWS).then(|| {
        let text = format!(
            "the mapped tables ({tables}) hold about {rows} rows; Adobe's own connector is offered for up to {ROWS}"
        );
        warning("dynamics", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_fifteen_million_rows_are_told_with_their_number() {
        assert!(over_rows(15_000_000, 3).is_none());
        let found = over_rows(15_000_001, 3).unwrap();
        assert!(found.problem.contains("15000001") && found.kind == FindingKind::Warning);
    }
}
