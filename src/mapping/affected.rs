//! Which rows Dynamics is to be asked for after a change of the mapping: a
//! `$filter` that every row concerned fulfils, and few others. The local filter
//! decides on what comes.
//!
//! Knows how Dataverse compares (Web API sheet, 2.3): texts without regard to
//! case and perhaps to accents and spaces at the end, in an order of its own;
//! instants with a fraction of a second that it does not show. Where it may
//! judge otherwise than `filter`, the expression asks for more.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use crate::mapping::filter::{CompiledFilter, Node, Operands};
use crate::mapping::spec::Operator;
use crate::model::{Column, ColumnName, ColumnType, Value};

/// How the Web API writes date-times; what is finer it does not show.
const SECONDS: &str = "%Y-%m-%dT%H:%M:%SZ";
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A condition on rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Every row.
    Always,
    /// No row.
    Never,
    /// Rows that fulfil every part.
    All(Vec<Ask>),
    /// Rows that fulfil any part.
    Any(Vec<Ask>),
    /// One comparison.
    Test {
        /// The column, as the wire names it.
        column: String,
        /// How.
        how: How,
        /// With what, as a literal of the Web API.
        literal: String,
    },
    /// An expression that was kept as text.
    Said(String),
}

/// Comparisons of the Web API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
    /// `contains`
    Contains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
}

impl Ask {
    /// Rows that fulfil every part.
    pub(crate) fn all(parts: Vec<Self>) -> Self {
        if parts.contains(&Self::Never) {
            return Self::Never;
        }
        Self::joined(parts, &Self::Always, Self::All)
    }

    /// Rows that fulfil any part.
    pub(crate) fn any(parts: Vec<Self>) -> Self {
        if parts.contains(&Self::Always) {
            return Self::Always;
        }
        Self::joined(parts, &Self::Never, Self::Any)
    }

    fn joined(parts: Vec<Self>, idle: &Self, join: fn(Vec<Self>) -> Self) -> Self {
        let mut kept: Vec<Self> = Vec::with_capacity(parts.len());
        for part in parts {
            if part != *idle && !kept.contains(&part) {
                kept.push(part);
            }
        }
        match kept.len() {
            0 => idle.clone(),
            1 => kept.remove(0),
            _ => join(kept),
        }
    }

    /// Rows whose column holds something.
    pub(crate) fn filled(column: &Column) -> Self {
        Self::test(column, How::Ne, "null")
    }

    /// Rows whose column holds this, and perhaps more; none where that cannot
    /// be asked.
    pub(super) fn holding(column: &Column, value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::empty(column)),
            Value::Bool(flag) => Some(Self::test(column, How::Eq, &flag.to_string())),
            Value::Choice(choice) => Some(Self::test(column, How::Eq, &choice.to_string())),
            Value::Text(text) if !text.is_empty() => Some(of_text(column, Operator::Eq, text)),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::MultiChoice(_)
            | Value::Instant(_)
            | Value::Civil(_)
            | Value::Date(_)
            | Value::Guid(_)
            | Value::Unreadable(_) => None,
        }
    }

    fn empty(column: &Column) -> Self {
        Self::test(column, How::Eq, "null")
    }

    fn test(column: &Column, how: How, literal: &str) -> Self {
        Self::Test { column: column.wire_name(), how, literal: literal.to_owned() }
    }

    /// As the Web API reads it; `true` and `false` stand for all rows and none.
    pub(crate) fn text(&self) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<String> = parts.iter().map(Self::text).collect();
            format!("({})", parts.join(word))
        };
        match self {
            Self::Always => "true".to_owned(),
            Self::Never => "false".to_owned(),
            Self::All(parts) => joined(parts, " and "),
            Self::Any(parts) => joined(parts, " or "),
            Self::Test { column, how, literal } => match how {
                How::Eq => format!("{column} eq {literal}"),
                How::Ne => format!("{column} ne {literal}"),
                How::Gt => format!("{column} gt {literal}"),
                How::Ge => format!("{column} ge {literal}"),
                How::Lt => format!("{column} lt {literal}"),
                How::Le => format!("{column} le {literal}"),
                How::Contains => format!("contains({column},{literal})"),
                How::StartsWith => format!("startswith({column},{literal})"),
                How::EndsWith => format!("endswith({column},{literal})"),
            },
            Self::Said(text) => text.clone(),
        }
    }

    /// What [`Self::text`] wrote.
    pub(crate) fn of_text(text: &str) -> Self {
        match text {
            "true" => Self::Always,
            "false" => Self::Never,
            text => Self::Said(text.to_owned()),
        }
    }
}

