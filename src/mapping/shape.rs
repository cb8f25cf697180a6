//! What a compiled mapping rests on and what it can send, field by field: the
//! material for finding drift and for telling which records a change concerns.
//!
//! Knows types and rules; which of them changed is the flows' question.

use crate::mapping::affected::{Ask, Sides};
use crate::mapping::apply::{Compiled, CompiledField, MappedField};
use crate::mapping::filter::CompiledFilter;
use crate::mapping::links::CompiledLink;
use crate::mapping::matrix::{column_words, field_words};
use crate::mapping::spec::{OnNull, OnTooLong};
use crate::mapping::target::{canonical, resolve_empty};
use crate::model::{Column, ColumnType, FieldType, TargetValue, Value};

/// A type as far as it may drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// In words, without its length.
    pub(crate) words: String,
    /// Characters or bits, where there is a limit that is known.
    pub(crate) size: Option<u32>,
    /// Tables that a lookup may point to.
    pub(crate) targets: Vec<String>,
}

/// How much of what a column may hold is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// All of it: a choice or a boolean.
    Whole,
    /// Its parts: a multi-select choice.
    Parts,
    /// Nothing: the cases are those that replacements name.
    Open,
}

/// One field of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct FieldShape {
    /// What it reads.
    pub(crate) column: Kind,
    /// What it writes.
    pub(crate) field: Kind,
    /// Everything but the cases that decides what is sent, as text.
    pub(crate) rule: String,
    /// What the cases cover.
    pub(crate) domain: Domain,
    /// Case, what is sent for it (canonical bytes; none where nothing is), and
    /// what would be sent without replacements.
    pub(crate) cases: Vec<Case>,
    /// Rows whose column is not empty.
    pub(crate) filled: Ask,
    /// Whether an empty column empties the field.
    pub(crate) clears: bool,
    /// Canonical bytes of an empty field.
    pub(crate) empty: Vec<u8>,
}

/// One value that a column may hold.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Names it.
    pub(crate) name: String,
    /// Canonical bytes of what is sent; none where nothing is.
    pub(crate) sent: Option<Vec<u8>>,
    /// The same without replacements, where that is known.
    pub(crate) plain: Option<Vec<u8>>,
    /// Rows that hold it, where they can be asked for.
    pub(crate) ask: Option<Ask>,
}

impl Kind {
    fn of_column(kind: &ColumnType) -> Self {
        let size = if let ColumnType::Text { max_length } = kind { *max_length } else { None };
        let targets = match kind {
            ColumnType::Lookup { targets } => targets.clone(),
            ColumnType::Text { .. }
            | ColumnType::Integer
            | ColumnType::Decimal
            | ColumnType::Double
            | ColumnType::Boolean(_)
            | ColumnType::Choice(_)
            | ColumnType::MultiChoice(_)
            | ColumnType::DateTime(_)
            | ColumnType::Guid
            | ColumnType::Other(_) => Vec::new(),
        };
        Self { words: column_words(kind).to_owned(), size, targets }
    }

    fn of_field(kind: &FieldType) -> Self {
        let (words, size) = if let FieldType::Text { max_length } = kind {
            ("text".to_owned(), *max_length)
        } else if let FieldType::Integer { bits } = kind {
            ("integer".to_owned(), Some(u32::from(*bits)))
        } else {
            (field_words(kind), None)
        };
        Self { words, size, targets: Vec::new() }
    }
}

impl Compiled {
    /// The columns of the filter with their types.
    pub(crate) fn filter_columns(&self) -> Vec<(&Column, Kind)> {
        let columns = self.filter.iter().flat_map(|filter| &filter.columns);
        columns.map(|column| (column, Kind::of_column(&column.kind))).collect()
    }

    /// The filter as it decides, as text; none, if there is no filter.
    pub(crate) fn filter_rule(&self) -> Option<String> {
        self.filter.as_ref().map(|filter| format!("{:?}", filter.root))
    }

    /// The rows on either side of the filter.
    pub(crate) fn sides(&self) -> Sides {
        let all = Sides { passes: Ask::Always, fails: Ask::Never };
        self.filter.as_ref().map_or(all, CompiledFilter::sides)
    }
}

impl CompiledLink {
    /// Rows whose lookup points somewhere.
    pub(crate) fn filled(&self) -> Ask {
        Ask::filled(&self.source)
    }
}

