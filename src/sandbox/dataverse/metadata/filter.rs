//! `$filter` over definitions (Dynamics sheet 7.1).
//!
//! Owns: its grammar: comparisons for equality and of parts of texts, joined by
//! `and`, `or`, `not` and brackets. An enumeration's value may have its type
//! before it.

use serde_json::{Map, Value};

use crate::sandbox::dataverse::error::{Refusal, query, refuse};
use crate::sandbox::dataverse::filter::{Token, tokens};

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    map: &'a Map<String, Value>,
    text: &'a str,
    depth: usize,
}

/// Whether a definition passes.
pub(super) fn passes(map: &Map<String, Value>, text: &str) -> Result<bool, Refusal> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, map, text, depth: 0 };
    let holds = parser.or()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.syntax());
    }
    Ok(holds)
}

impl Parser<'_> {
    fn syntax(&self) -> Refusal {
        query(format!("Syntax error in '{}'.", self.text))
    }

    fn next(&mut self) -> Result<Token, Refusal> {
        let token = self.tokens.get(self.at).cloned().ok_or_else(|| self.syntax())?;
        self.at += 1;
        Ok(token)
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let hit = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(hit);
        hit
    }

    fn sign(&mut self, sign: char) -> Result<(), Refusal> {
        if self.takes(&Token::Sign(sign)) { Ok(()) } else { Err(self.syntax()) }
    }

    fn or(&mut self) -> Result<bool, Refusal> {
        let mut holds = self.and()?;
        while self.takes(&Token::Word("or".to_owned())) {
            // Both sides are read, so that a mistake in either is told.
            holds |= self.and()?;
        }
        Ok(holds)
    }

    fn and(&mut self) -> Result<bool, Refusal> {
        let mut holds = self.not()?;
        while self.takes(&Token::Word("and".to_owned())) {
            holds &= self.not()?;
        }
        Ok(holds)
    }

    fn not(&mut self) -> Result<bool, Refusal> {
        self.depth += 1;
        if self.depth > 100 {
            return Err(query("The expression is nested too deeply."));
        }
        let holds = if self.takes(&Token::Word("not".to_owned())) {
            !self.not()?
        } else if self.takes(&Token::Sign('(')) {
            let inner = self.or()?;
            self.sign(')')?;
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(holds)
    }

    fn term(&mut self) -> Result<bool, Refusal> {
        let Token::Word(name) = self.next()? else { return Err(self.syntax()) };
        if self.takes(&Token::Sign('(')) {
            return self.function(&name);
        }
        let held = self.member(&name)?;
        let Token::Word(operator) = self.next()? else { return Err(self.syntax()) };
        let wanted = self.literal()?;
        match operator.as_str() {
            "eq" => Ok(held == wanted),
            "ne" => Ok(held != wanted),
            other => Err(unsupported(&format!("The operator {other}"))),
        }
    }

    /// `startswith(Name,'x')` and its kin; the name is read already.
    fn function(&mut self, name: &str) -> Result<bool, Refusal> {
        let Token::Word(member) = self.next()? else { return Err(self.syntax()) };
        let held = self.member(&member)?;
        self.sign(',')?;
        let part = self.literal()?;
        self.sign(')')?;
        match name {
            "startswith" => Ok(held.starts_with(&part)),
            "endswith" => Ok(held.ends_with(&part)),
            "contains" => Ok(held.contains(&part)),
            other => Err(unsupported(&format!("The function {other}"))),
        }
    }

    /// The value of a member or of a part of one, as text.
    fn member(&self, name: &str) -> Result<String, Refusal> {
        let mut value = &Value::Null;
        for (at, part) in name.split('/').enumerate() {
            let held = if at == 0 { self.map.get(part) } else { value.get(part) };
            value = held.ok_or_else(|| query(format!("Could not find a property named '{part}' on type 'Microsoft.Dynamics.CRM.MetadataBase'.")))?;
        }
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    fn literal(&mut self) -> Result<String, Refusal> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            Token::Sign(_) => Err(self.syntax()),
            Token::Word(word) if word.starts_with("Microsoft.Dynamics.CRM.") => {
                match self.next()? {
                    Token::Text(text) => Ok(text),
                    Token::Word(_) | Token::Sign(_) => Err(self.syntax()),
                }
            }
            Token::Word(word) => Ok(word),
        }
    }
}

fn unsupported(what: &str) -> Refusal {
    refuse(501, "0x80060888", format!("{what} over definitions is not part of this sandbox."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_over_definitions_are_read_as_a_whole() {
        let Value::Object(map) = json!({"SchemaName": "new_Thing", "IsPrivate": false,
            "AttributeType": "Picklist", "Can": {"Value": true}})
        else {
            return;
        };
        for (text, expected) in [
            ("SchemaName eq 'new_Thing'", Some(true)),
            ("IsPrivate eq false and (startswith(SchemaName, 'new_'))", Some(true)),
            ("IsPrivate eq true or not endswith(SchemaName,'x')", Some(true)),
            ("AttributeType ne Microsoft.Dynamics.CRM.AttributeTypeCode'Picklist'", Some(false)),
            ("Can/Value eq true and contains(SchemaName,'a) or (')", Some(false)),
            ("((SchemaName eq 'a' or SchemaName eq 'b') and IsPrivate eq false)", Some(false)),
            ("Nothing eq 1", None),
            ("SchemaName gt 'a'", None),
            ("SchemaName eq 'a", None),
            ("SchemaName eq 'a' and", None),
        ] {
            assert_eq!(passes(&map, text).ok(), expected, "{text}");
        }
    }
}