/// Two conditions: one that every row fulfils which may pass a filter, one that
/// every row fulfils which may fail it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    /// Rows that may pass.
    pub(crate) passes: Ask,
    /// Rows that may fail.
    pub(crate) fails: Ask,
}

impl CompiledFilter {
    /// The rows on either side of it.
    pub(super) fn sides(&self) -> Sides {
        self.root.sides(&self.columns)
    }
}

impl Node {
    fn sides(&self, columns: &[Column]) -> Sides {
        let each = |parts: &[Self]| -> (Vec<Ask>, Vec<Ask>) {
            parts
                .iter()
                .map(|part| part.sides(columns))
                .map(|Sides { passes, fails }| (passes, fails))
                .unzip()
        };
        match self {
            Self::All(parts) => {
                let (passes, fails) = each(parts);
                Sides { passes: Ask::all(passes), fails: Ask::any(fails) }
            }
            Self::Any(parts) => {
                let (passes, fails) = each(parts);
                Sides { passes: Ask::any(passes), fails: Ask::all(fails) }
            }
            Self::Test { column, operator, operands } => found(columns, column)
                .map_or(UNKNOWN, |column| one_test(column, *operator, operands)),
        }
    }
}

/// Nothing can be said.
const UNKNOWN: Sides = Sides { passes: Ask::Always, fails: Ask::Always };

fn found<'c>(columns: &'c [Column], name: &ColumnName) -> Option<&'c Column> {
    columns.iter().find(|column| column.name == *name)
}

fn one_test(column: &Column, operator: Operator, operands: &Operands) -> Sides {
    match operator {
        Operator::Null => {
            return Sides { passes: Ask::empty(column), fails: Ask::filled(column) };
        }
        Operator::NotNull => {
            return Sides { passes: Ask::filled(column), fails: Ask::empty(column) };
        }
        // The opposite of `in`; an empty column passes.
        Operator::Ne => {
            let Sides { passes, fails } = one_test(column, Operator::In, operands);
            return Sides { passes: fails, fails: passes };
        }
        Operator::Eq
        | Operator::In
        | Operator::Gt
        | Operator::Ge
        | Operator::Lt
        | Operator::Le
        | Operator::Contains
        | Operator::BeginsWith
        | Operator::EndsWith => {}
    }
    match operands {
        Operands::Nothing => UNKNOWN,
        Operands::Text(texts) => {
            let passes = texts.iter().map(|text| of_text(column, operator, text));
            Sides { passes: Ask::any(passes.collect()), fails: Ask::Always }
        }
        Operands::Number(numbers) => {
            let each = written(numbers);
            let whole = each.iter().all(|it| !it.contains('.'));
            // What a fraction means to a column that has none, and whether two
            // doubles are equal, is not asked.
            if matches!(column.kind, ColumnType::Decimal)
                || (whole && matches!(column.kind, ColumnType::Integer))
            {
                exact(column, operator, &each)
            } else {
                vague(column, operator, &each, &each)
            }
        }
        Operands::Bool(flags) => exact(column, operator, &written(flags)),
        Operands::Choice(_) if matches!(column.kind, ColumnType::MultiChoice(_)) => {
            Sides { passes: Ask::filled(column), fails: Ask::Always }
        }
        Operands::Choice(choices) => exact(column, operator, &written(choices)),
        Operands::Id(ids) => exact(column, operator, &written(ids)),
        Operands::Date(dates) => exact(column, operator, &written(dates)),
        Operands::Instant(times) => {
            let show = |it: &Timestamp| it.strftime(SECONDS).to_string();
            let next = times.iter().map(|it| it.checked_add(SECOND).unwrap_or(*it));
            let next: Vec<String> = next.map(|it| show(&it)).collect();
            vague(column, operator, &times.iter().map(show).collect::<Vec<_>>(), &next)
        }
        Operands::Civil(times) => {
            let show = |it: &DateTime| it.strftime(SECONDS).to_string();
            let next = times.iter().map(|it| it.checked_add(SECOND).unwrap_or(*it));
            let next: Vec<String> = next.map(|it| show(&it)).collect();
            vague(column, operator, &times.iter().map(show).collect::<Vec<_>>(), &next)
        }
    }
}

