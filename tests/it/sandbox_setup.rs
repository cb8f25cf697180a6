//! Tables, resources and rows of one's own: what a schema file and data files
//! make of the look-alikes.

use cdsync::sandbox::{Customized, DataFile, FileForm, Sandbox, SandboxOptions};
use serde_json::{Value, json};

use crate::sandbox::World;

const SCHEMA: &str = r#"
[[table]]
name = "new_Pet"
label = "Pet"
columns = [
  { name = "new_Name", type = "text", max = 20, label = "Name" },
  { name = "new_Kind", type = "choice", choices = [{ label = "Dog", german = "Hund" }, { value = 5, label = "Cat" }, { label = "Bird" }] },
  { name = "new_Tricks", type = "choices", choices = [{ value = 1, label = "Sit" }, { value = 2, label = "Roll" }] },
  { name = "new_Born", type = "date" },
  { name = "new_Seen", type = "date-time" },
  { name = "new_Weight", type = "decimal", precision = 1 },
  { name = "new_Price", type = "money" },
  { name = "new_Chip", type = "text", max = 15 },
  { name = "new_Tame", type = "boolean", default = true, choices = [{ label = "Tame" }, { label = "Wild" }] },
  { name = "new_OwnerId", type = "lookup", targets = ["contact"] },
  { name = "new_FriendId", type = "lookup", targets = ["new_pet", "account"] },
]
keys = [{ name = "new_ChipKey", columns = ["new_chip"] }]

[[table]]
name = "new_Visit"
activity = true
change_tracking = false
columns = [{ name = "new_PetId", type = "lookup", targets = ["new_pet"] }]

[[table]]
name = "contact"
columns = [{ name = "new_Shoe", type = "integer", min = 15, max = 60 }]

[[resource]]
name = "cusPet"
fields = [
  { name = "cusPetId", type = "text", max = 64 },
  { name = "cusName", type = "text" },
  { name = "cusKind", type = "enumeration", values = [{ name = "dog", label = "Dog" }, { name = "cat" }] },
  { name = "cusLegs", type = "long" },
  { name = "petOwner", type = "link", target = "profile" },
]
keys = [{ field = "cusPetId", in_uri = true }]
filters = [{ name = "byLegs", parameter = "legs_parameter", field = "cusLegs", operator = "at-least" }]

[[resource]]
name = "profile"
fields = [{ name = "cusShoe", type = "short" }]
filters = [{ name = "byEmail2", parameter = "email_parameter", field = "email" }]
"#;

fn data(name: &str, text: &str) -> DataFile {
    let (target, _) = name.rsplit_once('.').unwrap();
    DataFile {
        name: name.to_owned(),
        target: target.to_owned(),
        form: FileForm::of_name(name).unwrap(),
        text: text.to_owned(),
    }
}

async fn customized() -> World {
    let world = World::plain().await;
    let made = world.sandbox.customize(SCHEMA, FileForm::Toml);
    assert_eq!(made, Ok(Customized { tables: 3, resources: 2 }));
    world
}

