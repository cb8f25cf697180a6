//! What is wrong with a mapping as written: one [`Problem`] per finding, with
//! the place in the mapping and a hint, and the search for the name that was
//! probably meant.
//!
//! Knows nothing of files: `config` turns a place into line and column.

/// The entry of a table mapping that a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The table mapping as a whole.
    Table,
    /// `key`.
    Key,
    /// `fields[index]`.
    Field(usize),
    /// `links[index]`.
    Link(usize),
    /// A rule or group of `filter`: the index at each level of nesting,
    /// outermost first; empty for the outermost group.
    Rule(Vec<usize>),
}

/// One finding. Its texts name what the configuration and the metadata say,
/// never a value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where.
    pub(crate) place: Place,
    /// The key inside that entry (`from`, `to`, `replace`, …), where one is to
    /// blame.
    pub(crate) part: Option<&'static str>,
    /// What is wrong.
    pub(crate) text: String,
    /// What to do; empty where nothing better can be said than the text.
    pub(crate) hint: String,
}

impl Problem {
    /// A finding about one key of the entry at `place`.
    pub(super) fn new(
        place: &Place,
        part: &'static str,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { place: place.clone(), part: Some(part), text: text.into(), hint: hint.into() }
    }
}

/// Longest list of names that a hint prints.
const LISTED: usize = 12;

/// `a, b, c`; long lists end with how many more there are.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match all.get(..LISTED) {
        Some(first) if all.len() > LISTED => {
            format!("{} and {} more", first.join(", "), all.len() - LISTED)
        }
        Some(_) | None => all.join(", "),
    }
}

/// "did you mean `x`?", or `otherwise` if no name is near.
pub(super) fn did_you_mean<'a>(
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    nearest(wanted, names)
        .map_or_else(|| otherwise.to_owned(), |name| format!("did you mean `{name}`?"))
}

/// The name with the fewest edits, ignoring case, if no more than a third of
/// the wanted name's letters (at least two) must change.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(2);
    names
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (r, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            *cell = (diagonal + usize::from(l != *r)).min(above + 1).min(before + 1);
            diagonal = above;
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_ends_with_how_many_more_there_are() {
        let names: Vec<String> = (1..=14).map(|it| it.to_string()).collect();
        let of = |count: usize| listed(names.iter().take(count).map(String::as_str));
        assert_eq!(of(0), "");
        assert_eq!(of(2), "`1`, `2`");
        assert!(of(12).ends_with("`11`, `12`"), "{}", of(12));
        assert!(of(13).ends_with("`11`, `12` and 1 more"), "{}", of(13));
        assert!(of(14).ends_with("`11`, `12` and 2 more"), "{}", of(14));
    }

    #[test]
    fn names_are_near_by_the_letters_that_must_change() {
        for (left, right, edits) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("same", "same", 0),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("ab", "ba", 2),
            ("emailadress", "emailaddress", 1),
        ] {
            assert_eq!(distance(left, right), edits, "{left} {right}");
            assert_eq!(distance(right, left), edits, "{right} {left}");
        }
        let near = |wanted, name: &'static str| nearest(wanted, [name].into_iter()).is_some();
        assert!(near("ab", "xy") && near("abcdefghi", "abcdefxyz"), "two, or a third");
        assert!(!near("abcdefgh", "abcdexyz") && !near("abcdefghi", "abcdewxyz"));
        assert_eq!(nearest("Lastname", ["firstname", "LASTNAM"].into_iter()), Some("LASTNAM"));
    }
}
