//! What an administrator of cdsync asks a program that runs for.

use std::time::Duration;

use uuid::Uuid;

use super::Violation;
use super::plan::Wanted;
use super::run::PATIENCE;
use crate::app::{Wish, ask};
use crate::clock::Clock;
use crate::daemon::{Desk, Hand};
use crate::model::{Flow, RecordId, TableName};
use crate::store::{Purpose, Store, StoreError};

/// Asks a daemon. Ends when it has answered, or is no more.
pub(crate) async fn of_daemon(
    wanted: Wanted,
    one: Option<Uuid>,
    desk: Desk,
    hand: Hand,
    clock: Clock,
) -> Result<(), Violation> {
    let store = desk.store().clone();
    let done = match wanted {
        Wanted::Pause(flow) => {
            let paused = set_paused(&store, flow, true).await;
            desk.paused(flow).await;
            paused
        }
        Wanted::Resume(flow) => set_paused(&store, flow, false).await,
        Wanted::Pass(flow) => {
            drop(desk.pass(flow, PATIENCE).await);
            Ok(())
        }
        Wanted::Replay(cars) => again(&store, Purpose::Replay, cars).await,
        Wanted::Repair(cars) => again(&store, Purpose::Repair, cars).await,
        Wanted::One(_) => {
            let ids: Vec<_> = one.into_iter().map(RecordId::from).collect();
            if ids.is_empty() { Ok(()) } else { of_contacts(&store, Purpose::Replay, ids).await }
        }
        Wanted::Verify => again(&store, Purpose::Verify, false).await,
        Wanted::Approve => approve(&store).await,
        Wanted::Turn(seconds) => {
            if let Some(turn) = desk.turn().await {
                clock.sleep(Duration::from_secs(seconds)).await;
                drop(turn);
            }
            Ok(())
        }
        Wanted::Retry => retry(&store).await,
        Wanted::Settings(_) => {
            hand.reload().await;
            Ok(())
        }
    };
    if !matches!(wanted, Wanted::Settings(_) | Wanted::Pass(_)) {
        desk.wake().await;
    }
    done.map_err(|error| Violation::new("I30", format!("{wanted:?}: {error}")))
}

async fn set_paused(store: &Store, flow: Flow, paused: bool) -> Result<(), StoreError> {
    store.call(move |work| work.set_paused(flow, paused).map(drop)).await
}

async fn again(store: &Store, purpose: Purpose, cars: bool) -> Result<(), StoreError> {
    let table = if cars { "new_vehicle" } else { "contact" };
    wish(store, purpose, table, Vec::new()).await
}

async fn of_contacts(
    store: &Store,
    purpose: Purpose,
    ids: Vec<RecordId>,
) -> Result<(), StoreError> {
    wish(store, purpose, "contact", ids).await
}

async fn wish(
    store: &Store,
    purpose: Purpose,
    table: &str,
    ids: Vec<RecordId>,
) -> Result<(), StoreError> {
    let Ok(table) = TableName::new(table) else { return Ok(()) };
    let wish = Wish { purpose, tables: vec![table], ids, since: None };
    ask(store, &wish).await.map(drop)
}

/// What the documents ask for where somebody has written over what stands in
/// Campaign; and where a backup of the store was put `back`, for what was changed
/// since and changed back shows in Campaign alone, and where a link leads does not
/// even show there.
pub(super) async fn after_a_backup(store: &Store, back: bool) -> Result<(), StoreError> {
    again(store, Purpose::Repair, false).await?;
    if back { again(store, Purpose::Replay, true).await } else { Ok(()) }
}

/// Puts every dead letter back to work.
pub(crate) async fn retry(store: &Store) -> Result<(), StoreError> {
    store
        .call(|work| {
            let letters = work.dead_letters()?;
            letters.iter().try_for_each(|letter| work.retry_dead_letter(letter.id).map(drop))
        })
        .await
}

/// Approves the deletions that a guard holds.
pub(crate) async fn approve(store: &Store) -> Result<(), StoreError> {
    let tables = ["contact", "new_vehicle"].into_iter().filter_map(|it| TableName::new(it).ok());
    let tables: Vec<_> = tables.collect();
    store.call(move |work| tables.iter().try_for_each(|it| work.approve(it).map(drop))).await
}

/// Lets every flow run again.
pub(crate) async fn resume_all(store: &Store) -> Result<(), StoreError> {
    for flow in [Flow::Ingress, Flow::Egress, Flow::Optout] {
        set_paused(store, flow, false).await?;
    }
    Ok(())
}
