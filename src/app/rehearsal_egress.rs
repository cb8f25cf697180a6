//! A dry run of egress: the journal is read into a store that forgets, and what
//! would become an activity is told. Dynamics is not asked.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::app::App;
use crate::app::egress::read;
use crate::app::progress::Patience;
use crate::app::rehearsal::{PATIENCE, Planned, Rehearsal};
use crate::config::EgressSettings;
use crate::http::Outcome;
use crate::model::{EmailEvent, EventKind, Flow, Tally};
use crate::store::{LeasedEvent, Mode, Store, StoreError};

const FLOW: Flow = Flow::Egress;

/// Events that are told in one go.
const GROUP: usize = 500;

/// Rehearses the egress flow; `visit` is called for each thing it would do.
pub(crate) async fn plan_egress(
    app: &App,
    visit: impl FnMut(Planned) + Send + Clone + 'static,
) -> Result<Rehearsal, StoreError> {
    let Some(settings) = &app.config.egress else { return Ok(Rehearsal::default()) };
    let store = app.open_store(Mode::Rehearsal).await?;
    let before =
        store.call(|work| Ok(work.dead_letters()?.last().map_or(0, |letter| letter.id))).await?;
    let tally = Tally::default();
    let mut patience = Patience::new(app, FLOW, &tally, PATIENCE);
    let notices = (Arc::new(Notify::new()), None);
    let files = app.file_intake(settings, &store, &tally, notices.clone());
    let intake = app.event_intake(settings, &store, &tally, notices);
    let reading = read(app, intake, files);
    let report = tokio::select! {
        report = reading => report?,
        () = patience.run_out() => {
            patience.report(app);
            return Ok(Rehearsal {
                counts: tally.get(),
                incomplete: true,
                gave_up: true,
                ..Rehearsal::default()
            });
        }
    };
    tell((&store, app.clock.now()), settings, before, visit).await?;
    store.close().await;
    Ok(Rehearsal {
        counts: tally.get(),
        refused: report.first(Outcome::Refused).or(report.first(Outcome::Spent)),
        incomplete: report.failed(),
        ..Rehearsal::default()
    })
}

async fn tell(
    (store, now): (&Store, Timestamp),
    settings: &EgressSettings,
    before: i64,
    mut visit: impl FnMut(Planned) + Send + Clone + 'static,
) -> Result<(), StoreError> {
    for kind in &settings.events {
        let kind = *kind;
        let Some(table) = settings.tables.get(&kind).cloned() else { continue };
        loop {
            let (table, prefix) = (table.clone(), settings.prefix.clone());
            let mut visit = visit.clone();
            let told = store
                .call(move |work| {
                    let leased = work.lease_events(kind, GROUP, now)?;
                    for one in &leased {
                        visit(Planned {
                            fields: columns(&one.event, &prefix),
                            reason: why(one),
                            ..Planned::of(FLOW, table.clone(), one.activity, "create")
                        });
                    }
                    Ok(leased.len())
                })
                .await?;
            if told == 0 {
                break;
            }
        }
    }
    store
        .call(move |work| {
            for letter in work.dead_letters()?.into_iter().filter(|letter| letter.id > before) {
                visit(Planned {
                    reason: letter.reason,
                    ..Planned::of(FLOW, letter.table, letter.record, "dead-letter")
                });
            }
            Ok(())
        })
        .await
}

fn why(leased: &LeasedEvent) -> String {
    match leased.event.kind {
        EventKind::Send => "the e-mail was sent; not on the timeline yet",
        EventKind::Open => "the e-mail was opened; not on the timeline yet",
        EventKind::Click => "a URL in the e-mail was clicked; not on the timeline yet",
        EventKind::Bounce => "the e-mail bounced; not on the timeline yet",
    }
    .to_owned()
}

/// The columns that the activity would have a value in.
fn columns(event: &EmailEvent, prefix: &str) -> Vec<String> {
    let own = [
        ("eventid", true),
        ("eventdate", true),
        ("campaignname", event.campaign.is_some()),
        ("deliveryname", event.delivery.is_some()),
        ("trackingurl", event.url.is_some()),
        ("mirrorpageurl", event.mirror_page.is_some()),
    ];
    let own = own.into_iter().filter(|(_, there)| *there);
    let own = own.map(|(name, _)| format!("{prefix}_{name}"));
    ["subject", "regardingobjectid"].into_iter().map(str::to_owned).chain(own).collect()
}
