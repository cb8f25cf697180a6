//! What compilation refuses, where, and with which hint.

use super::{column_name, field, field_name, mapping, options, problems, resource, table};
use crate::mapping::spec::{
    FieldMapping, Filter, Group, Key, LinkMapping, MissingParent, OnTooLong, Operator, Picklists,
    Rule, TableMapping, Test,
};
use crate::mapping::{Place, compile};
use crate::model::{ColumnType, FieldType, ResourceName, TableName};

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
fn an_id_fits_a_field_of_36_characters_and_labels_are_needed_both() {
    let mut resource = resource();
    for (length, refused) in [(35, true), (36, false)] {
        resource.fields.get_mut("short").unwrap().kind =
            FieldType::Text { max_length: Some(length) };
        let spec = mapping(vec![field("guid", "short")]);
        assert_eq!(compile(&spec, &table(), &resource).is_err(), refused, "{length}");
    }
    let labelled = with("bool", "text", |it| it.picklists = Some(Picklists::Label));
    for (one, refused) in [((0, "No", "Nein"), true), ((1, "Yes", "Ja"), true)] {
        let mut table = table();
        table.columns.get_mut("bool").unwrap().kind = ColumnType::Boolean(options(&[one]));
        let found = compile(&labelled, &table, &super::resource());
        assert_eq!(found.is_err(), refused, "{one:?}");
    }
    assert!(compile(&labelled, &table(), &super::resource()).is_ok());
}

#[test]
fn fields_shorter_than_their_column_are_named_where_a_long_text_would_fail() {
    let narrow = |from, length, on_too_long| {
        let mut resource = resource();
        resource.fields.get_mut("short").unwrap().kind =
            FieldType::Text { max_length: Some(length) };
        let spec = with(from, "short", |it| it.on_too_long = on_too_long);
        let compiled = compile(&spec, &table(), &resource).unwrap();
        let named = compiled.narrow_fields();
        named.iter().map(|(it, column, field)| (it.name.to_string(), *column, *field)).collect()
    };
    let found: Vec<(String, u32, u32)> = narrow("text", 99, OnTooLong::Fail);
    assert_eq!(found, [("short".to_owned(), 100, 99)]);
    for (from, length, on_too_long) in [
        ("text", 100, OnTooLong::Fail),
        ("text", 101, OnTooLong::Fail),
        ("text", 99, OnTooLong::Cut),
        ("whole", 5, OnTooLong::Fail),
    ] {
        assert_eq!(narrow(from, length, on_too_long), [], "{from} {length}");
    }
}

#[test]
fn a_mapping_names_the_columns_of_its_key_fields_links_and_nested_rules() {
    let rule = |column: &str| {
        let (column, operator) = (column_name(column), Operator::Null);
        Rule::Test(Test { column, operator, operands: Vec::new() })
    };
    let inner = Group { all: false, rules: vec![rule("whole"), rule("bool")] };
    let group = Group { all: true, rules: vec![rule("choice"), Rule::Group(inner)] };
    let link = LinkMapping {
        from: column_name("lookup"),
        to: field_name("link"),
        table: TableName::new("account").unwrap(),
        resource: None,
        missing_parent: MissingParent::Wait,
    };
    let spec = TableMapping {
        links: vec![link],
        filter: Some(Filter { delete_filtered_out: false, group }),
        ..with("text", "text", |_| {})
    };
    let names: Vec<_> = spec.columns().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["bool", "choice", "contactid", "lookup", "text", "whole"]);
}

#[test]
fn a_key_is_the_same_whether_its_column_is_named_or_found() {
    let named = mapping(vec![]).key;
    let found = Key { from: None, ..named.clone() };
    assert_eq!(named.canonical(&table()), found.canonical(&table()));
    // Stores hold a digest of this text.
    insta::assert_snapshot!(found.canonical(&table()), @r#"Key { from: ColumnName("contactid"), to: FieldName("externalId"), lookup: InUri }"#);
}

#[test]
fn updates_reach_the_compiled_field() {
    let spec = with("text", "text", |it| it.updates = false);
    let compiled = compile(&spec, &table(), &resource()).unwrap();
    let flags: Vec<_> = compiled.fields().iter().map(|it| it.updates).collect();
    assert_eq!(flags, [true, false]);
}
