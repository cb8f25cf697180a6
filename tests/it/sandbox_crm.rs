//! The look-alikes' sales and marketing tables and the resources for them.

use cdsync::sandbox::{SandboxOptions, Variants};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::{World, send};

async fn filled(contacts: usize) -> World {
    World::start(SandboxOptions { contacts, ..SandboxOptions::default() }).await
}

async fn rows(world: &World, query: &str) -> Vec<Value> {
    let got = world.get(query, "").await;
    assert_eq!(got.status, 200, "{query}: {}", got.text);
    got.json()["value"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_table_of_the_sheet_has_a_few_rows_when_there_are_contacts() {
    let world = filled(80).await;
    for (set, id, columns) in [
        ("accounts", "accountid", "name,_primarycontactid_value,donotbulkemail"),
        ("leads", "leadid", "fullname,subject,companyname,statuscode"),
        (
            "opportunities",
            "opportunityid",
            "name,_customerid_value,_parentcontactid_value,_parentaccountid_value",
        ),
        (
            "customeropportunityroles",
            "customeropportunityroleid",
            "_customerid_value,_opportunityid_value,_opportunityroleid_value",
        ),
        (
            "connections",
            "connectionid",
            "name,_record1id_value,_record2id_value,_record1roleid_value",
        ),
        ("campaigns", "campaignid", "name,codename,statuscode"),
        ("lists", "listid", "listname,type,createdfromcode"),
        (
            "listmembers",
            "listmemberid",
            "_listid_value,_entityid_value,entitytype,createdon,modifiedon",
        ),
    ] {
        let found = rows(&world, &format!("{set}?$select={columns}")).await;
        assert!(found.len() >= 4, "{set}: {}", found.len());
        assert!(found.iter().all(|row| row[id].is_string()), "{set}");
    }
    let empty = World::plain().await;
    assert_eq!(rows(&empty, "listmembers").await, Vec::<Value>::new());
    assert_eq!(rows(&empty, "accounts").await, Vec::<Value>::new());
}

#[tokio::test]
async fn lists_hold_members_of_their_kind_and_dynamic_ones_none() {
    let world = filled(80).await;
    let lists = rows(&world, "lists?$select=type,createdfromcode,query").await;
    assert!(lists.iter().any(|list| list["type"] == json!(true)));
    for list in lists {
        let id = list["listid"].as_str().unwrap();
        let members = rows(&world, &format!("listmembers?$filter=_listid_value eq {id}")).await;
        if list["type"] == json!(true) {
            assert!(members.is_empty() && list["query"].is_string());
            continue;
        }
        let (kind, key) = match list["createdfromcode"].as_i64().unwrap() {
            1 => ("account", "accountid"),
            2 => ("contact", "contactid"),
            _ => ("lead", "leadid"),
        };
        assert!(!members.is_empty() && members.iter().all(|row| row["entitytype"] == json!(kind)));
        let path = format!("lists({id})/list{kind}_association?$select={key}");
        let mut reached: Vec<Value> =
            rows(&world, &path).await.iter().map(|row| row[key].clone()).collect();
        let mut stored: Vec<Value> =
            members.iter().map(|row| row["_entityid_value"].clone()).collect();
        for ids in [&mut reached, &mut stored] {
            ids.sort_by_key(|id| id.as_str().unwrap().to_owned());
        }
        assert_eq!(reached, stored);
    }
}

#[tokio::test]
async fn a_list_member_is_neither_read_by_id_nor_updated() {
    let world = filled(40).await;
    let id = rows(&world, "listmembers?$top=1").await[0]["listmemberid"].clone();
    let one = format!("listmembers({})", id.as_str().unwrap());
    for (method, message) in [("GET", "Retrieve"), ("PATCH", "Update")] {
        let got = send(world.dynamics(method, &one).body("{}")).await;
        assert_eq!((got.status, got.code().as_str()), (400, "0x80040800"), "{method}");
        assert!(got.text.contains(message), "{}", got.text);
    }
    let by_filter = format!("listmembers?$filter=listmemberid eq {}", id.as_str().unwrap());
    assert_eq!(rows(&world, &by_filter).await.len(), 1, "a query finds it");
    assert_eq!(send(world.dynamics("DELETE", &one)).await.status, 204);
    assert_eq!(rows(&world, &by_filter).await.len(), 0);
}

#[tokio::test]
async fn members_are_added_and_removed_by_actions_and_go_with_either_side() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    let person = |name: &str| admin.insert("contact", &json!({"lastname": name})).unwrap();
    let (ann, bo) = (person("Ann"), person("Bo"));
    let list = json!({"listname": "L", "createdfromcode": 2, "type": false});
    let list = admin.insert("list", &list).unwrap();
    let act = async |action: &str, who: Uuid| {
        let path = format!("lists({list})/Microsoft.Dynamics.CRM.{action}");
        send(world.dynamics("POST", &path).body(json!({"EntityId": who}).to_string())).await
    };
    let first = act("AddMemberList", ann).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(act("AddMemberList", ann).await.json()["Id"], first.json()["Id"]);
    assert_eq!(act("AddMemberList", bo).await.status, 200);
    let got = act("AddMemberList", Uuid::from_u128(7)).await;
    assert_eq!((got.status, got.code().as_str()), (404, "0x80040217"));
    let members = rows(&world, "listmembers?$select=_entityid_value,entitytype").await;
    assert!(members.len() == 2 && members.iter().all(|row| row["entitytype"] == json!("contact")));
    assert_eq!(act("RemoveMemberList", bo).await.status, 204);
    assert_eq!(admin.count("listmember"), 1);
    admin.delete("contact", ann);
    assert_eq!(admin.count("listmember"), 0, "a membership without its contact is none");
}

#[tokio::test]
async fn tracking_of_an_intersect_table_needs_both_sides_and_its_own_flag() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    let refused = async || {
        let got = world.get("listmembers", "odata.track-changes").await;
        (got.status, got.code())
    };
    assert_eq!(refused().await, (400, "0x80072491".to_owned()));
    admin.set_change_tracking("list", false);
    assert_eq!(refused().await, (400, "0x80072492".to_owned()));
    admin.set_change_tracking("listmember", true);
    assert_eq!(refused().await, (400, "0x80072492".to_owned()), "the list's is still off");
    admin.set_change_tracking("list", true);
    assert_eq!(refused().await.0, 200);
    let path =
        "EntityDefinitions(LogicalName='listmember')?$select=IsIntersect,PrimaryNameAttribute";
    let meta = world.get(path, "").await.json();
    assert_eq!((&meta["IsIntersect"], &meta["PrimaryNameAttribute"]), (&json!(true), &Value::Null));
    let path = "EntityDefinitions(LogicalName='listmember')/Attributes(LogicalName='entitytype')";
    assert_eq!(world.get(path, "").await.json()["AttributeType"], json!("EntityName"));
}

