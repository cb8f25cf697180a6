//! `SELECT` over one table, as the preview of SQL reads it (Dynamics sheet 2.7).
//!
//! Owns: its words. Joins, functions and groups are not part of this sandbox.

use super::{Asked, column, like, literal, malformed, unsupported};
use crate::sandbox::dataverse::error::Refusal;
use crate::sandbox::dataverse::schema::Table;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// A name, a keyword, a number.
    Plain(String),
    Text(String),
    Sign(String),
}

impl Word {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Plain(word) if word.eq_ignore_ascii_case(keyword))
    }
}

fn words(text: &str) -> Result<Vec<Word>, Refusal> {
    let mut out = Vec::new();
    let mut rest = text.trim().trim_end_matches(';');
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if first == '\'' {
            let mut value = String::new();
            let mut letters = rest.char_indices().skip(1).peekable();
            let end = loop {
                match (letters.next(), letters.peek()) {
                    (Some((_, '\'')), Some((_, '\''))) => {
                        letters.next();
                        value.push('\'');
                    }
                    (Some((at, '\'')), _) => break at + 1,
                    (Some((_, letter)), _) => value.push(letter),
                    (None, _) => return Err(malformed("A text of the SQL does not end.")),
                }
            };
            out.push(Word::Text(value));
            rest = &rest[end..];
        } else if first.is_alphanumeric() || matches!(first, '_' | '-' | '.') {
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')));
            let (word, tail) = rest.split_at(end.unwrap_or(rest.len()));
            out.push(Word::Plain(word.to_owned()));
            rest = tail;
        } else {
            let two = ["<>", "<=", ">=", "!="].into_iter().find(|two| rest.starts_with(two));
            let sign = two.unwrap_or(&rest[..first.len_utf8()]);
            out.push(Word::Sign(sign.to_owned()));
            rest = &rest[sign.len()..];
        }
    }
    Ok(out)
}

/// The words in order.
struct Words<'a>(&'a [Word]);

impl Words<'_> {
    fn next(&mut self) -> Option<Word> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first.clone())
    }

    fn took(&mut self, keyword: &str) -> bool {
        let taken = self.0.first().is_some_and(|word| word.is(keyword));
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    fn sign(&mut self, sign: &str) -> bool {
        let taken = self.0.first() == Some(&Word::Sign(sign.to_owned()));
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    fn plain(&mut self) -> Result<String, Refusal> {
        match self.next() {
            Some(Word::Plain(word)) => Ok(word),
            Some(Word::Text(_) | Word::Sign(_)) | None => Err(malformed("The SQL is malformed.")),
        }
    }
}

/// Reads a question about `table`.
pub(super) fn read(text: &str, table: &Table) -> Result<Asked, Refusal> {
    let list = words(text)?;
    let mut words = Words(&list);
    let mut asked = Asked::default();
    if !words.took("select") {
        return Err(malformed("The SQL begins with SELECT."));
    }
    if words.took("top") {
        let top = words.plain()?.parse().map_err(|_| malformed("TOP wants a number."))?;
        asked.top = Some(top);
    }
    if !words.sign("*") {
        loop {
            asked.select.push(column(table, &words.plain()?)?.1);
            if !words.sign(",") {
                break;
            }
        }
    }
    if !words.took("from") || !words.plain()?.eq_ignore_ascii_case(&table.name) {
        return Err(malformed(format!("The SQL is not FROM {}.", table.name)));
    }
    if words.took("where") {
        asked.filter = Some(conditions(table, &mut words)?);
    }
    if words.took("order") && words.took("by") {
        loop {
            let name = column(table, &words.plain()?)?.1;
            let down = words.took("desc");
            let _ = words.took("asc");
            asked.order.push(format!("{name} {}", if down { "desc" } else { "asc" }));
            if !words.sign(",") {
                break;
            }
        }
    }
    match words.0 {
        [] => Ok(asked),
        [_, ..] => Err(unsupported("This form of SQL")),
    }
}

fn conditions(table: &Table, words: &mut Words<'_>) -> Result<String, Refusal> {
    let mut out = condition(table, words)?;
    loop {
        let joint = if words.took("and") {
            "and"
        } else if words.took("or") {
            "or"
        } else {
            return Ok(out);
        };
        out = format!("{out} {joint} {}", condition(table, words)?);
    }
}

fn condition(table: &Table, words: &mut Words<'_>) -> Result<String, Refusal> {
    if words.sign("(") {
        let inner = conditions(table, words)?;
        return if words.sign(")") {
            Ok(format!("({inner})"))
        } else {
            Err(malformed("A parenthesis of the SQL does not close."))
        };
    }
    let (column, name) = column(table, &words.plain()?)?;
    if words.took("is") {
        let word = if words.took("not") { "ne" } else { "eq" };
        return if words.took("null") {
            Ok(format!("{name} {word} null"))
        } else {
            Err(malformed("IS wants NULL."))
        };
    }
    let negated = words.took("not");
    if words.took("like") {
        let Some(Word::Text(pattern)) = words.next() else {
            return Err(malformed("LIKE wants a text."));
        };
        let like = like(&name, &pattern);
        return Ok(if negated { format!("not {like}") } else { like });
    }
    let operator = match words.next() {
        Some(Word::Sign(sign)) => match sign.as_str() {
            "=" => "eq",
            "<>" | "!=" => "ne",
            "<" => "lt",
            "<=" => "le",
            ">" => "gt",
            ">=" => "ge",
            _ => return Err(unsupported("This comparison of SQL")),
        },
        Some(Word::Plain(_) | Word::Text(_)) | None => {
            return Err(unsupported("This condition of SQL"));
        }
    };
    match words.next() {
        Some(Word::Text(value) | Word::Plain(value)) => {
            Ok(format!("{name} {operator} {}", literal(column, &value)))
        }
        Some(Word::Sign(_)) | None => Err(malformed("A comparison of the SQL lacks its value.")),
    }
}
