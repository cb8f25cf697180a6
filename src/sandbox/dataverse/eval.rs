//! `$filter` and `$orderby`: deciding and sorting rows.
//!
//! Owns: the database's way of comparing (texts without case, null apart).

use std::cmp::Ordering;

use uuid::Uuid;

use super::filter::{Expr, Literal, Op, Operand, Wild};
use super::schema::{Column, Role};
use super::store::Stored;
use crate::sandbox::row::Cell;

/// A row's value in the form that compares.
pub(crate) fn value(column: &Column, id: Uuid, row: &Stored) -> Literal {
    match column.role {
        Role::Id => Literal::Guid(id),
        Role::Version => Literal::Number(exact(i64::try_from(row.version).unwrap_or(i64::MAX))),
        Role::Plain => row.data.get(column.number).map_or(Literal::Null, |cell| comparable(&cell)),
    }
}

/// Integers of up to 53 bits keep their value as a double.
#[expect(clippy::cast_precision_loss, reason = "versions and 32-bit integers are far below 2^53")]
fn exact(value: i64) -> f64 {
    value as f64
}

fn comparable(cell: &Cell<'_>) -> Literal {
    match cell {
        Cell::Bool(value) => Literal::Bool(*value),
        Cell::Int(value) => Literal::Number(exact(*value)),
        Cell::Double(value) => Literal::Number(*value),
        Cell::Text(value) => Literal::Text(value.to_lowercase()),
        Cell::Decimal(value) => value.parse().map_or(Literal::Null, Literal::Number),
        Cell::Guid(value) | Cell::Ref(value, _) => Literal::Guid(*value),
        Cell::Time(value) => Literal::Moment(*value),
        Cell::Date(value) => Literal::Moment(value * 86_400_000),
    }
}

/// The order of two values; null comes first, as in the database.
pub(crate) fn order(left: &Literal, right: &Literal) -> Option<Ordering> {
    match (left, right) {
        (Literal::Null, Literal::Null) => Some(Ordering::Equal),
        (Literal::Null, _) => Some(Ordering::Less),
        (_, Literal::Null) => Some(Ordering::Greater),
        (Literal::Bool(a), Literal::Bool(b)) => Some(a.cmp(b)),
        (Literal::Number(a), Literal::Number(b)) => a.partial_cmp(b),
        (Literal::Text(a), Literal::Text(b)) => Some(a.cmp(b)),
        (Literal::Guid(a), Literal::Guid(b)) => Some(a.cmp(b)),
        (Literal::Moment(a), Literal::Moment(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whether a row fulfils the expression.
pub(crate) fn holds(expr: &Expr, id: Uuid, row: &Stored) -> bool {
    match expr {
        Expr::And(left, right) => holds(left, id, row) && holds(right, id, row),
        Expr::Or(left, right) => holds(left, id, row) || holds(right, id, row),
        Expr::Not(inner) => !holds(inner, id, row),
        Expr::Compare(left, op, right) => {
            let side = |operand: &Operand| match operand {
                Operand::Column(column) => value(column, id, row),
                Operand::Literal(literal) => literal.clone(),
            };
            compare(&side(left), *op, &side(right))
        }
        Expr::Like(column, pattern) => match value(column, id, row) {
            Literal::Text(text) => like(&text.chars().collect::<Vec<_>>(), pattern),
            Literal::Null
            | Literal::Bool(_)
            | Literal::Number(_)
            | Literal::Guid(_)
            | Literal::Moment(_) => false,
        },
        Expr::In(column, values, negated) => values.contains(&value(column, id, row)) != *negated,
        Expr::Holds(column, wanted, negated) => {
            let text = match value(column, id, row) {
                Literal::Text(text) => text,
                Literal::Null
                | Literal::Bool(_)
                | Literal::Number(_)
                | Literal::Guid(_)
                | Literal::Moment(_) => String::new(),
            };
            let hit = text
                .split(',')
                .any(|part| part.parse().is_ok_and(|part: i64| wanted.contains(&part)));
            hit != *negated
        }
    }
}

fn compare(left: &Literal, op: Op, right: &Literal) -> bool {
    let null = *left == Literal::Null || *right == Literal::Null;
    let order = order(left, right);
    match op {
        Op::Eq => order == Some(Ordering::Equal),
        Op::Ne => order != Some(Ordering::Equal),
        Op::Gt => !null && order == Some(Ordering::Greater),
        Op::Ge => !null && matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Op::Lt => !null && order == Some(Ordering::Less),
        Op::Le => !null && matches!(order, Some(Ordering::Less | Ordering::Equal)),
    }
}

/// SQL's LIKE, going back to the last `%` where the rest does not fit.
fn like(text: &[char], pattern: &[Wild]) -> bool {
    let (mut at, mut part) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        let fits = match (pattern.get(part), text.get(at)) {
            (Some(Wild::Any), _) => {
                retry = Some((part, at));
                part += 1;
                continue;
            }
            (Some(Wild::One), Some(_)) => true,
            (Some(Wild::Set(set)), Some(letter)) => set.contains(letter),
            (Some(Wild::Exactly(wanted)), Some(letter)) => wanted == letter,
            (None, _) | (_, None) => false,
        };
        if fits {
            (at, part) = (at + 1, part + 1);
        } else if let Some((any, from)) = retry {
            (part, at) = (any + 1, from + 1);
            retry = Some((any, from + 1));
        } else {
            return false;
        }
    }
    pattern[part.min(pattern.len())..].iter().all(|wild| *wild == Wild::Any)
}

/// The ids that an expression can only be true for, where it names them.
pub(crate) fn candidates(expr: &Expr) -> Option<Vec<Uuid>> {
    let guid = |literal: &Literal| match literal {
        Literal::Guid(id) => Some(*id),
        Literal::Null
        | Literal::Bool(_)
        | Literal::Number(_)
        | Literal::Text(_)
        | Literal::Moment(_) => None,
    };
    match expr {
        Expr::Compare(Operand::Column(column), Op::Eq, Operand::Literal(literal))
            if column.role == Role::Id =>
        {
            guid(literal).map(|id| vec![id])
        }
        Expr::In(column, values, false) if column.role == Role::Id => {
            Some(values.iter().filter_map(guid).collect())
        }
        Expr::And(left, right) => candidates(left).or_else(|| candidates(right)),
        Expr::Or(left, right) => {
            let mut both = candidates(left)?;
            both.extend(candidates(right)?);
            Some(both)
        }
        Expr::Compare(..) | Expr::Not(_) | Expr::Like(..) | Expr::In(..) | Expr::Holds(..) => None,
    }
}
