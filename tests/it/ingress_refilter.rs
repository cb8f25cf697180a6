//! A changed filter asks Dynamics for the rows whose fate it changes.

use cdsync::sandbox::{Fault, FaultRule};
use serde_json::json;

use crate::ingress_remap::{asked_pages, count, crash_everywhere, full_reads, planned};
use crate::support::{Counts, Setup, World, by_uri, on_pages};

/// Every tenth contact is a chief of the first floor, the rest are clerks.
fn filtered(rule: &str, deleting: bool) -> String {
    let note = "{ from = \"jobtitle\", to = \"cusNote\" }";
    let filter = if rule.is_empty() {
        String::new()
    } else {
        format!("filter = {{ delete_filtered_out = {deleting}, rules = [ {rule} ] }}")
    };
    by_uri(&format!("delete_guard = {{ rows = 5000 }}\n{filter}"), &format!("fields = [ {note} ]"))
}

fn title(is: &str, value: &str) -> String {
    format!("{{ column = \"jobtitle\", is = \"{is}\", value = \"{value}\" }}")
}

#[test]
fn a_changed_filter_asks_for_those_whose_fate_it_changes() {
    let (chief, clerk) = (title("eq", "Chief"), title("eq", "Clerk"));
    let setup = |tables| Setup { contacts: 0, tables, ..Setup::default() };
    let world = World::new(setup(filtered(&chief, true)));
    for number in 0..100 {
        let title = ["Chief", "Clerk", "Cook", "Cook"][number % 4];
        world.add(&json!({ "lastname": format!("Nr. {number}"), "jobtitle": title }));
    }
    assert_eq!((world.synced().written, count(&world, "cusNote", "Chief")), (25, 25));
    world.configure(&filtered(&clerk, true));
    let (text, line) = planned(&world);
    assert_eq!(
        text,
        "mapping of contact changed: the filter; 50 rows are looked at again, Campaign holds 25"
    );
    assert_eq!((&line["rows"], &line["read"]), (&json!(50), &json!("by-filter")));
    world.forget();
    let counts = world.synced();
    assert_eq!((counts.read, counts.written, counts.deleted), (50, 25, 25), "{counts:?}");
    assert_eq!((full_reads(&world), asked_pages(&world)), (0, 1));
    assert_eq!((count(&world, "cusNote", "Clerk"), count(&world, "cusNote", "Chief")), (25, 0));
    world.forget();
    assert_eq!(world.synced(), Counts::default(), "once is enough");
}

#[test]
fn who_leaves_a_filter_is_asked_for_only_where_something_follows() {
    let points =
        |value: u32| format!("{{ column = \"new_points\", is = \"ge\", value = {value} }}");
    let setup = |tables| Setup { contacts: 0, tables, ..Setup::default() };
    let world = World::new(setup(filtered(&points(10), false)));
    for number in 0..40 {
        world.add(&json!({ "lastname": format!("Nr. {number}"), "new_points": number }));
    }
    assert_eq!(world.synced().written, 30);
    // Nothing follows for those who leave; of those who come, five are new.
    for (least, read, written) in [(20, 0, 0), (5, 15, 5)] {
        world.configure(&filtered(&points(least), false));
        world.forget();
        let counts = world.synced();
        assert_eq!((counts.read, counts.written, counts.deleted), (read, written, 0), "{least}");
        assert_eq!(full_reads(&world), 0);
    }
    // Those that were kept go too.
    world.configure(&filtered(&points(15), true));
    world.forget();
    let counts = world.synced();
    assert_eq!((counts.read, counts.deleted, full_reads(&world)), (15, 10, 0), "{counts:?}");
    // Nothing follows from keeping them.
    world.configure(&filtered(&points(15), false));
    world.forget();
    assert_eq!((world.synced(), full_reads(&world)), (Counts::default(), 0));
}

