//! The words of `$filter`: tokens, literals, wildcards.
//!
//! Owns: their spelling and the form in which a column compares.

use uuid::Uuid;

use super::{Literal, Wild};
use crate::sandbox::dataverse::error::{Refusal, query};
use crate::sandbox::dataverse::schema::{Behavior, Column, ColumnType, Role};
use crate::sandbox::moment;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let letters: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        if letter.is_whitespace() {
            at += 1;
        } else if letter == '\'' || letter == '"' {
            let start = at;
            let mut value = String::new();
            at += 1;
            loop {
                match letters.get(at) {
                    None => {
                        return Err(query(format!(
                            "There is an unterminated literal at position {start} in '{text}'."
                        )));
                    }
                    Some(&next) if next == letter && letters.get(at + 1) == Some(&letter) => {
                        value.push(letter);
                        at += 2;
                    }
                    Some(&next) if next == letter => break,
                    Some(&next) => {
                        value.push(next);
                        at += 1;
                    }
                }
            }
            at += 1;
            out.push(Token::Text(value));
        } else if "(),[]=".contains(letter) {
            out.push(Token::Sign(letter));
            at += 1;
        } else {
            let mut word = String::new();
            while let Some(&next) =
                letters.get(at).filter(|c| !c.is_whitespace() && !"(),[]='\"".contains(**c))
            {
                word.push(next);
                at += 1;
            }
            out.push(Token::Word(word));
        }
    }
    Ok(out)
}

pub(super) fn plain(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Text(text) => text.clone(),
        Token::Sign(sign) => sign.to_string(),
    }
}

pub(super) fn wildcards(pattern: &str) -> Vec<Wild> {
    let mut out = Vec::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => out.push(Wild::Any),
            '_' => out.push(Wild::One),
            '[' => out.push(Wild::Set(letters.by_ref().take_while(|c| *c != ']').collect())),
            other => out.push(Wild::Exactly(other)),
        }
    }
    out
}

/// A literal in the form the column compares in; a wrong type is refused.
pub(super) fn literal(column: &Column, token: &Token) -> Result<Literal, Refusal> {
    if *token == Token::Word("null".to_owned()) {
        return Ok(Literal::Null);
    }
    let text = plain(token);
    let quoted = matches!(token, Token::Text(_));
    let value = match &column.kind {
        ColumnType::Text { .. }
        | ColumnType::Memo { .. }
        | ColumnType::EntityName
        | ColumnType::MultiSelect(_) => quoted.then(|| Literal::Text(text.to_lowercase())),
        ColumnType::Uniqueidentifier | ColumnType::Lookup { .. } => {
            Uuid::try_parse(&text).ok().map(Literal::Guid)
        }
        ColumnType::Boolean { .. } => match text.as_str() {
            "true" | "1" => Some(Literal::Bool(true)),
            "false" | "0" => Some(Literal::Bool(false)),
            _ => None,
        },
        ColumnType::DateTime { behavior: Behavior::DateOnly, .. } => {
            moment::parse_date(&text).map(|days| Literal::Moment(days * 86_400_000))
        }
        ColumnType::DateTime { .. } => moment::parse_moment(&text).map(Literal::Moment),
        ColumnType::Integer { .. }
        | ColumnType::BigInt
        | ColumnType::Decimal { .. }
        | ColumnType::Double
        | ColumnType::Money
        | ColumnType::Picklist(_)
        | ColumnType::State(_)
        | ColumnType::Status(_) => text.parse().ok().map(Literal::Number),
    };
    value.ok_or_else(|| {
        let wanted = if column.role == Role::Version { "Edm.Int64" } else { column.kind.attribute_type() };
        query(format!("A binary operator with incompatible types was detected. Found operand types '{wanted}' and '{text}' for operator kind 'Equal'."))
    })
}
