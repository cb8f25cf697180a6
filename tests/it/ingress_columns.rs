//! A mapping that comes to need a column: what was read so far was read
//! without it, and every later change must carry it all the same.

use cdsync::sandbox::{Fault, FaultRule, FieldType};
use serde_json::{Value, json};

use crate::ingress_remap::{full_reads, planned};
use crate::optout_rig::{REST, ago, both_ways, passed, sections, settle};
use crate::support::{Counts, Setup, World, by_uri, on_pages};

const COMPANIES: &str = r#"
[[ingress.table]]
dynamics = "account"
campaign = "cusStore"
key = { from = "accountid", to = "cusStoreId", in_uri = true }
fields = [ { from = "name", to = "cusName" } ]
"#;

const ACTIVE: &str = "filter = { rules = [ { column = \"statecode\", is = \"eq\", value = 0 } ], delete_filtered_out = true }";
const CHIEF: &str =
    "filter = { rules = [ { column = \"jobtitle\", is = \"eq\", value = \"Chief\" } ] }";
const COMPANY: &str =
    "links = [ { from = \"parentcustomerid\", to = \"cusCompany\", table = \"account\" } ]";
const TITLE: &str = "{ from = \"jobtitle\", to = \"cusNote\" }";
const KEPT: &str = "{ from = \"jobtitle\", to = \"cusNote\", on_null = \"keep\" }";
const FIRST: &str = "{ from = \"firstname\", to = \"cusNote\" }";
const VISIT: &str = "{ from = \"new_lastvisit\", to = \"birthDate\" }";
const THERE: &str =
    "{ from = \"new_lastvisit\", to = \"birthDate\", time_zone = \"Europe/Berlin\" }";

fn tables(options: &str, field: &str) -> String {
    let fields =
        format!("fields = [\n  {{ from = \"lastname\", to = \"lastName\" }},\n  {field}\n]");
    format!("{}{COMPANIES}", by_uri(options, &fields))
}

fn begun(options: &str, field: &str) -> World {
    let tables = tables(options, field);
    let world = World::new(Setup { contacts: 0, page_rows: 10, tables, ..Setup::default() });
    let company = FieldType::Link { target: "cusStore".to_owned() };
    world.sandbox.campaign().add_field("profile", "cusCompany", company).unwrap();
    world
}

fn account(world: &World) -> Value {
    let id = world.sandbox.dynamics().insert("account", &json!({ "name": "Firm" })).unwrap();
    json!(format!("/accounts({id})"))
}

fn row(number: usize, company: &Value) -> Value {
    json!({
        "lastname": format!("Nr. {number}"), "firstname": "Ann", "jobtitle": "Chief",
        "new_lastvisit": "2026-03-01T12:00:00Z", "parentcustomerid_account@odata.bind": company,
    })
}

#[test]
fn every_later_change_is_carried_whatever_has_changed_in_the_mapping() {
    let late = json!({ "new_lastvisit": "2026-03-01T23:30:00Z" });
    let name = json!({ "lastname": "Other" });
    // before, now, whether all is read, a later change, what follows in Campaign
    let cases = [
        (("", ""), (ACTIVE, ""), true, name.clone(), ("lastName", "Other")),
        ((ACTIVE, ""), (CHIEF, TITLE), true, name.clone(), ("lastName", "Other")),
        ((ACTIVE, ""), ("", ""), false, name, ("lastName", "Other")),
        (("", ""), ("", KEPT), true, json!({ "jobtitle": "Cook" }), ("cusNote", "Cook")),
        (("", TITLE), ("", FIRST), true, json!({ "firstname": "Eve" }), ("cusNote", "Eve")),
        (("", VISIT), ("", THERE), false, late, ("birthDate", "2026-03-02")),
    ];
    for (case, (before, now, all, change, (field, value))) in cases.into_iter().enumerate() {
        let world = begun(before.0, before.1);
        let company = account(&world);
        let ids: Vec<_> = (0..24).map(|number| world.add(&row(number, &company))).collect();
        world.synced();
        world.configure(&tables(now.0, now.1));
        world.forget();
        world.synced();
        assert_eq!(full_reads(&world) > 0, all, "case {case}");
        assert_eq!(world.synced(), Counts::default(), "case {case}: a pass without changes");
        for id in [ids[0], ids[23]] {
            world.change(id, &change);
        }
        let counts = world.synced();
        assert_eq!((counts.written, counts.dead_lettered), (2, 0), "case {case}: {counts:?}");
        assert_eq!(world.profile(ids[0])[field], value, "case {case}");
        assert_eq!(world.dead_letters(), Vec::<Value>::new(), "case {case}");
    }
}

