//! A changed mapping looks again at the records that it can concern, and at no
//! others; `plan` says before how many.

use cdsync::sandbox::{Choice, Fault};
use serde_json::{Value, json};

use crate::rig::Rig;
use crate::support::{Counts, Setup, World, by_uri, on_writes};

/// Every tenth contact is male and a chief, the others are female and clerks.
fn world(records: usize, fields: &str) -> World {
    let world = World::new(Setup { contacts: 0, tables: tables(fields), ..Setup::default() });
    for number in 0..records {
        let (gender, title) = if number % 10 == 0 { (1, "Chief") } else { (2, "Clerk") };
        world.add(&json!({
            "lastname": format!("Nr. {number}"), "gendercode": gender, "jobtitle": title,
        }));
    }
    assert_eq!(world.synced().written, records as u64);
    world
}

fn tables(fields: &str) -> String {
    let last = "{ from = \"lastname\", to = \"lastName\" }";
    by_uri("", &format!("fields = [\n  {last},\n  {fields}\n]"))
}

/// The sentence of `plan`, and its object.
pub(crate) fn planned(world: &World) -> (String, Value) {
    let line = world.plan().into_iter().find(|line| line["action"] == "re-evaluate");
    let text = world.run(&["plan", "ingress"]).ends(0).stdout;
    (text.lines().next().unwrap_or_default().to_owned(), line.unwrap_or_default())
}

/// A pass under another mapping.
fn under(world: &World, fields: &str) -> Counts {
    world.configure(&tables(fields));
    world.forget();
    world.synced()
}

pub(crate) fn full_reads(world: &World) -> usize {
    let mut pages = world.pages();
    pages.retain(|page| !page.path.contains("deltatoken") && !page.path.contains("filter"));
    pages.len()
}

/// Pages of rows that were asked for by a condition, not by their ids.
pub(crate) fn asked_pages(world: &World) -> usize {
    let mut pages = world.pages();
    pages.retain(|page| page.path.contains("filter") && !page.path.contains("contactid%20eq"));
    pages.len()
}

fn gender(male: &str) -> String {
    format!(
        "{{ from = \"gendercode\", to = \"gender\", replace = [{{ value = \"Male\", with = \"{male}\" }}, {{ value = \"Female\", with = \"female\" }}] }}"
    )
}

pub(crate) fn count(world: &World, field: &str, value: &str) -> usize {
    let rows = world.sandbox.campaign().rows("profile");
    rows.iter().filter(|row| row[field] == value).count()
}

#[test]
fn another_replacement_of_a_choice_touches_the_records_with_that_choice_only() {
    let world = world(2000, &gender("male"));
    world.configure(&tables(&gender("unknown")));
    let (text, line) = planned(&world);
    assert_eq!(
        text,
        "mapping of contact changed: replacements of gender; 200 of 2,000 records are looked at again"
    );
    assert_eq!((&line["id"], &line["rows"]), (&Value::Null, &json!(200)));
    assert_eq!(line["fields"], json!(["gender"]));
    let counts = under(&world, &gender("unknown"));
    assert_eq!((counts.read, counts.written), (200, 200), "{counts:?}");
    assert_eq!(world.verbs(), ["PATCH"; 200]);
    assert_eq!(full_reads(&world), 0);
    assert_eq!(
        (count(&world, "gender", "unknown"), count(&world, "gender", "female")),
        (200, 1800)
    );
    world.forget();
    assert_eq!(world.synced(), Counts::default(), "once is enough");
    assert!(world.plan().is_empty());
}

#[test]
fn a_change_that_concerns_many_asks_for_these_in_pages() {
    let world = world(300, "{ from = \"gendercode\", to = \"fax\" }");
    let other =
        "{ from = \"gendercode\", to = \"fax\", replace = [{ value = \"Female\", with = \"F\" }] }";
    world.configure(&tables(other));
    let (text, _) = planned(&world);
    assert!(text.ends_with("270 rows are looked at again, Campaign holds 300"), "{text}");
    let counts = under(&world, other);
    assert_eq!((counts.read, counts.written, counts.unchanged), (270, 270, 0));
    assert_eq!(count(&world, "fax", "F"), 270);
    assert_eq!((full_reads(&world), asked_pages(&world)), (0, 1));
}

