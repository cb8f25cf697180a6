//! What an answer of Dynamics means for an event: pure, and tested case by
//! case. Repeating a write is harmless, for an activity's id is its event's.

use std::time::Duration;

use crate::dynamics::{Failure, Outcome, PartEnd};
use crate::model::TableName;
use crate::store::{EventEnd, EventStage};

use super::policy::{Evidence, MAX_ATTEMPTS, Verdict, verdict, wait};

/// A row that the caller may not touch, while others of its table can be: code
/// of Dynamics sheet 8.3.
const ROW_REFUSED: &str = "0x80048306";

/// "Error identified in Payload": rows have the same columns and types, so what
/// is wrong with one is wrong with all, unless others were taken beside it.
const PAYLOAD: &str = "0x80048d19";

/// How often a request without a clear answer is repeated whole before it is
/// cut in two.
const WHOLE_TRIES: u32 = 3;

/// What came of one event's write.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// An answer of its own.
    Part(PartEnd),
    /// The event cannot become a row.
    Misfit(String),
    /// What the metadata of its table says could not be learned.
    Table(Failure),
}

/// An event as its answer is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) stage: EventStage,
    pub(super) table: &'a TableName,
    /// Attempts that failed before.
    pub(super) attempts: u32,
    /// Whether activities are to be completed.
    pub(super) completes: bool,
    /// Whether it has waited for its contact long enough.
    pub(super) waited: bool,
    /// Whether others of its table succeeded in the same request.
    pub(super) neighbours_fine: bool,
    pub(super) evidence: Evidence,
}

/// What becomes of an event.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// Its activity is as it shall be. `found`: it had been before.
    Done { found: bool, request_id: Option<String> },
    /// Its activity is there, and is completed next.
    Made,
    /// Dynamics does not have the contact.
    Waits { failure: Option<Failure> },
    /// Another attempt after this wait.
    Retry { attempts: u32, wait: Duration, failure: Option<Failure> },
    /// To the dead letters.
    GiveUp(EventEnd),
    /// Its table takes no event.
    StopTable(Failure),
    /// Nobody's write will succeed.
    StopFlow(Failure),
}

/// Judges one answer.
pub(super) fn fate(case: &Case<'_>, answer: Answer) -> Fate {
    match answer {
        Answer::Part(PartEnd::Done { request_id }) => good(case, false, request_id),
        Answer::Part(PartEnd::AlreadySo { request_id }) => good(case, true, request_id),
        Answer::Part(PartEnd::NotReached) => {
            Fate::Retry { attempts: case.attempts, wait: Duration::ZERO, failure: None }
        }
        Answer::Part(PartEnd::Failed(failure)) => failed(case, failure),
        Answer::Misfit(reason) => Fate::GiveUp(EventEnd {
            reason,
            status: None,
            request_id: None,
            attempts: case.attempts,
        }),
        Answer::Table(failure) => table(case, failure),
    }
}

fn good(case: &Case<'_>, found: bool, request_id: Option<String>) -> Fate {
    if case.stage == EventStage::New && case.completes {
        Fate::Made
    } else {
        Fate::Done { found: found && case.stage == EventStage::New, request_id }
    }
}

fn failed(case: &Case<'_>, failure: Failure) -> Fate {
    match failure.outcome {
        Outcome::Missing if case.stage == EventStage::New && !is_of_table(&failure, case) => {
            no_contact(case, Some(failure))
        }
        // The activity was deleted before it could be completed.
        Outcome::Missing if case.neighbours_fine && !is_of_table(&failure, case) => {
            give_up(case, failure)
        }
        Outcome::Missing | Outcome::Setup => Fate::StopTable(unfit(case, failure)),
        Outcome::BadRecord
            if failure.code.as_deref() == Some(PAYLOAD)
                && !(case.neighbours_fine && is_of_row(&failure)) =>
        {
            Fate::StopTable(unfit(case, failure))
        }
        Outcome::BadRecord if failure.code.as_deref() == Some(PAYLOAD) => give_up(case, failure),
        Outcome::Refused
            if failure.code.as_deref() == Some(ROW_REFUSED) && case.neighbours_fine =>
        {
            give_up(case, failure)
        }
        // The token ended while the batch was carried out: a new request has a
        // fresh one.
        Outcome::Unauthenticated if case.attempts + 1 < MAX_ATTEMPTS => Fate::Retry {
            attempts: case.attempts + 1,
            wait: Duration::ZERO,
            failure: Some(failure),
        },
        Outcome::Refused
        | Outcome::Unauthenticated
        | Outcome::Throttled
        | Outcome::NotSent
        | Outcome::Unknown
        | Outcome::Unavailable
        | Outcome::ServerError
        | Outcome::DuplicateKey
        | Outcome::VersionConflict
        | Outcome::CursorExpired
        | Outcome::BadRecord
        | Outcome::Garbled
        | Outcome::Foreign
        | Outcome::TooLarge
        | Outcome::Spent => by_policy(case, failure),
    }
}

