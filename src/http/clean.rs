//! Vendor text made fit for a log: one line, short, no quoted values.
//!
//! Both vendors quote the record's data in their errors ("Key (email)=(…)
//! already exists"), so what stands in quotes goes, except where the words
//! around it say that it is the name of a column, a table or the like.

/// Longest message kept, in characters.
const MAX_CHARS: usize = 300;
/// Longest text looked at, in bytes; stack traces of megabytes are not parsed.
const MAX_INPUT_BYTES: usize = 4096;
/// What stands for a value that was taken out.
const GONE: &str = "…";

/// Words after a quoted text that say it is a name of the schema.
const NAME_BEFORE: &[&str] = &[
    "property",
    "resource",
    "enumeration",
    "field",
    "attribute",
    "entity",
    "schema",
    "parameter",
    "column",
    "header",
    "expression",
];
/// Words before a quoted text that say so, or that it is a limit (`of`).
const NAME_AFTER: &[&str] = &[
    "segment",
    "entity",
    "attribute",
    "property",
    "resource",
    "schema",
    "type",
    "table",
    "column",
    "constraint",
    "path",
    "parameter",
    "named",
];

/// One line of at most 300 characters without control characters, quoted
/// values, e-mail addresses and telephone numbers.
pub(super) fn clean(text: &str) -> String {
    let mut end = text.len().min(MAX_INPUT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    let line: String =
        text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect();
    let line = without_quotes(&without_key_values(&line));
    let words: Vec<&str> =
        line.split_whitespace().map(|word| if is_personal(word) { GONE } else { word }).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((cut, _)) => format!("{}{GONE}", line.get(..cut).unwrap_or_default()),
        None => line,
    }
}

/// Marks that change the direction or hide text in a terminal.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `PostgreSQL`'s `Key (sname)=(SVC4) already exists`: the value goes.
fn without_key_values(text: &str) -> String {
    let Some(start) = text.find(")=(") else { return text.to_owned() };
    let (head, tail) = text.split_at(start + 3);
    let rest = tail.rfind(')').and_then(|end| tail.get(end..)).unwrap_or_default();
    format!("{head}{GONE}{rest}")
}

/// An e-mail address, or a telephone number with its plus sign.
fn is_personal(word: &str) -> bool {
    // Each of them: before the one of an address another may stand.
    let address = word.match_indices('@').any(|(at, _)| {
        let (before, after) = word.split_at(at);
        before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && after.contains('.')
    });
    let digits = word.chars().filter(char::is_ascii_digit).count();
    address || (word.contains('+') && digits >= 6)
}

fn closing(quote: char) -> Option<char> {
    match quote {
        '\'' | '"' | '`' => Some(quote),
        '‘' => Some('’'),
        '“' | '”' => Some('”'),
        '„' => Some('“'),
        '«' => Some('»'),
        _ => None,
    }
}

/// Takes out what stands in quotes, unless the words around name it.
fn without_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(quote) = rest.chars().next() {
        let after = rest.get(quote.len_utf8()..).unwrap_or_default();
        let close = closing(quote).filter(|_| !before.is_alphanumeric());
        let Some(close) = close else {
            out.push(quote);
            before = quote;
            rest = after;
            continue;
        };
        out.push(quote);
        let Some(end) = end_of_quote(after, close) else {
            out.push_str(GONE);
            return out;
        };
        let (inside, tail) = after.split_at(end);
        let tail = tail.get(close.len_utf8()..).unwrap_or_default();
        out.push_str(if is_name(&out, inside, tail) { inside } else { GONE });
        out.push(close);
        before = close;
        rest = tail;
    }
    out
}

/// Where the quote ends: the closing mark that no letter or digit follows.
fn end_of_quote(text: &str, close: char) -> Option<usize> {
    text.match_indices(close).map(|(at, _)| at).find(|at| {
        let next = text.get(at + close.len_utf8()..).and_then(|tail| tail.chars().next());
        next.is_none_or(|c| !c.is_alphanumeric())
    })
}

/// Whether a quoted text is a name of the schema, by its form and the words
/// around it.
fn is_name(before: &str, inside: &str, after: &str) -> bool {
    let word = |text: &str| text.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    let previous =
        before.split_whitespace().rev().map(word).find(|w| !w.is_empty()).unwrap_or_default();
    let next = after.split_whitespace().next().map(word).unwrap_or_default();
    let number =
        !inside.is_empty() && inside.len() <= 6 && inside.bytes().all(|b| b.is_ascii_digit());
    let plain = inside.len() <= 128
        && inside.chars().all(|c| c.is_ascii_alphanumeric() || "_:.@ ()".contains(c));
    let named = NAME_BEFORE.contains(&next.as_str()) || NAME_AFTER.contains(&previous.as_str());
    (number && previous == "of") || (plain && named)
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn names_of_the_schema_stay_and_values_go() {
        for (given, kept) in [
            (
                "'xyz' property is not valid for the 'profile' resource.",
                "'xyz' property is not valid for the 'profile' resource.",
            ),
            (
                "A 'Service' with the same key 'SVC4' already exists.",
                "A '…' with the same key '…' already exists.",
            ),
            (
                "DETAIL: Key (semail)=(anna@example.com) already exists.",
                "DETAIL: Key (semail)=(…) already exists.",
            ),
            (
                "The value 'O'Brien' is not valid for the 'nms:recipient:gender' enumeration of the '@gender' field",
                "The value '…' is not valid for the 'nms:recipient:gender' enumeration of the '@gender' field",
            ),
            (
                "Resource not found for the segment 'foo'.",
                "Resource not found for the segment 'foo'.",
            ),
            ("maximum allowed length of '200'.", "maximum allowed length of '200'."),
            ("the record doesn't match", "the record doesn't match"),
            ("contact anna.berg@example.com is wrong", "contact … is wrong"),
            ("by @x,anna.berg@example.com", "by …"),
            ("call +47 99 88 or +4799887766 now", "call +47 99 88 or … now"),
            ("cut 'Anna Berg", "cut '…"),
            ("name “Anna” was", "name “…” was"),
            ("key \"Anna\" was", "key \"…\" was"),
            ("a\r\nb\u{1b}[31mc\u{202e}d", "a b [31mc d"),
        ] {
            assert_eq!(clean(given), kept, "{given}");
        }
    }

    #[test]
    fn a_message_is_never_longer_than_301_characters() {
        assert_eq!(clean(&"é".repeat(10_000)).chars().count(), 301);
    }
}
