//! `dynamics-web-api` drives the Dataverse look-alike.

use cdsync::sandbox::{SandboxOptions, System, Variants};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::conform_rig::{Client, Stage};

fn stage(contacts: usize) -> Stage {
    Stage::new(Client::WebApi, SandboxOptions { contacts, ..SandboxOptions::default() })
}

fn id(value: &Value) -> Uuid {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no id: {value}"))
}

fn rows(answer: &Value) -> &Vec<Value> {
    answer["value"].as_array().unwrap_or_else(|| panic!("no rows: {answer}"))
}

#[test]
fn dynamics_web_api_creates_reads_changes_and_deletes_rows() {
    let mut stage = stage(4);
    let dynamics = stage.sandbox.dynamics();
    let made = stage.call(
        "create",
        &json!([{"collection": "contacts", "returnRepresentation": true,
        "data": {"lastname": "Node", "donotbulkemail": true}, "select": ["lastname"]}]),
    );
    let one = id(&made["contactid"]);
    assert_eq!(made["lastname"], "Node");
    assert_eq!(dynamics.get("contact", one).unwrap()["donotbulkemail"], true);
    let bare =
        stage.call("create", &json!([{"collection": "contacts", "data": {"lastname": "Bare"}}]));
    assert_eq!(dynamics.get("contact", id(&bare)).unwrap()["lastname"], "Bare");

    let update = |data: Value, more: Value| {
        let mut request = json!({"collection": "contacts", "key": one, "data": data});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([request])
    };
    stage.call("update", &update(json!({"firstname": "No"}), json!({})));
    assert_eq!(dynamics.get("contact", one).unwrap()["fullname"], "No Node");
    // Conditions: an old version is refused, which the client tells by false.
    let old = update(json!({"firstname": "X"}), json!({"ifmatch": "W/\"1\""}));
    assert_eq!(stage.call("update", &old), false);
    assert_eq!(dynamics.get("contact", one).unwrap()["fullname"], "No Node");
    let version = dynamics.row_version("contact", one).unwrap();
    stage.call(
        "update",
        &update(json!({"firstname": "Yes"}), json!({"ifmatch": format!("W/\"{version}\"")})),
    );
    assert_eq!(dynamics.get("contact", one).unwrap()["fullname"], "Yes Node");
    stage.call(
        "updateSingleProperty",
        &json!([{"collection": "contacts", "key": one, "fieldValuePair": {"middlename": "M"}}]),
    );
    assert_eq!(dynamics.get("contact", one).unwrap()["fullname"], "Yes M Node");

    // An upsert makes a row under the id that it names, unless told not to.
    let (two, three) = (Uuid::from_u128(0x22), Uuid::from_u128(0x33));
    let upsert = |key: Uuid, more: Value| {
        let mut request = json!({"collection": "contacts", "key": key, "data": {"lastname": "Up"}});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([request])
    };
    stage.call("upsert", &upsert(two, json!({})));
    assert_eq!(dynamics.get("contact", two).unwrap()["lastname"], "Up");
    stage.call("upsert", &upsert(three, json!({"ifmatch": "*"})));
    assert_eq!(dynamics.get("contact", three), None);
    stage.call("upsert", &upsert(one, json!({"ifnonematch": "*"})));
    assert_eq!(dynamics.get("contact", one).unwrap()["lastname"], "Node");

    let account = dynamics.insert("account", &json!({"name": "Contoso"})).unwrap();
    let lookup = |more: Value| {
        let mut request = json!({"collection": "contacts", "primaryKey": one,
            "navigationProperty": "parentcustomerid_account"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([request])
    };
    stage.call(
        "associateSingleValued",
        &lookup(json!({"relatedCollection": "accounts", "relatedKey": account})),
    );
    assert_eq!(dynamics.get("contact", one).unwrap()["_parentcustomerid_value"], json!(account));
    stage.call("disassociateSingleValued", &lookup(json!({})));
    assert_eq!(dynamics.get("contact", one).unwrap()["_parentcustomerid_value"], Value::Null);

    // The same from the other side, by the name of the relation.
    let relation = "account_contacts_parentcustomerid";
    let ends = json!([{"collection": "accounts", "primaryKey": account, "relationshipName": relation,
        "relatedCollection": "contacts", "relatedKey": one}]);
    stage.call("associate", &ends);
    assert_eq!(dynamics.get("contact", one).unwrap()["_parentcustomerid_value"], json!(account));
    let ends = json!([{"collection": "accounts", "primaryKey": account, "relationshipName": relation,
        "relatedKey": one}]);
    stage.call("disassociate", &ends);
    assert_eq!(dynamics.get("contact", one).unwrap()["_parentcustomerid_value"], Value::Null);

    stage.call("deleteRecord", &json!([{"collection": "contacts", "key": one}]));
    assert_eq!(dynamics.get("contact", one), None);
    let gone = stage.refused("retrieve", &json!([{"collection": "contacts", "key": one}]));
    assert_eq!((&gone["status"], &gone["code"]), (&json!(404), &json!("0x80040217")));
}

#[test]
fn dynamics_web_api_follows_pages_and_counts() {
    let mut stage = stage(23);
    let all = stage.call(
        "retrieveAll",
        &json!([{"collection": "contacts", "select": ["lastname"], "maxPageSize": 10}]),
    );
    let shown: Vec<Uuid> = rows(&all).iter().map(|row| id(&row["contactid"])).collect();
    assert_eq!(shown, stage.sandbox.dynamics().ids("contact"));
    let first = stage.call("retrieveMultiple",
        &json!([{"collection": "contacts", "select": ["lastname"], "maxPageSize": 20, "count": true}]));
    assert_eq!((rows(&first).len(), &first["@odata.count"]), (20, &json!(23)));
    let next = stage.call("retrieveMultiple",
        &json!([{"collection": "contacts", "select": ["lastname"], "maxPageSize": 20}, first["@odata.nextLink"]]));
    assert_eq!((rows(&next).len(), &next["@odata.nextLink"]), (3, &Value::Null));
    assert_eq!(stage.call("count", &json!([{"collection": "contacts"}])), 23);
    stage.sandbox.dynamics().insert("contact", &json!({"lastname": "O'Neil"})).unwrap();
    let filter = json!([{"collection": "contacts", "filter": "lastname eq 'O''Neil'"}]);
    assert_eq!(stage.call("count", &filter), 1);
    assert_eq!(
        stage.call("countAll", &json!([{"collection": "contacts", "select": ["lastname"]}])),
        24
    );
    let total = stage.call("callFunction",
        &json!([{"name": "RetrieveTotalRecordCount", "parameters": {"EntityNames": ["contact", "account"]}}]));
    let expected = stage.sandbox.dynamics().count("account");
    assert_eq!(total["EntityRecordCountCollection"]["Values"], json!([24, expected]));
    let me = stage.call("callFunction", &json!(["WhoAmI"]));
    assert_eq!(id(&me["UserId"]), stage.sandbox.dynamics().application_user());

    let fetch =
        "<fetch count='10'><entity name='contact'><attribute name='lastname'/></entity></fetch>";
    let all = stage.call(
        "fetchAll",
        &json!([{"collection": "contacts", "fetchXml": fetch, "includeAnnotations": "*"}]),
    );
    let mut shown: Vec<Uuid> = rows(&all).iter().map(|row| id(&row["contactid"])).collect();
    shown.sort_unstable();
    assert_eq!(shown, stage.sandbox.dynamics().ids("contact"));
    let third = stage
        .call("fetch", &json!([{"collection": "contacts", "fetchXml": fetch, "pageNumber": 3}]));
    assert_eq!(rows(&third).len(), 4);
}

#[test]
fn dynamics_web_api_reads_changes_deletions_and_the_end_of_a_token() {
    let mut stage = stage(5);
    let dynamics = stage.sandbox.dynamics();
    let ids = dynamics.ids("contact");
    let tracked = |link: &Value| json!([{"collection": "contacts", "select": ["lastname"], "trackChanges": true, "maxPageSize": 3}, link]);
    let first = stage.call("retrieveMultiple", &tracked(&Value::Null));
    assert_eq!((rows(&first).len(), &first["@odata.deltaLink"]), (3, &Value::Null));
    let last = stage.call("retrieveMultiple", &tracked(&first["@odata.nextLink"]));
    assert_eq!((rows(&last).len(), &last["@odata.nextLink"]), (2, &Value::Null));
    let link = last["@odata.deltaLink"].clone();

    dynamics.update("contact", ids[0], &json!({"lastname": "Changed"})).unwrap();
    let new = dynamics.insert("contact", &json!({"lastname": "New"})).unwrap();
    assert!(dynamics.delete("contact", ids[1]));
    let brief = dynamics.insert("contact", &json!({"lastname": "Brief"})).unwrap();
    assert!(dynamics.delete("contact", brief));
    // The three of a page count both kinds; the deletions come last.
    let changes = stage.call("retrieveMultiple", &tracked(&link));
    let rest = stage.call("retrieveMultiple", &tracked(&changes["@odata.nextLink"]));
    let seen: Vec<Value> = rows(&changes).iter().chain(rows(&rest)).cloned().collect();
    assert_eq!((id(&seen[0]["contactid"]), &seen[0]["lastname"]), (ids[0], &json!("Changed")));
    assert_eq!((id(&seen[1]["contactid"]), &seen[1]["lastname"]), (new, &json!("New")));
    for (item, gone) in seen[2..].iter().zip([ids[1], brief]) {
        assert_eq!((id(&item["id"]), &item["reason"]), (gone, &json!("deleted")));
        assert!(item["@odata.context"].as_str().unwrap().ends_with("#contacts/$deletedEntity"));
    }
    assert_eq!(seen.len(), 4);
    let link = rest["@odata.deltaLink"].clone();
    let nothing = stage.call("retrieveMultiple", &tracked(&link));
    assert_eq!(rows(&nothing).len(), 0);

    let filtered = stage.refused(
        "retrieveMultiple",
        &json!([{"collection": "contacts", "trackChanges": true, "filter": "statecode eq 0"}]),
    );
    assert_eq!((&filtered["status"], &filtered["code"]), (&json!(400), &json!("0x80060888")));
    dynamics.expire_tokens();
    for delta_expired in [400, 410] {
        stage.sandbox.set_variants(Variants { delta_expired, ..Variants::default() });
        let expired = stage.refused("retrieveMultiple", &tracked(&link));
        assert_eq!(
            (&expired["status"], &expired["code"]),
            (&json!(delta_expired), &json!("0x80044352"))
        );
    }
}

#[test]
fn dynamics_web_api_sends_batches_bulk_calls_and_alternate_keys() {
    let mut stage = stage(2);
    let dynamics = stage.sandbox.dynamics();
    let nobody = Uuid::from_u128(9);
    let write = |name: &str| json!(["create", {"collection": "contacts", "inChangeSet": false, "data": {"lastname": name}}]);
    let steps = json!([
        write("One"),
        ["deleteRecord", {"collection": "contacts", "inChangeSet": false, "key": nobody}],
        write("Two"),
    ]);
    let all = stage.done(&json!({"batch": steps, "options": {"continueOnError": true}}));
    assert_eq!(dynamics.get("contact", id(&all[0])).unwrap()["lastname"], "One");
    assert_eq!(all[1]["error"]["status"], 404);
    assert_eq!(dynamics.get("contact", id(&all[2])).unwrap()["lastname"], "Two");
    let stopped = stage.ask(&json!({"batch": steps}));
    assert!(stopped["error"]["all"].as_array().is_some_and(|all| all.len() == 2), "{stopped}");
    assert_eq!(dynamics.count("contact"), 5);
    // Without a word the client puts writes into one change set.
    let set = json!([
        ["create", {"collection": "contacts", "data": {"lastname": "Never"}}],
        ["deleteRecord", {"collection": "contacts", "key": nobody}],
    ]);
    let undone = stage.ask(&json!({"batch": set}));
    assert!(undone.get("error").is_some(), "{undone}");
    assert_eq!(dynamics.count("contact"), 5);
    // A reference by the id of a part.
    let account =
        json!(["create", {"collection": "accounts", "contentId": "1", "data": {"name": "Ref"}}]);
    let contact = json!(["create", {"collection": "contacts",
        "data": {"lastname": "Refers", "parentcustomerid_account@odata.bind": "$1"}}]);
    let bound = stage.done(&json!({"batch": [account, contact]}));
    let row = dynamics.get("contact", id(&bound[1])).unwrap();
    assert_eq!(row["_parentcustomerid_value"], bound[0]);

    let target = |more: Value| {
        let mut target = json!({"@odata.type": "Microsoft.Dynamics.CRM.contact"});
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        target
    };
    let bulk = |action: &str, targets: Value| json!([{"collection": "contacts", "actionName": format!("Microsoft.Dynamics.CRM.{action}"), "action": {"Targets": targets}}]);
    let made = stage.call(
        "callAction",
        &bulk(
            "CreateMultiple",
            json!([target(json!({"lastname": "M1"})), target(json!({"lastname": "M2"}))]),
        ),
    );
    let ids: Vec<Uuid> = made["Ids"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(dynamics.get("contact", ids[1]).unwrap()["lastname"], "M2");
    stage.call(
        "callAction",
        &bulk("UpdateMultiple", json!([target(json!({"contactid": ids[0], "firstname": "F"}))])),
    );
    assert_eq!(dynamics.get("contact", ids[0]).unwrap()["fullname"], "F M1");
    let by_key = target(json!({"@odata.id": "contacts(new_extid='U-1')", "lastname": "U"}));
    let count = dynamics.count("contact");
    for _ in 0..2 {
        stage.call("callAction", &bulk("UpsertMultiple", json!([by_key])));
        assert_eq!(dynamics.count("contact"), count + 1);
    }
    let half = bulk(
        "UpdateMultiple",
        json!([
            target(json!({"contactid": ids[1], "firstname": "Half"})),
            target(json!({"contactid": nobody, "firstname": "Half"})),
        ]),
    );
    assert_eq!(stage.refused("callAction", &half)["status"], 404);
    assert_eq!(dynamics.get("contact", ids[1]).unwrap()["fullname"], "M2");
}

#[test]
fn dynamics_web_api_makes_columns_and_works_by_alternate_keys() {
    let mut stage = stage(2);
    let dynamics = stage.sandbox.dynamics();
    let label = |text: &str| {
        json!({"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels":
        [{"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033}]})
    };
    stage.call("createAttribute", &json!([{"entityKey": "LogicalName='contact'", "data": {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_LoyaltyNo",
        "MaxLength": 40, "FormatName": {"Value": "Text"}, "DisplayName": label("Loyalty number")}}]));
    let keys = stage.call(
        "retrieveEntity",
        &json!([{"key": "LogicalName='contact'", "select": ["LogicalName"],
        "expand": [{"property": "Keys", "select": ["LogicalName", "EntityKeyIndexStatus"]}]}]),
    );
    let key =
        keys["Keys"].as_array().unwrap().iter().find(|key| key["LogicalName"] == "new_extidkey");
    assert_eq!(key.unwrap()["EntityKeyIndexStatus"], "Active");
    let by_key = "new_extid='A-17'";
    let upsert = |name: &str| json!([{"collection": "contacts", "key": by_key, "data": {"lastname": name, "new_loyaltyno": "L"}}]);
    stage.call("upsert", &upsert("Keyed"));
    let count = dynamics.count("contact");
    stage.call("upsert", &upsert("Again"));
    assert_eq!(dynamics.count("contact"), count);
    let read = stage.call("retrieve", &json!([{"collection": "contacts", "key": by_key, "select": ["lastname", "new_extid", "new_loyaltyno"]}]));
    assert_eq!((&read["lastname"], &read["new_extid"]), (&json!("Again"), &json!("A-17")));
    assert_eq!(read["new_loyaltyno"], "L");
    stage.call("deleteRecord", &json!([{"collection": "contacts", "key": by_key}]));
    assert_eq!(dynamics.count("contact"), count - 1);
}

#[test]
fn dynamics_web_api_reads_definitions() {
    let mut stage = stage(0);
    let tracked = stage.call(
        "retrieveEntities",
        &json!([{"select": ["LogicalName"], "filter": "ChangeTrackingEnabled eq true"}]),
    );
    let names: Vec<&str> =
        rows(&tracked).iter().map(|row| row["LogicalName"].as_str().unwrap()).collect();
    assert!(names.contains(&"contact") && !names.contains(&"organization"), "{names:?}");
    let held = stage.sandbox.dynamics().tables();
    assert!(names.iter().all(|name| held.contains(&(*name).to_owned())), "{names:?}");
    let table = stage.call("retrieveEntity",
        &json!([{"key": "LogicalName='opportunity'", "select": ["EntitySetName", "PrimaryIdAttribute"]}]));
    assert_eq!(
        (&table["EntitySetName"], &table["PrimaryIdAttribute"]),
        (&json!("opportunities"), &json!("opportunityid"))
    );
    let choices = stage.call(
        "retrieveAttributes",
        &json!([{"entityKey": "LogicalName='contact'",
        "castType": "Microsoft.Dynamics.CRM.PicklistAttributeMetadata", "select": ["LogicalName"],
        "expand": [{"property": "OptionSet", "select": ["Options"]}]}]),
    );
    let gender = rows(&choices).iter().find(|row| row["LogicalName"] == "gendercode").unwrap();
    assert_eq!(gender["OptionSet"]["Options"][0]["Value"], 1);
    let one = stage.call("retrieveAttribute", &json!([{"entityKey": "LogicalName='contact'",
        "attributeKey": "LogicalName='birthdate'", "castType": "Microsoft.Dynamics.CRM.DateTimeAttributeMetadata"}]));
    assert_eq!(one["DateTimeBehavior"]["Value"], "DateOnly");
    let relations = stage.call("retrieveRelationships", &json!([{
        "castType": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "select": ["ReferencingEntityNavigationPropertyName", "ReferencingEntity"],
        "filter": "ReferencedEntity eq 'contact' and ReferencingAttribute eq 'regardingobjectid'"}]));
    let task = rows(&relations).iter().find(|row| row["ReferencingEntity"] == "task").unwrap();
    assert_eq!(task["ReferencingEntityNavigationPropertyName"], "regardingobjectid_contact_task");
    let missing = stage.refused("retrieveEntity", &json!([{"key": "LogicalName='nothing'"}]));
    assert_eq!(missing["status"], 404);
    assert!(stage.asked_of(System::Dynamics).iter().all(|line| !line.contains(" 5")));
}
