//! A dry run: the flow runs against a store that forgets, nothing is
//! delivered, and what would wait for delivery is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::app::App;
use crate::app::pass::stops_all;
use crate::app::progress::Patience;
use crate::flows::ingress::{Intake, IntakeReport, Remapped};
use crate::flows::requests::Requests;
use crate::http::Failure;
use crate::model::{ColumnName, FieldName, Flow, RecordId, TableName, Tally, TallyDelta};
use crate::store::{Action, Fingerprint, Mode, PayloadField, Store, StoreError, UNKNOWN};

const FLOW: Flow = Flow::Ingress;

/// Ends a dry run in which nothing moves.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// One thing that a run would do.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The flow.
    pub(crate) flow: Flow,
    /// The table.
    pub(crate) table: TableName,
    /// The record; none for `re-evaluate`, which is about many.
    pub(crate) id: Option<RecordId>,
    /// `create`, `update`, `delete`, `dead-letter` or `re-evaluate`.
    pub(crate) action: &'static str,
    /// The fields that would be written.
    pub(crate) fields: Vec<String>,
    /// Why.
    pub(crate) reason: String,
    /// Why field by field; also for fields that are not written although they
    /// differ.
    pub(crate) reasons: Vec<(String, &'static str)>,
    /// The values that would be written, as JSON. Personal data: shown only to
    /// who asks for them.
    pub(crate) values: Vec<(String, String)>,
    /// Of `re-evaluate`: how far it goes.
    pub(crate) look: Option<Look>,
}

/// How many records a changed mapping looks at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// So many; none if they could not be counted.
    pub(crate) rows: Option<u64>,
    /// So many does Campaign hold.
    pub(crate) records: u64,
    /// `none`, `by-id`, `by-filter` or `full-read`.
    pub(crate) read: &'static str,
    /// Why all rows are read, where they are.
    pub(crate) why: Option<&'static str>,
}

impl Planned {
    /// Something that would happen to one record; the rest is to be filled in.
    pub(super) fn of(flow: Flow, table: TableName, id: RecordId, action: &'static str) -> Self {
        Self {
            flow,
            table,
            id: Some(id),
            action,
            fields: Vec::new(),
            reason: String::new(),
            reasons: Vec::new(),
            values: Vec::new(),
            look: None,
        }
    }
}

/// What a run would do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rehearsal {
    /// Its counts; nothing is written or deleted.
    pub(crate) counts: TallyDelta,
    /// A refusal of credentials or privileges.
    pub(crate) refused: Option<Failure>,
    /// Whether a table could not be planned, or deletions would be held.
    pub(crate) incomplete: bool,
    /// Whether nothing moved for too long.
    pub(crate) gave_up: bool,
    /// What columns that are no plain "do not" mean, by example.
    pub(crate) meanings: Vec<Meaning>,
}

/// What a contact's column says, by its pair's polarity.
#[derive(Clone, Debug)]
pub(crate) struct Meaning {
    /// The contact.
    pub(crate) contact: RecordId,
    /// The column.
    pub(crate) column: ColumnName,
    /// Its value; none: it is empty.
    pub(crate) value: Option<bool>,
    /// Campaign's flag.
    pub(crate) flag: FieldName,
    /// Whether that means opted out; none: it says nothing.
    pub(crate) opted_out: Option<bool>,
}

/// Rehearses the ingress flow; `visit` is called for each thing it would do.
pub(crate) async fn plan_ingress(
    app: &App,
    visit: impl FnMut(Planned) + Send + 'static,
) -> Result<Rehearsal, StoreError> {
    let store = app.open_store(Mode::Rehearsal).await?;
    let before =
        store.call(|work| Ok(work.dead_letters()?.last().map_or(0, |letter| letter.id))).await?;
    let tally = Tally::default();
    let mut patience = Patience::new(app, FLOW, &tally, PATIENCE);
    let intake = Intake {
        dynamics: app.dynamics.clone(),
        campaign: app.campaign.clone(),
        store: store.clone(),
        clock: app.clock.clone(),
        tally: tally.clone(),
        work_ready: Arc::new(Notify::new()),
        settled: None,
        requests: Requests::default(),
    };
    let reading = async {
        let prepared = app.prepare(&store).await?;
        let report = intake.run(&prepared.tables).await?;
        Ok::<_, StoreError>((prepared, report))
    };
    let (prepared, report) = tokio::select! {
        read = reading => read?,
        () = patience.run_out() => {
            patience.report(app);
            return Ok(Rehearsal {
                counts: tally.get(),
                refused: None,
                incomplete: true,
                gave_up: true,
                meanings: Vec::new(),
            });
        }
    };
    tell(&store, before, &report, visit).await?;
    let stopped = prepared.refused.or(report.refused);
    Ok(Rehearsal {
        counts: tally.get(),
        refused: stopped.filter(stops_all),
        incomplete: !prepared.failed.is_empty()
            || !report.failed.is_empty()
            || !report.held.is_empty(),
        gave_up: false,
        meanings: Vec::new(),
    })
}