impl CompiledField {
    /// What this field rests on and what it can send.
    pub(crate) fn shape(&self) -> FieldShape {
        let conversion = &self.conversion;
        let domain = match conversion.source.kind {
            ColumnType::Boolean(_) | ColumnType::Choice(_) => Domain::Whole,
            ColumnType::MultiChoice(_) => Domain::Parts,
            ColumnType::Text { .. }
            | ColumnType::Integer
            | ColumnType::Decimal
            | ColumnType::Double
            | ColumnType::DateTime(_)
            | ColumnType::Guid
            | ColumnType::Lookup { .. }
            | ColumnType::Other(_) => Domain::Open,
        };
        let (column, field) =
            (Kind::of_column(&conversion.source.kind), Kind::of_field(&self.kind));
        // A cut depends on the length; whether a text fits does not change
        // what is sent. Labels of a closed list stand in its cases.
        let cut = (conversion.on_too_long == OnTooLong::Cut).then_some(field.size);
        let labels = (domain != Domain::Whole && conversion.choices().is_some())
            .then_some((conversion.labels, conversion.language));
        let multi = (domain == Domain::Parts).then_some(&self.replace);
        let rule = format!(
            "{}|{}|{}|{cut:?}|{labels:?}|{:?}|{:?}|{:?}|{multi:?}",
            conversion.source.name,
            column.words,
            field.words,
            conversion.zone,
            self.on_null,
            self.on_empty,
        );
        FieldShape {
            column,
            field,
            rule,
            domain,
            cases: self.cases(domain),
            filled: Ask::filled(&conversion.source),
            clears: self.on_null == OnNull::Clear,
            empty: self.bytes(&TargetValue::Empty),
        }
    }

    fn cases(&self, domain: Domain) -> Vec<Case> {
        let choices = || self.conversion.choices().map(|it| it.0.as_slice()).unwrap_or_default();
        match domain {
            Domain::Whole => {
                let values: Vec<(String, Value)> =
                    if matches!(self.conversion.source.kind, ColumnType::Boolean(_)) {
                        [false, true].map(|flag| (flag.to_string(), Value::Bool(flag))).into()
                    } else {
                        let each = choices().iter();
                        each.map(|it| (it.value.to_string(), Value::Choice(it.value))).collect()
                    };
                let empty = std::iter::once((String::new(), Value::Null));
                empty
                    .chain(values)
                    .map(|(name, value)| Case {
                        name,
                        sent: self.sent(&value),
                        plain: None,
                        ask: Ask::holding(&self.conversion.source, &value),
                    })
                    .collect()
            }
            Domain::Parts => choices()
                .iter()
                .map(|it| {
                    let label = it.label(self.conversion.language).unwrap_or_default();
                    let sent = self.conversion.labels.then(|| label.as_bytes().to_vec());
                    Case { name: it.value.to_string(), sent, plain: None, ask: None }
                })
                .collect(),
            Domain::Open => self
                .replace
                .iter()
                .map(|(value, with)| Case {
                    name: value.clone(),
                    sent: Some(self.bytes(with)),
                    plain: self.plain(value),
                    ask: Ask::holding(&self.conversion.source, &Value::Text(value.clone()))
                        .filter(|_| matches!(self.conversion.source.kind, ColumnType::Text { .. })),
                })
                .collect(),
        }
    }

    fn sent(&self, value: &Value) -> Option<Vec<u8>> {
        match self.map(Some(value)) {
            Ok(MappedField::Send(value)) => Some(self.bytes(&value)),
            Ok(MappedField::Keep) | Err(_) => None,
        }
    }

    fn plain(&self, text: &str) -> Option<Vec<u8>> {
        let is_text = matches!(self.conversion.source.kind, ColumnType::Text { .. });
        let value = is_text.then(|| Value::Text(text.to_owned()))?;
        self.conversion.convert(&value).ok().map(|value| self.bytes(&value))
    }

    fn bytes(&self, value: &TargetValue) -> Vec<u8> {
        let resolved = match value {
            TargetValue::Empty => resolve_empty(&self.kind),
            TargetValue::Bool(_)
            | TargetValue::Number(_)
            | TargetValue::Text(_)
            | TargetValue::Date(_)
            | TargetValue::Instant(_) => value.clone(),
        };
        canonical(&resolved, &self.kind)
    }
}
