//! The sandbox's part of opt-outs: clocks that are wrong, flags with stamps
//! under either name, the daily export, and what people do meanwhile.

use std::io::Read as _;

use cdsync::sandbox::{ExportForm, LogDates, LogForm, SandboxOptions, System, Variants};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sandbox::{Got, World, send};

const EXT: &str = "profileAndServicesExt/profile";
const HOUR_MS: i64 = 3_600_000;

async fn with(variants: Variants) -> World {
    World::start(SandboxOptions { variants, ..SandboxOptions::default() }).await
}

/// The `Date` of an answer, in seconds since 1970.
fn date(got: &Got) -> i64 {
    let text = got.header("date");
    assert!(text.ends_with(" GMT") && text.len() == 29, "{text}");
    jiff::fmt::rfc2822::parse(text).unwrap().timestamp().as_second()
}

fn moment(text: &Value) -> Timestamp {
    text.as_str().unwrap().replace(' ', "T").parse().unwrap()
}

/// The machine's clock.
#[expect(clippy::disallowed_methods, reason = "a test stands outside the program")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// How far a time is from the machine's clock, in hours.
fn hours(of: Timestamp) -> i64 {
    let ahead = of.duration_since(now()).as_millis();
    i64::try_from((ahead + 1_800_000).div_euclid(3_600_000)).unwrap()
}

fn hours_of(got: &Got) -> i64 {
    hours(Timestamp::from_second(date(got)).unwrap())
}

