//! Microsoft's own Python client asks with its query builder and with data frames,
//! alone and in batches.

use cdsync::sandbox::{SandboxOptions, System};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::conform_rig::{Client, Stage};

fn stage() -> Stage {
    Stage::new(Client::Python, SandboxOptions { contacts: 0, ..SandboxOptions::default() })
}

/// An account with contacts of these names.
fn people(stage: &Stage, names: &[&str]) -> (Uuid, Vec<Uuid>) {
    let dynamics = stage.sandbox.dynamics();
    let account = dynamics.insert("account", &json!({"name": "Contoso"})).unwrap();
    let bind = format!("/accounts({account})");
    let row = |name: &&str| json!({"lastname": name, "parentcustomerid_account@odata.bind": bind});
    let ids = names.iter().map(|name| dynamics.insert("contact", &row(name)).unwrap()).collect();
    (account, ids)
}

fn data(rows: &Value, name: &str) -> Vec<Value> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    rows.iter().map(|row| row["data"][name].clone()).collect()
}

#[test]
fn microsofts_query_builder_asks_for_what_the_sandbox_holds() {
    let mut stage = stage();
    let (account, ids) = people(&stage, &["Ada", "Bo", "Anna", "Cy"]);
    let dynamics = stage.sandbox.dynamics();
    let rows = stage.done(&json!({"builder": "contact", "steps": [
        ["select", ["lastname"]], ["where", [{"$filter": ["startswith", "lastname", "A"]}]],
        ["order_by", ["lastname"], {"descending": true}], ["top", [5]],
        ["include_formatted_values", []],
        ["expand", [{"$expand": ["parentcustomerid_account", ["select", ["name"]]]}]],
        ["execute", []]]}));
    assert_eq!(data(&rows, "lastname"), ["Anna", "Ada"]);
    assert_eq!(rows[0]["data"]["parentcustomerid_account"]["accountid"], json!(account));
    assert_eq!(rows[0]["data"]["parentcustomerid_account"]["name"], "Contoso");
    let members = "account_contacts_parentcustomerid";
    let rows = stage.done(&json!({"builder": "account", "steps": [["select", ["name"]],
        ["expand", [{"$expand": [members, ["select", ["lastname"]], ["filter", ["lastname ne 'Bo'"]],
            ["order_by", ["lastname"]], ["top", [2]]]}]], ["execute", []]]}));
    let inner = rows[0]["data"][members].as_array().unwrap();
    assert_eq!((&inner[0]["lastname"], &inner[1]["lastname"]), (&json!("Ada"), &json!("Anna")));
    assert_eq!(inner.len(), 2);

    let pages = stage.done(&json!({"builder": "contact", "steps": [["select", ["lastname"]],
        ["page_size", [3]], ["count", []], ["include_annotations", []], ["execute_pages", []]]}));
    let seen: Vec<Value> =
        pages.as_array().unwrap().iter().flat_map(|page| data(page, "contactid")).collect();
    let mut held: Vec<Value> = ids.iter().map(|id| json!(id)).collect();
    held.sort_by_key(ToString::to_string);
    assert_eq!((seen, pages.as_array().unwrap().len()), (held, 2));
    let asked = stage.asked_of(System::Dynamics);
    let pages = asked.iter().filter(|line| line.contains("count=true")).count();
    assert_eq!(pages, 2, "{asked:?}");
    let frame = stage.done(&json!({"builder": "contact", "steps": [["select", ["lastname"]],
        ["where", [{"$filter": ["eq", "lastname", "Cy"]}]], ["to_dataframe", []]]}));
    assert_eq!(frame[0]["contactid"], json!(ids[3]));
    let built = stage
        .done(&json!({"builder": "contact", "steps": [["select", ["lastname"]], ["build", []]]}));
    assert_eq!(built["select"], json!(["lastname"]));
    let option = json!({"builder": "account", "steps": [["expand", [{"$expand": [members]}]], ["build", []]]});
    assert_eq!(stage.done(&option)["expand"], json!([members]));

    // FetchXML by its pages, and the older name of a read.
    let fetch =
        "<fetch count='3'><entity name='contact'><attribute name='lastname'/></entity></fetch>";
    let pages = stage.done(&json!({"fetchxml": fetch, "run": "execute_pages"}));
    assert_eq!(pages.as_array().unwrap().len(), 2);
    let one = stage.call("records.get", &json!(["contact", ids[1]]));
    assert_eq!(one["data"]["lastname"], "Bo");
    assert_eq!(dynamics.count("contact"), 4);
}

