//! What rows and records say of a flag.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::consent::{BoundPair, FlagPair, modified};
use crate::model::{ColumnName, FieldName, RecordId, RowVersion, SourceRow, TargetValue, Value};

fn pair(null_is_false: bool) -> BoundPair {
    let name = |text| FieldName::new(text).unwrap();
    let column = ColumnName::new("donotbulkemail").unwrap();
    BoundPair {
        pair: FlagPair { column, flag: name("blackListEmail"), inverted: false, null_is_false },
        wire: name("denyListEmail"),
        stamp: Some(name("denyListEmailLastModified")),
    }
}

fn row(columns: &[(&str, Value)]) -> SourceRow {
    let named = columns.iter().map(|(name, value)| (ColumnName::new(name).unwrap(), value.clone()));
    SourceRow {
        id: RecordId::from_bytes([7; 16]),
        version: Some(RowVersion(3)),
        columns: named.collect(),
        points_to: BTreeMap::new(),
    }
}

fn at() -> Timestamp {
    "2024-05-06T07:08:09Z".parse().unwrap()
}

#[test]
fn a_row_says_yes_no_or_nothing() {
    for (null_is_false, value, says, holds) in [
        (false, Some(Value::Bool(true)), Some(true), Some(true)),
        (false, Some(Value::Bool(false)), Some(false), Some(false)),
        (false, Some(Value::Null), None, None),
        (true, Some(Value::Null), Some(false), None),
        (true, None, None, None),
        (true, Some(Value::Unreadable("a boolean")), None, None),
        (true, Some(Value::Text("true".into())), None, None),
    ] {
        let row = row(&value.map(|it| vec![("donotbulkemail", it)]).unwrap_or_default());
        assert_eq!(pair(null_is_false).opted_out(&row), says, "{row:?}");
        assert_eq!(pair(null_is_false).column_value(&row), holds, "{row:?}");
        let side = pair(null_is_false).dynamics_side(&row);
        assert_eq!(side.map(|side| side.opted_out), says, "{row:?}");
    }
}

#[test]
fn a_side_has_the_time_and_the_version_of_its_row() {
    let no = ("donotbulkemail", Value::Bool(true));
    let timed = row(&[no.clone(), ("modifiedon", Value::Instant(at()))]);
    let side = pair(false).dynamics_side(&timed).unwrap();
    assert_eq!((side.modified, side.version), (Some(at()), Some(RowVersion(3))));
    assert_eq!(BoundPair::silent(&timed, false).modified, Some(at()));
    for unreadable in [row(std::slice::from_ref(&no)), row(&[no, ("modifiedon", Value::Null)])] {
        assert_eq!(modified(&unreadable), None);
        assert_eq!(pair(false).dynamics_side(&unreadable).unwrap().modified, None);
    }
}

#[test]
fn a_profile_that_does_not_show_a_flag_has_it_unset_and_what_cannot_be_read_is_a_no() {
    let side = |fields: &[(&str, TargetValue)]| {
        let named = fields.iter().map(|(name, it)| (FieldName::new(name).unwrap(), it.clone()));
        let side = pair(false).campaign_side(&named.collect());
        (side.opted_out, side.stamp)
    };
    let (flag, stamp) = ("denyListEmail", "denyListEmailLastModified");
    assert_eq!(side(&[]), (false, None));
    assert_eq!(side(&[(flag, TargetValue::Empty)]), (false, None));
    assert_eq!(side(&[(flag, TargetValue::Text("no".into()))]), (true, None));
    let set = (flag, TargetValue::Bool(true));
    assert_eq!(side(&[set.clone(), (stamp, TargetValue::Instant(at()))]), (true, Some(at())));
    assert_eq!(side(&[set, (stamp, TargetValue::Empty)]), (true, None));
    let names: Vec<_> = pair(false).fields().map(ToString::to_string).collect();
    assert_eq!(names, [flag, stamp]);
}
