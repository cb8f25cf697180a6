//! Replacements, checked and converted once: what is looked for can occur, and
//! what takes its place fits the field.
//!
//! Knows no rows; `apply` looks values up in the map built here.

use std::collections::BTreeMap;

use crate::mapping::convert::Conversion;
use crate::mapping::dates::{self, Moment};
use crate::mapping::forms::{entry_names, parse_number, written};
use crate::mapping::problem::{Place, Problem, listed, nearest};
use crate::mapping::spec::Replacement;
use crate::model::{
    Choices, ColumnType, DateTimeBehavior, FieldType, RecordId, TargetValue, Value,
};

/// The replacements by the text that a value would send, in the form that
/// [`Conversion::shown`] writes.
pub(super) fn compile(
    replacements: &[Replacement],
    conversion: &Conversion,
    place: &Place,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, TargetValue> {
    let mut compiled = BTreeMap::new();
    let mut problem = |text: String, hint: String| {
        problems.push(Problem::new(place, "replace", text, hint));
    };
    for Replacement { value, with } in replacements {
        let shown = normal(value, conversion);
        let target = conversion.read_text(with);
        if let Err(hint) = &shown {
            problem(format!("the column never sends `{value}`"), hint.clone());
        }
        if let Err(reason) = &target {
            let text = format!("the replacement `{with}` does not fit the field: {reason}");
            problem(text, with_hint(&conversion.target));
        }
        if let (Ok(shown), Ok(target)) = (shown, target)
            && compiled.insert(shown, target).is_some()
        {
            problem(format!("`{value}` is replaced twice"), "keep one of the two".to_owned());
        }
    }
    compiled
}

fn with_hint(target: &FieldType) -> String {
    if let FieldType::Enumeration(values) = target {
        format!("the field's values are {}", listed(entry_names(values)))
    } else {
        String::new()
    }
}

/// The form in which the column sends `value`, or a hint if it never does.
fn normal(value: &str, conversion: &Conversion) -> Result<String, String> {
    match &conversion.source.kind {
        ColumnType::Text { max_length } => {
            let length = value.chars().count();
            let longest = max_length.and_then(|it| usize::try_from(it).ok());
            match longest {
                Some(longest) if length > longest => {
                    Err(format!("its texts have at most {longest} characters"))
                }
                Some(_) | None => Ok(value.to_owned()),
            }
        }
        ColumnType::Integer => match parse_number(value) {
            Ok(number) if number.to_i64().is_some() => Ok(number.to_string()),
            Ok(_) | Err(_) => Err("it sends whole numbers".to_owned()),
        },
        ColumnType::Decimal | ColumnType::Double => parse_number(value)
            .map(|number| number.to_string())
            .map_err(|_| "it sends numbers".to_owned()),
        ColumnType::Boolean(choices) if conversion.labels => {
            label(value, choices, conversion.language)
        }
        ColumnType::Boolean(_) if matches!(value, "true" | "false") => Ok(value.to_owned()),
        ColumnType::Boolean(_) => Err("it sends `true` and `false`".to_owned()),
        ColumnType::Choice(choices) if conversion.labels => {
            label(value, choices, conversion.language)
        }
        ColumnType::Choice(choices) => number(value, choices),
        ColumnType::MultiChoice(choices) if conversion.labels => {
            let labels: Result<Vec<_>, _> =
                value.split("; ").map(|part| label(part, choices, conversion.language)).collect();
            labels.map(|labels| labels.join("; "))
        }
        ColumnType::MultiChoice(choices) => {
            let numbers: Result<Vec<_>, _> =
                value.split(',').map(|part| number(part, choices)).collect();
            numbers.map(|numbers| numbers.join(","))
        }
        ColumnType::Guid | ColumnType::Lookup { .. } => RecordId::parse(value)
            .map(|id| id.to_string())
            .map_err(|_| "it sends ids like `2e451703-c286-e711-80ef-00155db19e6d`".to_owned()),
        ColumnType::DateTime(behavior) => time(value, *behavior, conversion)
            .ok_or_else(|| "it sends times like `2024-05-06` or `2024-05-06T07:08:09Z`".to_owned()),
        ColumnType::Other(_) => Err("the column cannot be mapped".to_owned()),
    }
}

fn label(value: &str, choices: &Choices, language: u32) -> Result<String, String> {
    let labels = || choices.0.iter().filter_map(|choice| choice.label(language));
    if labels().any(|label| label == value) {
        return Ok(value.to_owned());
    }
    let all = format!("its labels are {}", listed(labels()));
    Err(nearest(value, labels())
        .map_or_else(|| all.clone(), |label| format!("did you mean `{label}`? {all}")))
}

fn number(value: &str, choices: &Choices) -> Result<String, String> {
    let values: Vec<String> = choices.0.iter().map(|choice| choice.value.to_string()).collect();
    if values.iter().any(|it| it == value) {
        Ok(value.to_owned())
    } else {
        let all = listed(values.iter().map(String::as_str));
        Err(format!("with `picklists = \"value\"` it sends {all}"))
    }
}

/// What is sent for a time: of the field's type for date and datetime fields,
/// else of the column's own.
fn time(value: &str, behavior: DateTimeBehavior, conversion: &Conversion) -> Option<String> {
    if matches!(conversion.target, FieldType::Date | FieldType::DateTime) {
        return conversion.read_text(value).ok().map(|target| written(&target));
    }
    let own = match (behavior, dates::read(value)?) {
        (DateTimeBehavior::UserLocal, Moment::Instant(instant, _)) => Value::Instant(instant),
        (DateTimeBehavior::TimeZoneIndependent, Moment::Wall(wall)) => Value::Civil(wall),
        (DateTimeBehavior::DateOnly, Moment::Date(date)) => Value::Date(date),
        (
            DateTimeBehavior::UserLocal
            | DateTimeBehavior::TimeZoneIndependent
            | DateTimeBehavior::DateOnly,
            Moment::Instant(..) | Moment::Wall(_) | Moment::Date(_),
        ) => return None,
    };
    conversion.shown(&own).ok().map(std::borrow::Cow::into_owned)
}