#[test]
fn microsofts_client_moves_data_frames() {
    let mut stage = stage();
    let dynamics = stage.sandbox.dynamics();
    let held = |id: &Value| dynamics.get("contact", id.as_str().unwrap().parse().unwrap());
    let frame = json!({"$frame": [{"lastname": "F1", "firstname": "a"}, {"lastname": "F2", "firstname": "b"}]});
    let ids = stage.call("dataframe.create", &json!(["contact", frame]));
    assert_eq!(held(&ids[1]).unwrap()["fullname"], "b F2");
    let changes = json!({"$frame": [{"contactid": ids[0], "firstname": "x"}, {"contactid": ids[1], "firstname": null}]});
    stage.call("dataframe.update", &json!(["contact", changes, "contactid", true]));
    assert_eq!(held(&ids[0]).unwrap()["fullname"], "x F1");
    assert_eq!(held(&ids[1]).unwrap()["firstname"], Value::Null);
    let read = stage.done(&json!({"call": "dataframe.get", "args": ["contact"],
        "named": {"select": ["lastname"], "orderby": ["lastname desc"]}}));
    assert_eq!((&read[0]["lastname"], &read[1]["contactid"]), (&json!("F2"), &ids[0]));
    let rows =
        stage.call("dataframe.sql", &json!(["SELECT lastname FROM contact WHERE lastname = 'F2'"]));
    assert_eq!(rows[0]["contactid"], ids[1]);
    stage.call("dataframe.delete", &json!(["contact", {"$series": ids}]));
    assert_eq!(dynamics.count("contact"), 0);

    let done = stage.done(
        &json!({"batch": [["dataframe.create", ["contact", {"$frame": [{"lastname": "B1"}]}]]]}),
    );
    assert_eq!(done["responses"][0]["status_code"], 200);
    let id = dynamics.ids("contact")[0];
    let changes = json!({"$frame": [{"contactid": id, "lastname": "B2"}]});
    stage.done(&json!({"batch": [["dataframe.update", ["contact", changes, "contactid"]]]}));
    assert_eq!(dynamics.get("contact", id).unwrap()["lastname"], "B2");
    stage.done(&json!({"batch": [["dataframe.delete", ["contact", {"$series": [id]}]]]}));
    assert_eq!(dynamics.count("contact"), 0);
}

#[test]
fn microsofts_client_batches_each_of_its_questions_and_writes() {
    let mut stage = stage();
    let dynamics = stage.sandbox.dynamics();
    dynamics.insert("contact", &json!({"lastname": "Old", "new_extid": "E-1"})).unwrap();
    let id = dynamics.ids("contact")[0];
    let upsert =
        json!({"$upsert": {"alternate_key": {"new_extid": "E-2"}, "record": {"lastname": "New"}}});
    let done = stage.done(&json!({"batch": [
        ["records.update", ["contact", id, {"lastname": "Now"}]],
        ["records.upsert", ["contact", [upsert]]],
        ["records.get", ["contact", id], {"select": ["lastname"]}],
        ["records.retrieve", ["contact", id], {"select": ["lastname"], "expand": ["createdby"]}],
        ["query.sql", ["SELECT lastname FROM contact WHERE lastname = 'New'"]],
    ]}));
    let parts = done["responses"].as_array().unwrap();
    assert_eq!(parts.len(), 5, "{done}");
    assert_eq!(parts[2]["data"]["lastname"], "Now");
    assert_eq!(parts[3]["data"]["createdby"]["systemuserid"], json!(dynamics.person()));
    assert_eq!(parts[4]["data"]["value"][0]["lastname"], "New");
    assert_eq!(dynamics.get("contact", id).unwrap()["lastname"], "Now");
    let new = dynamics.ids("contact").into_iter().find(|other| *other != id).unwrap();
    assert_eq!(dynamics.get("contact", new).unwrap()["new_extid"], "E-2");
}
