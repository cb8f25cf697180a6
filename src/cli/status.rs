//! `status`: where everything stands, once or again and again.

mod json;
mod table;

use std::io::{self, IsTerminal};
use std::time::Duration;

use serde_json::Value;

use crate::app::status;
use crate::clock::Clock;

use super::args::{Cli, Json};
use super::config::config;
use super::desk::{Place, Request, hear};
use super::exit::{End, Exit};
use super::output::{Spoken, data, print, say};
use super::sync::interrupted;
use super::terminal::{cut, size};

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(2);

/// Answers the command.
pub(super) async fn answer(arguments: Json, place: &Place<'_>) -> Result<Spoken, End> {
    let status = status(place.config, place.store, place.clock, place.daemon.clone()).await?;
    Ok(if arguments.json {
        Spoken::json(&json::as_json(&status))
    } else {
        Spoken::out(table::as_tables(&status))
    })
}

/// Shows it until a signal ends it: on a terminal in its place, elsewhere one
/// below the other; as JSON one object a line.
pub(super) async fn watch(cli: &Cli, arguments: Json, clock: &Clock) -> Result<Exit, End> {
    let config = config(&cli.global)?;
    let request = Request::Status(arguments);
    let mut screen = Screen::new(arguments.json);
    let ended = interrupted();
    tokio::pin!(ended);
    loop {
        let looked = tokio::select! {
            biased;
            () = &mut ended => return Ok(Exit::Done),
            looked = hear(&config, &request, clock) => looked,
        };
        match looked {
            Ok(text) => screen.show(&text)?,
            // Someone else has the store for a while, or the daemon ended just now.
            Err(end) if matches!(end.exit, Exit::Store | Exit::Incomplete) => screen.miss(&end)?,
            Err(end) => return Err(end),
        }
        tokio::select! {
            () = clock.sleep(EVERY) => {}
            () = &mut ended => return Ok(Exit::Done),
        }
    }
}

/// Where the looks are shown.
struct Screen {
    json: bool,
    terminal: bool,
    shown: bool,
    missed: String,
}

impl Screen {
    fn new(json: bool) -> Self {
        let terminal = !json && io::stdout().is_terminal();
        Self { json, terminal, shown: false, missed: String::new() }
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        self.missed.clear();
        if self.json {
            let value = serde_json::from_str::<Value>(text).unwrap_or_default();
            return data(&value.to_string());
        }
        if self.terminal {
            return data(&redrawn(text, size()));
        }
        let gap = if std::mem::replace(&mut self.shown, true) { "\n" } else { "" };
        print(&format!("{gap}{text}"))
    }

    /// Says once why there is nothing to show.
    fn miss(&mut self, end: &End) -> io::Result<()> {
        let why = end.to_string();
        if self.terminal {
            return data(&redrawn(&why, size()));
        }
        if self.missed != why {
            say(&format!("cdsync: {why}"));
            self.missed = why;
        }
        Ok(())
    }
}

/// A text in place of the last one: from the top left, each line's rest and all
/// below wiped. Nothing is wiped before it is written again, so nothing flickers.
/// What does not fit would push its beginning out, and is left out.
fn redrawn(text: &str, size: Option<(usize, usize)>) -> String {
    let fitting = size.map(|(columns, lines)| cut(text, columns, lines));
    let text = fitting.as_deref().unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    format!("\x1b[H{}\x1b[J", lines.join("\x1b[K\r\n"))
}

#[cfg(test)]
mod tests {
    use super::redrawn;

    #[test]
    fn a_shorter_text_leaves_nothing_of_the_longer_one() {
        assert_eq!(redrawn("a\nb", None), "\x1b[Ha\x1b[K\r\nb\x1b[J");
    }

    #[test]
    fn a_text_that_is_taller_than_the_terminal_shows_its_beginning() {
        let shown = redrawn("a\nb\nc\nd", Some((80, 4)));
        assert_eq!(
            shown,
            "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n... 2 more lines: a taller window shows them\x1b[J"
        );
        assert_eq!(redrawn("a\nb", Some((80, 4))), redrawn("a\nb", None));
    }
}
