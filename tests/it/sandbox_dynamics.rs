//! The Dataverse look-alike, rule by rule of the fact sheet.

use cdsync::sandbox::{ColumnType, SandboxOptions, TokenMoment, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World};

const TRACK: &str = "odata.track-changes,odata.maxpagesize=2";

async fn with_contacts(contacts: usize) -> World {
    World::start(SandboxOptions { contacts, ..SandboxOptions::default() }).await
}

fn link(got: &Got, name: &str) -> String {
    got.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", got.text)).to_owned()
}

/// Walks all pages; returns the rows and the delta link.
async fn walk(world: &World, first: &str, prefer: &str) -> (Vec<Value>, Option<String>) {
    let (mut rows, mut next) = (Vec::new(), first.to_owned());
    loop {
        let page = world.get(&next, prefer).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let body = page.json();
        rows.extend(body["value"].as_array().unwrap().iter().cloned());
        match body["@odata.nextLink"].as_str() {
            Some(link) => {
                assert!(
                    body["@odata.deltaLink"].is_null(),
                    "a delta link comes on the last page only"
                );
                link.clone_into(&mut next);
            }
            None => return (rows, body["@odata.deltaLink"].as_str().map(str::to_owned)),
        }
    }
}

#[tokio::test]
async fn delta_link_comes_on_the_last_page_only() {
    let world = with_contacts(5).await;
    let (rows, delta) = walk(&world, "contacts?$select=lastname", TRACK).await;
    assert_eq!(rows.len(), 5);
    assert!(delta.unwrap().contains("$deltatoken="));
    let got = world.get("contacts?$select=lastname", TRACK).await;
    assert_eq!(got.header("preference-applied"), "odata.track-changes,odata.maxpagesize=2");
}

#[tokio::test]
async fn a_preference_that_is_not_repeated_is_forgotten() {
    let world = with_contacts(5).await;
    let first = world.get("contacts?$select=lastname", TRACK).await;
    let second = world.get(&link(&first, "@odata.nextLink"), "").await.json();
    assert_eq!(second["value"].as_array().unwrap().len(), 3, "the page size falls back");
    assert!(second["@odata.deltaLink"].is_null() && second["@odata.nextLink"].is_null());
}

#[tokio::test]
async fn a_delta_lists_changes_by_version_and_then_deletions() {
    let world = with_contacts(4).await;
    let people = world.sandbox.dynamics();
    let (_, delta) = walk(&world, "contacts?$select=lastname", TRACK).await;
    let ids = people.ids("contact");
    people.delete("contact", ids[0]);
    people.update("contact", ids[2], &json!({"lastname": "Two"})).unwrap();
    people.update("contact", ids[1], &json!({"jobtitle": "not selected"})).unwrap();
    let new = people.insert("contact", &json!({"lastname": "New"})).unwrap();
    let brief = people.insert("contact", &json!({"lastname": "Brief"})).unwrap();
    people.delete("contact", brief);
    let (rows, next) = walk(&world, &delta.unwrap(), TRACK).await;
    let shown: Vec<&str> =
        rows.iter().map(|row| row["contactid"].as_str().or(row["id"].as_str()).unwrap()).collect();
    let wanted: Vec<String> =
        [ids[2], ids[1], new, ids[0], brief].iter().map(ToString::to_string).collect();
    assert_eq!(shown, wanted);
    let context =
        format!("{}/api/data/v9.2/$metadata#contacts/$deletedEntity", world.sandbox.origin());
    assert_eq!(rows[3], json!({"@odata.context": context, "id": wanted[3], "reason": "deleted"}));
    let (rows, _) = walk(&world, &next.unwrap(), "").await;
    assert_eq!(rows, Vec::<Value>::new());
}

#[tokio::test]
async fn the_moment_of_the_first_token_is_a_variant() {
    for (first_token, seen) in [(TokenMoment::LastPage, 0), (TokenMoment::FirstPage, 1)] {
        let variants = Variants { first_token, ..Variants::default() };
        let world =
            World::start(SandboxOptions { contacts: 3, variants, ..SandboxOptions::default() })
                .await;
        let people = world.sandbox.dynamics();
        let first = world.get("contacts?$select=lastname", TRACK).await;
        people.update("contact", people.ids("contact")[0], &json!({"lastname": "Late"})).unwrap();
        let (_, delta) = walk(&world, &link(&first, "@odata.nextLink"), TRACK).await;
        let (rows, _) = walk(&world, &delta.unwrap(), TRACK).await;
        assert_eq!(rows.len(), seen, "{first_token:?}");
    }
}