#[tokio::test]
async fn a_schema_files_tables_are_like_those_that_are_there() {
    let world = customized().await;
    let about = world.get("EntityDefinitions(LogicalName='new_pet')?$select=EntitySetName,PrimaryNameAttribute,ChangeTrackingEnabled&$expand=Attributes($select=LogicalName,AttributeType)", "").await;
    let about = about.json();
    assert_eq!(about["EntitySetName"], "new_pets", "{about}");
    assert_eq!(about["PrimaryNameAttribute"], "new_name");
    assert_eq!(about["ChangeTrackingEnabled"], true);
    let kinds = |name: &str| {
        let columns = about["Attributes"].as_array().unwrap().iter();
        columns
            .filter(|column| column["LogicalName"] == name)
            .map(|column| column["AttributeType"].clone())
            .collect::<Vec<_>>()
    };
    for (name, kind) in [
        ("new_price", "Money"),
        ("new_tricks", "Virtual"),
        ("new_ownerid", "Lookup"),
        ("transactioncurrencyid", "Lookup"),
        ("statecode", "State"),
    ] {
        assert_eq!(kinds(name), [json!(kind)], "{name}");
    }
    let body =
        json!({"new_name": "Rex", "new_kind": 5, "new_chip": "17", "new_OwnerId@odata.bind": null});
    let body = {
        let mut body = body;
        body.as_object_mut().unwrap().remove("new_OwnerId@odata.bind");
        body
    };
    let made =
        crate::sandbox::send(world.dynamics("POST", "new_pets").body(body.to_string())).await;
    assert_eq!(made.status, 204, "{}", made.text);
    let found = world
        .get(
            "new_pets(new_chip='17')?$select=new_name,new_tame,new_kind",
            "odata.include-annotations=\"*\"",
        )
        .await
        .json();
    assert_eq!((&found["new_name"], &found["new_tame"]), (&json!("Rex"), &json!(true)));
    assert_eq!(found["new_kind@OData.Community.Display.V1.FormattedValue"], "Cat");
    let tracked = world.get("new_pets", "odata.track-changes").await.json();
    assert!(tracked["@odata.deltaLink"].is_string(), "{tracked}");
    let friend =
        json!({"new_FriendId_new_pet@odata.bind": "/new_pets(new_chip='17')", "new_name": "Tom"});
    let made =
        crate::sandbox::send(world.dynamics("POST", "new_pets").body(friend.to_string())).await;
    assert_eq!(made.status, 204, "{}", made.text);
    let wide = json!({"lastname": "Byron", "new_shoe": 61});
    let refused =
        crate::sandbox::send(world.dynamics("POST", "contacts").body(wide.to_string())).await;
    assert_eq!(refused.status, 400, "the widest shoe: {}", refused.text);
    let visit = world
        .get(
            "EntityDefinitions(LogicalName='new_visit')?$select=IsActivity,ChangeTrackingEnabled",
            "",
        )
        .await
        .json();
    assert_eq!(
        (&visit["IsActivity"], &visit["ChangeTrackingEnabled"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn a_schema_files_resources_are_like_those_that_are_there() {
    let world = customized().await;
    let body = json!({"cusPetId": "p1", "cusName": "Rex", "cusKind": "dog", "cusLegs": 4});
    let made = world.write("POST", "profileAndServicesExt/cusPet", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let twice = world.write("POST", "profileAndServicesExt/cusPet", &body).await;
    assert_eq!(twice.status, 500, "the key is unique: {}", twice.text);
    let by_key = world.read("profileAndServicesExt/cusPet/p1").await.json();
    assert_eq!((&by_key["cusLegs"], &by_key["petOwner"]), (&json!(4), &Value::Null));
    let filtered = |legs: u8| format!("profileAndServicesExt/cusPet/byLegs?legs_parameter={legs}");
    let found = world.read(&filtered(4)).await.json();
    assert_eq!(found["content"].as_array().map(Vec::len), Some(1), "{found}");
    let found = world.read(&filtered(5)).await.json();
    assert_eq!(found["content"].as_array().map(Vec::len), Some(0), "{found}");
    let wrong = json!({"cusPetId": "p2", "cusKind": "bird"});
    assert_eq!(world.write("POST", "profileAndServicesExt/cusPet", &wrong).await.status, 500);
    let about = world.read("profileAndServicesExt/resourceType/cusPet").await.json();
    assert_eq!(about["content"]["cusLegs"]["type"], "number", "{about}");
    let profile = json!({"email": "a@example.com", "cusShoe": 36});
    let made = world.write("POST", "profileAndServicesExt/profile", &profile).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let found =
        world.read("profileAndServicesExt/profile/byEmail2?email_parameter=a@example.com").await;
    assert_eq!(found.json()["content"][0]["cusShoe"], 36);
}

#[tokio::test]
async fn data_files_fill_both_sides_whatever_their_order() {
    let world = customized().await;
    let files = [
        data(
            "new_pet.csv",
            "new_petid;new_name;new_kind;new_tricks;new_born;new_tame;new_ownerid;new_friendid;createdon;modifiedon\nrex;Rex;Hund;Roll, Sit;2021-05-04;Wild;ada;tom;2022-01-02T03:04:05Z;2023-01-02 03:04\ntom;Tom;cat;;;;;new_pets(rex);;\n",
        ),
        data(
            "contacts.json",
            "{\"@odata.context\": \"…\", \"value\": [{\"@odata.etag\": \"W/1\", \"contactid\": \"ada\", \"lastname\": \"Byron\", \"new_shoe\": 36, \"statecode\": 1, \"statuscode\": 2, \"versionnumber\": 7, \"_ownerid_value\": \"6f9619ff-8b86-4011-b42d-00c04fc964ff\", \"emailaddress1\": null}]}",
        ),
        data(
            "cusPet.json",
            "[{\"cusPetId\": \"rex\", \"cusKind\": \"Dog\", \"petOwner\": {\"key\": \"ada@crm\", \"title\": \"x\"}, \"created\": \"2020-01-01\"}]",
        ),
        data(
            "profile.csv",
            "externalId,lastName,birthDate,gender,blackListEmail,blackListEmailLastModified,location.city\nada@crm,Byron,1815-12-10,female,true,2021-02-03T04:05:06Z,London\n",
        ),
    ];
    assert_eq!(world.sandbox.load(&files), Ok(vec![2, 1, 1, 1]));
    let dynamics = world.sandbox.dynamics();
    let ada = dynamics.ids("contact")[0];
    let contact = dynamics.get("contact", ada).unwrap();
    assert_eq!((&contact["statecode"], &contact["new_shoe"]), (&json!(1), &json!(36)));
    let pets: Vec<_> = dynamics
        .ids("new_pet")
        .into_iter()
        .map(|id| dynamics.get("new_pet", id).unwrap())
        .collect();
    let pet = |name: &str| pets.iter().find(|pet| pet["new_name"] == name).unwrap();
    let (rex, tom) = (pet("Rex"), pet("Tom"));
    assert_eq!(rex["_new_ownerid_value"], ada.to_string());
    assert_eq!(rex["_new_friendid_value"], tom["new_petid"]);
    assert_eq!(rex["new_kind"], 727_000_000);
    assert_eq!(rex["new_tricks"], "1,2");
    assert_eq!((&rex["new_tame"], &tom["new_tame"]), (&json!(false), &json!(true)));
    assert_eq!(rex["createdon"], "2022-01-02T03:04:05Z");
    assert_eq!(rex["modifiedon"], "2023-01-02T03:04:00Z");

    let campaign = world.sandbox.campaign();
    let profile = &campaign.rows("profile")[0];
    assert_eq!(profile["blackListEmail"], true);
    assert_eq!(profile["blackListEmailLastModified"], "2021-02-03 04:05:06.000Z");
    assert_eq!(profile["location"]["city"], "London");
    assert_eq!(profile["gender"], "female");
    let pet = &campaign.rows("cusPet")[0];
    assert_eq!((&pet["petOwner"]["key"], &pet["cusKind"]), (&json!("ada@crm"), &json!("dog")));
    assert_eq!(pet["created"], "2020-01-01 00:00:00.000Z");

    // The same files give the same rows: a store of an earlier run still fits.
    let again = customized().await;
    again.sandbox.load(&files).unwrap();
    assert_eq!(again.sandbox.dynamics().ids("new_pet"), dynamics.ids("new_pet"));
}

#[tokio::test]
async fn everything_wrong_with_the_data_is_named_at_once_with_its_place() {
    let world = customized().await;
    let files = [
        data(
            "new_pet.csv",
            "new_name,new_kind,new_born,new_tame,new_ownerid,new_nose\nRex,Fish,2021-13-04,maybe,ada,\nTom the cat with a long name,Cat,,,,\n",
        ),
        data(
            "contact.json",
            "[\n {\"lastname\": \"Byron\",\n  \"new_shoe\": 61},\n {\"contactid\": \"a\", \"nose\": 1},\n {\"contactid\": \"b\"},\n {\"contactid\": \"b\"}\n]",
        ),
        data("cusPet.csv", "cusPetId,cusLegs,petOwner\n1,four,\n2,4,nobody\n2,4,\n"),
        data("nothing.csv", "a\n1\n"),
        data("account.csv", "name,telephone1\nx\n"),
    ];
    let problems = world.sandbox.load(&files).unwrap_err();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[tokio::test]
async fn a_wrong_schema_says_where_it_is_wrong() {
    let column = |rest: &str| format!("[[table]]\nname = \"new_Pet\"\ncolumns = [{{ {rest} }}]");
    let wrong = [
        column("name = \"new_a\", type = \"txt\""),
        column("name = \"new_a\", type = \"text\", min = 3"),
        column("name = \"new a\", type = \"text\""),
        column("name = \"statecode\", type = \"text\""),
        column("name = \"new_a\", type = \"choice\""),
        column("name = \"new_a\", type = \"lookup\""),
        column("name = \"new_a\", type = \"lookup\", targets = [\"new_cage\"]"),
        "[[table]]\nname = \"Pet\"".to_owned(),
        "[[table]]\nname = \"contact\"\nset = \"people\"".to_owned(),
        "[[table]]\nname = \"new_Pet\"\nset = \"contacts\"".to_owned(),
        "[[table]]\nname = \"new_Pet\"\nkeys = [{ name = \"k\", columns = [\"x\"] }]".to_owned(),
        "[[resource]]\nname = \"Pet\"".to_owned(),
        "[[resource]]\nname = \"cusPet\"\nfields = [{ name = \"a\", type = \"link\" }]".to_owned(),
        "[[resource]]\nname = \"cusPet\"\nkeys = [{ field = \"a\" }]".to_owned(),
        "[[tables]]\nname = \"new_Pet\"".to_owned(),
    ];
    let mut said = Vec::new();
    for text in &wrong {
        // What a wrong file has made already is there.
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        said.push(sandbox.customize(text, FileForm::Toml).unwrap_err());
    }
    insta::assert_snapshot!(said.join("\n--\n"));
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let json = sandbox.customize("{\"table\": [{\"name\": 7}]}", FileForm::Json).unwrap_err();
    assert!(json.contains("line 1 column"), "{json}");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_schema_is_said_at_once_with_its_line() {
    let text = r#"[[table]]
name = "new_Pet"
columns = [
  { name = "new_Name", type = "text", min = 3 },
  { name = "new_Kind", type = "choice" },
  { name = "new_OwnerId", type = "lookup", targets = ["person", "contact"] },
  { name = "new_CageId", type = "lookup", targets = ["new_cage"] },
]
keys = [{ name = "new_Key", columns = ["new_chip"] }]

[[table]]
name = "new_Cage"
set = "contacts"

[[resource]]
name = "cusPet"
fields = [{ name = "cusKind", type = "enumeration" }]
filters = [{ name = "byPet", parameter = "p", field = "cusPetId" }]
"#;
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    insta::assert_snapshot!(sandbox.customize(text, FileForm::Toml).unwrap_err());
}