#[test]
fn deletions_that_are_held_for_the_filter_are_taken_back_with_the_option() {
    let rule = "{ column = \"new_points\", is = \"ge\", value = 10 }";
    let guarded = |deleting| {
        let guard = "apply_deletes = true\ndelete_guard = { rows = 1 }";
        filtered(rule, deleting).replace("delete_guard = { rows = 5000 }", guard)
    };
    let world = World::new(Setup { contacts: 0, tables: guarded(true), ..Setup::default() });
    let add = |number| world.add(&json!({ "lastname": format!("{number}"), "new_points": 10 }));
    let ids: Vec<_> = (0..6).map(add).collect();
    world.synced();
    for id in &ids[..3] {
        world.change(*id, &json!({ "new_points": 0 }));
    }
    world.delete(ids[3]);
    assert_eq!(world.sync().ends(1).counts().pending, 4, "held");
    world.configure(&guarded(false));
    let (text, _) = planned(&world);
    assert!(text.contains("delete_filtered_out; 4 of 6 records"), "{text}");
    let counts = world.sync().ends(0).counts();
    assert_eq!((counts.deleted, counts.filtered, counts.pending), (1, 3, 0), "{counts:?}");
    assert_eq!(world.sandbox.campaign().count("profile"), 5);
    assert_eq!(world.sync().ends(0).counts(), Counts::default());
}

#[test]
fn a_filter_that_dynamics_cannot_be_asked_for_reads_all_and_says_why() {
    let world = World::new(Setup { contacts: 0, tables: filtered("", true), ..Setup::default() });
    for title in ["Chief", "Clerk"] {
        world.add(&json!({ "lastname": "A", "jobtitle": title }));
    }
    world.synced();
    world.configure(&filtered(&title("gt", "Ci"), true));
    let (text, line) = planned(&world);
    assert_eq!(
        text,
        "mapping of contact changed: the filter; 2 of 2 records are looked at again in a full read: Dynamics cannot be asked for fewer"
    );
    assert_eq!(line["why"], "Dynamics cannot be asked for fewer");
    let counts = world.synced();
    assert_eq!((counts.unchanged, counts.deleted), (1, 1), "{counts:?}");
}

#[test]
fn a_change_that_comes_between_the_asking_and_the_token_is_not_lost() {
    let world = World::new(Setup {
        contacts: 0,
        page_rows: 10,
        tables: filtered(&title("eq", "Chief"), true),
        ..Setup::default()
    });
    let mut ids = Vec::new();
    for number in 0..60 {
        let title = if number % 2 == 0 { "Chief" } else { "Clerk" };
        ids.push(world.add(&json!({ "lastname": format!("Nr. {number}"), "jobtitle": title })));
    }
    world.synced();
    world.configure(&filtered(&title("eq", "Clerk"), true));
    // The third page does not come; what was read so far stays.
    let refusal = Fault::Status { code: 403, body: String::new() };
    world.play(FaultRule { after: Some(2), ..on_pages(refusal) });
    world.sync().ends(3);
    world.calm();
    // Before and behind the page that was reached, in and out of the filter.
    world.change(ids[0], &json!({ "jobtitle": "Clerk" }));
    world.change(ids[1], &json!({ "jobtitle": "Chief" }));
    world.change(ids[58], &json!({ "jobtitle": "Clerk" }));
    world.change(ids[59], &json!({ "jobtitle": "Chief" }));
    world.delete(ids[57]);
    let late = world.add(&json!({ "lastname": "Late", "jobtitle": "Clerk" }));
    world.forget();
    world.synced();
    assert_eq!(full_reads(&world), 0);
    assert!(asked_pages(&world) < 7, "what was read is not read again");
    assert_eq!((count(&world, "cusNote", "Clerk"), count(&world, "cusNote", "Chief")), (30, 0));
    assert_eq!(world.profile(late)["cusNote"], "Clerk");
    world.forget();
    assert_eq!(world.synced(), Counts::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_the_rows_of_a_changed_filter_are_read_is_made_good() {
    let before = filtered(&title("eq", "Clerk"), true);
    let after = filtered(&title("eq", "Chief"), true);
    for point in ["committed", "request"] {
        crash_everywhere(point, &before, &after, |rig, when| {
            let profiles = rig.sandbox.campaign().rows("profile");
            let of = |title: &str| profiles.iter().filter(|row| row["cusNote"] == title).count();
            assert_eq!((profiles.len(), of("Chief")), (2, 2), "{when}");
        })
        .await;
    }
}