fn profile(world: &World) -> serde_json::Map<String, Value> {
    let mut found = world.sandbox.campaign().by_key("profile", "externalId", "one");
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[tokio::test]
async fn each_system_stamps_and_dates_by_its_own_clock() {
    let world = World::plain().await;
    let (sandbox, people) = (&world.sandbox, world.sandbox.dynamics());
    assert_eq!(hours_of(&world.get("WhoAmI", "").await), 0);
    sandbox.set_clock_offset(System::Dynamics, -2 * HOUR_MS);
    let body = json!({"system": "campaign", "offset_ms": 3 * HOUR_MS});
    let control =
        |body: String| world.http.post(format!("{}/_sandbox/clock", sandbox.origin())).body(body);
    assert_eq!(send(control(body.to_string())).await.status, 204);
    assert_eq!(send(control("{\"offset_ms\": 1}".to_owned())).await.status, 400);

    let id = people.insert("contact", &json!({"lastname": "Lee"})).unwrap();
    let row = people.get("contact", id).unwrap();
    assert_eq!((hours(moment(&row["createdon"])), hours(moment(&row["modifiedon"]))), (-2, -2));
    let wrote = world.dynamics("PATCH", &format!("contacts({id})"));
    let wrote = wrote.header("prefer", "return=representation");
    let wrote = send(wrote.body("{\"donotbulkemail\": true}")).await;
    assert_eq!((hours_of(&wrote), hours(moment(&wrote.json()["modifiedon"]))), (-2, -2));

    let made = world.write("POST", EXT, &json!({"externalId": "one", "blackListFax": true})).await;
    assert_eq!(hours_of(&made), 3);
    for stamp in ["created", "lastModified", "blackListFaxLastModified"] {
        assert_eq!(hours(moment(&made.json()[stamp])), 3, "{stamp}");
    }
    let change = json!({"blackListEmail": true});
    sandbox.campaign().update("profile", "externalId", "one", &change).unwrap();
    assert_eq!(hours(moment(&profile(&world)["blackListEmailLastModified"])), 3);
    // A refusal tells the time too; the others' clocks are right.
    assert_eq!(hours_of(&send(world.http.get(sandbox.campaign_url())).await), 3);
    let token = world.http.post(format!("{}/ims/token/v3", sandbox.origin()));
    assert_eq!(hours_of(&send(token).await), 0);
    sandbox.set_clock_offset(System::Campaign, 0);
    assert_eq!(hours_of(&world.read(EXT).await), 0);
}

#[tokio::test]
async fn flags_and_stamps_are_called_as_the_variant_says() {
    for (deny_list_names, name, other) in
        [(false, "blackList", "denyList"), (true, "denyList", "blackList")]
    {
        let world = with(Variants { deny_list_names, ..Variants::default() }).await;
        let metadata = world.read("profileAndServicesExt/resourceType/profile").await.json();
        let fields = &metadata["content"];
        for part in ["", "Email", "Fax", "Mobile", "Phone", "PostalMail"] {
            assert_eq!(fields[format!("{name}{part}")]["type"], "boolean");
            assert_eq!(fields[format!("{name}{part}LastModified")]["type"], "datetime");
            assert_eq!(fields[format!("{other}{part}")], Value::Null);
        }
        assert_eq!(fields[format!("{name}Pushnotification")]["type"], "boolean");
        assert_eq!(fields[format!("{name}PushnotificationLastModified")], Value::Null);
        let flag = format!("{name}Phone");
        let made = world.write("POST", EXT, &json!({"externalId": "one", &flag: true})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_ne!(made.json()[format!("{flag}LastModified")], "");
        assert_ne!(made.json()[format!("{name}AllLastModified")], "");
        assert_eq!(made.json()[format!("{name}EmailLastModified")], "");
        let body = json!({format!("{other}Phone"): true});
        assert_eq!(world.write("POST", EXT, &body).await.status, 500);
    }
}

#[tokio::test]
async fn flags_without_a_stamp_move_only_that_of_all_flags() {
    let world = with(Variants { flags_have_stamps: false, ..Variants::default() }).await;
    let body = json!({"externalId": "one", "blackListEmail": true, "ccpaOptOut": true});
    let made = world.write("POST", EXT, &body).await.json();
    assert_eq!(
        (&made["blackListEmailLastModified"], &made["ccpaOptOutLastModified"]),
        (&json!(""), &json!(""))
    );
    assert_ne!(made["blackListAllLastModified"], "");
    world.sandbox.set_variants(Variants::default());
    let body = json!({"blackListPushnotification": true, "ccpaOptOut": true});
    let href = made["href"].as_str().unwrap();
    assert_eq!(world.write("PATCH", href, &body).await.status, 200);
    assert_ne!(profile(&world)["ccpaOptOutLastModified"], "");
}

#[tokio::test]
async fn a_person_sets_a_flag_at_any_time() {
    let world = World::plain().await;
    world.write("POST", EXT, &json!({"externalId": "one"})).await;
    let (campaign, people) = (world.sandbox.campaign(), world.sandbox.dynamics());
    let before = profile(&world);
    let at: Timestamp = "2025-03-01T10:20:30.456Z".parse().unwrap();
    let set = |value, stamp| campaign.set_flag_at("one", "blackListEmail", value, stamp).unwrap();
    assert_eq!(set(true, Some(at)), 1);
    let row = profile(&world);
    assert_eq!(
        (&row["blackListEmail"], &row["blackListEmailLastModified"]),
        (&json!(true), &json!("2025-03-01 10:20:30.456Z"))
    );
    assert_eq!(row["blackListAllLastModified"], row["blackListEmailLastModified"]);
    assert!(moment(&row["lastModified"]) >= moment(&before["lastModified"]));
    assert_eq!(set(false, None), 1);
    let row = profile(&world);
    assert_eq!(
        (&row["blackListEmail"], &row["blackListEmailLastModified"]),
        (&json!(false), &json!(""))
    );
    assert!(campaign.set_flag_at("one", "blackListPigeon", true, None).is_err());
    assert_eq!(campaign.set_flag_at("nobody", "blackListEmail", true, None).unwrap(), 0);
    let id = people.insert("contact", &json!({"lastname": "Lee"})).unwrap();
    people.update_at("contact", id, &json!({"donotfax": true}), at).unwrap();
    assert_eq!(people.get("contact", id).unwrap()["modifiedon"], "2025-03-01T10:20:30Z");
}

#[tokio::test]
async fn profiles_changed_since_a_time_come_page_by_page_and_only_under_ext() {
    let world = World::plain().await;
    let campaign = world.sandbox.campaign();
    for number in 0..7 {
        let at = i64::from(number) * 1000;
        world.sandbox.set_clock_offset(System::Campaign, at - HOUR_MS);
        let body = json!({"externalId": format!("p{number}")});
        campaign.insert("profile", &body).unwrap();
    }
    let since = campaign.by_key("profile", "externalId", "p2")[0]["lastModified"].clone();
    let since = since.as_str().unwrap().replace(' ', "T");
    let mut target =
        format!("{EXT}/byModifiedSince?since_parameter={since}&_lineCount=2&_forcePagination=true");
    let mut seen = Vec::new();
    loop {
        let page = world.read(&target).await.json();
        for row in page["content"].as_array().unwrap() {
            seen.push(row["externalId"].as_str().unwrap().to_owned());
        }
        match page["next"]["href"].as_str() {
            Some(next) => target = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["p2", "p3", "p4", "p5", "p6"], "the border is within");
    let plain = format!("profileAndServices/profile/byModifiedSince?since_parameter={since}");
    let refused = world.read(&plain).await;
    assert!(refused.status == 500 && refused.text.contains("BAS-010040"), "{}", refused.text);
    let metadata = world.read("profileAndServicesExt/resourceType/profile").await.json();
    let filters = metadata["filters"]["href"].as_str().unwrap().to_owned();
    let filter = &world.read(&filters).await.json()["byModifiedSince"];
    assert_eq!(
        filter["data"],
        "/profileAndServicesExt/profile/byModifiedSince?since_parameter=$value"
    );
    assert_eq!(filter["condition"]["condition"]["expr"], "@lastModified >= $(since_parameter)");
}

/// The rows of an export as column to value.
fn table(bytes: &[u8], separator: u8) -> Vec<serde_json::Map<String, Value>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes);
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |record: csv::StringRecord| {
        names.iter().cloned().zip(record.iter().map(Value::from)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[tokio::test]
async fn the_export_has_the_profiles_changed_since_the_last_one() {
    let world = World::plain().await;
    let (sandbox, campaign) = (&world.sandbox, world.sandbox.campaign());
    let file = |path: Option<String>| sandbox.sftp().read(&path.unwrap()).unwrap();
    for key in ["one", "two"] {
        campaign
            .insert("profile", &json!({"externalId": key, "email": format!("{key}@x.example")}))
            .unwrap();
    }
    let at: Timestamp = "2025-03-01T10:20:30.456Z".parse().unwrap();
    campaign.set_flag_at("one", "blackListEmail", true, Some(at)).unwrap();
    // The border is within: a change of the same instant would come again.
    sandbox.set_clock_offset(System::Campaign, 1000);
    let path = sandbox.export_optouts("optout_1", &ExportForm::default());
    assert_eq!(path.as_deref(), Some("d365_loads/exports/optout_1.csv"));
    let rows = table(&file(path), b',');
    assert_eq!(rows.len(), 2);
    let names: Vec<&String> = rows[0].keys().collect();
    assert_eq!(names.len(), 18, "{names:?}");
    assert_eq!(rows[0]["externalId"], "one");
    assert_eq!(rows[0]["email"], "one@x.example");
    assert_eq!(
        (&rows[0]["blackListEmail"], &rows[1]["blackListEmail"]),
        (&json!("true"), &json!("false"))
    );
    assert_eq!(rows[0]["blackListEmailLastModified"], "2025-03-01T10:20:30.456Z");
    assert_eq!(rows[1]["blackListEmailLastModified"], "");
    assert!(!names.iter().any(|name| *name == "blackListPushnotificationLastModified"));

    assert_eq!(sandbox.export_optouts("optout_2", &ExportForm::default()), None, "nothing new");
    sandbox.set_clock_offset(System::Campaign, 5000);
    campaign.update("profile", "externalId", "two", &json!({"ccpaOptOut": true})).unwrap();
    let form = LogForm {
        separator: b'\t',
        quoted: false,
        labels: false,
        dates: LogDates::YearFirst,
        gzip: true,
        ..LogForm::default()
    };
    let form = ExportForm { form, stamps: false, ..ExportForm::default() };
    let path = sandbox.export_optouts("optout_3", &form);
    assert_eq!(path.as_deref(), Some("d365_loads/exports/optout_3.csv.gz"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&file(path)[..]).read_to_string(&mut text).unwrap();
    let rows = table(text.as_bytes(), b'\t');
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["ccpaOptOut"], &rows[0]["blackListEmail"]), (&json!("1"), &json!("0")));
    assert!(
        !rows[0].contains_key("ccpaOptOutLastModified")
            && !rows[0].contains_key("blackListEmailLastModified")
    );

    let form = ExportForm { all: true, cut_at: Some(100), ..ExportForm::default() };
    assert_eq!(file(sandbox.export_optouts("optout_4", &form)).len(), 100);
    let control = world.http.post(format!("{}/_sandbox/optouts", sandbox.origin()));
    let got = send(control.body("{\"name\": \"optout_5\", \"all\": true}")).await.json();
    assert_eq!(got["path"], "d365_loads/exports/optout_5.csv");
    assert_eq!(table(&file(got["path"].as_str().map(str::to_owned)), b',').len(), 2);
}

#[tokio::test]
async fn somebody_acts_just_before_a_request_is_answered() {
    let world = World::plain().await;
    let people = world.sandbox.dynamics();
    let id = people.insert("contact", &json!({"lastname": "Lee"})).unwrap();
    let meanwhile = people.clone();
    world.sandbox.before((System::Dynamics, "GET", "contacts("), 1, move || {
        meanwhile.update("contact", id, &json!({"donotfax": true})).unwrap();
    });
    let target = format!("contacts({id})?$select=donotfax");
    world.get("contacts?$select=donotfax", "").await;
    assert_eq!(world.get(&target, "").await.json()["donotfax"], false);
    let stale = world.get(&target, "").await;
    assert_eq!(world.sandbox.still_before(), 0);
    assert_eq!(stale.json()["donotfax"], true);
    let etag = stale.json()["@odata.etag"].as_str().unwrap().to_owned();
    let meanwhile = people.clone();
    world.sandbox.before((System::Dynamics, "PATCH", "contacts("), 0, move || {
        meanwhile.update("contact", id, &json!({"donotphone": true})).unwrap();
    });
    let write = world.dynamics("PATCH", &format!("contacts({id})")).header("if-match", etag);
    assert_eq!(send(write.body("{\"donotfax\": false}")).await.status, 412);
    assert_eq!(people.get("contact", id).unwrap()["donotfax"], true);
}

#[tokio::test]
async fn a_contact_ends_in_each_way_and_comes_back() {
    let world = World::plain().await;
    let people = world.sandbox.dynamics();
    let add = |out: bool| {
        people.insert("contact", &json!({"lastname": "Lee", "donotbulkemail": out})).unwrap()
    };
    let (master, loser) = (add(false), add(true));
    people.merge("contact", master, loser).unwrap();
    let kept = people.get("contact", master).unwrap();
    assert_eq!((&kept["donotbulkemail"], &kept["merged"]), (&json!(false), &json!(false)));
    let lost = people.get("contact", loser).unwrap();
    assert_eq!((&lost["donotbulkemail"], &lost["merged"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&lost["statecode"], &lost["_masterid_value"]),
        (&json!(1), &json!(master.to_string()))
    );
    let metadata = world
        .get("EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName", "")
        .await
        .text;
    assert!(metadata.contains("\"masterid\"") && metadata.contains("\"merged\""));
    people.update("contact", master, &json!({"statecode": 1})).unwrap();
    assert_eq!(people.get("contact", master).unwrap()["statuscode"], 2);
    assert!(people.delete("contact", master));
    let again = json!({"contactid": master.to_string(), "lastname": "Lee"});
    assert_eq!(people.insert("contact", &again).unwrap(), master);
    assert_eq!(people.get("contact", master).unwrap()["donotbulkemail"], false);
}