#[tokio::test]
async fn tracking_refuses_four_options_and_tables_without_it() {
    let world = with_contacts(1).await;
    for option in ["$filter=statecode eq 0", "$orderby=lastname", "$expand=x", "$top=1"] {
        let got = world.get(&format!("contacts?{option}"), "odata.track-changes").await;
        let name = option.split_once('=').unwrap().0;
        let text = format!(
            "The \"{name}\" query parameter isn't supported when Change Tracking is enabled."
        );
        assert_eq!(
            (got.status, got.json()["error"]["message"].as_str()),
            (400, Some(text.as_str()))
        );
    }
    world.sandbox.dynamics().set_change_tracking("contact", false);
    let got = world.get("contacts", "odata.track-changes").await;
    assert_eq!((got.status, got.code().as_str()), (400, "0x80072491"));
}

#[tokio::test]
async fn tokens_expire_by_order_by_age_and_by_a_change_of_the_columns() {
    let variants = Variants { delta_expired: 410, ..Variants::default() };
    let world = World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await;
    let admin = world.sandbox.dynamics();
    let fresh = async || walk(&world, "contacts?$select=lastname", TRACK).await.1.unwrap();
    let delta = fresh().await;
    admin.expire_tokens();
    let got = world.get(&delta, "").await;
    assert_eq!((got.status, got.code().as_str()), (410, "0x80044352"));
    let delta = fresh().await;
    assert_eq!(world.get(&delta, "").await.status, 200);
    admin.add_column("contact", "new_Added", ColumnType::Text { max: 5 }).unwrap();
    assert_eq!(world.get(&delta, "").await.status, 410);
    assert_eq!(world.get("contacts?$select=new_added", "").await.status, 200);
    admin.remove_column("contact", "new_added").unwrap();
    assert_eq!(world.get("contacts?$select=new_added", "").await.code(), "0x80060888");
    let (start, _) =
        fresh().await.split_once("%21").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let old = format!("{start}%2101%2f01%2f2001%2000%3a00%3a00");
    assert_eq!(world.get(&old, "").await.code(), "0x80044352", "a token older than the retention");
}

#[tokio::test]
async fn a_merge_is_an_update_of_two_rows() {
    let world = with_contacts(2).await;
    let people = world.sandbox.dynamics();
    let (_, delta) = walk(&world, "contacts?$select=_masterid_value,merged,statecode", TRACK).await;
    let ids = people.ids("contact");
    people.merge("contact", ids[0], ids[1]).unwrap();
    let (rows, _) = walk(&world, &delta.unwrap(), "").await;
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["merged"], &rows[0]["statecode"]), (&json!(true), &json!(1)));
    assert_eq!(rows[0]["_masterid_value"], json!(ids[0].to_string()));
}

