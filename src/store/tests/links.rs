//! What waits for what, and who is let go when.

use super::{Action, Decided, Place, contact, decision, record};
use crate::model::{Flow, RecordId, TableName};
use crate::store::{
    LinkRow, Mirror, MirrorState, PayloadLink, Standing, Store, StoreError, UNKNOWN, Work,
};

fn vehicle() -> TableName {
    TableName::new("new_vehicle").unwrap()
}

fn link(parent: u8) -> LinkRow {
    LinkRow {
        name: "owner".to_owned(),
        parent_table: contact(),
        parent: record(parent),
        missed: false,
    }
}

/// A decision about a vehicle.
fn child(store: &Store, number: u8, action: Action) -> Decided {
    Decided { table: vehicle(), ..decision(store, number, action, "Car") }
}

/// Puts a decision with its links, as the flow does.
fn put(work: &mut Work<'_>, decided: &Decided, links: &[LinkRow], told: bool) {
    decided.put(work).unwrap();
    work.set_links(&decided.table, decided.record, links, told).unwrap();
    work.count_waits(&decided.table, decided.record).unwrap();
}

fn holds(work: &mut Work<'_>, table: &TableName, id: RecordId) {
    let mirror = Mirror {
        key: None,
        state: MirrorState::Present,
        fields: std::collections::BTreeMap::new(),
        version: None,
        seen: 1,
    };
    work.set_mirror(table, id, &mirror).unwrap();
}

/// What may go now; the leases are given back.
fn ready(work: &mut Work<'_>) -> Vec<(String, RecordId)> {
    let leased = work.lease(Flow::Ingress, 99, true).unwrap();
    for one in &leased {
        work.unlease(one.id).unwrap();
    }
    leased.into_iter().map(|one| (one.table.to_string(), one.record)).collect()
}

