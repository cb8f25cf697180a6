//! Total, repeatable, exact: for any values at all.

use proptest::prelude::*;

use super::{
    apply_one, column_name, converts, decimal, field, mapping, resource, row, source_types, table,
    target_types,
};
use crate::mapping::forms;
use crate::mapping::matrix::check;
use crate::mapping::spec::Replacement;
use crate::mapping::{Applied, MappedField, canonical, compile, resolve_empty};
use crate::model::{Decimal, FieldType, TargetValue, Value};

/// Every allowed pair of a column and a field.
fn pairs() -> Vec<(&'static str, &'static str)> {
    let all = source_types().into_iter().flat_map(|(source, from)| {
        let targets = target_types().into_iter().filter(move |(_, to)| check(&from, to).is_ok());
        targets.map(move |(target, _)| (source, target))
    });
    all.collect()
}

pub(super) fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        (-3_i64..12).prop_map(Value::Integer),
        "-?[0-9]{1,12}\\.[0-9]{1,10}".prop_map(|it| Value::Decimal(decimal(&it))),
        any::<f64>().prop_map(Value::Double),
        any::<String>().prop_map(Value::Text),
        "(true|Male|2024-05-06|1e[0-9-]{1,12}|[0-9:TZ+.-]{0,30})".prop_map(Value::Text),
        (-1_i64..11).prop_map(Value::Choice),
        prop::collection::vec(0_i64..11, 0..4).prop_map(Value::MultiChoice),
        (jiff::Timestamp::MIN.as_second()..=jiff::Timestamp::MAX.as_second())
            .prop_map(|it| Value::Instant(jiff::Timestamp::from_second(it).unwrap())),
        (-9999_i16..=9999, 1_i8..=12, 1_i8..=28, 0_i8..24)
            .prop_map(|(y, m, d, h)| Value::Civil(jiff::civil::date(y, m, d).at(h, 59, 59, 1))),
        (-9999_i16..=9999, 1_i8..=12, 1_i8..=28)
            .prop_map(|(y, m, d)| Value::Date(jiff::civil::date(y, m, d))),
        any::<u128>().prop_map(|it| Value::Guid(uuid::Uuid::from_u128(it))),
        Just(Value::Unreadable("something else")),
    ]
}

/// Every allowed pair as one field each, over a resource that has a field per pair.
fn everything() -> crate::mapping::Compiled {
    let mut resource = resource();
    let mut fields = Vec::new();
    for (source, source_type) in source_types() {
        for (target, target_type) in target_types() {
            if check(&source_type, &target_type).is_ok() {
                let name = format!("{source}_{target}");
                let mut to = resource.fields.get(target).unwrap().clone();
                to.name = super::field_name(&name);
                resource.fields.insert(to.name.clone(), to);
                fields.push(field(source, &name));
            }
        }
    }
    compile(&mapping(fields), &table(), &resource).unwrap()
}