fn written<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// A type that both sides compare alike.
fn exact(column: &Column, operator: Operator, literals: &[String]) -> Sides {
    let (holds, fails) = match operator {
        Operator::Gt => (How::Gt, How::Le),
        Operator::Ge => (How::Ge, How::Lt),
        Operator::Lt => (How::Lt, How::Ge),
        Operator::Le => (How::Le, How::Gt),
        Operator::Eq | Operator::In => (How::Eq, How::Ne),
        Operator::Ne
        | Operator::Contains
        | Operator::BeginsWith
        | Operator::EndsWith
        | Operator::Null
        | Operator::NotNull => return UNKNOWN,
    };
    let tests = |how| literals.iter().map(|it| Ask::test(column, how, it)).collect::<Vec<_>>();
    let unlike = Ask::all(tests(fails));
    Sides { passes: Ask::any(tests(holds)), fails: Ask::any(vec![unlike, Ask::empty(column)]) }
}

/// A type whose values lie between `from` and `to` where they show as the
/// operand.
fn vague(column: &Column, operator: Operator, from: &[String], to: &[String]) -> Sides {
    let above = || from.iter().map(|it| Ask::test(column, How::Ge, it));
    let below = || to.iter().map(|it| Ask::test(column, How::Le, it));
    let or_empty = |ask: Ask| Ask::any(vec![ask, Ask::empty(column)]);
    match operator {
        Operator::Gt | Operator::Ge => Sides {
            passes: Ask::any(above().collect()),
            fails: or_empty(Ask::all(below().collect())),
        },
        Operator::Lt | Operator::Le => Sides {
            passes: Ask::any(below().collect()),
            fails: or_empty(Ask::all(above().collect())),
        },
        Operator::Eq | Operator::In => {
            let within = above().zip(below()).map(|(above, below)| Ask::all(vec![above, below]));
            Sides { passes: Ask::any(within.collect()), fails: Ask::Always }
        }
        Operator::Ne
        | Operator::Contains
        | Operator::BeginsWith
        | Operator::EndsWith
        | Operator::Null
        | Operator::NotNull => UNKNOWN,
    }
}

/// Rows whose text may pass. Letters beyond ASCII are not asked for: which of
/// them are alike differs. `[` begins a set of letters there.
fn of_text(column: &Column, operator: Operator, text: &str) -> Ask {
    let how = match operator {
        Operator::Eq | Operator::In => Some(How::Eq),
        Operator::Contains => Some(How::Contains),
        Operator::BeginsWith => Some(How::StartsWith),
        Operator::EndsWith => Some(How::EndsWith),
        Operator::Gt
        | Operator::Ge
        | Operator::Lt
        | Operator::Le
        | Operator::Ne
        | Operator::Null
        | Operator::NotNull => None,
    };
    let plain = text.is_ascii() && !text.chars().any(char::is_control);
    match how {
        Some(how) if plain && (how == How::Eq || !text.contains('[')) => {
            Ask::test(column, how, &format!("'{}'", text.replace('\'', "''")))
        }
        Some(_) | None => Ask::filled(column),
    }
}
