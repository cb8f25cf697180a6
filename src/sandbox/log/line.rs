//! A request as one line, for people and for scripts.
//!
//! Owns: the two spellings. What is in an entry has no secret already.

use serde_json::{Value, json};

use super::LogEntry;

/// Characters of path and query that a line for people shows.
const LONGEST: usize = 400;

impl LogEntry {
    /// For people: time in UTC, system, method, status, milliseconds, path and
    /// query, rows of a list, the fault that was played.
    pub fn line(&self) -> String {
        let time = self.at.strftime("%H:%M:%S%.3f");
        let status = if self.status == 0 { "cut".to_owned() } else { self.status.to_string() };
        let mut line = format!(
            "{time} {:<8} {:<6} {status:>3} {:>5} ms  ",
            self.system.name(),
            self.method,
            self.ms,
        );
        // A path may carry what a terminal would obey.
        let shown = self.path.chars().take(LONGEST);
        line.extend(shown.map(|c| if c.is_control() { '?' } else { c }));
        if self.path.chars().nth(LONGEST).is_some() {
            line.push('…');
        }
        if let Some(rows) = self.rows {
            line.push_str(&format!("  {rows} rows"));
        }
        if let Some(fault) = self.fault {
            line.push_str(&format!("  fault: {fault}"));
        }
        line
    }

    /// For scripts. `status` is null where the connection was closed without an
    /// answer; `rows` and `fault` are null where there are none.
    pub fn json(&self) -> Value {
        json!({
            "seq": self.seq,
            "time": self.at.to_string(),
            "system": self.system.name(),
            "method": self.method,
            "path": self.path,
            "status": (self.status != 0).then_some(self.status),
            "ms": self.ms,
            "rows": self.rows,
            "operations": self.operations,
            "fault": self.fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::System;

    fn entry() -> LogEntry {
        LogEntry {
            seq: 7,
            at: "2026-03-01T06:00:01.25Z".parse().unwrap(),
            system: System::Campaign,
            method: "GET".to_owned(),
            path: "/contoso/campaign/x?_lineCount=2".to_owned(),
            ms: 12,
            status: 200,
            rows: Some(2),
            operations: 1,
            fault: None,
            in_flight: 1,
        }
    }

    #[test]
    fn a_line_says_when_who_what_and_how_it_ended() {
        assert_eq!(
            entry().line(),
            "06:00:01.250 campaign GET    200    12 ms  /contoso/campaign/x?_lineCount=2  2 rows"
        );
        let cut = LogEntry { status: 0, rows: None, fault: Some("cut_after"), ..entry() };
        assert!(cut.line().contains(" GET    cut "), "{}", cut.line());
        assert!(cut.line().ends_with("_lineCount=2  fault: cut_after"), "{}", cut.line());
        assert_eq!(cut.json()["status"], Value::Null);
        assert_eq!(entry().json()["ms"], 12);
    }

    #[test]
    fn a_path_cannot_drive_the_terminal() {
        let path = format!("/\u{9b}31m\u{1b}[2J{}", "x".repeat(9000));
        let line = LogEntry { path, ..entry() }.line();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.chars().count() < LONGEST + 80, "{}", line.len());
    }
}
