//! Every outcome, of a part and of a whole request.

use super::*;
use crate::http::System;

const CALM: Evidence = Evidence { outage: false, others_succeed: false };
const OTHERS_FINE: Evidence = Evidence { outage: false, others_succeed: true };
const OUTAGE: Evidence = Evidence { outage: true, others_succeed: false };

fn table() -> TableName {
    TableName::new("new_campaignemailsend").unwrap()
}

fn case(table: &TableName) -> Case<'_> {
    Case {
        stage: EventStage::New,
        table,
        attempts: 0,
        completes: false,
        waited: false,
        neighbours_fine: false,
        evidence: OTHERS_FINE,
    }
}

fn failure(outcome: Outcome, message: &str) -> Failure {
    Failure::new(System::Dynamics, outcome, message)
}

fn word(fate: &Fate) -> String {
    match fate {
        Fate::Done { found, .. } => format!("done, found {found}"),
        Fate::Made => "made".into(),
        Fate::Waits { .. } => "waits".into(),
        Fate::Retry { attempts, .. } => format!("retry {attempts}"),
        Fate::GiveUp(_) => "give up".into(),
        Fate::StopTable(_) => "stop the table".into(),
        Fate::StopFlow(_) => "stop the flow".into(),
    }
}

fn judged(case: &Case<'_>, outcome: Outcome, message: &str) -> String {
    word(&fate(case, Answer::Part(PartEnd::Failed(failure(outcome, message)))))
}

#[test]
fn every_outcome_of_a_part_has_its_consequence() {
    let table = table();
    for outcome in Outcome::ALL {
        let expected = match outcome {
            Outcome::Throttled | Outcome::NotSent => "retry 0",
            Outcome::Unknown
            | Outcome::Unavailable
            | Outcome::ServerError
            | Outcome::Garbled
            | Outcome::TooLarge
            | Outcome::Unauthenticated
            | Outcome::VersionConflict => "retry 1",
            Outcome::Refused | Outcome::Foreign | Outcome::Spent => "stop the flow",
            Outcome::Setup => "stop the table",
            Outcome::Missing => "waits",
            Outcome::DuplicateKey | Outcome::CursorExpired | Outcome::BadRecord => "give up",
        };
        assert_eq!(judged(&case(&table), outcome, "text"), expected, "{outcome:?}");
    }
    let last = Case { attempts: MAX_ATTEMPTS - 1, ..case(&table) };
    assert_eq!(judged(&last, Outcome::ServerError, "text"), "give up");
    assert_eq!(judged(&last, Outcome::Unauthenticated, "text"), "stop the flow");
}

#[test]
fn a_contact_that_is_not_there_is_told_from_a_table_that_is_not() {
    let table = table();
    let case = case(&table);
    for (message, expected) in [
        ("contact With Id = 0101 Does Not Exist", "waits"),
        ("Kontakt mit ID = 0101 ist nicht vorhanden", "waits"),
        ("new_campaignemailsend With Id = 0101 Does Not Exist", "stop the table"),
        ("The entity with a name = … was not found in the MetadataCache.", "stop the table"),
    ] {
        assert_eq!(judged(&case, Outcome::Missing, message), expected, "{message}");
    }
    let both = "contact With Id = 1 Does Not Exist (new_campaignemailsend)";
    assert_eq!(judged(&case, Outcome::Missing, both), "waits");
    let waited = Case { waited: true, ..case };
    assert_eq!(judged(&waited, Outcome::Missing, "contact Does Not Exist"), "give up");
    let made = Case { stage: EventStage::Made, ..case };
    assert_eq!(judged(&made, Outcome::Missing, "contact Does Not Exist"), "stop the table");
}

#[test]
fn one_row_that_is_refused_does_not_stop_the_others() {
    let table = table();
    let code = Some(ROW_REFUSED.to_owned());
    let refused = Failure { code, ..failure(Outcome::Refused, "access") };
    let answer = || Answer::Part(PartEnd::Failed(refused.clone()));
    assert_eq!(word(&fate(&case(&table), answer())), "stop the flow");
    let among = Case { neighbours_fine: true, ..case(&table) };
    assert_eq!(word(&fate(&among, answer())), "give up");
    assert_eq!(judged(&among, Outcome::Refused, "privilege"), "stop the flow");
}

#[test]
fn a_row_that_is_not_understood_stops_its_table_and_says_what_to_do() {
    let table = table();
    let code = Some(PAYLOAD.to_owned());
    let failure = Failure { code, ..failure(Outcome::BadRecord, "Error identified in Payload") };
    let Fate::StopTable(told) = fate(&case(&table), Answer::Part(PartEnd::Failed(failure))) else {
        panic!("it stops")
    };
    assert!(told.message.contains("`cdsync check`") && told.message.contains("in Payload"));
}