#[test]
fn a_link_that_is_added_follows_its_record_from_then_on() {
    let world = begun("", "");
    let (one, two) = (account(&world), account(&world));
    let ids: Vec<_> = (0..3).map(|number| world.add(&row(number, &one))).collect();
    world.synced();
    world.configure(&tables(COMPANY, ""));
    world.synced();
    let before = world.profile(ids[0])["cusCompany"].clone();
    assert!(!before.is_null() && before == world.profile(ids[1])["cusCompany"]);
    world.change(ids[0], &json!({ "parentcustomerid_account@odata.bind": two }));
    assert_eq!(world.synced().written, 1);
    assert_ne!(world.profile(ids[0])["cusCompany"], before);
}

#[test]
fn a_filter_by_a_new_column_says_why_all_is_read() {
    let world = begun("", "");
    let company = account(&world);
    let ids: Vec<_> = (0..3).map(|number| world.add(&row(number, &company))).collect();
    world.synced();
    world.configure(&tables(ACTIVE, ""));
    let (text, line) = planned(&world);
    assert_eq!(
        text,
        "mapping of contact changed: the filter; 3 of 3 records are looked at again in a full read: it needs a column that was not read before"
    );
    assert_eq!(line["read"], "full-read");
    world.synced();
    world.change(ids[0], &json!({ "statecode": 1 }));
    assert_eq!(world.synced().deleted, 1, "who leaves it now is seen");
}

#[test]
fn a_read_that_was_interrupted_does_not_go_on_without_the_new_column() {
    let world = begun("", "");
    let company = account(&world);
    for number in 0..25 {
        world.add(&row(number, &company));
    }
    let refusal = Fault::Status { code: 403, body: String::new() };
    world.play(FaultRule { after: Some(1), ..on_pages(refusal) });
    world.sync().ends(3);
    world.calm();
    // Nothing else follows for who has been read: nobody comes in by it.
    world.configure(&tables(CHIEF, ""));
    let counts = world.synced();
    assert_eq!((counts.dead_lettered, world.sandbox.campaign().count("profile")), (0, 25));
    world.forget();
    assert_eq!(world.synced(), Counts::default());
}

#[test]
fn a_replay_that_was_interrupted_does_not_go_on_without_the_new_column() {
    for second in [&["resync", "--table", "contact"][..], &["sync"][..]] {
        let world = begun("", "");
        let company = account(&world);
        for number in 0..25 {
            world.add(&row(number, &company));
        }
        world.synced();
        // Crashes until one falls between two pages.
        for commits in 3.. {
            let mut crashing = world.command(&["resync", "--table", "contact"]);
            crashing.env("CDSYNC_CRASH", format!("committed:{commits}"));
            assert!(!crashing.output().unwrap().status.success(), "no crash was late enough");
            let store = rusqlite::Connection::open(world.path("store.db")).unwrap();
            let done: f64 =
                store.query_row("SELECT total(done) FROM resync", [], |row| row.get(0)).unwrap();
            if done > 0.0 {
                break;
            }
        }
        world.configure(&tables(ACTIVE, TITLE));
        let run = world.run(second).ends(0);
        assert_eq!(run.event("resync.finished")["rows"], 25, "{}", run.stderr);
        let letters = world.dead_letters();
        assert_eq!(letters, Vec::<Value>::new(), "{second:?}");
        world.synced();
        let notes = world.sandbox.campaign().rows("profile");
        assert!(notes.iter().all(|profile| profile["cusNote"] == "Chief"), "{notes:#?}");
    }
}

#[test]
fn the_opt_out_flow_reads_anew_where_it_comes_to_need_a_column() {
    let (world, ids) = both_ways(3);
    let pairs = r#"pairs = [
  { dynamics = "donotbulkemail", campaign = "blackListEmail" },
  { dynamics = "donotphone", campaign = "blackListPhone" } ]
address = "jobtitle""#;
    world.configure(&sections("bidirectional", &format!("{REST}{pairs}")));
    settle(&world);
    for id in &ids[..2] {
        let said = json!({ "donotphone": true, "jobtitle": "Captain of all" });
        world.sandbox.dynamics().update_at("contact", *id, &said, ago(-5)).unwrap();
    }
    settle(&world);
    assert_eq!(world.profile(ids[0])["blackListPhone"], true, "the flag that is new");
    world.delete(ids[0]);
    settle(&world);
    world.add(&json!({ "lastname": "Again", "jobtitle": "Captain of all" }));
    world.synced();
    let told = passed(&world).ends(0).events("optout.recreated");
    assert_eq!(told.len(), 1, "the address that is another column");
}
