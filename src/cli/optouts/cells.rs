//! The ledger in cells: a table for a terminal, CSV for a spreadsheet.

use csv_core::{WriteResult, Writer, WriterBuilder};
use jiff::Timestamp;

use super::facts::{Fact, Said, clocks};
use super::words::{apart, reason, value};
use crate::cli::output::{Align, table};

/// A page of the table.
pub(super) fn table_of(facts: &[Fact]) -> String {
    let columns = [
        ("contact", Align::Left),
        ("flag", Align::Left),
        ("dynamics", Align::Left),
        ("campaign", Align::Left),
        ("agreed by", Align::Left),
        ("state", Align::Left),
        ("decided", Align::Left),
        ("reason", Align::Left),
    ];
    let rows: Vec<Vec<String>> = facts
        .iter()
        .map(|fact| {
            let last = fact.last.as_ref();
            let decided = |it: &crate::store::consent::ConsentDecision| {
                it.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
            };
            vec![
                fact.row.contact.to_string(),
                fact.row.flag.to_string(),
                value(fact.row.dynamics).to_owned(),
                value(fact.row.campaign.opted_out).to_owned(),
                fact.agreed_by().map_or("-", Said::as_str).to_owned(),
                fact.row.state.as_str().to_owned(),
                last.map_or_else(|| "-".to_owned(), decided),
                last.map_or("-", |last| reason(last.what.reason)).to_owned(),
            ]
        })
        .collect();
    table(&columns, &rows)
}

/// The columns of the CSV, in their order.
const HEADER: [&str; 28] = [
    "contact",
    "flag",
    "dynamics",
    "dynamics_changed",
    "campaign",
    "campaign_changed",
    "told_by",
    "agreed",
    "agreed_by",
    "agreed_campaign_changed",
    "state",
    "attempts",
    "updated",
    "decision_at",
    "decision_result",
    "decision_reason",
    "decision_reason_text",
    "decision_dynamics",
    "decision_dynamics_version",
    "decision_campaign",
    "decision_campaign_changed",
    "decision_lead",
    "decision_clock_offset",
    "decision_clock_spread_seconds",
    "decision_documented",
    "decision_told_by",
    "decision_request_ids",
    "decision_outcome",
];

/// Lines of CSV (RFC 4180); with the header, if they are the first.
pub(super) fn csv_of(facts: &[Fact], first: bool) -> String {
    let mut writer = WriterBuilder::new().terminator(csv_core::Terminator::CRLF).build();
    let mut out = Vec::new();
    if first {
        line(&mut writer, &HEADER.map(str::to_owned), &mut out);
    }
    for fact in facts {
        line(&mut writer, &cells(fact), &mut out);
    }
    String::from_utf8(out).unwrap_or_default()
}

fn cells(fact: &Fact) -> [String; HEADER.len()] {
    let text = |value: Option<String>| value.unwrap_or_default();
    let time = |at: Option<Timestamp>| text(at.map(|at| at.to_string()));
    let (row, last) = (&fact.row, fact.last.as_ref());
    let what = last.map(|last| &last.what);
    let (offset, spread) = what.map_or((None, None), |what| clocks(what.skew));
    let agreed_stamp = row.agreement.and_then(|agreement| agreement.campaign.stamp);
    [
        row.contact.to_string(),
        row.flag.to_string(),
        row.dynamics.to_string(),
        time(fact.dynamics_changed()),
        row.campaign.opted_out.to_string(),
        time(row.campaign.stamp),
        row.told_by.clone(),
        text(fact.agreed().map(|agreed| agreed.to_string())),
        fact.agreed_by().map_or("", Said::as_str).to_owned(),
        time(agreed_stamp),
        row.state.as_str().to_owned(),
        row.attempts.to_string(),
        row.updated.to_string(),
        time(last.map(|last| last.at)),
        text(what.map(|what| what.result.to_string())),
        what.map_or("", |what| what.reason.as_str()).to_owned(),
        what.map_or("", |what| reason(what.reason)).to_owned(),
        text(what.map(|what| what.dynamics.opted_out.to_string())),
        text(what.and_then(|what| what.dynamics.version).map(|version| version.0.to_string())),
        text(what.map(|what| what.campaign.opted_out.to_string())),
        time(what.and_then(|what| what.campaign.stamp)),
        text(what.and_then(|what| what.lead).map(apart)),
        text(offset.map(apart)),
        text(spread.map(|spread| format!("{:.3}", spread.as_secs_f64()))),
        text(what.and_then(|what| what.documented).map(|documented| documented.to_string())),
        text(what.map(|what| what.told_by.clone())),
        text(what.map(|what| what.request_ids.join(" "))),
        what.map_or("", |what| what.outcome.as_str()).to_owned(),
    ]
}