/// The table is not as rows need it.
fn unfit(case: &Case<'_>, failure: Failure) -> Failure {
    let message = format!(
        "table {} is not as activities need it: `cdsync check` tells what it lacks, `cdsync \
         provision` adds it. {}",
        case.table, failure.message
    );
    Failure { message, ..failure }
}

fn by_policy(case: &Case<'_>, failure: Failure) -> Fate {
    match verdict(failure.outcome, case.attempts, false, case.evidence) {
        Verdict::Retry { attempts, wait, .. } => {
            Fate::Retry { attempts, wait, failure: Some(failure) }
        }
        Verdict::GiveUp => give_up(case, failure),
        Verdict::StopTable => Fate::StopTable(failure),
        Verdict::StopFlow => Fate::StopFlow(failure),
    }
}

fn table(case: &Case<'_>, failure: Failure) -> Fate {
    match failure.outcome {
        Outcome::Setup | Outcome::Missing | Outcome::BadRecord => Fate::StopTable(failure),
        Outcome::Refused | Outcome::Unauthenticated | Outcome::Foreign | Outcome::Spent => {
            Fate::StopFlow(failure)
        }
        Outcome::Throttled
        | Outcome::NotSent
        | Outcome::Unknown
        | Outcome::Unavailable
        | Outcome::ServerError
        | Outcome::DuplicateKey
        | Outcome::VersionConflict
        | Outcome::CursorExpired
        | Outcome::Garbled
        | Outcome::TooLarge => Fate::Retry {
            attempts: case.attempts,
            wait: wait(MAX_ATTEMPTS, true),
            failure: Some(failure),
        },
    }
}

/// The event waits for its contact, or has waited enough.
pub(super) fn no_contact(case: &Case<'_>, failure: Option<Failure>) -> Fate {
    if !case.waited {
        return Fate::Waits { failure };
    }
    Fate::GiveUp(EventEnd {
        reason: "Dynamics did not have the event's contact within `contact_wait` of [egress]; \
                 once it has, `cdsync dead-letters retry` lets the event go again"
            .to_owned(),
        status: failure.as_ref().and_then(|failure| failure.status),
        request_id: failure.and_then(|failure| failure.request_id),
        attempts: case.attempts,
    })
}

fn give_up(case: &Case<'_>, failure: Failure) -> Fate {
    Fate::GiveUp(EventEnd {
        reason: failure.message,
        status: failure.status,
        request_id: failure.request_id,
        attempts: case.attempts + 1,
    })
}

/// Whether "does not exist" is said of the table, not of a row that the new one
/// points to: the words of the metadata cache, or the table's name where no
/// other row of it was taken.
fn is_of_table(failure: &Failure, case: &Case<'_>) -> bool {
    let message = failure.message.to_ascii_lowercase();
    message.contains("metadatacache")
        || !case.neighbours_fine
            && message.contains(case.table.as_str())
            && !message.contains("contact")
}

/// Whether what is said of a payload can concern one row alone: not every row
/// has every column, and one that the table lacks is missing for all that have
/// it.
fn is_of_row(failure: &Failure) -> bool {
    let message = failure.message.to_ascii_lowercase();
    !message.contains("undeclared property") && !message.contains("does not exist on type")
}

/// What becomes of a request that failed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// The same again after this wait.
    Again(Duration),
    /// Two halves after this wait: one of them may be fine.
    Split(Duration),
    /// It has a single event: judged as that event's.
    Single,
    /// Nobody's request will succeed.
    StopFlow,
}

/// Judges it. `tries` times it failed before.
pub(super) fn whole(failure: &Failure, events: usize, tries: u32, evidence: Evidence) -> Whole {
    let again = |may_split: bool| {
        let pause = wait(tries + 1, false);
        if may_split && events > 1 && (tries + 1 >= WHOLE_TRIES || evidence.others_succeed) {
            Whole::Split(pause)
        } else {
            Whole::Again(pause)
        }
    };
    match failure.outcome {
        Outcome::Refused | Outcome::Unauthenticated | Outcome::Foreign | Outcome::Spent => {
            Whole::StopFlow
        }
        // Not one of its parts: there is no `$batch` at this address.
        Outcome::Setup | Outcome::Missing if failure.status != Some(400) => Whole::StopFlow,
        Outcome::NotSent | Outcome::Throttled => again(false),
        Outcome::Unknown | Outcome::Unavailable if events == 1 && evidence.others_succeed => {
            Whole::Single
        }
        Outcome::Unknown | Outcome::Unavailable => again(true),
        Outcome::ServerError | Outcome::Garbled if events > 1 => again(true),
        Outcome::ServerError | Outcome::Garbled => Whole::Single,
        Outcome::Setup
        | Outcome::Missing
        | Outcome::DuplicateKey
        | Outcome::VersionConflict
        | Outcome::CursorExpired
        | Outcome::BadRecord
        | Outcome::TooLarge => {
            if events > 1 {
                Whole::Split(Duration::ZERO)
            } else if evidence.outage {
                Whole::StopFlow
            } else {
                Whole::Single
            }
        }
    }
}

#[cfg(test)]
#[path = "activity_fate_tests.rs"]
mod tests;
