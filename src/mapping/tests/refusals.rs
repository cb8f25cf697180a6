//! What compilation refuses, where, and with which hint.

use super::{column_name, field, field_name, mapping, problems, resource, table};
use crate::mapping::spec::{FieldMapping, OnTooLong, Picklists, TableMapping};
use crate::mapping::{Place, compile};
use crate::model::ResourceName;

fn with(from: &str, to: &str, change: impl FnOnce(&mut FieldMapping)) -> TableMapping {
    let mut it = field(from, to);
    change(&mut it);
    mapping(vec![it])
}

#[test]
fn each_mistake_is_named_with_a_hint() {
    let cases: Vec<(TableMapping, &str, &str)> = vec![
        (
            with("emailadress1", "text", |_| {}),
            "`contact` has no column `emailadress1`",
            "did you mean `emailaddress1`?",
        ),
        (
            with("nothing_like_it", "text", |_| {}),
            "`contact` has no column `nothing_like_it`",
            "`cdsync tables contact` lists its columns",
        ),
        (with("text", "shrt", |_| {}), "`profile` has no field `shrt`", "did you mean `short`?"),
        (
            with("secret", "text", |_| {}),
            "the column `secret` cannot be read",
            "map another column (`IsValidForRead` is false)",
        ),
        (
            with("whole", "age", |_| {}),
            "the field `age` is read-only: Campaign sets it",
            "map to a custom field (`cus…`) instead",
        ),
        (
            with("lookup", "link", |_| {}),
            "a field of type link cannot be mapped",
            "links are written through `links`, not through `fields`",
        ),
        (
            with("guid", "short", |_| {}),
            "an id has 36 characters, the field takes 5",
            "lengthen the field in Campaign",
        ),
        (
            with("whole", "int8", |it| it.on_too_long = OnTooLong::Cut),
            "only text can be cut; the field is of type integer (8 bit)",
            "leave `on_too_long` out",
        ),
        (
            with("text", "text", |it| it.picklists = Some(Picklists::Value)),
            "a text column has no labels",
            "leave `picklists` out",
        ),
        (
            with("text", "text", |it| it.time_zone = Some(jiff::tz::TimeZone::UTC)),
            "neither the column nor the field is a date or a date-time",
            "leave `time_zone` out",
        ),
        (
            with("text", "externalId", |_| {}),
            "the field `externalId` is already filled from the key",
            "each Campaign field takes one column: keep one of the two",
        ),
    ];
    for (spec, text, hint) in cases {
        let found = problems(&spec);
        let first = found.first().unwrap();
        assert_eq!((first.text.as_str(), first.hint.as_str()), (text, hint));
        assert_eq!(first.place, Place::Field(0));
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_mapping() {
    let mut spec = mapping(vec![
        field("text", "text"),
        field("nope_nope", "short"),
        field("emailaddress1", "text"),
        field("virtual", "nowhere_at_all"),
    ]);
    spec.campaign = ResourceName::new("other").unwrap();
    spec.key.from = Some(column_name("double"));
    spec.key.to = field_name("bool");
    let places: Vec<_> = problems(&spec).into_iter().map(|it| (it.place, it.part)).collect();
    assert_eq!(
        places,
        [
            (Place::Table, Some("campaign")),
            (Place::Key, Some("from")),
            (Place::Key, Some("to")),
            (Place::Field(1), Some("from")),
            (Place::Field(3), Some("from")),
            (Place::Field(3), Some("to")),
            (Place::Field(2), Some("to")),
        ]
    );
}

#[test]
fn deny_list_and_black_list_are_one_name_and_the_metadata_decides() {
    let spec = mapping(vec![field("bool", "denyListEmail"), field("bool", "blackListPhone")]);
    let compiled = compile(&spec, &table(), &resource()).unwrap();
    let names: Vec<_> = compiled.fields().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["externalId", "blackListEmail", "denyListPhone"]);

    let twice = mapping(vec![field("bool", "denyListEmail"), field("bool", "blackListEmail")]);
    let found = problems(&twice);
    assert_eq!(
        found.first().unwrap().text,
        "the field `blackListEmail` is already filled from `bool`"
    );
}

#[test]
fn one_column_may_fill_several_fields() {
    let spec = mapping(vec![field("text", "text"), field("text", "short")]);
    assert!(compile(&spec, &table(), &resource()).is_ok());
}

#[test]
fn updates_reach_the_compiled_field() {
    let spec = with("text", "text", |it| it.updates = false);
    let compiled = compile(&spec, &table(), &resource()).unwrap();
    let flags: Vec<_> = compiled.fields().iter().map(|it| it.updates).collect();
    assert_eq!(flags, [true, false]);
}
