//! Making tables, columns and keys in the Dataverse look-alike.

use cdsync::sandbox::{SandboxOptions, Variants};
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

fn label(text: &str) -> Value {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.Label", "LocalizedLabels": [
        {"@odata.type": "Microsoft.Dynamics.CRM.LocalizedLabel", "Label": text, "LanguageCode": 1033}]})
}

fn mail_event() -> Value {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata",
        "SchemaName": "acme_MailEvent", "DisplayName": label("Mail Event"), "DisplayCollectionName": label("Mail Events"),
        "OwnershipType": "UserOwned", "IsActivity": true, "HasNotes": true, "HasActivities": false,
        "IsAvailableOffline": true, "IsMailMergeEnabled": {"Value": false, "CanBeChanged": true}, "ActivityTypeMask": 1, "ChangeTrackingEnabled": true,
        "Attributes": [{"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "Subject", "IsPrimaryName": true,
            "MaxLength": 200, "FormatName": {"Value": "Text"}, "RequiredLevel": {"Value": "None"}, "DisplayName": label("Subject")}]})
}

fn text_column(name: &str, length: u32) -> Value {
    json!({"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": name, "DisplayName": label(name),
        "MaxLength": length, "FormatName": {"Value": "Text"}})
}

async fn post(world: &World, path: &str, body: &Value) -> Got {
    send(world.dynamics("POST", path).body(body.to_string())).await
}

/// A world with the publisher and the solution of the sheet's example.
async fn acme(options: SandboxOptions) -> World {
    let world = World::start(options).await;
    let publisher = json!({"friendlyname": "Acme", "uniquename": "acme", "description": "...", "customizationprefix": "acme", "customizationoptionvalueprefix": 72700});
    let made = post(&world, "publishers", &publisher).await;
    assert_eq!(made.status, 204, "{}", made.text);
    let id = made.header("odata-entityid").rsplit_once("/publishers").unwrap().1.to_owned();
    let solution = json!({"friendlyname": "Acme Sync", "uniquename": "AcmeSync", "version": "1.0.0.0", "publisherid@odata.bind": format!("publishers{id}")});
    assert_eq!(post(&world, "solutions", &solution).await.status, 204);
    assert_eq!(post(&world, "solutions", &solution).await.status, 412, "the name is unique");
    world
}

async fn in_solution(world: &World, path: &str, body: &Value) -> Got {
    let request = world.dynamics("POST", path).header("MSCRM.SolutionUniqueName", "AcmeSync");
    send(request.body(body.to_string())).await
}

