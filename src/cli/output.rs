//! Writing to stdout and stderr; tables.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use super::exit::{End, Exit};
use super::terminal::{broken, size};

/// Words and tables, to stdout; on a terminal, longer lines are broken.
pub(super) fn print(text: &str) -> io::Result<()> {
    match size() {
        Some((columns, _)) => data(&broken(text, columns)),
        None => data(text),
    }
}

/// Data, to stdout, as they are.
pub(super) fn data(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// One JSON value, to stdout, on several lines.
pub(super) fn print_json(value: &Value) -> io::Result<()> {
    data(&format!("{value:#}"))
}

/// A word to the user, to stderr.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What went wrong, to stderr.
pub(super) fn complain(text: &str) {
    if !text.is_empty() {
        say(&format!("cdsync: {text}"));
    }
}

/// Whether what is written there may have colour.
pub(super) fn colour(there: &impl IsTerminal) -> bool {
    there.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// What a command has to say; printed here, or where it was asked.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    /// How it ends.
    pub(super) exit: Exit,
    /// Data.
    pub(super) out: String,
    /// A word to the user.
    pub(super) say: String,
}

impl Spoken {
    /// Data alone.
    pub(super) fn out(text: impl Into<String>) -> Self {
        Self { exit: Exit::Done, out: text.into(), say: String::new() }
    }

    /// One JSON value, on several lines.
    pub(super) fn json(value: &Value) -> Self {
        Self::out(format!("{value:#}"))
    }

    /// A word alone.
    pub(super) fn say(text: impl Into<String>) -> Self {
        Self { exit: Exit::Done, out: String::new(), say: text.into() }
    }

    /// Prints it. `is_data`: as it is, for programs.
    pub(super) fn tell(self, is_data: bool) -> Result<Exit, End> {
        if !self.out.is_empty() {
            if is_data { data(&self.out)? } else { print(&self.out)? }
        }
        if !self.say.is_empty() {
            say(&self.say);
        }
        Ok(self.exit)
    }
}

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table of texts under these headings, which may be of several lines.
pub(super) fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns.iter().map(|(heading, _)| *heading));
    for row in rows {
        table.add_row(row);
    }
    for (index, (_, align)) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
    }
    let lines: Vec<String> =
        table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// `12345678` → `12,345,678`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many of something that is named in the singular: `1 row`, `2,000 rows`.
pub(super) fn many(number: u64, noun: &str) -> String {
    let noun = match noun {
        _ if number == 1 => noun.to_owned(),
        _ if noun.ends_with('y') => format!("{}ies", noun.trim_end_matches('y')),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ => format!("{noun}s"),
    };
    format!("{} {noun}", count(number))
}

/// A duration in the two largest units that say something.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_thousands_and_ages_have_units() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        let texts =
            [(0, "row"), (1, "row"), (2000, "row"), (1, "activity"), (2, "activity"), (3, "pass")]
                .map(|(number, noun)| many(number, noun));
        assert_eq!(
            texts,
            ["0 rows", "1 row", "2,000 rows", "1 activity", "2 activities", "3 passes"]
        );
        assert_eq!(age(59), "59 s");
        assert_eq!(age(61), "1 min 1 s");
        assert_eq!(age(90_000), "1 d 1 h");
    }

    #[test]
    fn columns_stand_in_line() {
        let columns = [("name", Align::Left), ("rows", Align::Right)];
        let rows = [vec!["contact".into(), "1,200".into()], vec!["lead".into(), "3".into()]];
        assert_eq!(table(&columns, &rows), "name      rows\ncontact  1,200\nlead         3");
    }
}
