//! Three levels of links in the worst order, with faults between; lookups that
//! may point to several tables; joins by a field.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, FieldType, Sandbox, System, Variants};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ingress_links::vehicles;
use crate::support::{Counts, FIELDS, Setup, World, by_filter, status};

/// Accounts, which contacts link to; contacts may belong to contacts too.
const COMPANIES: &str = r#"
[[ingress.table]]
dynamics = "account"
campaign = "cusStore"
key = { from = "accountid", to = "cusStoreId", in_uri = true }
apply_deletes = true
fields = [ { from = "name", to = "cusName" } ]
"#;

fn company_link(choice: &str) -> String {
    format!(
        "apply_deletes = true\nlinks = [ {{ from = \"_parentcustomerid_value\", to = \"cusCompany\", table = \"account\", missing_parent = \"{choice}\" }} ]"
    )
}

/// The grandchildren first, the grandparents last.
fn three_levels(choice: &str) -> World {
    let contacts = by_filter(&company_link(choice), FIELDS);
    let world = World::new(Setup {
        contacts: 0,
        page_rows: 3,
        tables: format!("{}{contacts}{COMPANIES}", vehicles("")),
        variants: Variants { one_cardinality_links: true, ..Variants::default() },
        ..Setup::default()
    });
    let company = FieldType::Link { target: "cusStore".to_owned() };
    world.sandbox.campaign().add_field("profile", "cusCompany", company).unwrap();
    world
}

fn add_account(sandbox: &Sandbox, name: &str) -> Uuid {
    sandbox.dynamics().insert("account", &json!({ "name": name })).unwrap()
}

fn add_contact(world: &World, company: Uuid, name: &str) -> Uuid {
    let account = format!("/accounts({company})");
    world.add(&json!({ "lastname": name, "parentcustomerid_account@odata.bind": account }))
}

fn add_car(sandbox: &Sandbox, owner: Uuid, name: &str) -> Uuid {
    let owner = format!("/contacts({owner})");
    let row = json!({ "new_name": name, "new_ContactId@odata.bind": owner });
    sandbox.dynamics().insert("new_vehicle", &row).unwrap()
}

/// Every link in Campaign leads where Dynamics says.
#[track_caller]
fn links_equal(world: &World) {
    let (dynamics, campaign) = (world.sandbox.dynamics(), world.sandbox.campaign());
    let held = |resource: &str, field: &str, id: Uuid| -> serde_json::Map<String, Value> {
        let mut found = campaign.by_key(resource, field, &id.to_string());
        assert_eq!(found.len(), 1, "{resource} {id}");
        found.pop().unwrap()
    };
    for id in dynamics.ids("new_vehicle") {
        let row = dynamics.get("new_vehicle", id).unwrap();
        let car = held("cusVehicle", "cusVehicleId", id);
        assert_eq!(car["vehicleOwner"]["key"], row["_new_contactid_value"], "owner of {id}");
    }
    for id in dynamics.ids("contact") {
        let row = dynamics.get("contact", id).unwrap();
        let company = held("profile", "externalId", id)["cusCompany"].clone();
        // The look-alike shows the linked record by its first key.
        assert_eq!(company.is_null(), row["_parentcustomerid_value"].is_null(), "{id}: {company}");
    }
    assert_eq!(campaign.count("cusStore"), dynamics.count("account"));
}

fn populate(world: &World) {
    for number in 0..6 {
        let company = add_account(&world.sandbox, &format!("Company {number}"));
        for member in 0..2 {
            let contact = add_contact(world, company, &format!("Member {number}-{member}"));
            for car in 0..2 {
                add_car(&world.sandbox, contact, &format!("Car {number}-{member}-{car}"));
            }
        }
    }
}

#[test]
fn three_levels_arrive_in_order_whatever_the_order_of_the_configuration() {
    let world = three_levels("wait");
    populate(&world);
    world.equal_after_sync();
    links_equal(&world);
    assert_eq!(world.verbs(), vec!["POST"; 6 + 12 + 24], "each was made once, whole");
    world.forget();
    assert_eq!(world.synced(), Counts::default());
    assert!(world.writes().is_empty());
}

