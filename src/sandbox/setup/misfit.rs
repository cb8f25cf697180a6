//! What is wrong with a schema file, and on which line.
//!
//! Owns: finding the line of a name in the text. Knows no rules.

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The table or resource.
    owner: String,
    /// Its column, field, key or filter.
    item: Option<String>,
    /// What is wrong, with what would be right.
    text: String,
}

impl Misfit {
    /// About a table or a resource as a whole.
    pub(super) fn whole(kind: &str, owner: &str, text: impl std::fmt::Display) -> Self {
        Self { owner: owner.to_owned(), item: None, text: format!("{kind} {owner}: {text}") }
    }

    /// About a part of it, such as a column.
    pub(super) fn part(
        (kind, owner): (&str, &str),
        (part, item): (&str, &str),
        text: impl std::fmt::Display,
    ) -> Self {
        let text = format!("{kind} {owner}, {part} {item}: {text}");
        Self { owner: owner.to_owned(), item: Some(item.to_owned()), text }
    }

    /// The line of what it is about, where that is found, and the problem with it.
    pub(super) fn told(&self, source: &str) -> (Option<usize>, String) {
        let owner = named(source, 0, &["name"], &self.owner);
        let item = self
            .item
            .as_ref()
            .and_then(|item| named(source, owner.map_or(0, |at| at + 1), &["name", "field"], item));
        let Some(at) = item.or(owner) else { return (None, self.text.clone()) };
        let line = source.get(..at).unwrap_or_default().matches('\n').count() + 1;
        (Some(line), format!("line {line}: {}", self.text))
    }
}

/// Where `key = "value"`, or `"key": "value"`, stands behind a place.
fn named(source: &str, from: usize, keys: &[&str], value: &str) -> Option<usize> {
    let rest = source.get(from..)?;
    let quoted = format!("\"{value}\"");
    rest.match_indices(&quoted).map(|(at, _)| from + at).find(|at| {
        let before = source.get(..*at).unwrap_or_default().trim_end();
        let before = before.strip_suffix(['=', ':']).unwrap_or_default().trim_end();
        let before = before.strip_suffix('"').unwrap_or(before);
        keys.iter().any(|key| {
            let Some(head) = before.strip_suffix(key) else { return false };
            !head.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_stands_on_the_line_of_its_part() {
        let toml = "[[table]]\nname = \"contact\"\n\n[[table]]\nname = \"new_Pet\"\ncolumns = [\n  { name = \"new_A\", targets = [\"contact\"] },\n  { type = \"text\", name=\"new_B\" },\n]\n";
        let part = |owner: &str, item: &str| {
            Misfit::part(("table", owner), ("column", item), "is wrong").told(toml).1
        };
        assert_eq!(part("new_Pet", "new_B"), "line 8: table new_Pet, column new_B: is wrong");
        assert_eq!(part("new_Pet", "new_C"), "line 5: table new_Pet, column new_C: is wrong");
        let whole =
            |owner: &str, source: &str| Misfit::whole("table", owner, "is wrong").told(source).1;
        assert_eq!(whole("contact", toml), "line 2: table contact: is wrong");
        assert_eq!(whole("nobody", toml), "table nobody: is wrong");
        let json = "{\"table\": [\n {\"name\": \"new_Pet\"}]}";
        assert_eq!(whole("new_Pet", json), "line 2: table new_Pet: is wrong");
    }
}