#[test]
fn what_others_of_the_table_do_not_meet_is_the_row_s_own() {
    let table = table();
    let payload = |message: &str| {
        let code = Some(PAYLOAD.to_owned());
        Answer::Part(PartEnd::Failed(Failure { code, ..failure(Outcome::BadRecord, message) }))
    };
    let missing = |message: &str| Answer::Part(PartEnd::Failed(failure(Outcome::Missing, message)));
    let gone = "new_campaignemailsend With Id = 0101 Does Not Exist";
    let undeclared = "An undeclared property 'new_trackingurl' which only has annotations";
    for (stage, neighbours_fine, answer, expected) in [
        (EventStage::New, false, payload("in Payload"), "stop the table"),
        (EventStage::New, true, payload("in Payload"), "give up"),
        (EventStage::New, true, payload(undeclared), "stop the table"),
        (EventStage::New, false, missing(gone), "stop the table"),
        (EventStage::New, true, missing(gone), "waits"),
        (EventStage::New, true, missing("was not found in the MetadataCache"), "stop the table"),
        (EventStage::Made, false, missing(gone), "stop the table"),
        (EventStage::Made, true, missing(gone), "give up"),
        (EventStage::Made, true, missing("was not found in the MetadataCache"), "stop the table"),
    ] {
        let told = format!("{stage:?} {neighbours_fine} {answer:?}");
        let case = Case { stage, neighbours_fine, ..case(&table) };
        assert_eq!(word(&fate(&case, answer)), expected, "{told}");
    }
}

#[test]
fn an_activity_is_done_when_it_is_made_or_once_it_is_completed() {
    let table = table();
    let answers = || {
        [
            PartEnd::Done { request_id: None },
            PartEnd::AlreadySo { request_id: None },
            PartEnd::NotReached,
        ]
    };
    for (stage, completes, expected) in [
        (EventStage::New, false, ["done, found false", "done, found true", "retry 0"]),
        (EventStage::New, true, ["made", "made", "retry 0"]),
        (EventStage::Made, true, ["done, found false", "done, found false", "retry 0"]),
    ] {
        let case = Case { stage, completes, ..case(&table) };
        let found = answers().map(|end| word(&fate(&case, Answer::Part(end))));
        assert_eq!(found, expected, "{stage:?} {completes}");
    }
}

#[test]
fn a_table_that_cannot_be_learned_stops_or_is_asked_again() {
    let table = table();
    let judge = |outcome| word(&fate(&case(&table), Answer::Table(failure(outcome, "text"))));
    assert_eq!(judge(Outcome::Setup), "stop the table");
    assert_eq!(judge(Outcome::Refused), "stop the flow");
    assert_eq!(judge(Outcome::ServerError), "retry 0");
    let misfit = fate(&case(&table), Answer::Misfit("the text for `x` is too long".into()));
    assert!(matches!(misfit, Fate::GiveUp(end) if end.reason.contains("`x`")));
}

#[test]
fn a_request_that_failed_as_a_whole_is_repeated_cut_in_two_or_judged_alone() {
    use Outcome::*;
    let judge = |outcome, status, events, tries, evidence| {
        let failure = Failure { status, ..failure(outcome, "text") };
        match whole(&failure, events, tries, evidence) {
            Whole::Again(_) => "again",
            Whole::Split(wait) if wait.is_zero() => "split at once",
            Whole::Split(_) => "split",
            Whole::Single => "single",
            Whole::StopFlow => "stop",
        }
    };
    for (outcome, status, events, tries, evidence, expected) in [
        (Refused, Some(403), 9, 0, CALM, "stop"),
        (Setup, Some(404), 9, 0, CALM, "stop"),
        (Setup, Some(400), 9, 0, CALM, "split at once"),
        (BadRecord, Some(400), 9, 0, CALM, "split at once"),
        (BadRecord, Some(400), 1, 0, CALM, "single"),
        (BadRecord, Some(400), 1, 0, OUTAGE, "stop"),
        (TooLarge, Some(413), 9, 0, CALM, "split at once"),
        (TooLarge, Some(413), 1, 0, CALM, "single"),
        (NotSent, None, 9, 9, OTHERS_FINE, "again"),
        (Unknown, None, 9, 0, CALM, "again"),
        (Unknown, None, 9, 2, CALM, "split"),
        (Unknown, None, 9, 0, OTHERS_FINE, "split"),
        (Unknown, None, 1, 0, OTHERS_FINE, "single"),
        (Unavailable, Some(503), 1, 9, CALM, "again"),
        (ServerError, Some(500), 9, 1, CALM, "again"),
        (ServerError, Some(500), 9, 2, CALM, "split"),
        (ServerError, Some(500), 1, 0, CALM, "single"),
        (Garbled, Some(200), 2, 2, CALM, "split"),
        (Garbled, Some(200), 1, 2, CALM, "single"),
    ] {
        let found = judge(outcome, status, events, tries, evidence);
        assert_eq!(found, expected, "{outcome:?} {status:?} {events} {tries}");
    }
}
