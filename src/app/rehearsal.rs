//! A dry run: the flow runs against a store that forgets, nothing is
//! delivered, and what would wait for delivery is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::app::App;
use crate::flows::ingress::Intake;
use crate::http::{Failure, Outcome};
use crate::model::{Flow, RecordId, TableName, Tally, TallyDelta};
use crate::store::{Action, Mode, Store, StoreError};

const FLOW: Flow = Flow::Ingress;

/// One thing that a run would do.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The table.
    pub(crate) table: TableName,
    /// The record.
    pub(crate) id: RecordId,
    /// `create`, `update`, `delete` or `dead-letter`.
    pub(crate) action: &'static str,
    /// The fields that would be written.
    pub(crate) fields: Vec<String>,
    /// Why.
    pub(crate) reason: String,
}

/// What a run would do.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    /// Its counts; nothing is written or deleted.
    pub(crate) counts: TallyDelta,
    /// A refusal of credentials or privileges.
    pub(crate) refused: Option<Failure>,
    /// Whether a table could not be planned.
    pub(crate) incomplete: bool,
}

/// Rehearses the ingress flow; `visit` is called for each thing it would do.
pub(crate) async fn plan_ingress(
    app: &App,
    visit: impl FnMut(Planned) + Send + 'static,
) -> Result<Rehearsal, StoreError> {
    let store = app.open_store(Mode::Rehearsal).await?;
    let before =
        store.call(|work| Ok(work.dead_letters()?.last().map_or(0, |letter| letter.id))).await?;
    let prepared = app.prepare().await;
    let tally = Tally::default();
    let intake = Intake {
        dynamics: app.dynamics.clone(),
        campaign: app.campaign.clone(),
        store: store.clone(),
        clock: app.clock.clone(),
        tally: tally.clone(),
        work_ready: Arc::new(Notify::new()),
        settled: None,
        retention_days: None,
    };
    let report = intake.run(&prepared.tables).await?;
    tell(&store, before, visit).await?;
    let stopped = prepared.refused.or(report.refused);
    Ok(Rehearsal {
        counts: tally.get(),
        refused: stopped.filter(|failure| failure.outcome == Outcome::Refused),
        incomplete: !prepared.failed.is_empty() || !report.failed.is_empty(),
    })
}

async fn tell(
    store: &Store,
    before: i64,
    mut visit: impl FnMut(Planned) + Send + 'static,
) -> Result<(), StoreError> {
    store
        .call(move |work| {
            work.each_pending(FLOW, |leased| {
                visit(planned(&leased));
                Ok(())
            })?;
            for letter in work.dead_letters()? {
                if letter.id > before {
                    visit(Planned {
                        table: letter.table,
                        id: letter.record,
                        action: "dead-letter",
                        fields: Vec::new(),
                        reason: letter.reason,
                    });
                }
            }
            Ok(())
        })
        .await
}

fn planned(leased: &crate::store::Leased) -> Planned {
    let nothing = BTreeMap::new();
    let told = leased.mirror.as_ref().map_or(&nothing, |mirror| &mirror.fields);
    let (action, reason) = match (leased.action, &leased.mirror) {
        (Action::Delete, _) => ("delete", "deleted in Dynamics, or left the filter".to_owned()),
        (Action::Write, None) => ("create", "not in Campaign yet".to_owned()),
        (Action::Write, Some(_)) => {
            ("update", "these fields differ from what Campaign was last told".to_owned())
        }
    };
    let fields = leased.payload.changed(told).map(|field| field.name.clone()).collect();
    Planned { table: leased.table.clone(), id: leased.record, action, fields, reason }
}
