//! Leases, revisions and holds, as tables of what happens to one record.

use super::{Action, Place, contact, decision, record};
use crate::model::Flow;
use crate::store::{Leased, Replaced, Store, StoreError, Work};

/// One thing that happens to the record.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(&'static str),
    Delete,
    Lease,
    /// The lease that was taken last ends well.
    Finish,
    /// The lease that was taken last ends badly.
    GiveUp,
    /// Its attempt failed, and it waits for the next one.
    Fail {
        uncertain: bool,
    },
    Again,
    Unlease,
    Restart,
    Approve,
    ReleaseApproved,
    ReleaseHeld,
}

/// The row as the program sees it, on one line.
fn state(work: &Work<'_>) -> Result<String, StoreError> {
    let sql = "SELECT action, revision, leased, uncertain, hold, attempts FROM outbox";
    let mut statement = work.sql.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let leased: Option<i64> = row.get(2)?;
        Ok(format!(
            "{} r{}{}{} {}{}",
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            leased.map(|leased| format!(" leased r{leased}")).unwrap_or_default(),
            if row.get(3)? { " uncertain" } else { "" },
            row.get::<_, String>(4)?,
            match row.get::<_, i64>(5)? {
                0 => String::new(),
                attempts => format!(" {attempts} attempts"),
            },
        ))
    })?;
    let rows: Vec<String> = rows.collect::<Result<_, _>>()?;
    Ok(rows.join(" | "))
}

async fn act(store: &Store, step: Step, lease: &mut Option<Leased>) -> String {
    let new = match step {
        Step::Write(value) => Some(decision(store, 1, Action::Write, value)),
        Step::Delete => Some(decision(store, 1, Action::Delete, "")),
        Step::Lease
        | Step::Finish
        | Step::GiveUp
        | Step::Fail { .. }
        | Step::Again
        | Step::Unlease
        | Step::Restart
        | Step::Approve
        | Step::ReleaseApproved
        | Step::ReleaseHeld => None,
    };
    let mut taken = lease.take();
    let (after, taken) = store
        .call(move |work| {
            let (flow, table) = (Flow::Ingress, contact());
            match step {
                Step::Write(_) | Step::Delete => {
                    if let Some(new) = new {
                        new.put(work)?;
                    }
                }
                Step::Lease => {
                    if let Some(new) = work.lease(flow, 9, true)?.pop() {
                        taken = Some(new);
                    }
                }
                Step::Finish => drop(work.finish(taken.as_ref().unwrap())?),
                Step::GiveUp => drop(work.give_up(taken.as_ref().unwrap())?),
                Step::Fail { uncertain } => {
                    work.note_attempt(taken.as_ref().unwrap(), 1, uncertain)?;
                }
                Step::Again => {
                    let id = taken.as_ref().unwrap().id;
                    if let (Some(new), _) = work.release_again(flow, id)? {
                        taken = Some(new);
                    }
                }
                Step::Unlease => drop(work.unlease(taken.as_ref().unwrap().id)?),
                Step::Restart => drop(work.recover_leases()?),
                Step::Approve => drop(work.approve(&table)?),
                Step::ReleaseApproved => drop(work.release_approved(&table)?),
                Step::ReleaseHeld => drop(work.release_held(&table)?),
            }
            Ok((state(work)?, taken))
        })
        .await
        .unwrap();
    *lease = taken;
    after
}