#[test]
fn three_levels_survive_faults_of_every_kind_between_them() {
    let world = three_levels("wait");
    populate(&world);
    let on = |path: &str, every: u64, times: u64, fault: Fault| FaultRule {
        system: Some(System::Campaign),
        path: Some(path.to_owned()),
        every: Some(every),
        times: Some(times),
        ..FaultRule::always(fault)
    };
    let rules = vec![
        on("/cusStore", 2, 4, status(503)),
        on("/cusStore", 3, 2, Fault::CutAfter),
        on("Ext/profile", 3, 4, Fault::CutAfter),
        on("Ext/profile", 4, 3, Fault::Truncated),
        on("Ext/profile", 5, 2, Fault::Throttle { retry_after: 1 }),
        on("/cusVehicle", 4, 4, Fault::CutBefore),
        on("/cusVehicle", 5, 4, Fault::CutIn),
    ];
    world.sandbox.set_faults(FaultPlan { seed: 3, rules });
    world.sync();
    world.calm();
    world.equal_after_sync();
    links_equal(&world);
    let campaign = world.sandbox.campaign();
    assert_eq!((campaign.count("profile"), campaign.count("cusVehicle")), (12, 24));
}

#[test]
fn a_grandchild_waits_while_its_grandparent_is_late() {
    let world = three_levels("wait");
    let company = add_account(&world.sandbox, "Late");
    let contact = add_contact(&world, company, "Waits");
    add_car(&world.sandbox, contact, "Waits too");
    let body = "\"the value is not valid\"".to_owned();
    world.play(FaultRule {
        path: Some("/cusStore".to_owned()),
        method: Some("POST".to_owned()),
        ..FaultRule::always(Fault::Status { code: 400, body })
    });
    let run = world.sync().ends(1);
    assert_eq!(run.counts().pending, 2);
    assert_eq!(run.events("links.waiting").len(), 2, "one for each table");
    world.calm();
    world.run(&["dead-letters", "retry"]).ends(0);
    world.equal_after_sync();
    links_equal(&world);
}

#[test]
fn a_whole_family_is_deleted_from_the_grandchild_up() {
    let world = three_levels("wait");
    populate(&world);
    world.equal_after_sync();
    let dynamics = world.sandbox.dynamics();
    for table in ["new_vehicle", "contact", "account"] {
        for id in dynamics.ids(table) {
            assert!(dynamics.delete(table, id));
        }
    }
    // A parent that went first would take its children with it.
    let cascade = cdsync::sandbox::ParentDelete::Cascade;
    world.sandbox.set_variants(Variants { parent_delete: cascade, ..Variants::default() });
    world.forget();
    world.synced();
    assert_eq!(world.verbs(), vec!["DELETE"; 6 + 12 + 24], "nothing went with its parent");
    let done = world.asked(System::Campaign).into_iter().filter(|entry| entry.method == "DELETE");
    assert!(done.into_iter().all(|entry| entry.status == 200));
    assert_eq!(world.sandbox.campaign().count("cusStore"), 0);
}

#[test]
fn a_lookup_to_another_table_than_the_links_is_named_or_left_unset() {
    let world = three_levels("wait");
    let boss = world.add(&json!({ "lastname": "Boss" }));
    let bound = format!("/contacts({boss})");
    let row = json!({ "lastname": "Aide", "parentcustomerid_contact@odata.bind": bound });
    let aide = world.add(&row);
    world.sync().ends(1);
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["record"], aide.to_string());
    let reason = letters[0]["reason"].as_str().unwrap();
    assert!(reason.contains("cusCompany (from parentcustomerid)"), "{reason}");
    assert!(reason.contains("a table other than account"), "{reason}");
    let contacts = by_filter(&company_link("send-without"), FIELDS);
    world.configure(&format!("{}{contacts}{COMPANIES}", vehicles("")));
    world.equal_after_sync();
    assert!(world.profile(aide)["cusCompany"].is_null());
    assert!(world.dead_letters().is_empty());
}