#[tokio::test]
async fn a_connection_comes_and_goes_with_its_mirror() {
    let world = World::plain().await;
    let admin = world.sandbox.dynamics();
    let contact = admin.insert("contact", &json!({"lastname": "Lee"})).unwrap();
    let deal = admin.insert("opportunity", &json!({"name": "Boats"})).unwrap();
    let role = admin.insert("connectionrole", &json!({"name": "Buyer"})).unwrap();
    let body = json!({
        "record1id_contact@odata.bind": format!("/contacts({contact})"),
        "record2id_opportunity@odata.bind": format!("/opportunities({deal})"),
        "record1roleid@odata.bind": format!("/connectionroles({role})"),
    });
    let got = send(world.dynamics("POST", "connections").body(body.to_string())).await;
    assert_eq!(got.status, 204, "{}", got.text);
    let id = |id: Uuid| json!(id.to_string());
    let select = "$select=name,_record1id_value,_record2id_value,_record1roleid_value,_record2roleid_value,_relatedconnectionid_value";
    let both = rows(&world, &format!("connections?{select}")).await;
    let one = both.iter().find(|row| row["_record1id_value"] == id(contact)).unwrap();
    let other = both.iter().find(|row| row["_record1id_value"] == id(deal)).unwrap();
    assert_eq!((both.len(), &one["name"], &other["name"]), (2, &json!("Boats"), &json!("Lee")));
    assert_eq!(
        (&one["_record1roleid_value"], &one["_record2roleid_value"]),
        (&id(role), &Value::Null)
    );
    assert_eq!(
        (&other["_record2roleid_value"], &other["_record2id_value"]),
        (&id(role), &id(contact))
    );
    assert_eq!(one["_relatedconnectionid_value"], other["connectionid"]);
    let path = format!("connections({})", other["connectionid"].as_str().unwrap());
    assert_eq!(send(world.dynamics("DELETE", &path)).await.status, 204);
    assert_eq!(admin.count("connection"), 0);
}

