//! The mapping end to end: what stands in Dynamics against what Campaign holds.

use serde_json::{Map, Value, json};

use crate::support::{Counts, Setup, World, by_filter};

/// A world without contacts and with these fields.
pub(crate) fn world(options: &str, fields: &str) -> World {
    let fields = format!("fields = [\n{fields}\n]");
    World::new(Setup { contacts: 0, tables: by_filter(options, &fields), ..Setup::default() })
}

/// Adds a contact and gives the profile it comes to.
#[track_caller]
pub(crate) fn carried(world: &World, contact: &Value) -> Map<String, Value> {
    let id = world.add(contact);
    world.synced();
    world.profile(id)
}

#[test]
fn every_type_converts_to_the_field_it_is_mapped_to() {
    let world = world(
        "",
        r#"{ from = "firstname", to = "firstName" },
           { from = "new_points", to = "cusPoints" },
           { from = "numberofchildren", to = "cusSmall" },
           { from = "new_rating", to = "cusRating" },
           { from = "new_revenue", to = "cusRevenue" },
           { from = "new_score", to = "cusScore" },
           { from = "new_vip", to = "cusVip" },
           { from = "new_token", to = "cusToken" },
           { from = "description", to = "cusNote" },
           { from = "new_extid", to = "cusBig" },
           { from = "parentcustomerid", to = "thumbnail" },
           { from = "donotfax", to = "fax" },
           { from = "statecode", to = "cusShort", picklists = "value" },
           { from = "statuscode", to = "salutation" }"#,
    );
    let account = world.sandbox.dynamics().insert("account", &json!({ "name": "Firm" })).unwrap();
    let token = "0F8FAD5B-D9CB-469F-A165-70867728950E";
    let profile = carried(
        &world,
        &json!({
            "firstname": "Zoë \"Q\" 🎈", "new_points": 1_000_000, "numberofchildren": 127,
            "new_rating": 0.1, "new_revenue": 922_337_203.25, "new_score": -0.000_001,
            "new_vip": true, "new_token": token, "description": "One\r\ntwo\t\"three\" \\ é",
            "new_extid": "9007199254740993", "donotfax": true,
            "parentcustomerid_account@odata.bind": format!("/accounts({account})"),
        }),
    );
    let expected = json!({
        "firstName": "Zoë \"Q\" 🎈", "cusPoints": 1_000_000, "cusSmall": 127, "cusRating": 0.1,
        "cusRevenue": 922_337_203.25, "cusScore": -0.000_001, "cusVip": true,
        "cusToken": token.to_lowercase(), "cusNote": "One\r\ntwo\t\"three\" \\ é",
        "cusBig": 9_007_199_254_740_993_i64, "thumbnail": account.to_string(), "fax": "true",
        "cusShort": 0, "salutation": "Active",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&profile[field], value, "{field}");
    }
}

#[test]
fn each_date_behaviour_is_carried_by_its_own_rule() {
    let world = world(
        "",
        r#"{ from = "birthdate", to = "birthDate" },
           { from = "anniversary", to = "cusAnniversary" },
           { from = "new_lastvisit", to = "cusCustomerSince" },
           { from = "new_localtime", to = "cusLocalTime" },
           { from = "new_legacydate", to = "cusNote" }"#,
    );
    let profile = carried(
        &world,
        &json!({
            "lastname": "Dates", "birthdate": "1900-02-28", "anniversary": "9999-12-31",
            "new_lastvisit": "2024-03-31T01:30:00Z", "new_localtime": "2024-03-31T02:30:00Z",
            "new_legacydate": "1753-01-01T00:00:00Z",
        }),
    );
    assert_eq!(profile["birthDate"], "1900-02-28");
    assert_eq!(profile["cusAnniversary"], "9999-12-31");
    assert_eq!(profile["cusCustomerSince"], "2024-03-31 01:30:00.000Z");
    assert_eq!(profile["cusLocalTime"], "2024-03-31 02:30:00.000Z", "a wall time is never moved");
    assert_eq!(profile["cusNote"], "1753-01-01T00:00:00Z");
}