#[test]
fn a_replacement_in_a_text_finds_its_records_by_what_they_were_sent() {
    let plain = "{ from = \"jobtitle\", to = \"cusNote\" }";
    let boss = "{ from = \"jobtitle\", to = \"cusNote\", replace = [{ value = \"Chief\", with = \"Boss\" }] }";
    let world = world(300, plain);
    for (fields, note) in [(boss, "Boss"), (plain, "Chief")] {
        let counts = under(&world, fields);
        assert_eq!((counts.read, counts.written), (30, 30), "{note}: {counts:?}");
        assert_eq!(full_reads(&world), 0);
        assert_eq!(count(&world, "cusNote", note), 30);
    }
}

#[test]
fn what_no_record_depends_on_is_not_read_for() {
    let both = format!("{}, {{ from = \"jobtitle\", to = \"cusNote\" }}", gender("male"));
    let world = world(300, &both);
    let changes = [
        // In another order, without a field, and with a guard.
        format!("{{ from = \"jobtitle\", to = \"cusNote\" }}, {}", gender("male")),
        gender("male"),
    ];
    for fields in changes {
        assert_eq!(under(&world, &fields), Counts::default(), "{fields}");
        assert_eq!((full_reads(&world), world.writes().len()), (0, 0));
    }
    // The field comes back: someone else may have written it meanwhile.
    let counts = under(&world, &both);
    assert_eq!((counts.read, counts.written), (300, 300));
}

#[test]
fn a_new_choice_and_a_new_label_cost_no_full_read() {
    let world = world(300, "{ from = \"gendercode\", to = \"fax\" }");
    let choice = |value: i64, label: &str| Choice {
        value,
        english: label.to_owned(),
        german: label.to_owned(),
        partner: None,
    };
    let dynamics = world.sandbox.dynamics();
    let id = world.contacts()[0];
    let more = vec![choice(1, "Male"), choice(2, "Female"), choice(3, "Other")];
    for choice in more {
        dynamics.put_choice("contact", "gendercode", choice).unwrap();
    }
    world.change(id, &json!({ "gendercode": 3 }));
    world.forget();
    let counts = world.synced();
    assert_eq!((counts.read, counts.written, full_reads(&world)), (1, 1, 0), "{counts:?}");
    assert_eq!(world.profile(id)["fax"], "Other");
    let renamed = vec![choice(1, "Man"), choice(2, "Female"), choice(3, "Other")];
    for choice in renamed {
        dynamics.put_choice("contact", "gendercode", choice).unwrap();
    }
    world.forget();
    let counts = world.synced();
    assert_eq!((counts.written, full_reads(&world)), (count(&world, "fax", "Man") as u64, 0));
    assert!((29..=30).contains(&counts.written), "{counts:?}");
}

#[test]
fn what_waits_is_decided_anew_under_the_new_mapping() {
    let plain = "{ from = \"jobtitle\", to = \"cusNote\" }";
    let world = world(300, plain);
    let ids: Vec<_> = world.contacts().into_iter().take(5).collect();
    for id in &ids {
        world.change(*id, &json!({ "jobtitle": "Captain" }));
    }
    world.play(on_writes("PATCH", Fault::Status { code: 403, body: String::new() }));
    assert_eq!(world.sync().ends(3).counts().pending, 5);
    world.calm();
    let other = "{ from = \"jobtitle\", to = \"cusNote\", replace = [{ value = \"Captain\", with = \"Skipper\" }] }";
    let counts = under(&world, other);
    assert_eq!((counts.written, counts.pending), (5, 0), "{counts:?}");
    assert_eq!(world.writes().len(), 5, "each of them once");
    assert_eq!((count(&world, "cusNote", "Skipper"), count(&world, "cusNote", "Captain")), (5, 0));
    assert_eq!(full_reads(&world), 0);
}

