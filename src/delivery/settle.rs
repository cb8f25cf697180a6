//! What finished attempts mean for the store: one transaction for a group of
//! them, so that the cost of durability is shared.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::http::Failure;
use crate::model::{Flow, RecordId, TableName, TallyDelta};
use crate::store::{
    Action, Leased, Mirror, MirrorState, NewDeadLetter, Note, Place, Step, StoreError, Work,
};

use super::send::Delivered;

/// A finished attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) leased: Leased,
    pub(crate) end: End,
    /// What went wrong, if something did.
    pub(crate) failure: Option<Failure>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// Campaign holds what was decided.
    Done(Delivered),
    /// To be repeated after a wait.
    Retry { attempts: u32, uncertain: bool, wait: Duration },
    /// Given up.
    GiveUp { reason: String, status: Option<u16>, request_id: Option<String> },
    /// Not to be repeated in this pass; the decision stays.
    Stopped { uncertain: bool },
    /// Campaign does not hold these parents; the decision waits for them.
    Orphaned { lost: Vec<Place> },
}

/// Which tables take part in links.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinship {
    /// Tables whose records others link to.
    pub(crate) parents: HashSet<TableName>,
    /// Tables whose records have links.
    pub(crate) children: HashSet<TableName>,
}

/// What a settled group changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    pub(crate) tally: TallyDelta,
    /// Given up: table, record, reason, status, request id, attempts.
    pub(crate) given_up: Vec<GivenUp>,
}

/// A record on its way to the dead letters, for the log.
#[derive(Clone, Debug)]
pub(crate) struct GivenUp {
    pub(crate) table: TableName,
    pub(crate) record: RecordId,
    pub(crate) reason: String,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) attempts: u32,
}

/// Settles a group.
pub(crate) fn settle(
    work: &mut Work<'_>,
    flow: Flow,
    kinship: &Kinship,
    attempts: &[Attempt],
) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    let mut family = Family::new(kinship);
    for attempt in attempts {
        let leased = &attempt.leased;
        trace(work, attempt);
        match &attempt.end {
            End::Done(delivered) => {
                let flags = &leased.opted_out;
                flags.iter().try_for_each(|flag| work.profile_has(leased.record, flag))?;
                let flags = &leased.outdated;
                flags.iter().try_for_each(|flag| work.profile_still_has(leased.record, flag))?;
                done(work, leased, delivered, &mut family, &mut settled)?;
            }
            End::Retry { attempts, uncertain, .. } => {
                work.note_attempt(leased, *attempts, *uncertain)?;
            }
            End::Stopped { uncertain } => {
                work.note_attempt(leased, leased.attempts, *uncertain)?;
                settled.tally.unchanged += u64::from(work.unlease(leased.id)?);
            }
            End::Orphaned { lost } => {
                settled.tally.unchanged += u64::from(work.unlease(leased.id)?);
                work.parents_lost(leased, lost)?;
            }
            End::GiveUp { reason, status, request_id } => {
                let given_up = GivenUp {
                    table: leased.table.clone(),
                    record: leased.record,
                    reason: reason.clone(),
                    status: *status,
                    request_id: request_id.clone(),
                    attempts: leased.attempts + 1,
                };
                give_up(work, flow, leased, given_up, &mut settled)?;
                family.child(work, leased, false)?;
            }
        }
    }
    Ok(settled)
}

/// What a group means for the records that are linked to its records. Tables
/// without links cost nothing, parents without children one question a group.
struct Family<'k> {
    kinship: &'k Kinship,
    has_children: HashMap<TableName, bool>,
}

impl<'k> Family<'k> {
    fn new(kinship: &'k Kinship) -> Self {
        Self { kinship, has_children: HashMap::new() }
    }

    /// Whether children of the record must be told that Campaign holds it, or
    /// no longer does. Asked before the mirror is changed.
    fn has_news(
        &mut self,
        work: &Work<'_>,
        leased: &Leased,
        delivered: &Delivered,
    ) -> Result<bool, StoreError> {
        if !self.kinship.parents.contains(&leased.table) {
            return Ok(false);
        }
        let known = match self.has_children.get(&leased.table) {
            Some(known) => *known,
            None => {
                let known = work.has_children(&leased.table)?;
                self.has_children.insert(leased.table.clone(), known);
                known
            }
        };
        if !known {
            return Ok(false);
        }
        Ok(match delivered {
            Delivered::Made | Delivered::Gone => true,
            // Found after a write without an answer: it may be one that we made.
            Delivered::Holds(_) if leased.uncertain => true,
            Delivered::Holds(now) | Delivered::AsItWas(now) => work
                .mirror(&leased.table, leased.record)?
                .is_none_or(|before| before.key != now.key),
        })
    }

