//! Microsoft's own Python client drives the Dataverse look-alike, over TLS.

use cdsync::sandbox::{Fault, FaultPlan, FaultRule, SandboxOptions, System, Variants};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::conform_rig::{Client, Stage};

fn stage() -> Stage {
    Stage::new(Client::Python, SandboxOptions { contacts: 12, ..SandboxOptions::default() })
}

fn id(value: &Value) -> Uuid {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no id: {value}"))
}

fn column(rows: &Value, name: &str) -> Vec<Value> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    rows.iter().map(|row| row["data"][name].clone()).collect()
}

#[test]
fn microsofts_client_creates_reads_changes_and_deletes_rows() {
    let mut stage = stage();
    let dynamics = stage.sandbox.dynamics();
    let one = id(&stage.call(
        "records.create",
        &json!(["contact", {"lastname": "Lee", "firstname": "Ann", "donotbulkemail": true}]),
    ));
    let held = dynamics.get("contact", one).unwrap();
    assert_eq!((&held["fullname"], &held["donotbulkemail"]), (&json!("Ann Lee"), &json!(true)));
    assert_eq!(held["_createdby_value"], json!(dynamics.application_user()));
    let many =
        stage.call("records.create", &json!(["contact", [{"lastname": "Ek"}, {"lastname": "Xu"}]]));
    let many: Vec<Uuid> = many.as_array().unwrap().iter().map(id).collect();
    let name = |of: Uuid| dynamics.get("contact", of).unwrap()["lastname"].clone();
    assert_eq!(many.iter().map(|of| name(*of)).collect::<Vec<_>>(), [json!("Ek"), json!("Xu")]);

    let read = stage.done(&json!({"call": "records.retrieve", "args": ["contact", one],
        "named": {"select": ["fullname", "gendercode"]}}));
    assert_eq!(read["data"]["fullname"], "Ann Lee");
    let version = dynamics.row_version("contact", one).unwrap();
    assert_eq!(read["etag"], format!("W/\"{version}\""));

    stage.call("records.update", &json!(["contact", one, {"middlename": "Q"}]));
    assert_eq!(dynamics.get("contact", one).unwrap()["fullname"], "Ann Q Lee");
    stage.call(
        "records.update",
        &json!(["contact", many, [{"lastname": "Oz"}, {"lastname": "Wu"}]]),
    );
    assert_eq!(many.iter().map(|of| name(*of)).collect::<Vec<_>>(), [json!("Oz"), json!("Wu")]);

    stage.call("records.delete", &json!(["contact", one]));
    assert_eq!(dynamics.get("contact", one), None);
    let job = id(&stage.call("records.delete", &json!(["contact", many])));
    assert_eq!(dynamics.count("contact"), 12);
    let ended = dynamics.get("asyncoperation", job).unwrap();
    assert_eq!((&ended["statecode"], &ended["statuscode"]), (&json!(3), &json!(30)));

    // An update of a row that is gone must not make a new one.
    let gone = stage.refused("records.update", &json!(["contact", one, {"lastname": "Ghost"}]));
    assert_eq!((&gone["status"], &gone["code"]), (&json!(404), &json!("0x80040217")));
    assert_eq!(dynamics.count("contact"), 12);
    let writes: Vec<String> = stage
        .asked_of(System::Dynamics)
        .into_iter()
        .filter(|line| !line.starts_with("GET "))
        .map(|line| line.replace(&one.to_string(), "1"))
        .collect();
    assert_eq!(
        writes,
        [
            "POST 204 /api/data/v9.2/contacts",
            "POST 200 /api/data/v9.2/contacts/Microsoft.Dynamics.CRM.CreateMultiple",
            "PATCH 204 /api/data/v9.2/contacts(1)",
            "POST 204 /api/data/v9.2/contacts/Microsoft.Dynamics.CRM.UpdateMultiple",
            "DELETE 204 /api/data/v9.2/contacts(1)",
            "POST 200 /api/data/v9.2/BulkDelete",
            "PATCH 404 /api/data/v9.2/contacts(1)",
        ]
    );
}

