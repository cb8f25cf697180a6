//! What fits on a terminal. Where there is none, nothing is cut or broken.

use std::io::{self, IsTerminal};

use terminal_size::{Height, Width, terminal_size_of};

/// Narrower than this, lines are left to the terminal.
const NARROWEST: usize = 40;

/// Before what of a line stands on the next one.
const INDENT: &str = "    ";

/// Columns and lines of the terminal that stdout is; none where it is none, or
/// does not say.
pub(super) fn size() -> Option<(usize, usize)> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let (Width(columns), Height(lines)) = terminal_size_of(out)?;
    Some((columns.into(), lines.into()))
}

/// Breaks longer lines between words; what does not stand on a line's first part
/// is indented, so that tables stay readable.
pub(super) fn broken(text: &str, columns: usize) -> String {
    if columns < NARROWEST {
        return text.to_owned();
    }
    let lines: Vec<String> = text.split('\n').map(|line| folded(line, columns)).collect();
    lines.join("\n")
}

fn folded(line: &str, columns: usize) -> String {
    let Some((first, rest)) = split(line, columns) else { return line.to_owned() };
    let rest = narrow(rest);
    let (mut out, mut rest) = (first.to_owned(), rest.as_str());
    loop {
        out.push('\n');
        out.push_str(INDENT);
        match split(rest, columns - INDENT.len()) {
            Some((first, then)) => {
                out.push_str(first);
                rest = then;
            }
            None => return out + rest,
        }
    }
}

/// What filled columns up is of no use on the next line.
fn narrow(text: &str) -> String {
    let cells: Vec<&str> = text.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
    cells.join("  ")
}

/// A line's part that fits, and what is left of it; none where all fits. A word
/// that is longer than a line is broken, too.
fn split(line: &str, room: usize) -> Option<(&str, &str)> {
    let (end, _) = line.char_indices().nth(room)?;
    // A space may stand just behind what fits.
    let until = end + line[end..].chars().next().map_or(0, char::len_utf8);
    let first_word = line.len() - line.trim_start().len();
    let space = line[..until].rfind(' ').filter(|at| *at > first_word);
    let (first, rest) = line.split_at(space.unwrap_or(end));
    Some((first.trim_end(), rest.trim_start()))
}

/// The first lines, and how many are left out, where not all fit. One line of the
/// terminal stays free for the cursor.
pub(super) fn cut(text: &str, columns: usize, lines: usize) -> String {
    let text = broken(text, columns);
    let room = lines.saturating_sub(1).max(2);
    let all = text.lines().count();
    if all <= room {
        return text;
    }
    let mut shown: Vec<&str> = text.lines().take(room - 1).collect();
    let more = format!("... {} more lines: a taller window shows them", all - shown.len());
    shown.push(&more);
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_nothing_is_lost() {
        let row =
            "contact  2e451703-c286-e711-80ef-00155db19e6d  create  email, firstName, lastName";
        let text = broken(&format!("short\n{row}\n\nend"), 50);
        assert_eq!(
            text,
            "short\ncontact  2e451703-c286-e711-80ef-00155db19e6d\n    create  email, firstName, lastName\n\nend"
        );
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for columns in [40, 41, 47, 60, 79, 80, 200] {
            let text = broken(row, columns);
            assert_eq!(words(&text), words(row), "{columns}");
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns}: {text}");
        }
        assert_eq!(broken(row, row.len()), row);
        let filled = format!("{}  {:90}  why", "a".repeat(38), "b, c");
        assert_eq!(broken(&filled, 40), format!("{}\n    b, c  why", "a".repeat(38)));
        assert_eq!(broken(row, 39), row, "too narrow to be readable");
        let word = "ä".repeat(100);
        let text = broken(&word, 40);
        assert_eq!(text.replace("\n    ", ""), word);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let text: Vec<String> = (1..=10).map(|line| line.to_string()).collect();
        let text = text.join("\n");
        assert_eq!(cut(&text, 80, 11), text);
        assert_eq!(cut(&text, 80, 5), "1\n2\n3\n... 7 more lines: a taller window shows them");
        assert!(cut(&text, 80, 0).starts_with("1\n... 9 more"));
        // Lines that are broken count as they are shown.
        let long = format!("{}\nlast", "word ".repeat(30));
        assert_eq!(cut(&long, 40, 4).lines().count(), 3);
    }
}