#[tokio::test]
async fn filters_are_a_real_expression() {
    let world = World::plain().await;
    let people = world.sandbox.dynamics();
    for (first, last, points) in
        [("Ann", "O'Brien", Some(5)), ("Bo", "Lee", Some(50)), ("Cy", "lee", None)]
    {
        people
            .insert("contact", &json!({"firstname": first, "lastname": last, "new_points": points}))
            .unwrap();
    }
    for (filter, wanted) in [
        ("lastname eq 'O''Brien'", "Ann"),
        ("lastname eq 'LEE'", "Bo Cy"),
        ("not (lastname eq 'lee') or new_points gt 10", "Ann Bo"),
        ("new_points eq null", "Cy"),
        ("new_points ne null and statecode eq 0", "Ann Bo"),
        ("contains(lastname,'ee')", "Bo Cy"),
        ("startswith(firstname,'a') or endswith(firstname,'y')", "Ann Cy"),
        ("contains(firstname,'_n')", "Ann"),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=[\"Ann\",\"Cy\"])",
            "Ann Cy",
        ),
        (
            "Microsoft.Dynamics.CRM.Between(PropertyName='new_points',PropertyValues=[\"6\",\"60\"])",
            "Bo",
        ),
        ("modifiedon ge 2001-01-01T00:00:00Z and firstname eq 'Bo'", "Bo"),
        ("firstname lt lastname", "Ann Bo Cy"),
    ] {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("$filter", filter)
            .append_pair("$orderby", "firstname asc")
            .append_pair("$select", "firstname");
        let got = world.get(&format!("contacts?{}", query.finish()), "").await;
        assert_eq!(got.status, 200, "{filter}: {}", got.text);
        let names: Vec<String> = got.json()["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["firstname"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names.join(" "), wanted, "{filter}");
    }
    for filter in [
        "lastname eq 'open",
        "nonsense eq 1",
        "lastname",
        "gendercode eq 'Male'",
        "(lastname eq 'x'",
    ] {
        let got = world.get(&format!("contacts?$filter={filter}"), "").await;
        assert_eq!((got.status, got.code().as_str()), (400, "0x80060888"), "{filter}");
    }
    assert_eq!(world.get("contacts?$select=nonsense", "").await.code(), "0x80060888");
    assert_eq!(world.get("nonsense", "").await.status, 404);
}

#[tokio::test]
async fn pages_counts_and_orders_fit_together() {
    let world = with_contacts(7).await;
    let (rows, delta) =
        walk(&world, "contacts?$select=createdon&$orderby=createdon desc", "odata.maxpagesize=3")
            .await;
    let dates: Vec<&str> = rows.iter().map(|row| row["createdon"].as_str().unwrap()).collect();
    assert!(delta.is_none() && dates.len() == 7 && dates.is_sorted_by(|a, b| a >= b));
    assert_eq!(world.get("contacts?$count=true&$top=2", "").await.json()["@odata.count"], json!(7));
    assert_eq!(world.get("contacts?$top=2", "").await.json()["value"].as_array().unwrap().len(), 2);
    assert_eq!(
        world.get("contacts?$top=2", "odata.maxpagesize=4").await.json()["value"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(world.get("contacts/$count", "").await.text.trim_start_matches('\u{feff}'), "7");
    assert_eq!(world.get("contacts?$skip=2", "").await.status, 400);
    let total =
        world.get("RetrieveTotalRecordCount(EntityNames=@p1)?@p1=[\"contact\"]", "").await.json();
    assert_eq!(total["EntityRecordCountCollection"]["Values"], json!([7]));
}

#[tokio::test]
async fn a_missing_privilege_is_a_403_that_names_it() {
    let world = World::plain().await;
    world.sandbox.dynamics().set_privileged("contact", false);
    let got = world.get("contacts", "").await;
    assert_eq!((got.status, got.code().as_str()), (403, "0x80040220"));
    assert!(got.text.contains("prvReadContact"));
    assert_eq!(world.get("accounts", "").await.status, 200);
}

#[tokio::test]
async fn metadata_tells_tables_columns_choices_and_keys() {
    let world = World::plain().await;
    let table = world.get("EntityDefinitions(LogicalName='contact')?$select=EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled,ObjectTypeCode", "").await.json();
    assert_eq!(
        (&table["EntitySetName"], &table["ObjectTypeCode"]),
        (&json!("contacts"), &json!(2))
    );
    assert!(table["MetadataId"].is_string());
    let found = world.get("EntityDefinitions?%24select=LogicalName%2CEntitySetName&%24filter=LogicalName+eq+%27new_vehicle%27", "").await.json();
    assert_eq!(found["value"][0]["EntitySetName"], json!("new_vehicles"));
    assert_eq!(
        world.get("EntityDefinitions?$filter=LogicalName eq 'nothing'", "").await.json()["value"],
        json!([])
    );
    assert_eq!(world.get("EntityDefinitions(LogicalName='nothing')", "").await.status, 404);
    let base = "EntityDefinitions(LogicalName='contact')/Attributes";
    let all = world
        .get(&format!("{base}?$select=LogicalName,AttributeType,AttributeOf"), "")
        .await
        .json();
    let shadow = all["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["LogicalName"] == "statecodename")
        .unwrap()
        .clone();
    assert_eq!(shadow["AttributeOf"], json!("statecode"));
    let dates = world.get(&format!("{base}/Microsoft.Dynamics.CRM.DateTimeAttributeMetadata?$select=LogicalName,Format,DateTimeBehavior"), "").await.json();
    let of = |name: &str| {
        dates["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["LogicalName"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(of("birthdate")["DateTimeBehavior"]["Value"], json!("DateOnly"));
    assert_eq!(
        (
            of("new_legacydate")["Format"].clone(),
            of("new_legacydate")["DateTimeBehavior"]["Value"].clone()
        ),
        (json!("DateOnly"), json!("UserLocal"))
    );
    let picks = world.get(&format!("{base}/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"), "").await;
    let picks = picks.json();
    let gender = picks["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["LogicalName"] == "gendercode")
        .unwrap()
        .clone();
    assert_eq!(
        gender["OptionSet"]["Options"][0]["Label"]["LocalizedLabels"][1]["LanguageCode"],
        json!(1031)
    );
    let flags = world.get(&format!("{base}/Microsoft.Dynamics.CRM.BooleanAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=TrueOption,FalseOption)"), "").await.json();
    let flag = flags["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["LogicalName"] == "donotsendmm")
        .unwrap()
        .clone();
    assert_eq!(
        flag["OptionSet"]["TrueOption"]["Label"]["UserLocalizedLabel"]["Label"],
        json!("Do Not Send")
    );
    let keys = world.get("EntityDefinitions(LogicalName='contact')/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus", "").await.json();
    assert_eq!(
        (&keys["value"][0]["KeyAttributes"], &keys["value"][0]["EntityKeyIndexStatus"]),
        (&json!(["new_extid"]), &json!("Active"))
    );
    let relations = world.get("EntityDefinitions(LogicalName='task')/ManyToOneRelationships?$select=ReferencedEntity,ReferencingEntityNavigationPropertyName&$filter=ReferencingAttribute eq 'regardingobjectid'", "").await.json();
    assert_eq!(relations["value"].as_array().unwrap().len(), 2);
    let days = world.get("organizations?$select=expirechangetrackingindays", "").await.json();
    assert_eq!(days["value"][0]["expirechangetrackingindays"], json!(7));
}