#[test]
fn a_moment_is_cut_to_its_date_in_utc_or_in_the_zone_of_its_field() {
    let world = world(
        "",
        r#"{ from = "new_lastvisit", to = "cusAnniversary" },
           { from = "new_localtime", to = "birthDate", time_zone = "Europe/Berlin" },
           { from = "birthdate", to = "cusCustomerSince", time_zone = "Europe/Berlin" }"#,
    );
    let profile = carried(
        &world,
        &json!({
            "lastname": "Dates", "new_lastvisit": "2024-06-30T23:30:00Z",
            "new_localtime": "2024-06-30T23:30:00Z", "birthdate": "2024-07-01",
        }),
    );
    assert_eq!(profile["cusAnniversary"], "2024-06-30");
    assert_eq!(profile["birthDate"], "2024-06-30", "a wall time has its date already");
    assert_eq!(profile["cusCustomerSince"], "2024-06-30 22:00:00.000Z");
    let berlin =
        r#"{ from = "new_lastvisit", to = "cusAnniversary", time_zone = "Europe/Berlin" }"#;
    world.configure(&by_filter("", &format!("fields = [ {berlin} ]")));
    world.synced();
    assert_eq!(world.profile(world.contacts()[0])["cusAnniversary"], "2024-07-01");
}

#[test]
fn choices_go_by_label_value_and_language() {
    let fields = r#"{ from = "preferredcontactmethodcode", to = "salutation" },
                    { from = "gendercode", to = "fax" },
                    { from = "new_interests", to = "cusInterests" },
                    { from = "gendercode", to = "cusPoints", picklists = "value" },
                    { from = "donotphone", to = "cusNote", picklists = "label" }"#;
    let contact = json!({
        "lastname": "Choices", "preferredcontactmethodcode": 3, "gendercode": 1,
        "new_interests": "727000001,727000002", "donotphone": true,
    });
    let shown = |options: &str| {
        let world = world(options, fields);
        let profile = carried(&world, &contact);
        ["salutation", "fax", "cusInterests", "cusPoints", "cusNote"]
            .map(|field| profile[field].clone())
    };
    assert_eq!(
        shown(""),
        [
            json!("Phone"),
            json!("Male"),
            json!("Chess; Music; live"),
            json!(1),
            json!("Do Not Allow")
        ]
    );
    assert_eq!(
        shown("language = 1031"),
        [
            json!("Telefon"),
            json!("Männlich"),
            json!("Schach; Musik; live"),
            json!(1),
            json!("Nicht zulassen")
        ]
    );
    assert_eq!(
        shown("picklists = \"value\""),
        [json!("3"), json!("1"), json!("727000001,727000002"), json!(1), json!("Do Not Allow")]
    );
}

#[test]
fn replacements_take_the_place_of_what_would_be_sent() {
    let world = world(
        "language = 1031",
        r#"{ from = "gendercode", to = "gender", replace = [{ value = "Männlich", with = "male" }, { value = "Weiblich", with = "female" }] },
           { from = "new_vip", to = "cusSegment", replace = [{ value = true, with = "gold" }, { value = false, with = "bronze" }] },
           { from = "jobtitle", to = "cusNote", replace = [{ value = "CEO", with = "" }, { value = "CTO", with = "Chief" }] },
           { from = "new_points", to = "fax", replace = [{ value = 7, with = "seven" }] }"#,
    );
    let full = json!({ "lastname": "A", "gendercode": 2, "new_vip": true, "jobtitle": "CTO", "new_points": 7 });
    let profile = carried(&world, &full);
    assert_eq!((&profile["gender"], &profile["cusSegment"]), (&json!("female"), &json!("gold")));
    assert_eq!((&profile["cusNote"], &profile["fax"]), (&json!("Chief"), &json!("seven")));
    let profile = carried(
        &world,
        &json!({ "lastname": "B", "new_vip": false, "jobtitle": "CEO", "new_points": 8 }),
    );
    assert_eq!((&profile["gender"], &profile["cusSegment"]), (&json!("unknown"), &json!("bronze")));
    assert_eq!((&profile["cusNote"], &profile["fax"]), (&json!(""), &json!("8")));
}

#[test]
fn a_field_without_updates_is_written_at_first_and_never_again() {
    let world = world(
        "",
        r#"{ from = "lastname", to = "lastName" }, { from = "jobtitle", to = "cusNote", updates = false }"#,
    );
    let id = world.add(&json!({ "lastname": "A", "jobtitle": "First" }));
    world.synced();
    world.change(id, &json!({ "lastname": "B", "jobtitle": "Second" }));
    world.synced();
    let profile = world.profile(id);
    assert_eq!((&profile["lastName"], &profile["cusNote"]), (&json!("B"), &json!("First")));
    world.forget();
    world.change(id, &json!({ "jobtitle": "Third" }));
    let counts = world.synced();
    assert_eq!(counts, Counts { read: 1, unchanged: 1, ..Counts::default() });
    assert!(world.writes().is_empty());
    let late = carried(&world, &json!({ "lastname": "C", "jobtitle": "New" }));
    assert_eq!(late["cusNote"], "New", "a new record is written in full");
}

