//! What loads, and what it becomes.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{BASE, TABLE, with};
use crate::config::*;
use crate::mapping::spec::*;
use crate::model::{ColumnName, FieldName, ResourceName, TableName};
use crate::secret::SecretSource;

fn loaded(text: &str) -> Config {
    load(text).unwrap_or_else(|problems| panic!("{}", problems.render(text, "test.toml", false)))
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = loaded(&format!("{BASE}{TABLE}"));
    let dynamics = &config.dynamics;
    assert_eq!(dynamics.url.0.as_str(), "https://contoso.crm4.dynamics.com/");
    assert_eq!(dynamics.authority.0.as_str(), "https://login.microsoftonline.com/");
    assert_eq!((dynamics.max_in_flight, dynamics.requests_per_5_minutes), (16, 6000));
    assert_eq!(
        dynamics.credential,
        DynamicsCredential::Secret(SecretSource::Env("DYNAMICS_SECRET".into()))
    );
    assert_eq!(dynamics.user, None);
    let campaign = &config.campaign;
    assert_eq!(campaign.url.0.as_str(), "https://mc.adobe.io/contoso");
    assert_eq!(campaign.ims_url.0.as_str(), "https://ims-na1.adobelogin.com/");
    assert_eq!((campaign.max_in_flight, campaign.requests_per_second), (8, 50));
    assert_eq!(campaign.read_back, Duration::from_secs(5));
    assert_eq!(
        campaign.scopes.join(","),
        "AdobeID,openid,read_organizations,additional_info.projectedProductContext,campaign_sdk,campaign_config_server_general,deliverability_service_general"
    );
    assert_eq!(config.store.path, Path::new("cdsync.db"));
    let ingress = config.ingress.unwrap();
    assert!(ingress.schedule.is_none());
    let table = &ingress.tables[0];
    assert!(!table.apply_deletes);
    assert_eq!((table.picklists, table.language), (Picklists::Label, 1033));
    assert!(table.delete_guard.is_none() && table.filter.is_none());
    let field = &table.fields[0];
    assert!(field.updates && field.replace.is_empty() && field.time_zone.is_none());
    assert_eq!(
        (field.on_null, field.on_empty, field.on_too_long, field.picklists),
        (OnNull::Clear, OnNull::Clear, OnTooLong::Fail, None)
    );
}

/// The contract's own example, as far as this version has it.
const CONTRACT: &str = r#"
[ingress]
schedule = "*/15 * * * * *"
time_zone = "Europe/Berlin"

[[ingress.table]]
dynamics = "contact"
campaign = "profile"
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
apply_deletes = true
picklists = "label"
language = 1033
delete_guard = { rows = 1000, percent = 5 }
fields = [
  { from = "firstname", to = "firstName", on_null = "keep", on_too_long = "cut" },
  { from = "emailaddress1", to = "email", on_empty = "keep" },
  { from = "gendercode", to = "gender", replace = [{ value = "Male", with = "male" }, { value = 2, with = true }], picklists = "value" },
  { from = "createdon", to = "cusCustomerSince", updates = false, time_zone = "Asia/Kathmandu" },
  { from = "donotbulkemail", to = "blackListEmail" },
]
filter = { match = "all", delete_filtered_out = false, rules = [
  { column = "statecode", is = "eq", value = 0 },
  { match = "any", rules = [
    { column = "emailaddress1", is = "not-null" },
    { column = "birthdate", is = "lt", value = 2000-01-01 },
    { column = "new_kind", is = "in", value = ["a", 2, 0.5, true] },
  ] },
] }

[[ingress.table]]
dynamics = "new_vehicle"
campaign = "cusVehicle"
key = { from = "new_vehicleid", to = "cusVehicleId", in_uri = true }
tracking = "diff"
fields = []

[optout]
direction = "disabled"
[egress]
events = []
[metrics]
listen = "127.0.0.1:9464"
"#;

