//! Tests of the small types: what they read, what they write, what they refuse.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::record::RecordIdError;
use super::value::DecimalError;
use super::*;

#[test]
fn names_are_identifiers_and_nothing_that_breaks_out_of_an_address() {
    let long = "a".repeat(128);
    for name in ["a", "_", "_a1", "cusCrmId", "new_9", &long] {
        let table = TableName::new(name).unwrap();
        assert_eq!((table.as_str(), table.to_string().as_str()), (name, name));
        assert_eq!(Borrow::<str>::borrow(&FieldName::new(name).unwrap()), name);
    }
    let too_long = "a".repeat(129);
    for name in ["", "1a", "-", "a-b", "a b", "a/b", "é", "aé", "a?", &too_long] {
        let error = ColumnName::new(name).unwrap_err().to_string();
        let shown: String = name.chars().take(64).collect();
        assert!(error.starts_with(&format!("`{shown}` is not a name")), "{error}");
    }
    assert_eq!(TableName::contact().as_str(), "contact");
}

#[test]
fn flows_runs_and_kinds_of_events_have_one_name_each() {
    let names = Flow::ALL.map(|flow| flow.to_string());
    assert_eq!(names, ["ingress", "egress", "optout"]);
    assert_eq!(names.map(|name| Flow::parse(&name)), Flow::ALL.map(Some));
    assert_eq!(Flow::parse("reconcile"), None);
    assert_eq!(RunId(7).to_string(), "7");
    let names = EventKind::ALL.map(|kind| kind.to_string());
    assert_eq!(names, ["send", "open", "click", "bounce"]);
    assert_eq!(names.map(|name| EventKind::parse(&name)), EventKind::ALL.map(Some));
    assert_eq!(EventKind::parse("Send"), None);
    let roots =
        [ApiRoot::ProfileAndServices, ApiRoot::ProfileAndServicesExt, ApiRoot::CustomResources];
    let paths = roots.map(ApiRoot::as_str);
    assert_eq!(paths, ["profileAndServices", "profileAndServicesExt", "customResources"]);
    assert_eq!(Pattern::new("a*.csv").unwrap().as_str(), "a*.csv");
}

#[test]
fn a_record_has_one_id_however_it_is_written() {
    let written = "2e451703-c286-e711-80ef-00155db19e6d";
    let id = RecordId::parse(written).unwrap();
    for other in [
        "2E451703-C286-E711-80EF-00155DB19E6D",
        "{2e451703-c286-e711-80ef-00155db19e6d}",
        " 2e451703c286e71180ef00155db19e6d ",
    ] {
        assert_eq!(RecordId::parse(other), Ok(id));
    }
    assert_eq!(id.to_string(), written);
    assert_eq!(RecordId::from_bytes(*id.as_bytes()), id);
    assert_eq!((id.as_bytes()[0], id.as_bytes()[15]), (0x2e, 0x6d));
    assert_eq!(RecordId::from(uuid::Uuid::from(id)), id);
    for text in ["", "me", "2e451703-c286-e711-80ef-00155db19e6"] {
        assert_eq!(RecordId::parse(text), Err(RecordIdError), "{text}");
    }
    let row = SourceRow { id, version: None, columns: BTreeMap::new(), points_to: BTreeMap::new() };
    assert_eq!((Change::Upsert(row).id(), Change::Delete(id).id()), (id, id));
}

#[test]
fn a_choice_has_the_label_of_the_language_or_else_of_who_asks() {
    let label = |language, text: &str| Label { language, text: text.to_owned() };
    let choice = |value, user: Option<&str>| Choice {
        value,
        labels: vec![label(1033, "Yes"), label(1031, "Ja")],
        user_label: user.map(str::to_owned),
    };
    let choices = Choices(vec![choice(1, None), choice(2, Some("Oui"))]);
    let labels = |value| [1033, 1031, 1036].map(|it| choices.get(value).unwrap().label(it));
    assert_eq!(labels(1), [Some("Yes"), Some("Ja"), None]);
    assert_eq!(labels(2), [Some("Yes"), Some("Ja"), Some("Oui")]);
    assert!(choices.get(3).is_none());
}