#[test]
fn a_number_is_refused_if_its_written_form_would_be() {
    for (text, fits) in [("1e399", true), ("1e400", false), ("5e-399", true), ("+.5E-400", false)] {
        let number = Decimal::parse(text);
        assert_eq!(number.is_ok(), fits, "{text}");
        assert!(number.is_err() || Decimal::parse(number.as_ref().unwrap().as_str()) == number);
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_the_same_row_gives_the_same_record(value in any_value()) {
        let compiled = everything();
        for (source, _) in source_types() {
            let row = row(&[(source, value.clone())]);
            let applied = compiled.apply(&row);
            // NaN never equals itself, but it never arrives either.
            prop_assert_eq!(&applied, &compiled.apply(&row));
            if let Applied::Record(record) = applied {
                prop_assert_eq!(record.fields.len(), compiled.fields().len());
                for (field, mapped) in compiled.fields().iter().zip(record.fields) {
                    if let MappedField::Send(target) = mapped {
                        canonical(&target, &field.kind);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_sent_maps_to_itself_and_counts_as_the_same(
        value in any_value(), (source, target) in prop::sample::select(pairs()),
    ) {
        let kind = resource().fields.get(target).unwrap().kind.clone();
        let Ok(MappedField::Send(first)) = apply_one(field(source, target), value) else {
            return Ok(());
        };
        // The value that a field holds, taken as a text column's, is that value
        // again; but for years before 0, which no text column may tell.
        let text = forms::written(&first);
        let ancient = matches!(first, TargetValue::Date(_) | TargetValue::Instant(_))
            && text.starts_with('-');
        if !ancient {
            let again = apply_one(field("text", target), Value::Text(text));
            let Ok(MappedField::Send(again)) = again else {
                panic!("{source} to {target}: {first:?} is not taken again: {again:?}")
            };
            prop_assert_eq!(canonical(&again, &kind), canonical(&first, &kind));
        }
    }

    #[test]
    fn an_unset_field_counts_as_its_empty_form(value in any_value()) {
        for (_, kind) in target_types() {
            let empty = canonical(&resolve_empty(&kind), &kind);
            prop_assert_eq!(&canonical(&TargetValue::Empty, &kind), &empty);
            prop_assert_eq!(&canonical(&TargetValue::Text(String::new()), &kind), &empty);
        }
        let sent = apply_one(field("text", "text"), value);
        if let Ok(MappedField::Send(sent)) = sent {
            let kind = FieldType::Text { max_length: Some(50) };
            let is_empty = canonical(&sent, &kind).is_empty();
            prop_assert_eq!(is_empty, forms::written(&sent).is_empty());
        }
    }

    #[test]
    fn a_replacement_takes_the_place_of_its_value_and_of_no_other(
        pairs in prop::collection::btree_map("[a-c]{1,3}", "[x-z]{1,3}", 0..6),
        text in "[a-cx-z]{1,3}",
    ) {
        let mut field = field("text", "text");
        let replacement = |(value, with): (&String, &String)| {
            Replacement { value: value.clone(), with: with.clone() }
        };
        field.replace = pairs.iter().map(replacement).collect();
        let sent = converts(field, Value::Text(text.clone()));
        let expected = pairs.get(&text).unwrap_or(&text).clone();
        prop_assert_eq!(sent, TargetValue::Text(expected));
    }

    #[test]
    fn decimals_are_ordered_in_one_way_only(
        all in prop::collection::vec("-?[0-9]{1,9}(\\.[0-9]{1,6})?(e-?[0-9]{1,2})?", 3),
    ) {
        let all: Vec<Decimal> = all.iter().map(|it| decimal(it)).collect();
        let [a, b, c] = &all[..] else { unreachable!() };
        prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
        prop_assert!(a > b || b > c || a <= c);
        prop_assert_eq!(a == b, a.cmp(b).is_eq());
        prop_assert_eq!(&Decimal::parse(a.as_str()).unwrap(), a);
    }

    #[test]
    fn decimals_lose_no_digit(digits in "-?[1-9][0-9]{0,30}\\.[0-9]{0,20}[1-9]") {
        let spec = mapping(vec![field("decimal", "double"), field("decimal", "text")]);
        let mut resource = resource();
        if let Some(it) = resource.fields.get_mut("text") {
            it.kind = FieldType::Text { max_length: Some(100) };
        }
        let compiled = compile(&spec, &table(), &resource).unwrap();
        let applied = compiled.apply(&row(&[("decimal", Value::Decimal(decimal(&digits)))]));
        let Applied::Record(record) = applied else { panic!("{applied:?}") };
        let expected = [
            MappedField::Send(TargetValue::Number(Decimal::parse(&digits).unwrap())),
            MappedField::Send(TargetValue::Text(digits)),
        ];
        prop_assert_eq!(record.fields.get(1..).unwrap(), &expected[..]);
    }

    #[test]
    fn decimals_order_as_numbers(left in -10_000_i64..10_000, right in -10_000_i64..10_000) {
        let scaled = |it: i64| decimal(&format!("{it}e-2"));
        prop_assert_eq!(scaled(left).cmp(&scaled(right)), left.cmp(&right));
    }

    #[test]
    fn doubles_read_back_as_they_were(number in any::<f64>()) {
        prop_assume!(number.is_finite());
        let text = Decimal::from_f64(number).unwrap().to_string();
        let back: f64 = text.parse().unwrap();
        prop_assert_eq!(back.to_bits() << u64::from(number == 0.0), number.to_bits() << u64::from(number == 0.0));
    }

    #[test]
    fn no_failure_shows_the_text_that_failed(secret in "[a-z]{7,9}[0-9]{40,60}") {
        let compiled = everything();
        let applied = compiled.apply(&row(&[("text", Value::Text(secret.clone()))]));
        let Applied::Failed(failures) = applied else { panic!("it cannot fit") };
        for failure in failures {
            prop_assert!(!failure.reason.contains(&secret));
            prop_assert_eq!(&failure.column, &column_name("text"));
        }
    }
}