#[test]
fn the_contracts_example_becomes_what_it_says() {
    let config = loaded(&format!("{BASE}{CONTRACT}"));
    let ingress = config.ingress.as_ref().unwrap();
    assert_eq!(ingress.time_zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(ingress.schedule.as_ref().unwrap().to_string(), "*/15 * * * * *");
    let [contact, vehicle] = ingress.tables.as_slice() else { panic!("two tables") };
    assert_eq!(contact.dynamics.as_str(), "contact");
    assert_eq!(contact.campaign.as_str(), "profile");
    assert!(contact.apply_deletes);
    assert_eq!(contact.delete_guard, Some(DeleteGuard { rows: Some(1000), percent: Some(5.0) }));
    let [first, email, gender, since, flag] = contact.fields.as_slice() else { panic!("five") };
    assert_eq!((first.on_null, first.on_empty), (OnNull::Keep, OnNull::Keep));
    assert_eq!(first.on_too_long, OnTooLong::Cut);
    assert_eq!((email.on_null, email.on_empty), (OnNull::Clear, OnNull::Keep));
    assert_eq!(gender.picklists, Some(Picklists::Value));
    assert_eq!(
        gender.replace,
        [
            Replacement { value: "Male".into(), with: "male".into() },
            Replacement { value: "2".into(), with: "true".into() }
        ]
    );
    assert!(!since.updates);
    assert_eq!(since.time_zone.as_ref().unwrap().iana_name(), Some("Asia/Kathmandu"));
    assert_eq!(flag.to.as_str(), "blackListEmail");
    assert_eq!(vehicle.key.lookup, Lookup::InUri);
    assert_eq!((contact.tracking, vehicle.tracking), (Tracking::Changes, Tracking::Diff));
}

#[test]
fn the_contracts_filter_becomes_groups_and_tests() {
    let config = loaded(&format!("{BASE}{CONTRACT}"));
    let contact = &config.ingress.as_ref().unwrap().tables[0];
    let test = |column: &str, operator, operands: &[Operand]| {
        let column = ColumnName::new(column).unwrap();
        Rule::Test(Test { column, operator, operands: operands.to_vec() })
    };
    let any = [
        test("emailaddress1", Operator::NotNull, &[]),
        test("birthdate", Operator::Lt, &[Operand::Text("2000-01-01".into())]),
        test(
            "new_kind",
            Operator::In,
            &[
                Operand::Text("a".into()),
                Operand::Integer(2),
                Operand::Float(0.5),
                Operand::Bool(true),
            ],
        ),
    ];
    let all = vec![
        test("statecode", Operator::Eq, &[Operand::Integer(0)]),
        Rule::Group(Group { all: false, rules: any.to_vec() }),
    ];
    assert_eq!(
        contact.filter,
        Some(Filter { delete_filtered_out: false, group: Group { all: true, rules: all } })
    );
}

#[test]
fn http_is_accepted_for_loopback_addresses() {
    for url in
        ["http://localhost:8700", "http://127.0.0.1:8700/", "http://127.1.2.3", "http://[::1]:1"]
    {
        loaded(&with("https://contoso.crm4.dynamics.com", url));
        loaded(&with("https://mc.adobe.io/contoso", &format!("{url}/contoso/")));
    }
}

#[test]
fn trailing_slashes_of_base_urls_are_dropped() {
    let config = loaded(&with("https://mc.adobe.io/contoso", "https://mc.adobe.io/contoso/"));
    assert_eq!(config.campaign.url.0.as_str(), "https://mc.adobe.io/contoso");
}

#[test]
fn a_certificate_and_a_password_are_accepted_in_place_of_a_secret() {
    let secret = "client_secret = { env = \"DYNAMICS_SECRET\" }";
    let config = loaded(&with(secret, "certificate = { file = \"/etc/cdsync/a.pem\" }"));
    assert_eq!(
        config.dynamics.credential,
        DynamicsCredential::Certificate(SecretSource::File("/etc/cdsync/a.pem".into()))
    );
    let config = loaded(&with(secret, "username = \"a@b.c\"\npassword = { env = \"P\" }"));
    assert_eq!(config.dynamics.credential, DynamicsCredential::Public);
    assert_eq!(config.dynamics.user.unwrap().username, "a@b.c");
}

#[test]
fn the_annotated_example_loads_and_so_does_every_line_it_comments_out() {
    let text = annotated(&Example::default());
    loaded(&text);
    for key in [
        "authority_url",
        "max_in_flight",
        "requests_per_5_minutes",
        "requests_per_day",
        "scopes",
        "ims_url",
        "requests_per_second",
        "read_back",
        "time_zone",
        "tracking",
        "picklists",
        "language",
    ] {
        let commented = format!("\n# {key} = ");
        assert!(text.contains(&commented), "{key}");
        loaded(&text.replace(&commented, &format!("\n{key} = ")));
    }
    let filter = text
        .replace("# filter = {", "filter = {")
        .replace("#   { column", "   { column")
        .replace("# ] }", "] }");
    assert!(loaded(&filter).ingress.unwrap().tables[0].filter.is_some());
    let (before, reconcile) = text.split_once("# [reconcile]").unwrap();
    let reconcile = reconcile.split("\n# [").next().unwrap();
    let keys = reconcile.lines().filter_map(|line| line.strip_prefix("#   "));
    let keys: Vec<&str> = keys.map(|line| line.split("  ").next().unwrap()).collect();
    let text = format!("{before}[reconcile]\n{}\n", keys.join("\n"));
    assert_eq!(loaded(&text).reconcile.unwrap().calls_per_run, 200);
}

#[test]
fn a_table_written_from_metadata_loads_as_it_was_meant() {
    let table = TableName::new("new_vehicle").unwrap();
    let resource = ResourceName::new("cusVehicle").unwrap();
    let key = guess_key(&ColumnName::new("new_vehicleid").unwrap(), &resource).unwrap();
    let pairs = [(ColumnName::new("new_name").unwrap(), FieldName::new("cusName").unwrap())];
    let example = Example {
        dynamics_url: "http://127.0.0.1:8700".into(),
        authority_url: Some("http://127.0.0.1:8701".into()),
        dynamics_secret: SecretSource::File("/tmp/odd \"name\"\\".into()),
        tables: vec![table_block(&table, &resource, &key, &pairs)],
        ..Example::default()
    };
    let config = loaded(&annotated(&example));
    let table = &config.ingress.as_ref().unwrap().tables[0];
    assert_eq!(table.key, key);
    assert_eq!(table.fields[0].from, pairs[0].0);
    assert_eq!(config.dynamics.authority.0.as_str(), "http://127.0.0.1:8701/");
    assert_eq!(config.dynamics.credential, DynamicsCredential::Secret(example.dynamics_secret));
    let id = ColumnName::new("contactid").unwrap();
    let key = guess_key(&id, &ResourceName::new("profile").unwrap()).unwrap();
    assert_eq!(key.from.unwrap().as_str(), "contactid");
    assert_eq!(
        key.lookup,
        Lookup::Filter { filter: "byExternalId".into(), parameter: "externalId_parameter".into() }
    );
}

#[test]
fn the_next_five_runs_are_told_for_each_schedule() {
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    let runs = next_runs(&loaded(&format!("{BASE}{CONTRACT}")), now);
    let (name, times) = &runs[0];
    assert_eq!((runs.len(), *name, times.len()), (1, "ingress", 5));
    assert_eq!(times[4].timestamp().to_string(), "2026-11-21T10:01:15Z");
    let nightly = "[reconcile]\nschedule = \"0 0 3 * * *\"\n";
    let runs = next_runs(&loaded(&format!("{BASE}{TABLE}{nightly}")), now);
    assert_eq!((runs.len(), runs[0].0), (1, "reconcile"));
    assert_eq!(runs[0].1[0].timestamp().to_string(), "2026-11-22T03:00:00Z");
    assert!(next_runs(&loaded(&format!("{BASE}{TABLE}")), now).is_empty());
}

#[test]
fn a_comparison_by_schedule_reports_only_unless_it_may_repair() {
    let with = |text: &str| {
        loaded(&format!("{BASE}{TABLE}[reconcile]\nschedule = \"0 0 3 * * *\"\n{text}"))
            .reconcile
            .unwrap()
    };
    let plain = with("");
    assert_eq!((plain.calls_per_run, plain.repair), (200, false));
    assert_eq!(plain.time_zone, TimeZone::UTC);
    let full = with("time_zone = \"Europe/Berlin\"\ncalls_per_run = 5000\nrepair = true");
    assert_eq!((full.calls_per_run, full.repair), (5000, true));
    assert_eq!(full.time_zone.iana_name(), Some("Europe/Berlin"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_remedy() {
    let error = read(Path::new("/nonexistent/cdsync.toml")).unwrap_err().to_string();
    assert!(error.contains("`/nonexistent/cdsync.toml`") && error.contains("--config"), "{error}");
    assert!(matches!(read(Path::new("/")), Err(ReadError::Unreadable { .. })));
}

#[test]
fn a_budget_of_a_day_has_a_share_for_opt_outs() {
    let config = loaded(&with("[campaign]", "requests_per_day = 500000\n[campaign]"));
    let budget = config.dynamics.per_day.unwrap();
    assert_eq!((budget.requests, budget.optout_share), (500_000, 10));
    assert_eq!(config.campaign.per_day, None);
    let both = "[campaign]\nrequests_per_day = 7\noptout_share = 90";
    let config = loaded(&with("[campaign]", both));
    assert_eq!(config.campaign.per_day.unwrap().optout_share, 90);
}

#[test]
fn runs_may_be_spread() {
    let plain = loaded(&format!("{BASE}{TABLE}"));
    assert_eq!(plain.daemon.jitter, Duration::ZERO);
    let spread = loaded(&with("[campaign]", "[daemon]\njitter = \"2s\"\n[campaign]"));
    assert_eq!(spread.daemon.jitter, Duration::from_secs(2));
}
