//! What judged events mean for the store: one transaction for all of a load.

use jiff::Timestamp;

use crate::http::Failure;
use crate::model::{TableName, TallyDelta};
use crate::store::{EventEnd, LeasedEvent, Note, Step, StoreError, Work};

use super::activity_fate::Fate;

/// An event with what becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) leased: LeasedEvent,
    pub(super) table: TableName,
    pub(super) fate: Fate,
}

/// Settles them.
pub(super) fn settle(
    work: &mut Work<'_>,
    judged: &[Judged],
    now: Timestamp,
) -> Result<TallyDelta, StoreError> {
    let mut tally = TallyDelta::default();
    for one in judged {
        let Judged { leased, table, fate } = one;
        note(work, one);
        match fate {
            Fate::Done { .. } => {
                work.event_done(leased, now)?;
                tally.written += 1;
            }
            Fate::Made => work.event_made(leased)?,
            Fate::Waits { .. } => work.event_waits(leased)?,
            Fate::Retry { attempts, .. } => {
                if *attempts != leased.attempts {
                    work.note_event_attempt(leased, *attempts)?;
                }
            }
            Fate::GiveUp(end) => {
                work.give_up_event(leased, table, end)?;
                tally.dead_lettered += 1;
            }
            Fate::StopTable(_) | Fate::StopFlow(_) => work.unlease_event(leased.id)?,
        }
    }
    Ok(tally)
}

/// For `trace`: the same words as for records of ingress.
fn note(work: &mut Work<'_>, judged: &Judged) {
    let Judged { leased, table, fate } = judged;
    let of = |step| Note { attempts: leased.attempts, ..Note::of(step, None) };
    let told = |step, failure: Option<&'_ Failure>| match failure {
        Some(failure) => Told {
            step,
            reason: failure.message.clone(),
            status: failure.status,
            request_id: failure.request_id.clone(),
        },
        None => Told { step, reason: String::new(), status: None, request_id: None },
    };
    let told = match fate {
        Fate::Done { found, request_id } => Told {
            step: if *found { Step::AlreadySo } else { Step::Written },
            reason: String::new(),
            status: None,
            request_id: request_id.clone(),
        },
        // Told once, when it is completed.
        Fate::Made | Fate::Retry { failure: None, .. } => return,
        Fate::Waits { failure } => told(Step::Waits, failure.as_ref()),
        Fate::Retry { failure, .. } => told(Step::Retry, failure.as_ref()),
        Fate::GiveUp(EventEnd { reason, status, request_id, .. }) => Told {
            step: Step::DeadLetter,
            reason: reason.clone(),
            status: *status,
            request_id: request_id.clone(),
        },
        Fate::StopTable(failure) | Fate::StopFlow(failure) => told(Step::Waits, Some(failure)),
    };
    let Told { step, reason, status, request_id } = &told;
    let request_id = request_id.as_deref();
    work.note(table, leased.activity, &Note { reason, status: *status, request_id, ..of(*step) });
}

struct Told {
    step: Step,
    reason: String,
    status: Option<u16>,
    request_id: Option<String>,
}