#[tokio::test]
async fn each_resource_is_under_one_root_and_found_by_its_key() {
    let world = World::plain().await;
    for (resource, own, other) in [
        ("cusAccount", "profileAndServicesExt", "customResources"),
        ("cusLead", "customResources", "profileAndServicesExt"),
        ("cusOpportunity", "profileAndServicesExt", "customResources"),
        ("cusOpportunityRole", "profileAndServicesExt", "customResources"),
        ("cusCampaign", "customResources", "profileAndServicesExt"),
        ("cusList", "profileAndServicesExt", "customResources"),
        ("cusListMember", "profileAndServicesExt", "customResources"),
    ] {
        let path = format!("{own}/{resource}");
        let got = world.write("POST", &path, &json!({"cusCrmId": "A"})).await;
        assert_eq!(got.status, 201, "{resource}: {}", got.text);
        let twice = world.write("POST", &path, &json!({"cusCrmId": "A"})).await;
        assert!(twice.status == 500 && twice.text.contains("already exists"), "{}", twice.text);
        let by_key = |key: &str| format!("{path}/byCrmId?crmId_parameter={key}");
        let count = async |key: &str| {
            world.read(&by_key(key)).await.json()["content"].as_array().unwrap().len()
        };
        assert_eq!((count("A").await, count("B").await), (1, 0), "{resource}");
        assert_eq!(world.read(&format!("{other}/{resource}")).await.status, 404);
        let listing = world.read(&format!("{own}/")).await.json();
        assert_eq!(listing[resource]["data"], json!(format!("/{own}/{resource}/")));
        let meta = world.read(&format!("{own}/resourceType/{resource}")).await.json();
        let filters = world.read(meta["filters"]["href"].as_str().unwrap()).await.json();
        assert_eq!(
            filters["byCrmId"]["data"],
            json!(format!("/{}=$value", by_key("").trim_end_matches('=')))
        );
    }
}

#[tokio::test]
async fn the_resources_are_linked_like_the_tables() {
    let world = World::plain().await;
    let root = "profileAndServicesExt";
    let make = async |resource: &str, body: Value| {
        let got = world.write("POST", &format!("{root}/{resource}"), &body).await;
        assert_eq!(got.status, 201, "{resource}: {}", got.text);
        json!({"PKey": got.json()["PKey"]})
    };
    let person = make("profile", json!({"externalId": "P"})).await;
    let account = make("cusAccount", json!({"cusCrmId": "A", "accountContact": person})).await;
    let deal =
        json!({"cusCrmId": "D", "opportunityAccount": account, "opportunityContact": person});
    let deal = make("cusOpportunity", deal).await;
    let role = json!({"cusCrmId": "R", "roleOpportunity": deal, "roleContact": person});
    make("cusOpportunityRole", role).await;
    let list = make("cusList", json!({"cusCrmId": "L"})).await;
    let member = json!({"cusCrmId": "M", "memberList": list, "memberContact": person, "memberAccount": account});
    make("cusListMember", member).await;
    let shown = world.sandbox.campaign().rows("cusListMember");
    assert_eq!(
        (&shown[0]["memberList"], &shown[0]["memberContact"], &shown[0]["memberAccount"]),
        (&json!({"key": "L"}), &json!({"key": "P"}), &json!({"key": "A"}))
    );
    let early = make("cusListMember", json!({"cusCrmId": "N"})).await;
    world.sandbox.set_variants(Variants { one_cardinality_links: true, ..Variants::default() });
    let path = format!("{root}/cusListMember/{}", early["PKey"].as_str().unwrap());
    assert_eq!(world.write("PATCH", &path, &json!({"cusMemberType": "x"})).await.status, 404);
}