#[tokio::test]
async fn an_activity_table_is_made_with_what_the_server_adds() {
    let world = acme(SandboxOptions { contacts: 1, ..SandboxOptions::default() }).await;
    let made = in_solution(&world, "EntityDefinitions", &mail_event()).await;
    assert_eq!(made.status, 204, "{}", made.text);
    let address = made.header("odata-entityid").to_owned();
    let table = world.get(&address, "").await.json();
    for (name, value) in [
        ("LogicalName", json!("acme_mailevent")),
        ("EntitySetName", json!("acme_mailevents")),
        ("PrimaryIdAttribute", json!("activityid")),
        ("PrimaryNameAttribute", json!("subject")),
        ("IsActivity", json!(true)),
        ("ChangeTrackingEnabled", json!(true)),
    ] {
        assert_eq!(table[name], value, "{name}");
    }
    assert_eq!(table["DisplayName"]["UserLocalizedLabel"]["Label"], "Mail Event");
    let columns = "EntityDefinitions(LogicalName='acme_mailevent')/Attributes";
    let made = in_solution(&world, columns, &text_column("acme_CampaignName", 400)).await;
    assert!(
        made.status == 204 && made.header("odata-entityid").contains("/Attributes("),
        "{}",
        made.text
    );
    let column = world.get(made.header("odata-entityid"), "").await.json();
    assert_eq!(
        (column["LogicalName"].clone(), column["MaxLength"].clone()),
        (json!("acme_campaignname"), json!(400))
    );
    let date = json!({"@odata.type": "Microsoft.Dynamics.CRM.DateTimeAttributeMetadata", "SchemaName": "acme_EventDate", "DisplayName": label("Date"),
        "Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}});
    assert_eq!(in_solution(&world, columns, &date).await.status, 204);
    let memo = json!({"@odata.type": "Microsoft.Dynamics.CRM.MemoAttributeMetadata", "SchemaName": "acme_Url", "DisplayName": label("Address"), "MaxLength": 4000, "Format": "TextArea"});
    assert_eq!(in_solution(&world, columns, &memo).await.status, 204);

    let contact = world.sandbox.dynamics().ids("contact")[0];
    let row = json!({"subject": "One", "acme_campaignname": "Spring", "acme_eventdate": "2026-03-01T10:20:30Z", "acme_url": "https://example.com",
        "regardingobjectid_contact_acme_mailevent@odata.bind": format!("/contacts({contact})")});
    let got = post(&world, "acme_mailevents", &row).await;
    assert_eq!(got.status, 204, "{}", got.text);

    let dynamics = world.sandbox.dynamics();
    assert_eq!(
        dynamics.components("AcmeSync"),
        [
            "acme_mailevent",
            "acme_mailevent.acme_campaignname",
            "acme_mailevent.acme_eventdate",
            "acme_mailevent.acme_url"
        ]
    );
    assert_eq!(dynamics.unpublished(), ["acme_mailevent"]);
    let xml = json!({"ParameterXml": "<importexportxml><entities><entity>acme_mailevent</entity></entities></importexportxml>"});
    assert_eq!(post(&world, "PublishXml", &xml).await.status, 204);
    assert!(dynamics.unpublished().is_empty());
}

#[tokio::test]
async fn names_that_are_taken_and_rules_that_are_broken_are_refused() {
    let world = acme(SandboxOptions::default()).await;
    assert_eq!(post(&world, "EntityDefinitions", &mail_event()).await.status, 204);
    let columns = "EntityDefinitions(LogicalName='acme_mailevent')/Attributes";
    assert_eq!(post(&world, columns, &text_column("acme_Name", 100)).await.status, 204);
    let changed = |name: &str, value: Value| {
        let mut body = mail_event();
        body["SchemaName"] = json!("acme_Other");
        body[name] = value;
        body
    };
    let mut prefix = mail_event();
    prefix["Attributes"][0]["SchemaName"] = json!("acme_Subject");
    prefix["SchemaName"] = json!("acme_Other");
    let german = json!({"LocalizedLabels": [{"Label": "Ereignis", "LanguageCode": 1031}]});
    for (path, body, code) in [
        ("EntityDefinitions", mail_event(), "0x8004700b"),
        (columns, text_column("acme_Name", 100), "0x80047013"),
        (columns, text_column("acme_Long", 4001), "0x80040203"),
        (columns, text_column("Name", 10), "0x80040203"),
        ("EntityDefinitions", changed("IsAvailableOffline", json!(false)), "0x8004f122"),
        ("EntityDefinitions", changed("HasNotes", json!(false)), "0x8004f123"),
        ("EntityDefinitions", changed("OwnershipType", json!("OrganizationOwned")), "0x80040203"),
        ("EntityDefinitions", changed("DisplayName", german), "0x80040203"),
        ("EntityDefinitions", changed("SchemaName", json!("stranger_Other")), "0x80040203"),
        ("EntityDefinitions", changed("Nonsense", json!(1)), "0x80048d19"),
        ("EntityDefinitions", prefix, "0x80040203"),
        (
            "EntityDefinitions(LogicalName='acme_nothing')/Attributes",
            text_column("acme_X", 1),
            "0x80041102",
        ),
    ] {
        let got = post(&world, path, &body).await;
        assert_eq!(got.code(), code, "{path} {body}: {}", got.text);
    }
    let patched =
        send(world.dynamics("PATCH", "EntityDefinitions(LogicalName='contact')").body("{}")).await;
    assert_eq!(patched.status, 405);
    let request =
        world.dynamics("POST", "EntityDefinitions").header("MSCRM.SolutionUniqueName", "Nowhere");
    assert_eq!(send(request.body(mail_event().to_string())).await.status, 400);
}

#[tokio::test]
async fn each_kind_of_change_needs_its_privilege() {
    let world = acme(SandboxOptions::default()).await;
    let columns = "EntityDefinitions(LogicalName='contact')/Attributes";
    for (privilege, path, body) in [
        ("prvCreateEntity", "EntityDefinitions", mail_event()),
        ("prvCreateAttribute", columns, text_column("acme_Name", 100)),
        ("prvPublishCustomization", "PublishAllXml", json!({})),
        ("prvCreatePublisher", "publishers", json!({"uniquename": "x"})),
    ] {
        world.sandbox.dynamics().set_privilege(privilege, false);
        let got = post(&world, path, &body).await;
        assert_eq!((got.status, got.code().as_str()), (403, "0x80040220"), "{privilege}");
        assert!(got.text.contains(privilege), "{}", got.text);
        world.sandbox.dynamics().set_privilege(privilege, true);
        assert_eq!(post(&world, path, &body).await.status, 204, "{privilege}");
    }
}

#[tokio::test]
async fn a_key_works_once_its_index_is_built() {
    let variants = Variants { key_pending_reads: 2, ..Variants::default() };
    let world = acme(SandboxOptions { variants, ..SandboxOptions::default() }).await;
    let row = json!({"lastname": "Lee", "emailaddress2": "lee"});
    assert_eq!(post(&world, "contacts", &row).await.status, 204);
    let keys = "EntityDefinitions(LogicalName='contact')/Keys";
    let key = json!({"SchemaName": "acme_MailKey", "DisplayName": label("Mail"), "KeyAttributes": ["emailaddress2"]});
    let made = post(&world, keys, &key).await;
    assert!(
        made.status == 204 && made.header("odata-entityid").contains("/Keys("),
        "{}",
        made.text
    );
    assert_eq!(post(&world, keys, &key).await.status, 400, "there it is already");
    let by_key = "contacts(emailaddress2='lee')?$select=lastname";
    for expected in ["Pending", "Pending", "Active"] {
        if expected == "Pending" {
            assert_eq!(world.get(by_key, "").await.code(), "0x80060890");
        }
        let path =
            format!("{keys}?$select=SchemaName,LogicalName,KeyAttributes,EntityKeyIndexStatus");
        let listed = world.get(&path, "").await.json();
        let ours = listed["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["LogicalName"] == "acme_mailkey")
            .unwrap()
            .clone();
        assert_eq!(ours["EntityKeyIndexStatus"], expected);
    }
    assert_eq!(world.get(by_key, "").await.status, 200);
    assert_eq!(post(&world, "contacts", &row).await.code(), "0x80060892");
    let long = json!({"SchemaName": "acme_LongKey", "DisplayName": label("x"), "KeyAttributes": ["description"]});
    assert_eq!(post(&world, keys, &long).await.code(), "0x80040203");
}
