//! Building the query part of a URL. Names have passed the name pattern;
//! values are encoded here.

use std::fmt::Write as _;

/// Characters of a condition in a URL. Dynamics takes 32,768 in all (Web API
/// sheet, 1.8), servers on the way often less.
const CONDITION: usize = 8000;

/// Whether a condition is short enough to be asked for in a URL.
pub(crate) fn askable(condition: &str) -> bool {
    encode(condition).len() <= CONDITION
}

/// Percent-encodes a query value, leaving readable what the Web API shows
/// readable in its own links.
pub(super) fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b','
            | b'('
            | b')'
            | b'\''
            | b'$'
            | b'/'
            | b'='
            | b':'
            | b';' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn characters_that_end_a_query_value_are_encoded() {
        assert_eq!(super::encode("a b&c#d+e%f?g"), "a%20b%26c%23d%2Be%25f%3Fg");
        assert_eq!(super::encode("LogicalName='contact'"), "LogicalName='contact'");
    }
}