#[test]
fn microsofts_client_filters_orders_counts_and_pages() {
    let mut stage = stage();
    for (first, last) in [("B", "Zz"), ("C", "Zz"), ("A", "Zz"), ("D", "Yy")] {
        stage.call("records.create", &json!(["contact", {"firstname": first, "lastname": last}]));
    }
    let list = |named: Value| json!({"call": "records.list", "args": ["contact"], "named": named});
    let rows = stage.done(&list(json!({"select": ["firstname"], "filter": "lastname eq 'Zz'",
        "orderby": ["firstname desc"]})));
    assert_eq!(column(&rows, "firstname"), ["C", "B", "A"]);
    let rows = stage
        .done(&list(json!({"select": ["firstname"], "filter": "startswith(lastname,'z')",
        "orderby": ["firstname asc"], "top": 2})));
    assert_eq!(column(&rows, "firstname"), ["A", "B"]);
    let pages =
        stage.done(&json!({"pages": ["contact", {"select": ["lastname"], "page_size": 5}]}));
    let sizes: Vec<usize> =
        pages.as_array().unwrap().iter().map(|page| page.as_array().unwrap().len()).collect();
    assert_eq!(sizes, [5, 5, 5, 1]);
    let mut ids: Vec<String> = pages
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|page| column(page, "contactid"))
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    let mut held: Vec<String> =
        stage.sandbox.dynamics().ids("contact").iter().map(Uuid::to_string).collect();
    held.sort();
    assert_eq!(ids, held);
    let wrong = stage.ask(&list(json!({"select": ["nothing"]})));
    assert_eq!(
        (&wrong["error"]["status"], &wrong["error"]["code"]),
        (&json!(400), &json!("0x80060888"))
    );

    // FetchXML in pages of three, by the cookie; then SQL.
    let fetch = "<fetch count='3'><entity name='contact'><attribute name='lastname'/>\
        <order attribute='firstname'/><filter type='or'>\
        <condition attribute='lastname' operator='eq' value='Zz'/>\
        <condition attribute='lastname' operator='like' value='Y%'/></filter></entity></fetch>";
    let rows = stage.done(&json!({"fetchxml": fetch}));
    assert_eq!(column(&rows, "lastname"), ["Zz", "Zz", "Zz", "Yy"]);
    let fetches = stage.asked_of(System::Dynamics);
    assert_eq!(fetches.iter().filter(|line| line.contains("fetchXml=")).count(), 2, "{fetches:?}");
    let sql = "SELECT TOP 2 firstname FROM contact WHERE lastname = 'Zz' ORDER BY firstname DESC";
    let rows = stage.call("query.sql", &json!([sql]));
    assert_eq!(column(&rows, "firstname"), ["C", "B"]);
}

#[test]
fn microsofts_client_sends_batches_and_change_sets() {
    let mut stage = stage();
    let dynamics = stage.sandbox.dynamics();
    let nobody = Uuid::from_u128(9);
    let steps = json!([
        ["records.create", ["contact", {"lastname": "One"}]],
        ["records.delete", ["contact", nobody]],
        ["records.create", ["contact", {"lastname": "Two"}]],
        ["records.list", ["contact"], {"select": ["lastname"], "filter": "lastname eq 'One'"}],
    ]);
    let statuses = |answer: &Value| -> Vec<Value> {
        let parts = answer["responses"].as_array().unwrap_or_else(|| panic!("no parts: {answer}"));
        parts.iter().map(|part| part["status_code"].clone()).collect()
    };
    // It stops at the first failure; what was before stays done.
    let stopped = stage.done(&json!({"batch": steps}));
    assert_eq!(statuses(&stopped), [204, 404]);
    assert_eq!(stopped["responses"][1]["error_code"], "0x80040217");
    assert_eq!(dynamics.count("contact"), 13);
    let whole = stage.done(&json!({"batch": steps, "continue": true}));
    assert_eq!(statuses(&whole), [204, 404, 204, 200]);
    let made = id(&whole["responses"][2]["entity_id"]);
    assert_eq!(dynamics.get("contact", made).unwrap()["lastname"], "Two");
    let found = &whole["responses"][3]["data"]["value"];
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");

    let set = |last: Value| {
        json!({"batch": [["changeset", [
            ["records.create", ["contact", {"lastname": "Set"}]],
            ["records.update", ["contact", "$1", {"firstname": "In"}]],
            last,
        ]]]})
    };
    let done = stage.done(&set(json!(["records.delete", ["contact", made]])));
    assert_eq!(statuses(&done), [204, 204, 204]);
    let new = id(&done["responses"][0]["entity_id"]);
    assert_eq!(dynamics.get("contact", new).unwrap()["fullname"], "In Set");
    assert_eq!(dynamics.get("contact", made), None);
    let (count, ids) = (dynamics.count("contact"), dynamics.ids("contact"));
    let undone = stage.done(&set(json!(["records.delete", ["contact", nobody]])));
    assert_eq!(statuses(&undone), [404]);
    assert_eq!((dynamics.count("contact"), dynamics.ids("contact")), (count, ids));
}

