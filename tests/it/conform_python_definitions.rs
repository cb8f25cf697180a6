//! Microsoft's own Python client asks for definitions and changes them, one by one
//! and in batches.

use std::collections::BTreeSet;

use cdsync::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::conform_rig::{Client, Stage};

fn stage() -> Stage {
    Stage::new(Client::Python, SandboxOptions { contacts: 2, ..SandboxOptions::default() })
}

fn names(rows: &Value, member: &str) -> BTreeSet<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    rows.iter().map(|row| row[member].as_str().unwrap_or_default().to_owned()).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn microsofts_client_lists_tables_columns_and_relations() {
    let mut stage = stage();
    let dynamics = stage.sandbox.dynamics();
    let all = stage.call("tables.list", &json!([]));
    assert_eq!(names(&all, "LogicalName"), dynamics.tables().into_iter().collect());
    let some = stage.done(&json!({"call": "tables.list", "named": {
        "filter": "startswith(SchemaName, 'Con')", "select": ["LogicalName"]}}));
    let held = dynamics.tables().into_iter().filter(|name| name.starts_with("con"));
    assert_eq!(names(&some, "LogicalName"), held.collect());

    // What the list calls a column is what a row has.
    let columns = stage.done(&json!({"call": "tables.list_columns", "args": ["contact"],
        "named": {"select": ["LogicalName", "AttributeType"], "filter": "AttributeType eq 'DateTime'"}}));
    let row = dynamics.get("contact", dynamics.ids("contact")[0]).unwrap();
    let columns = names(&columns, "LogicalName");
    assert!(columns.contains("birthdate") && !columns.contains("lastname"), "{columns:?}");
    assert!(columns.iter().all(|name| row.contains_key(name)), "{columns:?}");
    let typed = stage.done(&json!({"call": "tables.list_columns", "args": ["contact"],
        "named": {"typed": true}}));
    let last = typed.as_array().unwrap().iter().find(|row| row["LogicalName"] == "lastname");
    assert_eq!(last.unwrap()["MaxLength"], 50);
    let usable = stage.call("query.sql_columns", &json!(["contact"]));
    assert_eq!((&usable[0]["name"], &usable[0]["is_pk"]), (&json!("contactid"), &json!(true)));
    let select = stage.call("query.odata_select", &json!(["contact"]));
    assert_eq!(select.as_array().unwrap().len(), usable.as_array().unwrap().len());

    let expands = stage.call("query.odata_expands", &json!(["contact"]));
    assert!(names(&expands, "nav_property").contains("parentcustomerid_account"));
    let navigation = stage.call("query.odata_expand", &json!(["contact", "account"]));
    assert_eq!(navigation, "parentcustomerid_account");
    let account = dynamics.insert("account", &json!({"name": "Bound"})).unwrap();
    let bind = stage.call("query.odata_bind", &json!(["contact", "account", account]));
    let mut row = bind.as_object().unwrap().clone();
    row.insert("lastname".to_owned(), json!("Bound"));
    let made = stage.call("records.create", &json!(["contact", row]));
    let made = dynamics.get("contact", made.as_str().unwrap().parse().unwrap()).unwrap();
    assert_eq!(made["_parentcustomerid_value"], json!(account));
    stage.call("flush_cache", &json!(["picklist"]));
    stage.call("close", &json!([]));
}