/// Runs a story in one transaction.
async fn story(tell: impl FnOnce(&mut Work<'_>, &Store) + Send + 'static) {
    let place = Place::new();
    let store = place.open().await;
    let other = store.clone();
    let told: Result<(), StoreError> = store
        .call(move |work| {
            tell(work, &other);
            Ok(())
        })
        .await;
    told.unwrap();
}

#[tokio::test]
async fn a_child_goes_when_its_parent_is_there_and_not_before() {
    story(|work, store| {
        put(work, &child(store, 1, Action::Write), &[link(9)], false);
        put(work, &child(store, 2, Action::Write), &[], false);
        assert_eq!(ready(work), [("new_vehicle".to_owned(), record(2))]);
        assert_eq!(work.ready(Flow::Ingress).unwrap(), 1);
        assert_eq!(work.waiting_for_parent(&vehicle()).unwrap(), 1);
        assert_eq!(work.waiting_tables().unwrap(), [(vehicle(), 1)]);
        holds(work, &contact(), record(9));
        work.parent_arrived(&contact(), record(9)).unwrap();
        assert_eq!(ready(work).len(), 2);
        work.remove_mirror(&contact(), record(9)).unwrap();
        work.parent_gone(&contact(), record(9)).unwrap();
        assert_eq!(ready(work).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_parents_deletion_waits_for_the_children_it_has_and_had() {
    story(|work, store| {
        for parent in [8, 9] {
            holds(work, &contact(), record(parent));
        }
        work.set_links(&vehicle(), record(1), &[link(8)], false).unwrap();
        holds(work, &vehicle(), record(1));
        // The child moves from one to the other; both go.
        put(work, &child(store, 1, Action::Write), &[link(9)], true);
        for parent in [8, 9] {
            decision(store, parent, Action::Delete, "").put(work).unwrap();
        }
        assert_eq!(work.release_held(&contact()).unwrap(), 2);
        assert_eq!(ready(work), [("new_vehicle".to_owned(), record(1))]);
        let leased = work.lease(Flow::Ingress, 9, true).unwrap().remove(0);
        work.finish(&leased).unwrap();
        work.child_settled(&leased, false, true).unwrap();
        assert_eq!(ready(work).len(), 2, "both parents may go");
        assert_eq!(work.links(&vehicle(), record(1)).unwrap(), [link(9)]);
    })
    .await;
}

#[tokio::test]
async fn of_very_many_children_only_some_are_counted_and_the_last_lets_go() {
    story(|work, store| {
        holds(work, &contact(), record(9));
        for number in 20..60 {
            put(work, &child(store, number, Action::Delete), &[link(9)], false);
        }
        decision(store, 9, Action::Delete, "").put(work).unwrap();
        work.release_held(&vehicle()).unwrap();
        work.release_held(&contact()).unwrap();
        let waits = |work: &Work<'_>| {
            let sql = "SELECT waits FROM outbox WHERE table_name = 'contact'";
            work.sql.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(waits(work), 8);
        for left in (0..40).rev() {
            let leased = work.lease(Flow::Ingress, 1, true).unwrap().remove(0);
            assert_eq!(leased.table, vehicle());
            work.finish(&leased).unwrap();
            work.child_settled(&leased, false, true).unwrap();
            assert_eq!(waits(work), i64::min(left, 8));
        }
        assert_eq!(ready(work), [("contact".to_owned(), record(9))]);
    })
    .await;
}

#[tokio::test]
async fn a_child_that_is_taken_back_or_given_up_holds_nobody_up() {
    story(|work, store| {
        holds(work, &contact(), record(9));
        put(work, &child(store, 1, Action::Delete), &[link(9)], true);
        decision(store, 9, Action::Delete, "").put(work).unwrap();
        work.release_held(&contact()).unwrap();
        assert_eq!(ready(work), [], "the child's deletion is held");
        let pending = work.pending(Flow::Ingress, &vehicle(), record(1)).unwrap().unwrap();
        work.withdraw(pending.id).unwrap();
        work.child_withdrawn(&vehicle(), record(1)).unwrap();
        assert_eq!(ready(work), [("contact".to_owned(), record(9))]);
    })
    .await;
}

#[tokio::test]
async fn a_write_whose_parent_is_lost_waits_whatever_is_known_of_its_links() {
    story(|work, store| {
        let mut decided = child(store, 1, Action::Write);
        decided.payload.links = vec![PayloadLink {
            field: "owner".to_owned(),
            table: contact(),
            record: record(9),
            by_key: false,
        }];
        decided.put(work).unwrap();
        let leased = work.lease(Flow::Ingress, 9, true).unwrap().remove(0);
        assert_eq!(leased.parents[0].key, None);
        work.unlease(leased.id).unwrap();
        work.parents_lost(&leased, &[(contact(), record(9))]).unwrap();
        assert_eq!(ready(work), []);
        assert_eq!(work.rereads(&contact(), false, 9).unwrap(), [record(9)]);
        holds(work, &contact(), record(9));
        work.recount_waiting().unwrap();
        let leased = work.lease(Flow::Ingress, 9, true).unwrap().remove(0);
        assert_eq!(leased.parents[0].key, Some(record(9).to_string()));
        assert_eq!(leased.payload.links, decided.payload.links, "as it was put");
    })
    .await;
}

#[tokio::test]
async fn a_parent_that_comes_back_gives_its_children_another_look() {
    story(|work, _| {
        let linked = work.key().fingerprint(record(9).to_string().as_bytes());
        work.set_links(&vehicle(), record(1), &[link(9)], false).unwrap();
        let missed = LinkRow { missed: true, ..link(9) };
        work.set_links(&vehicle(), record(2), &[missed], false).unwrap();
        holds(work, &vehicle(), record(1));
        let mut mirror = work.mirror(&vehicle(), record(1)).unwrap().unwrap();
        mirror.fields.insert("owner".to_owned(), linked);
        work.set_mirror(&vehicle(), record(1), &mirror).unwrap();
        holds(work, &contact(), record(9));
        work.parent_arrived(&contact(), record(9)).unwrap();
        assert_eq!(work.rereads(&vehicle(), false, 9).unwrap(), [record(1), record(2)]);
        let mirror = work.mirror(&vehicle(), record(1)).unwrap().unwrap();
        assert_eq!(mirror.fields["owner"], UNKNOWN, "its link may be gone");
    })
    .await;
}

#[tokio::test]
async fn the_standing_of_a_parent_is_told_by_what_is_known_of_it() {
    story(|work, store| {
        let standing = |work: &Work<'_>| work.standing(&contact(), record(9)).unwrap();
        assert_eq!(standing(work), Standing::Unknown);
        work.leave_out(&contact(), record(9)).unwrap();
        assert_eq!(standing(work), Standing::LeftOut);
        holds(work, &contact(), record(9));
        assert_eq!(standing(work), Standing::There, "Campaign has it from before");
        decision(store, 9, Action::Delete, "").put(work).unwrap();
        assert_eq!(standing(work), Standing::LeftOut, "and will not have it for long");
        work.no_longer_left_out(&contact(), record(9)).unwrap();
        decision(store, 9, Action::Write, "Ann").put(work).unwrap();
        assert_eq!(standing(work), Standing::There);
        work.remove_mirror(&contact(), record(9)).unwrap();
        assert_eq!(standing(work), Standing::Coming);
    })
    .await;
}

#[tokio::test]
async fn those_that_wait_for_nobody_in_particular_are_looked_at_again() {
    story(|work, store| {
        for (number, parent) in [(1, 7), (2, 8), (3, 9)] {
            put(work, &child(store, number, Action::Write), &[link(parent)], false);
        }
        decision(store, 8, Action::Write, "Coming").put(work).unwrap();
        work.reconsider(&vehicle(), "owner").unwrap();
        assert_eq!(work.rereads(&vehicle(), false, 9).unwrap(), [record(1), record(3)]);
        work.reconsider(&vehicle(), "another").unwrap();
        assert_eq!(work.rereads(&vehicle(), false, 9).unwrap().len(), 2);
    })
    .await;
}
