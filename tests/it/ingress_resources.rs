//! Tables other than contacts: where their resource is published, which column
//! is their key, and whether Campaign can be asked for it.

use cdsync::sandbox::{Fault, FaultRule, FilterOperator, System};
use serde_json::json;

use crate::support::{Counts, FIELDS, Setup, World, by_filter};

/// Stores, by a key of this form.
fn stores(key: &str) -> World {
    let tables = format!(
        "[[ingress.table]]\ndynamics = \"new_store\"\ncampaign = \"cusStore\"\nkey = {{ {key} }}\napply_deletes = true\nfields = [ {{ from = \"new_name\", to = \"cusName\" }}, {{ from = \"new_city\", to = \"cusCity\" }} ]\n"
    );
    World::new(Setup { tables, ..Setup::default() })
}

const BY_FILTER: &str =
    "to = \"cusStoreId\", filter = \"byStoreId\", parameter = \"storeId_parameter\"";

/// Rows, changes and deletions of an unlinked resource.
#[test]
fn an_unlinked_resource_is_written_under_its_own_root() {
    for key in [BY_FILTER, "to = \"cusStoreId\", in_uri = true"] {
        let world = stores(key);
        let (dynamics, campaign) = (world.sandbox.dynamics(), world.sandbox.campaign());
        for id in dynamics.ids("new_store") {
            dynamics.delete("new_store", id);
        }
        let insert =
            |name: &str| dynamics.insert("new_store", &json!({ "new_name": name })).unwrap();
        let (first, second) = (insert("One"), insert("Two"));
        world.run(&["check"]).ends(0);
        assert_eq!(world.synced().written, 2);
        dynamics.update("new_store", first, &json!({ "new_city": "Bergen" })).unwrap();
        dynamics.delete("new_store", second);
        let counts = world.synced();
        assert_eq!((counts.written, counts.deleted), (1, 1));
        let rows = campaign.rows("cusStore");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["cusStoreId"], first.to_string());
        assert_eq!((&rows[0]["cusName"], &rows[0]["cusCity"]), (&json!("One"), &json!("Bergen")));
        let writes = world.writes();
        let own = |path: &str| path.contains("/customResources/cusStore");
        assert!(writes.len() == 4 && writes.iter().all(|(_, path)| own(path)), "{writes:?}");
        assert_eq!(world.synced(), Counts::default());
    }
}

#[test]
fn a_resource_of_the_standard_api_alone_is_found_there() {
    let world = World::new(Setup::default());
    let gone = Fault::Status { code: 404, body: "RST-360011 Error rc=-2003".to_owned() };
    for root in ["profileAndServicesExt/resourceType", "customResources/resourceType"] {
        world.play(FaultRule { path: Some(root.to_owned()), ..FaultRule::always(gone.clone()) });
        world.run(&["resources", "service"]).ends(0);
    }
}

#[test]
fn the_key_column_may_be_left_out_and_named_later_without_a_new_read() {
    let named = by_filter("apply_deletes = true", FIELDS);
    let detected = named.replace("from = \"contactid\", ", "");
    assert_ne!(named, detected);
    let world = World::new(Setup { tables: detected.clone(), ..Setup::default() });
    world.run(&["check", "--offline"]).ends(0);
    world.equal_after_sync();
    for tables in [named, detected] {
        world.configure(&tables);
        assert_eq!(world.equal_after_sync(), Counts::default());
    }
}

#[test]
fn check_tells_how_the_filter_of_a_key_is_defined() {
    let world = stores(BY_FILTER);
    world.run(&["check"]).ends(0);
    let campaign = world.sandbox.campaign();
    campaign.remove_filter("cusStore", "byStoreId");
    let parts =
        ["Filter definition", "id `StoreId`", "parameter `storeId`", "cusStoreId", "publish"];
    let told = world.run(&["check"]).ends(1).stdout;
    assert!(told.contains("there is no filter byStoreId"), "{told}");
    assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    campaign
        .add_filter("cusStore", "byStoreId", "shop_parameter", "cusStoreId", FilterOperator::Equal)
        .unwrap();
    let told = world.run(&["check"]).ends(1).stdout;
    assert!(told.contains("has no parameter storeId_parameter"), "{told}");
    assert!(parts.iter().all(|part| told.contains(part)), "{told}");
}

#[test]
fn check_really_asks_for_a_key_where_the_metadata_is_silent() {
    let world = stores(BY_FILTER);
    let unlisted = FaultRule {
        path: Some("/filters/".to_owned()),
        ..FaultRule::always(Fault::Status { code: 200, body: "{\"content\":[]}".to_owned() })
    };
    world.play(unlisted.clone());
    world.forget();
    world.run(&["check"]).ends(0);
    let asked = world.asked(System::Campaign);
    assert!(asked.iter().any(|it| it.path.contains("byStoreId?storeId_parameter=")), "{asked:#?}");
    assert!(asked.iter().all(|it| it.method == "GET"));
    world.sandbox.campaign().remove_filter("cusStore", "byStoreId");
    let told = world.run(&["check"]).ends(1).stdout;
    assert!(told.contains("id `StoreId`"), "{told}");
}
