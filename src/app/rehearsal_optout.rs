//! A dry run of the opt-out flow: both systems are read into a store that
//! forgets, every flag whose sides seem to differ is looked at on both, and what
//! would be written is told.

use jiff::Timestamp;

use crate::app::App;
use crate::app::optout::{CONTACTS, OptoutProblem};
use crate::app::pass::stops_all;
use crate::app::progress::Patience;
use crate::app::rehearsal::{Meaning, PATIENCE, Planned, Rehearsal};
use crate::delivery::consent::{ConsentDelivery, Foreseen};
use crate::dynamics::Query;
use crate::flows::optout::{FileSource, OptoutError, OptoutSource};
use crate::http::Failure;
use crate::model::consent::BoundPair;
use crate::model::{Change, Flow, SourceRow, Stop, TableName, Tally};
use crate::store::{Mode, Store, StoreError};

const FLOW: Flow = Flow::Optout;

/// Contacts that are shown as samples.
const SAMPLES: u32 = 20;

/// Rehearses the opt-out flow; `visit` is called for each thing it would do.
pub(crate) async fn plan_optout(
    app: &App,
    visit: impl FnMut(Planned) + Send + 'static,
) -> Result<Rehearsal, StoreError> {
    let store = app.open_store(Mode::Rehearsal).await?;
    let tally = Tally::default();
    let mut patience = Patience::new(app, FLOW, &tally, PATIENCE);
    let looked = tokio::select! {
        looked = Box::pin(look(app, &store, &tally, visit)) => looked,
        () = patience.run_out() => {
            patience.report(app);
            let counts = tally.get();
            return Ok(Rehearsal { counts, incomplete: true, gave_up: true, ..Rehearsal::default() });
        }
    };
    let (failure, meanings) = match looked {
        Ok(found) => found,
        Err(OptoutError::Remote(failure)) => (Some(failure), Vec::new()),
        Err(OptoutError::Store(error)) => return Err(error),
    };
    store.close().await;
    Ok(Rehearsal {
        counts: tally.get(),
        incomplete: failure.is_some(),
        refused: failure.filter(stops_all),
        gave_up: false,
        meanings,
    })
}

/// Gives what kept a source or a contact from being looked at, and samples of
/// what columns mean.
async fn look(
    app: &App,
    store: &Store,
    tally: &Tally,
    mut visit: impl FnMut(Planned) + Send + 'static,
) -> Result<(Option<Failure>, Vec<Meaning>), OptoutError> {
    let Some(settings) = &app.config.optout else { return Ok((None, Vec::new())) };
    let (source, target) = match app.optout(settings).await {
        Ok(found) => found,
        Err(OptoutProblem::Remote(failure)) => return Err(failure.into()),
        Err(OptoutProblem::Setup(problems)) => {
            let text = problems.join("; ");
            return Err(app.campaign.unfit(text).into());
        }
    };
    let meanings = meanings(app, &source).await?;
    let mut intake = app.optout_intake(settings, (store, tally), source);
    intake.files = intake.files.map(|files| FileSource { rehearsal: true, ..files });
    let mut failure = intake.run().await?.failure;
    let clock = &app.clock;
    let delivery = ConsentDelivery::new(store, clock, tally, target, CONTACTS, Stop::default());
    let seen = delivery.foresee(|contact, seen| match seen {
        Ok(seen) => {
            if let Some(planned) = planned(&seen) {
                visit(planned);
            }
        }
        Err(error) => {
            visit(Planned {
                reason: error.message.clone(),
                ..Planned::of(FLOW, TableName::contact(), contact, "dead-letter")
            });
            failure.get_or_insert(error);
        }
    });
    seen.await?;
    Ok((failure, meanings))
}

/// What some contacts' columns mean, of the pairs whose polarity is not the
/// usual one: a pair that is the wrong way round would opt everybody in.
async fn meanings(app: &App, source: &OptoutSource) -> Result<Vec<Meaning>, Failure> {
    let unusual = |it: &&BoundPair| it.pair.inverted || it.pair.null_is_false;
    let pairs: Vec<&BoundPair> = source.pairs.iter().filter(unusual).collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let query = Query { page_rows: SAMPLES, ..Query::clone(&source.query) };
    let page = app.dynamics.modified_since(&query, Timestamp::UNIX_EPOCH, None).await?;
    let rows = page.changes.iter().filter_map(|change| match change {
        Change::Upsert(row) => Some(row),
        Change::Delete(_) => None,
    });
    let of = |row: &SourceRow| {
        let meaning = |pair: &&BoundPair| Meaning {
            contact: row.id,
            column: pair.pair.column.clone(),
            value: pair.column_value(row),
            flag: pair.wire.clone(),
            opted_out: pair.opted_out(row),
        };
        pairs.iter().map(meaning).collect::<Vec<_>>()
    };
    Ok(rows.take(SAMPLES as usize).flat_map(of).collect())
}

/// None where nothing would be written.
fn planned(seen: &Foreseen) -> Option<Planned> {
    let mut values = Vec::new();
    if let Some((column, value)) = &seen.dynamics {
        values.push((column.to_string(), value.to_string()));
    }
    if let Some((field, value)) = &seen.campaign {
        values.push((field.to_string(), value.to_string()));
    }
    if values.is_empty() {
        return None;
    }
    let action = if seen.clears { "opt-in" } else { "opt-out" };
    Some(Planned {
        fields: values.iter().map(|(name, _)| name.clone()).collect(),
        reason: seen.reason.as_str().to_owned(),
        values,
        ..Planned::of(FLOW, TableName::contact(), seen.contact, action)
    })
}
