//! A dry run of the opt-out flow: both systems are read into a store that
//! forgets, every flag whose sides seem to differ is looked at on both, and what
//! would be written is told.

use crate::app::App;
use crate::app::optout::{CONTACTS, OptoutProblem};
use crate::app::pass::stops_all;
use crate::app::progress::Patience;
use crate::app::rehearsal::{PATIENCE, Planned, Rehearsal};
use crate::delivery::consent::{ConsentDelivery, Foreseen};
use crate::flows::optout::OptoutError;
use crate::http::Failure;
use crate::model::{Flow, Stop, TableName, Tally};
use crate::store::{Mode, Store, StoreError};

const FLOW: Flow = Flow::Optout;

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
    let failure = match looked {
        Ok(failure) => failure,
        Err(OptoutError::Remote(failure)) => Some(failure),
        Err(OptoutError::Store(error)) => return Err(error),
    };
    store.close().await;
    Ok(Rehearsal {
        counts: tally.get(),
        incomplete: failure.is_some(),
        refused: failure.filter(stops_all),
        gave_up: false,
    })
}

/// Gives what kept a source or a contact from being looked at.
async fn look(
    app: &App,
    store: &Store,
    tally: &Tally,
    mut visit: impl FnMut(Planned) + Send + 'static,
) -> Result<Option<Failure>, OptoutError> {
    let Some(settings) = &app.config.optout else { return Ok(None) };
    let (source, target) = match app.optout(settings).await {
        Ok(found) => found,
        Err(OptoutProblem::Remote(failure)) => return Err(failure.into()),
        Err(OptoutProblem::Setup(problems)) => {
            let text = problems.join("; ");
            return Err(app.campaign.unfit(text).into());
        }
    };
    let intake = app.optout_intake(settings, (store, tally), source);
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
    Ok(failure)
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