#[test]
fn microsofts_client_makes_changes_and_removes_definitions() {
    let variants = Variants { key_pending_reads: 1, ..Variants::default() };
    let options = SandboxOptions { contacts: 1, variants, ..SandboxOptions::default() };
    let mut stage = Stage::new(Client::Python, options);
    let dynamics = stage.sandbox.dynamics();
    let made = stage.call(
        "tables.create",
        &json!(["new_Thing", {"new_Size": "int", "new_Colour": {"$enum": "Colour"},
            "new_When": "datetime", "new_Ok": "bool", "new_Price": "decimal"}]),
    );
    assert_eq!(
        (&made["logical_name"], &made["entity_set_name"]),
        (&json!("new_thing"), &json!("new_things"))
    );
    assert!(dynamics.tables().contains(&"new_thing".to_owned()));
    stage.call(
        "tables.add_columns",
        &json!(["new_Thing", {"new_Code": "string", "new_Memo": "memo"}]),
    );
    stage.call("tables.update_column", &json!(["new_Thing", "new_Code", {"max_length": 40}]));
    let typed = stage.done(&json!({"call": "tables.get_column", "args": ["new_Thing", "new_Code"],
        "named": {"typed": true}}));
    assert_eq!((&typed["MaxLength"], &typed["AttributeType"]), (&json!(40), &json!("String")));
    stage.call("tables.remove_columns", &json!(["new_Thing", "new_Memo"]));

    let key = stage
        .call("tables.create_alternate_key", &json!(["new_Thing", "new_CodeKey", ["new_code"]]));
    assert_eq!(key["key_attributes"], json!(["new_code"]));
    let upsert = |code: &str, size: u32| json!({"$upsert": {"alternate_key": {"new_code": code}, "record": {"new_size": size}}});
    // A key whose index is being built is none yet.
    let early = stage.refused("records.upsert", &json!(["new_Thing", [upsert("a", 1)]]));
    assert_eq!(early["code"], "0x80060890");
    let status = |stage: &mut Stage| {
        stage.call("tables.get_alternate_keys", &json!(["new_Thing"]))[0]["status"].clone()
    };
    assert_eq!(status(&mut stage), "Pending");
    assert_eq!(status(&mut stage), "Active");
    stage.call("records.upsert", &json!(["new_Thing", [upsert("a", 1)]]));
    stage.call("records.upsert", &json!(["new_Thing", [upsert("a", 2), upsert("b", 3)]]));
    let rows: Vec<_> = dynamics
        .ids("new_thing")
        .iter()
        .map(|id| dynamics.get("new_thing", *id).unwrap())
        .collect();
    let mut sizes: Vec<_> =
        rows.iter().map(|row| (row["new_code"].to_string(), row["new_size"].clone())).collect();
    sizes.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(sizes, [("\"a\"".to_owned(), json!(2)), ("\"b\"".to_owned(), json!(3))]);

    let relation =
        stage.call("tables.create_lookup_field", &json!(["new_Thing", "new_KeeperId", "contact"]));
    let contact = dynamics.ids("contact")[0];
    let bound = stage.call(
        "records.create",
        &json!(["new_Thing",
        {"new_colour": "BLUE", "new_KeeperId@odata.bind": format!("/contacts({contact})")}]),
    );
    let row = dynamics.get("new_thing", id(&bound)).unwrap();
    assert_eq!((&row["_new_keeperid_value"], &row["new_colour"]), (&json!(contact), &json!(2)));
    stage.call("tables.delete_relationship", &json!([relation["relationship_id"]]));
    assert!(!dynamics.get("new_thing", id(&bound)).unwrap().contains_key("_new_keeperid_value"));

    let keys = stage.call("tables.get_alternate_keys", &json!(["new_Thing"]));
    stage.call("tables.delete_alternate_key", &json!(["new_Thing", keys[0]["metadata_id"]]));
    assert_eq!(stage.call("tables.get_alternate_keys", &json!(["new_Thing"])), json!([]));
    stage.call("tables.delete", &json!(["new_Thing"]));
    assert!(!dynamics.tables().contains(&"new_thing".to_owned()));
    assert_eq!(stage.call("tables.get", &json!(["new_Thing"])), Value::Null);
    let kept = stage.refused("tables.delete", &json!(["contact"]));
    assert_eq!(kept["status"], 400);
}

#[test]
fn microsofts_client_is_told_to_wait_and_does_not_try_again_by_itself() {
    let mut stage = stage();
    stage.call("records.create", &json!(["contact", {"lastname": "First"}]));
    let rule = FaultRule::always(Fault::Throttle { retry_after: 7 });
    let rule = FaultRule { system: Some(System::Dynamics), ..rule };
    stage.sandbox.set_faults(FaultPlan { seed: 1, rules: vec![rule] });
    let before = stage.asked_of(System::Dynamics).len();
    let told = stage.refused("records.create", &json!(["contact", {"donotbulkemail": true}]));
    assert_eq!(
        (&told["status"], &told["transient"], &told["retry_after"]),
        (&json!(429), &json!(true), &json!(7))
    );
    assert_eq!(stage.asked_of(System::Dynamics).len(), before + 1);
    assert_eq!(stage.sandbox.dynamics().count("contact"), 13);
}
