//! The few requests of `man(7)` that a page needs. Knows nothing of commands.

/// A page that is being written.
pub(super) struct Roff(String);

impl Roff {
    /// With title and footer.
    pub(super) fn new(name: &str, date: &str) -> Self {
        let title = plain(&name.to_uppercase());
        let version = env!("CARGO_PKG_VERSION");
        Self(format!(".TH {title} 1 {date} \"cdsync {version}\" \"cdsync manual\"\n"))
    }

    pub(super) fn section(&mut self, heading: &str) {
        let heading = if heading.contains(' ') { format!("\"{heading}\"") } else { heading.into() };
        self.0.push_str(&format!(".SH {heading}\n"));
    }

    pub(super) fn paragraph(&mut self) {
        self.0.push_str(".PP\n");
    }

    /// What stands at the margin; its text comes next, indented.
    pub(super) fn item(&mut self, what: &str) {
        self.0.push_str(&format!(".TP\n{what}\n"));
    }

    /// From here on lines stay as they are, or no longer.
    pub(super) fn literal(&mut self, on: bool) {
        self.0.push_str(if on { ".nf\n" } else { ".fi\n" });
    }

    /// Plain text.
    pub(super) fn text(&mut self, text: &str) {
        self.line(&plain(text));
    }

    /// Text with requests in it.
    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    pub(super) fn end(self) -> String {
        self.0
    }
}

/// Text that no formatter takes for a request, in ASCII: `groff(1)` reads bytes
/// above that as Latin-1.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // A line that begins with one of these is a request.
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for one in text.chars() {
        match one {
            '\\' => out.push_str("\\(rs"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '…' => out.push_str("..."),
            '\n' | ' '..='\x7e' => out.push(one),
            _ => out.push_str(&format!("\\[u{:04X}]", u32::from(one))),
        }
    }
    out
}

/// As it is typed.
pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", plain(text))
}

/// What stands for something else.
pub(super) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", plain(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_request_and_all_is_ascii() {
        let cases = [
            (".SH", "\\&.SH"),
            ("'x", "\\&\\(aqx"),
            ("a\\b", "a\\(rsb"),
            ("--json", "\\-\\-json"),
            ("COLUMN,…", "COLUMN,..."),
            ("`ß`", "\\(ga\\[u00DF]\\(ga"),
        ];
        for (text, page) in cases {
            assert_eq!(plain(text), page);
        }
    }
}
