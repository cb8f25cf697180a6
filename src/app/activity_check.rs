//! What `check` says of the activity tables: is each there, does it fit?

use crate::app::App;
use crate::app::explore::{Finding, FindingKind, within};
use crate::dynamics::{ActivityTable, Detail, Lack, MetadataWriter, lacks, named, needed};
use crate::model::{EventKind, TableName};

/// Looks at the table of each kind of event that is switched on.
pub(super) async fn activity_findings(app: &App) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(egress) = &app.config.egress else { return findings };
    for kind in &egress.events {
        if let Some(table) = egress.tables.get(kind) {
            look(app, *kind, table, &egress.prefix, &mut findings).await;
        }
    }
    findings
}

async fn look(
    app: &App,
    kind: EventKind,
    table: &TableName,
    prefix: &str,
    findings: &mut Vec<Finding>,
) {
    let place = format!("dynamics {table}");
    let writer = MetadataWriter::new(app.dynamics.clone());
    let wanted = named(prefix, needed(kind));
    let standing = within(app, &place, writer.standing(table, &wanted), findings).await;
    let Some(standing) = standing else { return };
    let lacking = lacks(standing.as_ref(), prefix, needed(kind));
    let fits = lacking.iter().all(|lack| matches!(lack, Lack::Short { .. }));
    findings.extend(lacking.into_iter().map(|lack| finding(&place, prefix, lack)));
    if fits {
        // The relation to contacts, as a pass reads it.
        let activities = ActivityTable::new(app.dynamics.clone(), kind, table.clone(), prefix);
        within(app, &place, activities.shape(Detail::Names), findings).await;
    }
}

fn finding(place: &str, prefix: &str, lack: Lack) -> Finding {
    let names = "or set `prefix` or `tables` of [egress] to those there are";
    let (problem, hint, kind) = match lack {
        Lack::Table => (
            "there is no such activity table".to_owned(),
            format!("`cdsync provision` creates it, {names}"),
            FindingKind::Problem,
        ),
        Lack::Column(column) => (
            format!("there is no column {prefix}_{}", column.end),
            format!("`cdsync provision` adds it, {names}"),
            FindingKind::Problem,
        ),
        Lack::Wrong(text) => (
            text,
            format!("cdsync changes nothing that is there: mend it by hand, {names}"),
            FindingKind::Problem,
        ),
        Lack::Short { column, has, least } => (
            format!("{column} holds {has} characters, {least} or more are advised"),
            "longer texts become dead letters; make the column longer at make.powerapps.com"
                .to_owned(),
            FindingKind::Warning,
        ),
    };
    Finding { place: place.to_owned(), problem, hint, kind }
}