#[test]
fn what_is_emptied_in_dynamics_is_cleared_or_kept_by_rule() {
    let rules = |rule: &str| {
        [
            "firstname\", to = \"firstName",
            "birthdate\", to = \"birthDate",
            "new_points\", to = \"cusPoints",
            "new_interests\", to = \"cusInterests",
            "new_lastvisit\", to = \"cusCustomerSince",
        ]
        .map(|pair| format!("{{ from = \"{pair}\", on_null = \"{rule}\" }}"))
        .join(",\n")
    };
    let full = json!({
        "firstname": "Full", "birthdate": "1990-01-02", "new_points": 5,
        "new_interests": "727000000", "new_lastvisit": "2024-01-02T03:04:05Z",
    });
    let none = json!({
        "firstname": null, "birthdate": null, "new_points": null, "new_interests": null,
        "new_lastvisit": null,
    });
    let fields = ["firstName", "birthDate", "cusPoints", "cusInterests", "cusCustomerSince"];
    for rule in ["clear", "keep"] {
        let world = world("", &rules(rule));
        let before = carried(&world, &full);
        let id = world.contacts()[0];
        world.change(id, &none);
        world.synced();
        let after = world.profile(id);
        let empty = [json!(""), json!(""), json!(0), json!(""), json!("")];
        for (field, empty) in fields.into_iter().zip(empty) {
            let wanted = if rule == "keep" { &before[field] } else { &empty };
            assert_eq!(&after[field], wanted, "{field} {rule}");
        }
    }
}

#[test]
fn clearing_with_null_works_where_campaign_wants_null() {
    use cdsync::sandbox::{Clearing, Variants};
    let variants = Variants { clearing: Clearing::NullOnly, ..Variants::default() };
    let fields = "fields = [ { from = \"firstname\", to = \"firstName\" }, { from = \"birthdate\", to = \"birthDate\" } ]";
    let world = World::new(Setup {
        contacts: 0,
        tables: by_filter("", fields),
        variants,
        ..Setup::default()
    });
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let config =
        config.replace("requests_per_second", "clear_with = \"null\"\nrequests_per_second");
    std::fs::write(world.path("config.toml"), config).unwrap();
    let id = world.add(&json!({ "firstname": "Full", "birthdate": "1990-01-02" }));
    world.synced();
    world.change(id, &json!({ "firstname": null, "birthdate": null }));
    world.synced();
    let profile = world.profile(id);
    assert_eq!((&profile["firstName"], &profile["birthDate"]), (&json!(""), &json!("")));
}

#[test]
fn either_spelling_of_the_opt_out_fields_is_understood() {
    for (email, phone) in [("blackListEmail", "denyListPhone"), ("denyListEmail", "blackListPhone")]
    {
        let fields = format!(
            "{{ from = \"donotbulkemail\", to = \"{email}\" }}, {{ from = \"donotphone\", to = \"{phone}\" }}"
        );
        let world = world("", &fields);
        let profile = carried(&world, &json!({ "lastname": "A", "donotbulkemail": true }));
        assert_eq!(
            (&profile["blackListEmail"], &profile["blackListPhone"]),
            (&json!(true), &json!(false))
        );
    }
}

#[test]
fn a_mapping_that_was_changed_reads_all_rows_again() {
    let world = world("", r#"{ from = "lastname", to = "lastName" }"#);
    let id = world.add(&json!({ "lastname": "A", "jobtitle": "Boss" }));
    world.synced();
    let both = r#"fields = [ { from = "lastname", to = "lastName" }, { from = "jobtitle", to = "cusNote" } ]"#;
    world.configure(&by_filter("", both));
    world.forget();
    world.synced();
    assert_eq!(world.profile(id)["cusNote"], "Boss");
    assert_eq!(world.verbs(), ["PATCH"]);
}

#[test]
fn a_profile_that_campaign_rewrites_is_not_written_for_ever() {
    use cdsync::sandbox::Variants;
    let variants = Variants { data_policies: true, ..Variants::default() };
    let fields = r#"fields = [ { from = "firstname", to = "firstName" }, { from = "emailaddress1", to = "email" } ]"#;
    let world = World::new(Setup {
        contacts: 0,
        tables: by_filter("", fields),
        variants,
        ..Setup::default()
    });
    let id = world.add(&json!({ "firstname": "jean-LUC", "emailaddress1": "Jean@Example.COM" }));
    world.synced();
    assert_eq!(world.profile(id)["email"], "jean@example.com");
    world.forget();
    world.change(id, &json!({ "jobtitle": "not mapped" }));
    world.synced();
    world.sandbox.dynamics().expire_tokens();
    world.synced();
    assert!(world.writes().is_empty(), "{:?}", world.writes());
}
