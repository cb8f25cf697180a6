//! Data files taken apart: names and values, with the lines they stand in.
//!
//! Owns: CSV and JSON. Knows no table and no resource.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{DataFile, DataProblem, FileForm, whole};

/// Rows that one file may have.
const MOST_ROWS: usize = 2_000_000;

/// One value. Empty cells and nulls are left out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    /// The column; a member of a nested object is `outer.inner`.
    pub(super) name: String,
    pub(super) line: u64,
    pub(super) value: Value,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) cells: Vec<Given>,
}

fn at(file: &DataFile, line: u64, problem: impl Into<String>) -> DataProblem {
    DataProblem { line: Some(line), ..whole(file, problem.into()) }
}

/// Reads a file.
pub(super) fn read(file: &DataFile) -> Result<Vec<Row>, DataProblem> {
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let rows = match file.form {
        FileForm::Csv => csv_rows(file, text)?,
        FileForm::Json => json_rows(file, text)?,
        FileForm::Toml => return Err(whole(file, "data comes as CSV or JSON".to_owned())),
    };
    if rows.len() > MOST_ROWS {
        return Err(whole(file, format!("it has more than {MOST_ROWS} rows")));
    }
    Ok(rows)
}

/// The separator that the first line has most of.
fn separator(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |wanted: u8| first.bytes().filter(|byte| *byte == wanted).count();
    let most = [b'\t', b';', b','].into_iter().max_by_key(|byte| count(*byte));
    most.unwrap_or(b',')
}

fn csv_rows(file: &DataFile, text: &str) -> Result<Vec<Row>, DataProblem> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator(text)).from_reader(text.as_bytes());
    let wrong = |error: &csv::Error| {
        let begin = error.position().map_or(0, |place| begin(text, place));
        let line = 1 + breaks(text, 0, begin);
        let problem = if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind()
        {
            format!("it has {len} cells where the first row names {expected_len}")
        } else {
            "it is no CSV".to_owned()
        };
        at(file, line, problem)
    };
    let names: Vec<String> = reader
        .headers()
        .map_err(|error| wrong(&error))?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    for (place, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(at(file, 1, format!("column {} has no name", place + 1)));
        }
        if names[..place].contains(name) {
            return Err(at(file, 1, format!("two columns are called {name}")));
        }
    }
    let mut rows = Vec::new();
    let (mut line, mut from) = (1, 0);
    for record in reader.records() {
        let record = record.map_err(|error| wrong(&error))?;
        let begin = record.position().map_or(from, |place| begin(text, place));
        line += breaks(text, from, begin);
        from = begin;
        let cells = names.iter().zip(record.iter()).filter(|(_, text)| !text.is_empty());
        let cells =
            cells.map(|(name, text)| Given { name: name.clone(), line, value: Value::from(text) });
        rows.push(Row { line, cells: cells.collect() });
        if rows.len() > MOST_ROWS {
            break;
        }
    }
    Ok(rows)
}

/// Where a record begins, behind the breaks of the lines before it.
fn begin(text: &str, place: &csv::Position) -> usize {
    let at = usize::try_from(place.byte()).unwrap_or(usize::MAX);
    let rest = text.get(at..).unwrap_or_default();
    at + rest.len() - rest.trim_start_matches(['\r', '\n']).len()
}

/// Line breaks between two places of the same text.
fn breaks(text: &str, from: usize, to: usize) -> u64 {
    let between = text.get(from..to).unwrap_or_default();
    u64::try_from(between.matches('\n').count()).unwrap_or(0)
}

/// Where a part of the text begins.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

