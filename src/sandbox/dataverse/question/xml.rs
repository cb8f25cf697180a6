//! As much XML as `FetchXML` needs: elements, attributes, text.
//!
//! Owns: reading it into a tree. Comments, declarations and entities beyond the
//! five of XML are refused.

use super::malformed;
use crate::sandbox::dataverse::error::Refusal;

/// One element.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    pub(super) text: String,
}

impl Element {
    /// An attribute's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one element with all that is in it.
pub(super) fn read(text: &str) -> Result<Element, Refusal> {
    let mut open: Vec<Element> = Vec::new();
    let mut rest = text.trim();
    loop {
        let Some(at) = rest.find('<') else {
            return Err(malformed("The FetchXML ends too early."));
        };
        if let Some(element) = open.last_mut() {
            element.text.push_str(&unescape(rest[..at].trim())?);
        }
        let end = rest[at..].find('>').ok_or_else(|| malformed("A tag does not end."))? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let done = open.pop().filter(|element| element.name == name.trim());
            let done = done.ok_or_else(|| malformed(format!("</{name}> closes nothing.")))?;
            match open.last_mut() {
                Some(parent) => parent.children.push(done),
                None => return Ok(done),
            }
            continue;
        }
        let (inner, closed) = match tag.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (tag, false),
        };
        let element = start(inner)?;
        match (closed, open.last_mut()) {
            (false, _) => open.push(element),
            (true, Some(parent)) => parent.children.push(element),
            (true, None) => return Ok(element),
        }
    }
}

fn start(tag: &str) -> Result<Element, Refusal> {
    let tag = tag.trim();
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(malformed(format!("'{name}' is no element of FetchXML.")));
    }
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(element);
        }
        let part = rest.split_once('=').and_then(|(name, value)| {
            let value = value.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, tail) = value[1..].split_once(quote)?;
            Some((name.trim(), value, tail))
        });
        let (name, value, tail) =
            part.ok_or_else(|| malformed(format!("'{rest}' is no attribute.")))?;
        element.attributes.push((name.to_owned(), unescape(value)?));
        rest = tail;
    }
}

fn unescape(text: &str) -> Result<String, Refusal> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, tail) =
            after.split_once(';').ok_or_else(|| malformed("An entity does not end."))?;
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => return Err(malformed(format!("The entity {name} is unknown."))),
        });
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text_are_read() {
        let tree = read("<a x='1'><b y=\"&lt;'\" /><c>t &amp; u</c></a>").unwrap();
        assert_eq!((tree.name.as_str(), tree.get("x"), tree.children.len()), ("a", Some("1"), 2));
        assert_eq!(tree.children[0].get("y"), Some("<'"));
        assert_eq!(tree.children[1].text, "t & u");
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for text in
            ["", "<a>", "<a></b>", "<a x=1/>", "<a x='&#1;'/>", "<a x='&nbsp;'/>", "<!-- -->"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
