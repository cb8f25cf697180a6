//! `$filter`: reading the expression ("Filter rows", Dynamics sheet 2.3).
//!
//! Owns: the grammar and the binding to columns. `eval.rs` decides rows.

mod words;

use uuid::Uuid;

pub(super) use self::words::{Token, tokens};
use self::words::{literal, plain, wildcards};
use super::error::{Refusal, no_property, query, refuse};
use super::schema::{Column, ColumnType, Table};

/// A bound expression.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Compare(Operand, Op, Operand),
    Like(Column, Vec<Wild>),
    In(Column, Vec<Literal>, bool),
    Holds(Column, Vec<i64>, bool),
}

/// A side of a comparison.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Column(Column),
    Literal(Literal),
}

/// A value, brought to the form that compares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    /// Lower case.
    Text(String),
    Guid(Uuid),
    /// Milliseconds or, for dates, midnight.
    Moment(i64),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

/// A piece of a LIKE pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wild {
    Any,
    One,
    Set(Vec<char>),
    Exactly(char),
}

/// Reads and binds `$filter`.
pub(crate) fn parse(
    text: &str,
    table: &Table,
    aliases: &[(String, String)],
) -> Result<Expr, Refusal> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, table, text, aliases, depth: 0 };
    let expr = parser.or()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.syntax());
    }
    Ok(expr)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    table: &'a Table,
    text: &'a str,
    aliases: &'a [(String, String)],
    depth: usize,
}