#[test]
fn a_new_field_looks_at_all_unless_nothing_clears_it_and_a_moved_one_at_old_and_new() {
    // Both columns are read anyway.
    let read = "{ from = \"jobtitle\", to = \"middleName\" }, { from = \"firstname\", to = \"salutation\" }";
    let world = World::new(Setup { contacts: 0, tables: tables(read), ..Setup::default() });
    let mut ids = Vec::new();
    for number in 0..40 {
        let mut row = json!({ "lastname": format!("Nr. {number}") });
        if number % 10 == 0 {
            row["jobtitle"] = json!("Chief");
        } else if number % 10 == 1 {
            row["firstname"] = json!("Sales");
        }
        ids.push(world.add(&row));
    }
    world.synced();
    let from = |column: &str| format!("{read}, {{ from = \"{column}\", to = \"cusNote\" }}");
    let kept = format!("{read}, {{ from = \"jobtitle\", to = \"fax\", on_null = \"keep\" }}");
    let counts = under(&world, &kept);
    assert_eq!((counts.read, counts.written, full_reads(&world)), (4, 4, 0), "{counts:?}");
    under(&world, read);
    // Campaign may hold anything where the column is empty.
    let counts = under(&world, &from("jobtitle"));
    assert_eq!((counts.read, counts.written, full_reads(&world)), (40, 40, 1), "{counts:?}");
    let counts = under(&world, &from("firstname"));
    assert_eq!((counts.read, counts.written, full_reads(&world)), (8, 8, 0), "{counts:?}");
    assert_eq!((count(&world, "cusNote", "Sales"), count(&world, "cusNote", "Chief")), (4, 0));
    // A field that comes back: who was told something there is looked at too.
    under(&world, read);
    world.change(ids[1], &json!({ "firstname": null }));
    let counts = under(&world, &from("firstname"));
    assert_eq!(count(&world, "cusNote", "Sales"), 3, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_a_changed_mapping_is_carried_out_is_made_good() {
    let titles = "{ from = \"jobtitle\", to = \"fax\" }";
    let renamed = titles.replace(" }", ", replace = [{ value = \"Chief\", with = \"Boss\" }] }");
    for point in ["committed", "request"] {
        crash_everywhere(point, &tables(titles), &tables(&renamed), |rig, when| {
            let profiles = rig.sandbox.campaign().rows("profile");
            let of = |title: &str| profiles.iter().filter(|row| row["fax"] == title).count();
            assert_eq!((profiles.len(), of("Boss"), of("Clerk")), (12, 2, 10), "{when}");
        })
        .await;
    }
}

/// Crashes at every point of a pass under another mapping, and looks at what a
/// second pass makes of it.
pub(crate) async fn crash_everywhere(
    point: &str,
    before: &str,
    after: &str,
    look: impl Fn(&Rig, &str),
) {
    const SYNC: &[&str] = &["--log-format", "json", "sync", "ingress"];
    let mut crashes = 0;
    for n in 1.. {
        let rig = Rig::usual(0).await;
        let dynamics = rig.sandbox.dynamics();
        for number in 0..12 {
            let title = if number % 6 == 0 { "Chief" } else { "Clerk" };
            let row = json!({ "lastname": format!("Nr. {number}"), "jobtitle": title });
            dynamics.insert("contact", &row).unwrap();
        }
        rig.configure(before);
        rig.run(SYNC).await.expect(0);
        rig.configure(after);
        let plan = format!("{point}:{n}");
        let aborted = rig.run_crashing(SYNC, &plan).await.crashed();
        rig.run(SYNC).await.expect(0).adds_up();
        look(&rig, &plan);
        if !aborted {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 3, "{crashes} at {point}: the plan does not work");
}