    /// The work on a record with links has ended.
    fn child(
        &mut self,
        work: &mut Work<'_>,
        leased: &Leased,
        told: bool,
    ) -> Result<(), StoreError> {
        if !self.kinship.children.contains(&leased.table) {
            return Ok(());
        }
        let waiting = work.pending(Flow::Ingress, &leased.table, leased.record)?.is_some();
        work.child_settled(leased, waiting, told)
    }
}

/// Notes how the attempt ended, for `cdsync trace`.
fn trace(work: &mut Work<'_>, attempt: &Attempt) {
    let leased = &attempt.leased;
    let millis = |wait: Duration| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
    let (step, attempts, wait_ms) = match &attempt.end {
        End::Done(Delivered::Made | Delivered::Holds(_)) => (Step::Written, leased.attempts, 0),
        End::Done(Delivered::AsItWas(_)) => (Step::AlreadySo, leased.attempts, 0),
        End::Done(Delivered::Gone) => (Step::Deleted, leased.attempts, 0),
        End::Retry { attempts, wait, .. } => (Step::Retry, *attempts, millis(*wait)),
        End::GiveUp { .. } => (Step::DeadLetter, leased.attempts + 1, 0),
        End::Stopped { .. } | End::Orphaned { .. } => (Step::Waits, leased.attempts, 0),
    };
    let failure = attempt.failure.as_ref();
    let lost = orphaned(&attempt.end);
    let note = Note {
        reason: failure.map_or(lost.as_str(), |failure| &failure.message),
        status: failure.and_then(|failure| failure.status),
        request_id: match failure {
            Some(failure) => failure.request_id.as_deref(),
            None => leased.answered.as_deref(),
        },
        attempts,
        wait_ms,
        ..Note::of(step, leased.version)
    };
    work.note(&leased.table, leased.record, &note);
}

/// Why a decision waits for parents; empty for any other end.
fn orphaned(end: &End) -> String {
    match end {
        End::Orphaned { lost } => {
            let lost: Vec<String> =
                lost.iter().map(|(table, record)| format!("{table} {record}")).collect();
            format!("Campaign does not hold what it links to: {}", lost.join(", "))
        }
        End::Done(_) | End::Retry { .. } | End::GiveUp { .. } | End::Stopped { .. } => {
            String::new()
        }
    }
}

fn done(
    work: &mut Work<'_>,
    leased: &Leased,
    delivered: &Delivered,
    family: &mut Family<'_>,
    settled: &mut Settled,
) -> Result<(), StoreError> {
    // A read may have seen the record while it was on its way.
    let seen = work.finish(leased)?.unwrap_or(leased.seen);
    let news = family.has_news(work, leased, delivered)?;
    // A decision that came meanwhile may have marked the record gone.
    let gone = leased.mirror.as_ref().is_some_and(|then| then.state == MirrorState::Present)
        && work
            .mirror(&leased.table, leased.record)?
            .is_some_and(|now| now.state == MirrorState::Gone);
    match delivered {
        Delivered::Made => {
            let state = if gone { MirrorState::Gone } else { MirrorState::Present };
            work.set_mirror_told(leased, state, seen)?;
        }
        Delivered::Holds(mirror) | Delivered::AsItWas(mirror) => {
            let state = if gone { MirrorState::Gone } else { mirror.state };
            let mirror = Mirror { state, seen, ..mirror.clone() };
            work.set_mirror(&leased.table, leased.record, &mirror)?;
        }
        Delivered::Gone => work.remove_mirror(&leased.table, leased.record)?,
    }
    if news {
        match delivered {
            Delivered::Gone => work.parent_gone(&leased.table, leased.record)?,
            Delivered::Holds(_) | Delivered::Made | Delivered::AsItWas(_) => {
                work.parent_arrived(&leased.table, leased.record)?;
            }
        }
    }
    family.child(work, leased, true)?;
    match (leased.action, delivered) {
        (Action::Write, Delivered::AsItWas(_)) => settled.tally.unchanged += 1,
        (Action::Write, Delivered::Holds(_) | Delivered::Made | Delivered::Gone) => {
            settled.tally.written += 1;
        }
        (Action::Delete, _) => settled.tally.deleted += 1,
    }
    Ok(())
}

fn give_up(
    work: &mut Work<'_>,
    flow: Flow,
    leased: &Leased,
    given_up: GivenUp,
    settled: &mut Settled,
) -> Result<(), StoreError> {
    let Some(seen) = work.give_up(leased)? else {
        // A newer decision waits and takes its place.
        settled.tally.unchanged += 1;
        return Ok(());
    };
    work.add_dead_letter(&NewDeadLetter {
        flow,
        table: leased.table.clone(),
        record: leased.record,
        write: Some((leased.action, leased.payload.clone())),
        version: leased.version,
        seen,
        reason: given_up.reason.clone(),
        status: given_up.status,
        request_id: given_up.request_id.clone(),
        attempts: given_up.attempts,
        uncertain: leased.uncertain,
    })?;
    settled.tally.dead_lettered += 1;
    settled.given_up.push(given_up);
    Ok(())
}
