//! The Campaign look-alike, rule by rule of the fact sheet.

use cdsync::sandbox::{Clearing, ErrorStyle, SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::sandbox::{World, send};

const EXT: &str = "profileAndServicesExt/profile";

async fn with(variants: Variants) -> World {
    World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await
}

fn pkey(value: &Value) -> String {
    value["PKey"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn post_answers_in_full_and_patch_with_key_and_address_only() {
    let world = World::plain().await;
    let body = json!({"firstName": "Zoë", "lastName": "Lee", "email": "z@example.com", "birthDate": "1990-04-01", "gender": "female",
        "cusVip": true, "cusRevenue": 20000.5, "cusBig": 9_007_199_254_740_993_i64, "location": {"city": "Oslo"},
        "cusCustomerSince": "2019-04-03T08:17:19.100Z"});
    let got = world.write("POST", EXT, &body).await;
    let made = got.json();
    assert_eq!(got.status, 201, "{}", got.text);
    assert_eq!(made["cusCustomerSince"], json!("2019-04-03 08:17:19.100Z"));
    assert_eq!(
        (&made["middleName"], &made["cusPoints"], &made["orgUnit"]),
        (&json!(""), &json!(0), &Value::Null)
    );
    assert_eq!(
        (&made["title"], &made["domain"]),
        (&json!("Zoë LEE (z@example.com)"), &json!("example.com"))
    );
    assert_eq!(
        (&made["location"]["city"], &made["cusBig"]),
        (&json!("Oslo"), &json!(9_007_199_254_740_993_i64))
    );
    assert!(made["age"].as_i64().unwrap() > 30);
    let got = world
        .write(
            "PATCH",
            &format!("{EXT}/{}", pkey(&made).replace('@', "%40")),
            &json!({"phone": "1"}),
        )
        .await;
    assert_eq!(got.status, 200);
    let members: Vec<String> = got.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["PKey", "href"]);
    let href = got.json()["href"].as_str().unwrap().to_owned();
    assert!(href.starts_with(&world.sandbox.origin()));
    let read = world.read(&href).await.json();
    assert_eq!(read["phone"], json!("1"));
    assert_ne!(pkey(&read), pkey(&made), "a key looks different each time");
    assert!(!read["subscriptions"]["href"].as_str().unwrap().contains(&pkey(&read)));
    let got = send(world.campaign("DELETE", &href).body("{}")).await;
    assert_eq!((got.status, got.text.as_str()), (200, ""));
    assert_eq!(world.sandbox.campaign().count("profile"), 0);
}

#[tokio::test]
async fn the_plain_root_hides_custom_fields_and_filters() {
    let world = World::plain().await;
    world
        .sandbox
        .campaign()
        .insert("profile", &json!({"externalId": "A", "cusCrmId": "C"}))
        .unwrap();
    let row = world.read("profileAndServices/profile").await.json()["content"][0].clone();
    assert!(row.get("cusCrmId").is_none() && row.get("externalId").is_some());
    let got = world.read("profileAndServices/profile/byExternalId?externalId_parameter=A").await;
    assert_eq!(got.status, 500);
    assert!(got.text.contains("BAS-010040 Cannot convert 'byExternalId'"), "{}", got.text);
    let got = world.write("POST", "profileAndServices/profile", &json!({"cusCrmId": "X"})).await;
    assert!(
        got.status == 500
            && got.text.contains("'cusCrmId' property is not valid for the 'profile' resource.")
    );
    assert_eq!(world.read("profileAndServices/cusVehicle").await.status, 404);
    assert_eq!(world.read("customResources/cusVehicle").await.status, 404);
    assert_eq!(world.read("profileAndServicesExt/cusStore").await.status, 404);
    assert_eq!(world.read("customResources/cusStore").await.status, 200);
}

#[tokio::test]
async fn filters_chain_and_a_misspelt_parameter_filters_nothing() {
    let world = World::plain().await;
    let users = world.sandbox.campaign();
    for (id, name) in [("A", "Ann"), ("B", "Bo"), ("C", "Ann")] {
        users.insert("profile", &json!({"externalId": id, "firstName": name, "email": format!("{id}+x@example.com")})).unwrap();
    }
    let count = async |target: &str| {
        world.read(&format!("{EXT}/{target}")).await.json()["content"].as_array().unwrap().len()
    };
    assert_eq!(count("byExternalId?externalId_parameter=B").await, 1);
    assert_eq!(count("byExternalId?externalid_parameter=B").await, 3);
    assert_eq!(count("byExternalId?externalId_parameter=nobody").await, 0);
    assert_eq!(count("byText/byExternalId?text=ann&externalId_parameter=C").await, 1);
    assert_eq!(count("byText?text=Ann&filterType=firstName").await, 2);
    assert_eq!(count("byText?text=ann&filterType=firstName").await, 0);
    assert_eq!(count("byEmail?email=A%2Bx%40example.com").await, 1);
    assert_eq!(count("byModifiedSince?since_parameter=2001-01-01%2000:00:00.000Z").await, 3);
    let meta = world.read("profileAndServicesExt/resourceType/profile").await.json();
    let filters = world.read(meta["filters"]["href"].as_str().unwrap()).await.json();
    assert_eq!(
        filters["byExternalId"]["data"],
        json!("/profileAndServicesExt/profile/byExternalId?externalId_parameter=$value")
    );
}

#[tokio::test]
async fn lists_page_by_25_and_big_tables_only_when_forced() {
    let world = with(Variants { big_table_rows: 30, ..Variants::default() }).await;
    let users = world.sandbox.campaign();
    for n in 0..30 {
        users.insert("profile", &json!({"externalId": format!("{n:02}")})).unwrap();
    }
    let first = world.read(EXT).await.json();
    assert_eq!(
        (first["content"].as_array().unwrap().len(), &first["serverSidePagination"]),
        (25, &json!(true))
    );
    assert_eq!(
        world.read(first["count"]["href"].as_str().unwrap()).await.json(),
        json!({"count": 30})
    );
    let second = world.read(first["next"]["href"].as_str().unwrap()).await.json();
    assert_eq!((second["content"].as_array().unwrap().len(), second.get("next")), (5, None));
    users.insert("profile", &json!({"externalId": "30"})).unwrap();
    assert!(world.read(EXT).await.json().get("next").is_none(), "a big table looks complete");
    let (mut next, mut seen) =
        (format!("{EXT}?_lineCount=10&_forcePagination=true&_order=externalId%20desc"), Vec::new());
    loop {
        let page = world.read(&next).await.json();
        seen.extend(
            page["content"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["externalId"].as_str().unwrap().to_owned()),
        );
        match page["next"]["href"].as_str() {
            Some(href) => href.clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!((seen.len(), seen.is_sorted_by(|a, b| a > b)), (31, true));
    assert!(world.read(&format!("{EXT}?_order=cusNote")).await.status == 500);
    let names = world.read(&format!("{EXT}/externalId?_lineCount=2")).await.json();
    assert_eq!(names["content"], json!(["00", "01"]));
    assert_eq!(
        world.read("profileAndServicesExt//profile/?_lineStart=@nonsense").await.status,
        500
    );
}

#[tokio::test]
async fn mistakes_are_500_with_a_text() {
    let world = World::plain().await;
    world
        .sandbox
        .campaign()
        .insert("profile", &json!({"externalId": "A", "cusCrmId": "one"}))
        .unwrap();
    let long = "x".repeat(31);
    for (body, text) in [
        (json!({"externalId": "A"}), "A 'Profile' with the same key 'A' already exists."),
        (
            json!({"gender": "Male"}),
            "The value 'Male' is not valid for the 'nms:recipient:gender' enumeration of the '@gender' field",
        ),
        (json!({"gender": "__Invalid_value__"}), "is not valid for the"),
        (json!({"age": 5}), "Cannot update the 'age' property that is read-only"),
        (json!({"xyz": 5}), "'xyz' property is not valid for the 'profile' resource."),
        (
            json!({"cusSmall": "a"}),
            "BAS-010040 Cannot convert 'a' (type text) to integer (8 bit) type",
        ),
        (json!({"cusSmall": 128}), "Cannot convert '128'"),
        (json!({"firstName": 5}), "Cannot convert '5'"),
        (json!({"firstName": long}), "value too long"),
        (json!({"cusVip": "true"}), "Cannot convert 'true'"),
        (json!({"birthDate": "01.04.1990"}), "Cannot convert"),
        (json!({"orgUnit": {"PKey": "@nonsense"}}), "XTK-170036"),
    ] {
        let got = world.write("POST", EXT, &body).await;
        assert!(
            got.status == 500 && got.json().as_str().is_some_and(|t| t.contains(text)),
            "{body}: {}",
            got.text
        );
    }
    assert_eq!(world.sandbox.campaign().count("profile"), 1);
    let got = world.read(&format!("{EXT}/@gibberish")).await;
    assert!(
        got.status == 500 && got.text.contains("'gibberish' attribute unknown"),
        "{}",
        got.text
    );
    let got = world.read("profileAndServicesExt/cusVehicle/@gibberish").await;
    assert!(got.text.contains("is not a valid constant"));
    assert_eq!(world.read("profileAndServicesExt/nothing").await.status, 404);
}

#[tokio::test]
async fn a_custom_key_stands_in_the_address_but_cannot_change() {
    let world = World::plain().await;
    world.sandbox.campaign().insert("profile", &json!({"cusCrmId": "one"})).unwrap();
    assert_eq!(
        world.write("PATCH", &format!("{EXT}/one"), &json!({"firstName": "A"})).await.status,
        200
    );
    assert_eq!(
        world.write("PATCH", EXT, &json!({"cusCrmId": "one", "lastName": "B"})).await.status,
        200
    );
    let got = world.write("PATCH", &format!("{EXT}/one"), &json!({"cusCrmId": "two"})).await;
    assert!(got.status == 500 && got.text.contains("RST-360012"));
    let got = world.write("PATCH", &format!("{EXT}/none"), &json!({"firstName": "A"})).await;
    assert!(got.status == 404 && got.text.contains("Unable to find document"));
    assert_eq!(
        world.sandbox.campaign().by_key("profile", "cusCrmId", "one")[0]["lastName"],
        json!("B")
    );
    assert_eq!(send(world.campaign("DELETE", &format!("{EXT}/one"))).await.status, 200);
    assert_eq!(send(world.campaign("DELETE", &format!("{EXT}/one"))).await.status, 404);
}

#[tokio::test]
async fn writing_a_flag_moves_its_stamps_even_when_it_is_equal() {
    for (equal_flag_bumps, moved) in [(true, true), (false, false)] {
        let world = with(Variants { equal_flag_bumps, ..Variants::default() }).await;
        let users = world.sandbox.campaign();
        users.insert("profile", &json!({"cusCrmId": "one"})).unwrap();
        assert_eq!(users.rows("profile")[0]["blackListEmailLastModified"], json!(""));
        world.write("PATCH", &format!("{EXT}/one"), &json!({"blackListEmail": false})).await;
        let row = &users.rows("profile")[0];
        assert_eq!(row["blackListEmailLastModified"] != json!(""), moved);
        assert_eq!(row["blackListAllLastModified"] != json!(""), moved);
        assert_eq!(row["blackListPhoneLastModified"], json!(""));
    }
}

#[tokio::test]
async fn links_take_a_pkey_and_children_survive_or_hide_by_variant() {
    let world = World::plain().await;
    let users = world.sandbox.campaign();
    let owner = world.write("POST", EXT, &json!({"externalId": "A"})).await.json();
    let vehicle = json!({"cusVehicleId": "V", "vehicleOwner": {"PKey": pkey(&owner)}});
    let made = world.write("POST", "profileAndServicesExt/cusVehicle", &vehicle).await;
    assert!(
        made.status == 201
            && made.json()["vehicleOwner"]["PKey"].as_str().unwrap().starts_with('@'),
        "{}",
        made.text
    );
    assert_eq!(users.rows("cusVehicle")[0]["vehicleOwner"], json!({"key": "A"}));
    let ignored = json!({"cusVehicleId": "W", "vehicleOwner": {"firstName": "A"}});
    assert_eq!(
        world.write("POST", "profileAndServicesExt/cusVehicle", &ignored).await.json()["vehicleOwner"],
        Value::Null
    );
    users.delete("profile", "externalId", "A");
    assert_eq!(
        (users.count("cusVehicle"), &users.rows("cusVehicle")[0]["vehicleOwner"]),
        (2, &Value::Null)
    );
    world.sandbox.set_variants(Variants { one_cardinality_links: true, ..Variants::default() });
    assert_eq!(world.read("profileAndServicesExt/cusVehicle").await.json()["content"], json!([]));
    let key = pkey(&made.json());
    assert_eq!(
        world
            .write(
                "PATCH",
                &format!("profileAndServicesExt/cusVehicle/{key}"),
                &json!({"cusName": "x"})
            )
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn the_open_questions_are_switches() {
    let variants = Variants {
        campaign_errors: ErrorStyle::PlainText,
        campaign_delete: 204,
        unique_external_id: false,
        data_policies: true,
        clearing: Clearing::EmptyOnly,
        ..Variants::default()
    };
    let world = with(variants).await;
    for _ in 0..2 {
        assert_eq!(
            world.write("POST", EXT, &json!({"externalId": "A", "email": "A@X.IO"})).await.status,
            201
        );
    }
    let users = world.sandbox.campaign();
    assert_eq!(
        (users.by_key("profile", "externalId", "A").len(), &users.rows("profile")[0]["email"]),
        (2, &json!("a@x.io"))
    );
    let got = world.write("POST", EXT, &json!({"xyz": 1})).await;
    assert_eq!(got.text, "'xyz' property is not valid for the 'profile' resource.");
    assert_eq!(world.write("POST", EXT, &json!({"firstName": null})).await.status, 500);
    let key = pkey(&world.read(EXT).await.json()["content"][0]);
    assert_eq!(
        world
            .write("PATCH", &format!("{EXT}/{key}"), &json!({"email": "", "birthDate": ""}))
            .await
            .status,
        200
    );
    assert_eq!(send(world.campaign("DELETE", &format!("{EXT}/{key}"))).await.status, 204);
}

#[tokio::test]
async fn metadata_lists_fields_with_type_length_and_values() {
    let world = World::plain().await;
    let meta = world.read("profileAndServicesExt/resourceType/profile").await.json();
    let content = &meta["content"];
    assert_eq!(
        (&content["email"]["length"], &content["email"]["dataPolicy"]),
        (&json!("128"), &json!("email"))
    );
    assert_eq!(
        (&content["gender"]["type"], &content["gender"]["values"]["male"]["value"]),
        (&json!("enumeration"), &json!("1"))
    );
    assert_eq!(content["cusSmall"]["resType"], json!("byte"));
    assert_eq!(
        (&content["orgUnit"]["resTarget"], &content["lastModified"]["readOnly"]),
        (&json!("orgUnitBase"), &json!(true))
    );
    let plain = world.read("profileAndServices/profile/metadata").await.json();
    assert!(plain["content"].get("cusCrmId").is_none());
    let listing = world.read("customResources/").await.json();
    assert_eq!(listing["cusStore"]["data"], json!("/customResources/cusStore/"));
}

#[tokio::test]
async fn a_user_may_make_duplicates_where_no_key_is_unique() {
    let world = with(Variants { unique_external_id: false, ..Variants::default() }).await;
    let users = world.sandbox.campaign();
    for _ in 0..2 {
        users.insert("profile", &json!({"externalId": "A"})).unwrap();
    }
    world.sandbox.set_variants(Variants::default());
    assert!(users.insert("profile", &json!({"externalId": "A"})).is_err());
    assert_eq!(users.count("profile"), 2);
}