/// Carries the steps out and compares the row after each.
async fn story(name: &str, steps: &[(Step, &str)]) {
    let place = Place::new();
    let store = place.open().await;
    let mut lease = None;
    for (number, (step, expected)) in steps.iter().enumerate() {
        let found = act(&store, *step, &mut lease).await;
        assert_eq!(found, *expected, "{name}, step {number}: {step:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_decision_is_leased_and_finished() {
    use Step::{Finish, Lease, Write};
    story(
        "plain",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Finish, ""),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_newer_decision_replaces_a_waiting_one_and_waits_behind_one_in_flight() {
    use Step::{Again, Fail, Finish, GiveUp, Lease, Write};
    story(
        "replaced while it waits",
        &[(Write("a"), "write r1 free"), (Write("b"), "write r2 free")],
    )
    .await;
    story(
        "finished under a newer one",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Write("b"), "write r2 leased r1 free"),
            (Lease, "write r2 leased r1 free"),
            (Finish, "write r2 free"),
            (Lease, "write r2 leased r2 free"),
            (Finish, ""),
        ],
    )
    .await;
    story(
        "its next attempt takes the newest decision",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Fail { uncertain: true }, "write r1 leased r1 uncertain free 1 attempts"),
            (Write("b"), "write r2 leased r1 uncertain free"),
            (Again, "write r2 leased r2 uncertain free"),
            (Finish, ""),
        ],
    )
    .await;
    story(
        "given up under a newer one: the doubt stays",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Fail { uncertain: true }, "write r1 leased r1 uncertain free 1 attempts"),
            (Again, "write r1 leased r1 uncertain free 1 attempts"),
            (Write("b"), "write r2 leased r1 uncertain free"),
            (GiveUp, "write r2 uncertain free"),
        ],
    )
    .await;
    story(
        "failed under a newer one: its attempts are not the newer one's",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Write("b"), "write r2 leased r1 free"),
            (Fail { uncertain: false }, "write r2 leased r1 free"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_deletion_is_held_until_it_is_released() {
    use Step::{Again, Approve, Delete, Fail, Lease, ReleaseApproved, ReleaseHeld, Write};
    story(
        "held and approved",
        &[
            (Delete, "delete r1 held"),
            (Lease, "delete r1 held"),
            (Approve, "delete r1 approved"),
            (Lease, "delete r1 approved"),
            (Delete, "delete r2 approved"),
            (ReleaseHeld, "delete r2 approved"),
            (ReleaseApproved, "delete r2 free"),
            (Lease, "delete r2 leased r2 free"),
        ],
    )
    .await;
    story(
        "a write takes its place, and a deletion that of the write",
        &[
            (Delete, "delete r1 held"),
            (Write("a"), "write r2 free"),
            (Delete, "delete r3 held"),
            (ReleaseHeld, "delete r3 free"),
            (Delete, "delete r4 free"),
        ],
    )
    .await;
    story(
        "a deletion behind a write in flight gives the lease back",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Fail { uncertain: true }, "write r1 leased r1 uncertain free 1 attempts"),
            (Delete, "delete r2 leased r1 uncertain held"),
            (Again, "delete r2 uncertain held"),
            (Lease, "delete r2 uncertain held"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_restart_doubts_what_was_leased_and_nothing_else() {
    use Step::{Lease, Restart, Unlease, Write};
    story(
        "leased",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Restart, "write r1 uncertain free"),
            (Restart, "write r1 uncertain free"),
        ],
    )
    .await;
    story(
        "given back",
        &[
            (Write("a"), "write r1 free"),
            (Lease, "write r1 leased r1 free"),
            (Unlease, "write r1 free"),
            (Restart, "write r1 free"),
        ],
    )
    .await;
}

#[tokio::test]
async fn leases_come_oldest_first_and_no_more_than_asked_for() {
    let place = Place::new();
    let store = place.open().await;
    let new: Vec<_> = (1..=5).map(|n| decision(&store, n, Action::Write, "x")).collect();
    let taken = store
        .call(move |work| {
            for new in &new {
                assert_eq!(new.put(work)?, Replaced::Nothing);
            }
            assert_eq!(new[0].put(work)?, Replaced::Waiting);
            let mut taken = work.lease(Flow::Ingress, 2, true)?;
            assert_eq!(new[0].put(work)?, Replaced::InFlight);
            assert!(work.lease(Flow::Egress, 9, true)?.is_empty());
            taken.extend(work.lease(Flow::Ingress, 9, true)?);
            Ok(taken)
        })
        .await
        .unwrap();
    let order: Vec<_> = taken.iter().map(|leased| leased.record).collect();
    assert_eq!(order, [1, 2, 3, 4, 5].map(record));
    store.close().await;
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_taken_only_where_it_is_asked_for() {
    let place = Place::new();
    let store = place.open().await;
    let new: Vec<_> = (1..=3).map(|n| decision(&store, n, Action::Write, "x")).collect();
    let (others, all) = store
        .call(move |work| {
            new.iter().try_for_each(|new| new.put(work).map(drop))?;
            assert!(!work.has_doubtful(Flow::Ingress)?);
            work.mark_uncertain(Flow::Ingress, &new[1].table, record(2))?;
            assert!(work.has_doubtful(Flow::Ingress)?);
            assert!(!work.has_doubtful(Flow::Egress)?);
            let others = work.lease(Flow::Ingress, 9, false)?;
            Ok((others, work.lease(Flow::Ingress, 9, true)?))
        })
        .await
        .unwrap();
    let records = |taken: &[Leased]| taken.iter().map(|it| it.record).collect::<Vec<_>>();
    assert_eq!((records(&others), records(&all)), (vec![record(1), record(3)], vec![record(2)]));
    store.close().await;
}

#[tokio::test]
async fn a_decision_overtaken_under_its_lease_is_told_once() {
    let place = Place::new();
    let store = place.open().await;
    let (first, newer) =
        (decision(&store, 1, Action::Write, "a"), decision(&store, 1, Action::Write, "b"));
    store
        .call(move |work| {
            first.put(work)?;
            let id = work.lease(Flow::Ingress, 1, true)?[0].id;
            assert_eq!(work.overtaken(Flow::Ingress)?, 0);
            newer.put(work)?;
            assert_eq!(work.overtaken(Flow::Ingress)?, 1);
            let (leased, overtaken) = work.release_again(Flow::Ingress, id)?;
            assert_eq!((leased.unwrap().revision, overtaken), (2, true));
            assert!(!work.unlease(id)?);
            assert_eq!(work.overtaken(Flow::Ingress)?, 0);
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_decision_can_be_withdrawn_doubted_and_counted() {
    let place = Place::new();
    let store = place.open().await;
    let new = [decision(&store, 1, Action::Write, "x"), decision(&store, 2, Action::Delete, "x")];
    store
        .call(move |work| {
            let (flow, table) = (Flow::Ingress, contact());
            assert_eq!(work.backlog(flow, None)?, 0);
            for new in &new {
                new.put(work)?;
            }
            let oldest = work.oldest_decision(flow, Some(&table))?;
            assert_eq!((work.backlog(flow, Some(&table))?, oldest.is_some()), (2, true));
            assert_eq!(work.backlog(Flow::Optout, None)?, 0);
            let wave = work.held_wave(&table)?;
            assert_eq!((wave.held, wave.approved), (1, 0));
            let waiting = work.pending(flow, &table, record(1))?.unwrap();
            assert_eq!((waiting.in_flight, waiting.touched), (false, false));
            assert_eq!(work.pending_key(waiting.id)?, "crm-1");
            work.mark_uncertain(flow, &table, record(1))?;
            assert!(work.pending(flow, &table, record(1))?.unwrap().touched);
            work.withdraw(waiting.id)?;
            assert!(work.pending(flow, &table, record(1))?.is_none());
            Ok(())
        })
        .await
        .unwrap();
    store.close().await;
}