impl Parser<'_> {
    fn syntax(&self) -> Refusal {
        query(format!("Syntax error at position {} in '{}'.", self.at, self.text))
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, Refusal> {
        let token = self.peek().cloned().ok_or_else(|| self.syntax())?;
        self.at += 1;
        Ok(token)
    }

    fn word(&mut self, wanted: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(hit);
        hit
    }

    fn sign(&mut self, wanted: char) -> Result<(), Refusal> {
        if self.peek() == Some(&Token::Sign(wanted)) {
            self.at += 1;
            return Ok(());
        }
        Err(self.syntax())
    }

    fn or(&mut self) -> Result<Expr, Refusal> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Refusal> {
        let mut left = self.not()?;
        while self.word("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr, Refusal> {
        self.depth += 1;
        if self.depth > 200 {
            return Err(query("The expression is nested too deeply."));
        }
        let expr = if self.word("not") {
            Expr::Not(Box::new(self.not()?))
        } else if self.peek() == Some(&Token::Sign('(')) {
            self.at += 1;
            let inner = self.or()?;
            self.sign(')')?;
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn term(&mut self) -> Result<Expr, Refusal> {
        let call = match (self.peek(), self.tokens.get(self.at + 1)) {
            (Some(Token::Word(name)), Some(Token::Sign('('))) => Some(name.clone()),
            _ => None,
        };
        if let Some(name) = call {
            self.at += 2;
            let expr = match name.strip_prefix("Microsoft.Dynamics.CRM.") {
                Some(function) => self.function(function)?,
                None => self.like(&name)?,
            };
            self.sign(')')?;
            return Ok(expr);
        }
        let left = self.next()?;
        let op = match self.next()? {
            Token::Word(word) => match word.as_str() {
                "eq" => Op::Eq,
                "ne" => Op::Ne,
                "gt" => Op::Gt,
                "ge" => Op::Ge,
                "lt" => Op::Lt,
                "le" => Op::Le,
                _ => return Err(self.syntax()),
            },
            Token::Text(_) | Token::Sign(_) => return Err(self.syntax()),
        };
        let right = self.next()?;
        self.compare(&left, op, &right)
    }

    fn compare(&self, left: &Token, op: Op, right: &Token) -> Result<Expr, Refusal> {
        match (self.operand(left)?, self.operand(right)?) {
            (Some(left), Some(right)) => {
                Ok(Expr::Compare(Operand::Column(left), op, Operand::Column(right)))
            }
            (Some(column), None) => {
                let literal = Operand::Literal(literal(&column, right)?);
                Ok(Expr::Compare(Operand::Column(column), op, literal))
            }
            (None, Some(column)) => {
                let literal = Operand::Literal(literal(&column, left)?);
                Ok(Expr::Compare(literal, op, Operand::Column(column)))
            }
            (None, None) => Err(self.syntax()),
        }
    }

    /// A column, or nothing for a literal.
    fn operand(&self, token: &Token) -> Result<Option<Column>, Refusal> {
        let word = match token {
            Token::Text(_) => return Ok(None),
            Token::Sign(_) => return Err(self.syntax()),
            Token::Word(word) => word,
        };
        let letter = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !letter
            || matches!(word.as_str(), "null" | "true" | "false")
            || Uuid::try_parse(word).is_ok()
        {
            return Ok(None);
        }
        self.column(word).map(Some)
    }

    fn column(&self, name: &str) -> Result<Column, Refusal> {
        if let Some((navigation, rest)) = name.split_once('/') {
            let found = self.table.navigation(navigation);
            let own_id = |column: &Column| {
                column
                    .kind
                    .targets()
                    .iter()
                    .any(|target| rest == format!("{}id", target.table) || rest == "activityid")
            };
            return match found {
                Some((column, _)) if own_id(column) => Ok(column.clone()),
                Some(_) => Err(refuse(
                    501,
                    "0x80060888",
                    "Filters on related columns are not part of this sandbox.",
                )),
                None => Err(no_property(navigation, &self.table.name)),
            };
        }
        self.table.by_wire(name).cloned().ok_or_else(|| no_property(name, &self.table.name))
    }

    fn like(&mut self, name: &str) -> Result<Expr, Refusal> {
        let Token::Word(column) = self.next()? else {
            return Err(self.syntax());
        };
        let column = self.column(&column)?;
        self.sign(',')?;
        let Token::Text(pattern) = self.next()? else {
            return Err(self.syntax());
        };
        if !matches!(column.kind, ColumnType::Text { .. } | ColumnType::Memo { .. }) {
            return Err(query(format!(
                "No function signature for the function with name '{name}' matches the specified arguments."
            )));
        }
        let mut wild = wildcards(&pattern.to_lowercase());
        match name {
            "contains" => {
                wild.insert(0, Wild::Any);
                wild.push(Wild::Any);
            }
            "startswith" => wild.push(Wild::Any),
            "endswith" => wild.insert(0, Wild::Any),
            _ => {
                return Err(query(format!("An unknown function with name '{name}' was found.")));
            }
        }
        Ok(Expr::Like(column, wild))
    }

    fn function(&mut self, name: &str) -> Result<Expr, Refusal> {
        let (column, values) = self.arguments()?;
        let literals = || -> Result<Vec<Literal>, Refusal> {
            values.iter().map(|value| literal(&column, value)).collect()
        };
        let numbers = || values.iter().filter_map(|value| plain(value).parse().ok()).collect();
        let between = |low: &Literal, high: &Literal| {
            let side = |op, value: &Literal| {
                Box::new(Expr::Compare(
                    Operand::Column(column.clone()),
                    op,
                    Operand::Literal(value.clone()),
                ))
            };
            Expr::And(side(Op::Ge, low), side(Op::Le, high))
        };
        match (name, literals()?.as_slice()) {
            ("In", values) => Ok(Expr::In(column, values.to_vec(), false)),
            ("NotIn", values) => Ok(Expr::In(column, values.to_vec(), true)),
            ("ContainValues", _) => Ok(Expr::Holds(column.clone(), numbers(), false)),
            ("DoesNotContainValues", _) => Ok(Expr::Holds(column.clone(), numbers(), true)),
            ("Between", [low, high]) => Ok(between(low, high)),
            ("NotBetween", [low, high]) => Ok(Expr::Not(Box::new(between(low, high)))),
            ("OnOrAfter", [Literal::Moment(day)]) => Ok(on(&column, Op::Ge, *day)),
            ("OnOrBefore", [Literal::Moment(day)]) => Ok(on(&column, Op::Lt, day + 86_400_000)),
            ("On", [Literal::Moment(day)]) => Ok(Expr::And(
                Box::new(on(&column, Op::Ge, *day)),
                Box::new(on(&column, Op::Lt, day + 86_400_000)),
            )),
            _ => Err(refuse(
                501,
                "0x80060888",
                format!("The query function '{name}' is not part of this sandbox."),
            )),
        }
    }

    /// `PropertyName='c',PropertyValues=["a","b"]`, or aliases for both.
    fn arguments(&mut self) -> Result<(Column, Vec<Token>), Refusal> {
        let (mut column, mut values) = (None, Vec::new());
        loop {
            let Token::Word(name) = self.next()? else {
                return Err(self.syntax());
            };
            self.sign('=')?;
            let given = self.value_tokens()?;
            match (name.as_str(), given.as_slice()) {
                ("PropertyName", [name]) => column = Some(self.column(&plain(name))?),
                ("PropertyValues" | "PropertyValue", _) => values = given,
                _ => return Err(self.syntax()),
            }
            if self.peek() != Some(&Token::Sign(',')) {
                break;
            }
            self.at += 1;
        }
        column.map(|column| (column, values)).ok_or_else(|| self.syntax())
    }

    fn value_tokens(&mut self) -> Result<Vec<Token>, Refusal> {
        if self.peek() == Some(&Token::Sign('[')) {
            self.at += 1;
            let mut values = Vec::new();
            while self.peek() != Some(&Token::Sign(']')) {
                let token = self.next()?;
                if token != Token::Sign(',') {
                    values.push(token);
                }
            }
            self.at += 1;
            return Ok(values);
        }
        let token = self.next()?;
        let Token::Word(alias) = &token else {
            return Ok(vec![token]);
        };
        let Some((_, value)) = self.aliases.iter().find(|(key, _)| key == alias) else {
            return Ok(vec![token]);
        };
        let mut inner = Parser {
            tokens: tokens(value)?,
            at: 0,
            table: self.table,
            text: value,
            aliases: &[],
            depth: 0,
        };
        inner.value_tokens()
    }
}

fn on(column: &Column, op: Op, at: i64) -> Expr {
    Expr::Compare(Operand::Column(column.clone()), op, Operand::Literal(Literal::Moment(at)))
}