#[test]
fn a_join_by_a_field_holds_the_parents_key_and_follows_its_changes() {
    let contacts = by_filter("apply_deletes = true", FIELDS)
        .replace("from = \"contactid\"", "from = \"new_extid\"");
    let cars = vehicles("").replace("vehicleOwner", "cusOwnerKey");
    let world =
        World::new(Setup { contacts: 0, tables: format!("{cars}{contacts}"), ..Setup::default() });
    let field = FieldType::Text { max: 64 };
    world.sandbox.campaign().add_field("cusVehicle", "cusOwnerKey", field).unwrap();
    let owner = world.add(&json!({ "lastname": "Key", "new_extid": "K-1" }));
    let car = add_car(&world.sandbox, owner, "Joined");
    world.synced();
    let key = || {
        let held = world.sandbox.campaign().by_key("cusVehicle", "cusVehicleId", &car.to_string());
        held[0]["cusOwnerKey"].clone()
    };
    assert_eq!(key(), "K-1");
    world.change(owner, &json!({ "new_extid": "K-2" }));
    world.synced();
    world.synced();
    assert_eq!(key(), "K-2");
    world.forget();
    assert_eq!(world.synced(), Counts::default());
    assert!(world.writes().is_empty());
}

/// Service visits, linked to vehicles.
const VISITS: &str = r#"
[[ingress.table]]
dynamics = "new_servicevisit"
campaign = "cusServiceVisit"
key = { from = "new_servicevisitid", to = "cusVisitId", filter = "byVisitId", parameter = "visitId_parameter" }
apply_deletes = true
links = [ { from = "new_vehicleid", to = "visitVehicle", table = "new_vehicle" } ]
fields = [ { from = "new_name", to = "cusName" } ]
"#;

#[test]
fn visits_of_vehicles_of_contacts_come_and_go_level_by_level_under_strict_links() {
    let contacts = by_filter("apply_deletes = true", FIELDS);
    let world = World::new(Setup {
        contacts: 4,
        page_rows: 3,
        tables: format!("{VISITS}{}{contacts}", vehicles("")),
        variants: Variants { one_cardinality_links: true, ..Variants::default() },
        ..Setup::default()
    });
    let (dynamics, campaign) = (world.sandbox.dynamics(), world.sandbox.campaign());
    for (number, owner) in world.contacts().into_iter().cycle().take(8).enumerate() {
        let car = add_car(&world.sandbox, owner, &format!("Car {number}"));
        for name in ["Spring", "Autumn"] {
            let bound = format!("/new_vehicles({car})");
            let visit = json!({ "new_name": name, "new_VehicleId@odata.bind": bound });
            dynamics.insert("new_servicevisit", &visit).unwrap();
        }
    }
    let every = |path: &str, every: u64, fault: Fault| FaultRule {
        system: Some(System::Campaign),
        path: Some(path.to_owned()),
        every: Some(every),
        times: Some(3),
        ..FaultRule::always(fault)
    };
    let rules = vec![
        every("Ext/profile", 2, status(503)),
        every("/cusVehicle", 3, Fault::CutAfter),
        every("/cusServiceVisit", 4, Fault::CutBefore),
    ];
    world.sandbox.set_faults(FaultPlan { seed: 5, rules });
    world.sync();
    world.calm();
    world.equal_after_sync();
    let visits = dynamics.ids("new_servicevisit");
    assert_eq!(campaign.count("cusServiceVisit"), visits.len());
    for id in &visits {
        let row = dynamics.get("new_servicevisit", *id).unwrap();
        let held = campaign.by_key("cusServiceVisit", "cusVisitId", &id.to_string());
        assert_eq!(held.len(), 1, "{id}");
        assert_eq!(held[0]["visitVehicle"]["key"], row["_new_vehicleid_value"], "{id}");
    }
    // Everything goes, the grandparents too: nobody takes another along.
    let all = visits.len() + dynamics.count("new_vehicle") + 4;
    for table in ["new_servicevisit", "new_vehicle", "contact"] {
        for id in dynamics.ids(table) {
            assert!(dynamics.delete(table, id));
        }
    }
    let cascade = cdsync::sandbox::ParentDelete::Cascade;
    world.sandbox.set_variants(Variants { parent_delete: cascade, ..Variants::default() });
    world.forget();
    world.synced();
    assert_eq!(world.verbs(), vec!["DELETE"; all]);
    assert_eq!(campaign.count("profile"), 0);
}