#[test]
fn a_lookup_is_asked_for_under_another_name() {
    let column = |kind| Column { name: ColumnName::new("ownerid").unwrap(), kind, readable: true };
    assert_eq!(column(ColumnType::Guid).wire_name(), "ownerid");
    assert_eq!(column(ColumnType::Lookup { targets: vec![] }).wire_name(), "_ownerid_value");
}

#[test]
fn a_decimal_is_written_in_one_way_without_losing_a_digit() {
    for (text, written) in [
        ("0", "0"),
        ("-0.00", "0"),
        ("+5", "5"),
        ("0012.3400", "12.34"),
        ("-1.50", "-1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("12e1", "120"),
        ("1E-3", "0.001"),
        ("5e-1", "0.5"),
        ("123.456e2", "12345.6"),
        ("123.456e-2", "1.23456"),
        ("123.456e3", "123456"),
        ("-123.456e-5", "-0.00123456"),
        ("0e400", "0"),
        ("0e-400", "0"),
    ] {
        let decimal = Decimal::parse(text).unwrap();
        assert_eq!((decimal.as_str(), decimal.to_string().as_str()), (written, written), "{text}");
    }
    let digits = |count: usize| "1".repeat(count);
    let zeros = |count: usize| "0".repeat(count);
    assert!(Decimal::parse(&digits(400)).is_ok() && Decimal::parse(&zeros(400)).is_ok());
    assert_eq!(Decimal::parse("1e399").unwrap().as_str(), format!("1{}", zeros(399)));
    assert_eq!(Decimal::parse("1e-399").unwrap().as_str(), format!("0.{}1", zeros(398)));
    let (long, long_zero) = (digits(401), zeros(401));
    for text in [
        "",
        "-",
        ".",
        "e5",
        "1e",
        "1e1.5",
        "1,5",
        "0x1",
        "--1",
        "1-",
        "NaN",
        "1 ",
        "1e400",
        "1e-400",
        "0e401",
        "0e-401",
        "1e99999999999",
        &long,
        &long_zero,
    ] {
        assert_eq!(Decimal::parse(text), Err(DecimalError), "{text}");
    }
    assert_eq!(Decimal::from_f64(f64::INFINITY), None);
    assert_eq!(Decimal::from_f64(-2.5e-7).unwrap().as_str(), "-0.00000025");
    assert_eq!(Decimal::from(-7).as_str(), "-7");
    assert_eq!(Decimal::parse("7.00").unwrap().to_i64(), Some(7));
    assert_eq!(Decimal::parse("7.5").unwrap().to_i64(), None);
    assert_eq!(Decimal::parse("9223372036854775808").unwrap().to_i64(), None);
}

#[test]
fn decimals_are_ordered_by_size() {
    let rising = ["-10", "-9.5", "-9", "-0.5", "0", "0.05", "0.5", "0.51", "9", "9.5", "10", "100"];
    let rising = rising.map(|text| Decimal::parse(text).unwrap());
    for (at, one) in rising.iter().enumerate() {
        for (other_at, other) in rising.iter().enumerate() {
            assert_eq!(one.cmp(other), at.cmp(&other_at), "{one} {other}");
            assert_eq!(one.partial_cmp(other), Some(at.cmp(&other_at)), "{one} {other}");
        }
    }
}

#[test]
fn a_tally_counts_each_thing_by_itself_and_is_shared() {
    let tally = Tally::default();
    assert_eq!(tally.get(), TallyDelta::default());
    let one =
        TallyDelta { read: 1, written: 2, unchanged: 3, filtered: 4, deleted: 5, dead_lettered: 6 };
    tally.clone().add(one);
    assert_eq!(tally.get(), one);
    tally.add(TallyDelta { written: 40, ..TallyDelta::default() });
    assert_eq!(tally.get(), TallyDelta { written: 42, ..one });
}

#[tokio::test]
async fn a_wish_to_end_is_seen_by_all_and_stays() {
    let stop = Stop::default();
    let (other, seen) = (stop.clone(), stop.seen());
    assert!(!stop.is_requested() && !*seen.borrow());
    let waiting = tokio::spawn(async move { other.requested().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    stop.request();
    waiting.await.unwrap();
    stop.requested().await;
    assert!(stop.is_requested() && *seen.borrow() && *stop.seen().borrow());
}