async fn tell(
    store: &Store,
    before: i64,
    report: &IntakeReport,
    mut visit: impl FnMut(Planned) + Send + 'static,
) -> Result<(), StoreError> {
    let (held, remapped) = (report.held.clone(), report.remapped.clone());
    store
        .call(move |work| {
            remapped.into_iter().map(re_evaluated).for_each(&mut visit);
            work.each_pending(FLOW, |leased| {
                visit(planned(&leased, held.contains(&leased.table)));
                Ok(())
            })?;
            for letter in work.dead_letters()? {
                if letter.id > before {
                    visit(Planned {
                        reason: letter.reason,
                        ..Planned::of(FLOW, letter.table, letter.record, "dead-letter")
                    });
                }
            }
            Ok(())
        })
        .await
}

/// What a changed mapping comes to.
fn re_evaluated(remapped: Remapped) -> Planned {
    Planned {
        flow: FLOW,
        table: remapped.table,
        id: None,
        action: "re-evaluate",
        fields: remapped.fields,
        reason: remapped.parts.join(", "),
        reasons: Vec::new(),
        values: Vec::new(),
        look: Some(Look {
            rows: remapped.rows,
            records: remapped.records,
            read: remapped.read,
            why: remapped.why,
        }),
    }
}

fn planned(leased: &crate::store::Leased, held: bool) -> Planned {
    let nothing = BTreeMap::new();
    let told = leased.mirror.as_ref().map_or(&nothing, |mirror| &mirror.fields);
    let (action, reason) = match (leased.action, &leased.mirror) {
        (Action::Delete, _) if held => {
            ("delete", "gone from Dynamics; the delete guard holds the wave".to_owned())
        }
        (Action::Delete, _) => ("delete", "deleted in Dynamics, or left the filter".to_owned()),
        (Action::Write, None) => ("create", "not in Campaign yet".to_owned()),
        (Action::Write, Some(_)) => {
            ("update", "these fields differ from what Campaign was last told".to_owned())
        }
    };
    let reason = match (leased.action, leased.waits) {
        (_, 0) => reason,
        (Action::Write, _) => format!("{reason}; waits until its parent is in Campaign"),
        (Action::Delete, _) => format!("{reason}; waits until its children are done"),
    };
    let changed: Vec<&PayloadField> = leased.payload.changed(told).collect();
    let known = leased.mirror.is_some();
    let reasons = leased.payload.fields.iter().filter_map(|field| {
        let held = told.get(&*field.name).copied();
        let written = changed.iter().any(|it| it.name == field.name);
        Some((field.name.to_string(), why(field, known, held, (written, leased.payload.initial))?))
    });
    let opt_outs: Vec<String> = match (leased.action, known) {
        (Action::Write, false) => leased.payload.opt_outs.iter().map(ToString::to_string).collect(),
        (Action::Write | Action::Delete, _) => Vec::new(),
    };
    let mut planned = Planned {
        reasons: reasons.collect(),
        fields: changed.iter().map(|field| field.name.to_string()).collect(),
        values: changed.iter().map(|it| (it.name.to_string(), it.json.get().to_owned())).collect(),
        reason,
        ..Planned::of(FLOW, leased.table.clone(), leased.record, action)
    };
    for name in opt_outs {
        planned.fields.push(name.clone());
        planned.values.push((name.clone(), "true".to_owned()));
        planned.reasons.push((name, "opted out in Dynamics"));
    }
    planned
}

/// Why a field is written, or is not although it differs; none where there is
/// nothing to say. `known`: Campaign has the record; `held`: what it was told.
fn why(
    field: &PayloadField,
    known: bool,
    held: Option<Fingerprint>,
    (written, initial): (bool, bool),
) -> Option<&'static str> {
    let empties = matches!(field.json.get(), "\"\"" | "null");
    if !known {
        return Some("new");
    }
    Some(match (held, written) {
        (None, _) => "never told to Campaign",
        (Some(UNKNOWN), _) => "unknown in Campaign",
        (Some(_), true) if !field.updates && initial => "replayed",
        (Some(_), true) if empties => "cleared",
        (Some(_), true) => "changed",
        (Some(print), false) if print != field.fingerprint => "not written: updates = false",
        (Some(_), false) => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn every_field_has_its_reason() {
        let field = |json: &str, updates| PayloadField {
            name: "f".into(),
            json: RawValue::from_string(json.to_owned()).unwrap(),
            fingerprint: [2; 8],
            updates,
        };
        let (value, empty) = (field("\"x\"", true), field("\"\"", true));
        let once = field("\"x\"", false);
        // field, held (none: the record is new), written, initial → reason
        let cases = [
            (&value, None, true, true, Some("new")),
            (&value, Some(None), true, false, Some("never told to Campaign")),
            (&value, Some(Some(UNKNOWN)), true, false, Some("unknown in Campaign")),
            (&value, Some(Some([1; 8])), true, false, Some("changed")),
            (&empty, Some(Some([1; 8])), true, false, Some("cleared")),
            (&value, Some(Some([2; 8])), false, false, None),
            (&once, Some(Some([1; 8])), false, false, Some("not written: updates = false")),
            (&once, Some(Some([1; 8])), true, true, Some("replayed")),
            (&once, Some(Some([2; 8])), false, false, None),
        ];
        for (row, (field, held, written, initial, expected)) in cases.into_iter().enumerate() {
            let found = why(field, held.is_some(), held.flatten(), (written, initial));
            assert_eq!(found, expected, "row {row}");
        }
    }
}
