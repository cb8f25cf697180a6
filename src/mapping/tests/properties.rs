//! Total, repeatable, exact: for any values at all.

use proptest::prelude::*;

use super::{
    column_name, decimal, field, mapping, resource, row, source_types, table, target_types,
};
use crate::mapping::matrix::check;
use crate::mapping::{Applied, MappedField, canonical, compile};
use crate::model::{Decimal, TargetValue, Value};

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
    fn decimals_lose_no_digit(digits in "-?[1-9][0-9]{0,30}\\.[0-9]{0,20}[1-9]") {
        let spec = mapping(vec![field("decimal", "double"), field("decimal", "text")]);
        let mut resource = resource();
        if let Some(it) = resource.fields.get_mut("text") {
            it.kind = crate::model::FieldType::Text { max_length: Some(100) };
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
