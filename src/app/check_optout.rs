//! What `check` asks for the opt-out flow: are the pairs there, does the filter
//! answer, how far are the clocks apart?

use crate::app::App;
use crate::app::explore::{Finding, FindingKind, within};
use crate::app::optout::OptoutProblem;
use crate::model::consent::{Skew, measure};

/// Further from each other than this, clocks are worth a word.
const FAR_APART_S: u64 = 30;

/// Looks at what the flow needs of both systems, where it is configured.
pub(super) async fn check_optout(app: &App, findings: &mut Vec<Finding>) {
    let Some(settings) = &app.config.optout else { return };
    let finding = |place: &str, problem: String, hint: &str, kind| Finding {
        place: place.to_owned(),
        problem,
        hint: hint.to_owned(),
        kind,
    };
    let (source, target) = match app.optout(settings).await {
        Ok(found) => found,
        Err(OptoutProblem::Setup(problems)) => {
            let hint = "the message names what to do";
            findings.extend(
                problems
                    .into_iter()
                    .map(|problem| finding("optout.pairs", problem, hint, FindingKind::Problem)),
            );
            return;
        }
        // The tables' own findings tell of a system that does not answer.
        Err(OptoutProblem::Remote(_)) => return,
    };
    if let Some((filter, parameter)) = &source.rest {
        let filter = Some((filter.as_str(), parameter.as_str(), app.clock.now()));
        let fields = source.profile_fields();
        let asking = app.campaign.filtered(&source.resource, &source.key, &fields, filter, None);
        within(app, "optout.rest", asking, findings).await;
    }
    match measure(&target.writer.clock_samples(), &target.campaign.clock_samples()) {
        Skew::Measured { offset, spread } if offset.unsigned_abs().as_secs() > FAR_APART_S => {
            findings.push(finding(
                "clocks",
                format!(
                    "Campaign's clock minus that of Dynamics is {} s, give or take {} s",
                    offset.as_secs(),
                    spread.as_secs().max(1)
                ),
                "nothing is lost: leads are corrected by it; tell the vendor whose clock is wrong",
                FindingKind::Warning,
            ));
        }
        Skew::Measured { .. } | Skew::Unknown => {}
    }
}