fn json_rows(file: &DataFile, text: &str) -> Result<Vec<Row>, DataProblem> {
    let broken = |error: &serde_json::Error| {
        at(file, u64::try_from(error.line()).unwrap_or(0), format!("it is no such JSON: {error}"))
    };
    let list: Vec<&RawValue> = if text.trim_start().starts_with('{') {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|error| broken(&error))?;
        // What the lists of both systems' APIs are called.
        let list = members.get("value").or_else(|| members.get("content"));
        let list = list.ok_or_else(|| {
            whole(file, "an object must hold its rows as value or content".to_owned())
        })?;
        let line = 1 + breaks(text, 0, offset(text, list.get()));
        serde_json::from_str(list.get())
            .map_err(|error| at(file, line, format!("it is no list: {error}")))?
    } else {
        serde_json::from_str(text).map_err(|error| broken(&error))?
    };
    let mut rows = Vec::with_capacity(list.len());
    let (mut line, mut from) = (1, 0);
    for raw in list {
        let begin = offset(text, raw.get());
        line += breaks(text, from, begin);
        from = begin;
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get())
            .map_err(|_| at(file, line, "a row is an object of names and values"))?;
        let mut row = Row { line, cells: Vec::with_capacity(members.len()) };
        for (name, member) in members {
            let line = line + breaks(text, begin, offset(text, member.get()));
            let value: Value = serde_json::from_str(member.get())
                .map_err(|error| at(file, line, format!("{name}: {error}")))?;
            flatten(&mut row.cells, name, line, value);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn flatten(cells: &mut Vec<Given>, name: String, line: u64, value: Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (inner, value) in members {
                flatten(cells, format!("{name}.{inner}"), line, value);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            cells.push(Given { name, line, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> DataFile {
        DataFile {
            name: name.to_owned(),
            target: "contact".to_owned(),
            form: FileForm::of_name(name).unwrap(),
            text: text.to_owned(),
        }
    }

    fn shown(rows: &[Row]) -> Vec<String> {
        let cell = |cell: &Given| format!("{}:{}={}", cell.line, cell.name, cell.value);
        rows.iter().flat_map(|row| row.cells.iter().map(cell)).collect()
    }

    #[test]
    fn csv_rows_know_their_lines_and_any_usual_separator() {
        for text in [
            "a,b\n1,\"x\ny\"\n,3\n",
            "a;b\r\n1;\"x\ny\"\r\n;3\r\n",
            "\u{feff}a\tb\n1\t\"x\ny\"\n\t3",
        ] {
            let rows = read(&file("x.csv", text)).unwrap();
            assert_eq!(shown(&rows), ["2:a=\"1\"", "2:b=\"x\\ny\"", "4:b=\"3\""], "{text:?}");
        }
    }

    #[test]
    fn json_rows_know_their_lines_alone_and_in_an_apis_answer() {
        let rows = "[\n {\"a\": 1,\n  \"b\": {\"c\": \"x\"}},\n {\"a\": null, \"d\": true}\n]";
        let expected = ["2:a=1", "3:b.c=\"x\"", "4:d=true"];
        assert_eq!(shown(&read(&file("x.json", rows)).unwrap()), expected);
        let answer = format!("{{\"@odata.context\": \"…\", \"value\": {rows}}}");
        assert_eq!(shown(&read(&file("x.json", &answer)).unwrap()), expected);
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let error = |name: &str, text: &str| read(&file(name, text)).unwrap_err().to_string();
        assert_eq!(
            error("p.csv", "a,b\n1,2\n3\n"),
            "p.csv:3: it has 1 cells where the first row names 2"
        );
        assert_eq!(error("p.csv", "a,a\n1,2\n"), "p.csv:1: two columns are called a");
        assert_eq!(error("p.csv", "a,,c\n"), "p.csv:1: column 2 has no name");
        assert!(error("p.json", "[\n{\"a\": 1},\n{\"a\": }\n]").starts_with("p.json:3: "));
        assert_eq!(
            error("p.json", "[\n{\"a\": 1},\n7]"),
            "p.json:3: a row is an object of names and values"
        );
        assert!(error("p.json", "{\"rows\": []}").contains("value or content"));
    }
}