#[test]
fn microsofts_client_makes_and_removes_relations_of_both_kinds() {
    let mut stage = stage();
    let dynamics = stage.sandbox.dynamics();
    stage.call("tables.create", &json!(["new_Club", {"new_Size": "int", "new_Code": "string"}]));
    stage.call(
        "tables.update_columns",
        &json!(["new_Club",
        {"new_Size": {"min_value": 1, "max_value": 9}, "new_Code": {"max_length": 12}}]),
    );
    // The sandbox holds what was changed: it refuses what no longer fits.
    assert!(dynamics.insert("new_club", &json!({"new_size": 10})).is_err());
    assert!(dynamics.insert("new_club", &json!({"new_code": "1234567890123"})).is_err());

    let many = json!([{"$many_to_many": {"schema_name": "new_club_contact",
        "entity1_logical_name": "new_club", "entity2_logical_name": "contact"}}]);
    let made = stage.call("tables.create_many_to_many_relationship", &many);
    assert_eq!(made["relationship_type"], "many_to_many");
    assert!(dynamics.tables().contains(&"new_club_contact".to_owned()));
    let read = stage.call("tables.get_relationship", &json!(["new_club_contact"]));
    assert_eq!(
        (&read["relationship_id"], &read["entity2_logical_name"]),
        (&made["relationship_id"], &json!("contact"))
    );
    let one = json!([{"$lookup": ["new_HeadId", "Head"]}, {"$one_to_many": {
        "schema_name": "new_contact_club", "referenced_entity": "contact",
        "referencing_entity": "new_club", "referenced_attribute": "contactid"}}]);
    let head = stage.call("tables.create_one_to_many_relationship", &one);
    assert_eq!(head["lookup_schema_name"], "new_HeadId");
    let contact = dynamics.ids("contact")[0];
    let row = json!({"new_HeadId@odata.bind": format!("/contacts({contact})")});
    let club = dynamics.insert("new_club", &row).unwrap();
    assert_eq!(dynamics.get("new_club", club).unwrap()["_new_headid_value"], json!(contact));

    let own = stage.call("tables.list_table_relationships", &json!(["new_Club"]));
    let own = names(&own, "SchemaName");
    assert!(own.is_superset(&set(&["new_club_contact", "new_contact_club"])), "{own:?}");
    let many = stage.done(&json!({"call": "tables.list_relationships", "named": {
        "filter": "RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'",
        "select": ["SchemaName"]}}));
    assert!(names(&many, "SchemaName").contains("new_club_contact"));
    for relation in [&made, &head] {
        stage.call("tables.delete_relationship", &json!([relation["relationship_id"]]));
    }
    assert!(!dynamics.tables().contains(&"new_club_contact".to_owned()));
    assert!(!dynamics.get("new_club", club).unwrap().contains_key("_new_headid_value"));
    assert_eq!(stage.call("tables.get_relationship", &json!(["new_club_contact"])), Value::Null);
}

#[test]
fn microsofts_client_changes_definitions_in_batches() {
    let mut stage = stage();
    let dynamics = stage.sandbox.dynamics();
    let batch = |stage: &mut Stage, steps: Value| -> Vec<Value> {
        let done = stage.done(&json!({"batch": steps}));
        let parts = done["responses"].as_array().unwrap().clone();
        let failed = |part: &&Value| part["status_code"].as_u64().is_none_or(|code| code >= 300);
        assert_eq!(parts.iter().find(failed), None);
        parts
    };
    let many = json!({"$many_to_many": {"schema_name": "new_flat_contact",
        "entity1_logical_name": "new_flat", "entity2_logical_name": "contact"}});
    let one = |schema: &str| {
        json!({"$one_to_many": {"schema_name": schema,
        "referenced_entity": "contact", "referencing_entity": "new_flat", "referenced_attribute": "contactid"}})
    };
    batch(&mut stage, json!([["tables.create", ["new_Flat", {"new_Rooms": "int"}]]]));
    assert!(dynamics.tables().contains(&"new_flat".to_owned()));
    let parts = batch(
        &mut stage,
        json!([
            ["tables.add_columns", ["new_Flat", {"new_Floor": "int", "new_Door": "string"}]],
            ["tables.create_many_to_many_relationship", [many]],
            ["tables.create_one_to_many_relationship", [{"$lookup": ["new_RenterId", "Renter"]}, one("new_renter")]],
            ["tables.create_lookup_field", ["new_Flat", "new_OwnerId", "contact"]],
            ["tables.get", ["new_Flat"]],
            ["tables.list", [], {"filter": "startswith(LogicalName,'new_flat')", "select": ["LogicalName"]}],
            ["tables.get_relationship", ["new_renter"]],
        ]),
    );
    let listed = names(&parts[6]["data"]["value"], "LogicalName");
    assert_eq!(listed, set(&["new_flat", "new_flat_contact"]));
    assert_eq!(parts[7]["data"]["value"][0]["SchemaName"], "new_renter");
    let contact = format!("/contacts({})", dynamics.ids("contact")[0]);
    let row = json!({"new_floor": 3, "new_RenterId@odata.bind": contact, "new_OwnerId@odata.bind": contact});
    let flat = dynamics.insert("new_flat", &row).unwrap();
    let relation = parts[7]["data"]["value"][0]["MetadataId"].clone();
    batch(
        &mut stage,
        json!([
            ["tables.delete_relationship", [relation]],
            ["tables.remove_columns", ["new_Flat", ["new_Floor"]]],
        ]),
    );
    let left = dynamics.get("new_flat", flat).unwrap();
    assert!(
        !left.contains_key("_new_renterid_value") && !left.contains_key("new_floor"),
        "{left:?}"
    );
    assert!(left.contains_key("_new_ownerid_value") && left.contains_key("new_door"), "{left:?}");
    batch(&mut stage, json!([["tables.delete", ["new_Flat"]]]));
    let gone = ["new_flat".to_owned(), "new_flat_contact".to_owned()];
    assert!(dynamics.tables().iter().all(|name| !gone.contains(name)));
}