fn line(writer: &mut Writer, cells: &[String], out: &mut Vec<u8>) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            piece(out, |buffer| writer.delimiter(buffer));
        }
        let cell = defused(cell);
        let mut rest = cell.as_bytes();
        loop {
            let mut buffer = [0; 1024];
            let (result, read, written) = writer.field(rest, &mut buffer);
            out.extend_from_slice(&buffer[..written]);
            rest = &rest[read..];
            if result == WriteResult::InputEmpty {
                break;
            }
        }
    }
    piece(out, |buffer| writer.terminator(buffer));
}

/// What fits into any buffer: a closing quote and a few bytes.
fn piece(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> (WriteResult, usize)) {
    let mut buffer = [0; 16];
    let (_, written) = write(&mut buffer);
    out.extend_from_slice(&buffer[..written]);
}

/// A spreadsheet takes a cell that begins so for a formula, and executes it; an
/// apostrophe makes it text (OWASP, "CSV Injection").
fn defused(cell: &str) -> String {
    let first = cell.trim_start_matches(' ').chars().next();
    let formula = matches!(
        first,
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    );
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_a_spreadsheet_would_execute_are_text() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"] {
            assert_eq!(defused(cell), format!("'{cell}"));
        }
        for cell in ["", "a=1", "1-2", "optout_1.csv row 3", "'=1", "ahead by 1.000 s"] {
            assert_eq!(defused(cell), cell);
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut writer = WriterBuilder::new().terminator(csv_core::Terminator::CRLF).build();
        let mut out = Vec::new();
        let long = "x\"".repeat(2000);
        for cells in [["a", "b,c", "d\"e", ""], [long.as_str(), "=1\n2", "", "z"]] {
            line(&mut writer, &cells.map(str::to_owned), &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        let quoted = format!("\"{}\"", "x\"\"".repeat(2000));
        assert_eq!(text, format!("a,\"b,c\",\"d\"\"e\",\r\n{quoted},\"'=1\n2\",,z\r\n"));
    }

    proptest::proptest! {
        #[test]
        fn any_cells_are_read_back_and_none_is_a_formula(
            rows in proptest::collection::vec(proptest::array::uniform3(".{0,12}|[-=+@, \"\r\n\t]{0,6}"), 1..8),
        ) {
            let mut writer = WriterBuilder::new().terminator(csv_core::Terminator::CRLF).build();
            let mut out = Vec::new();
            // As in a file: a byte order mark at its very beginning is not a cell's.
            line(&mut writer, &["a", "b", "c"].map(str::to_owned), &mut out);
            for row in &rows {
                line(&mut writer, row, &mut out);
            }
            let mut reader = csv::Reader::from_reader(&out[..]);
            let read: Vec<Vec<String>> =
                reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            let expected: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(|cell| defused(cell)).collect()).collect();
            proptest::prop_assert_eq!(&read, &expected);
            for cell in read.iter().flatten() {
                let first = cell.trim_start_matches(' ').chars().next();
                proptest::prop_assert!(!first.is_some_and(|c| "=+-@\t\r\n".contains(c)), "{:?}", cell);
            }
        }
    }
}
