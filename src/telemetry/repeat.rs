//! What the last pass of a flow said: a state that lasts is told when it begins
//! and when it changes, not by every pass that meets it.
//!
//! Only a daemon remembers. Must not know what an event means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Flow;

/// Lines that are remembered of one pass; what is beyond is told each time.
const MOST: usize = 1000;

/// Characters that are remembered of one field.
const MOST_CHARS: usize = 500;

static MEMORY: Mutex<Option<Memory>> = Mutex::new(None);

#[derive(Debug, Default)]
struct Memory(BTreeMap<Flow, Said>);

#[derive(Debug, Default)]
struct Said {
    before: BTreeSet<String>,
    now: BTreeSet<String>,
}

impl Memory {
    fn is_news(&mut self, flow: Flow, line: String) -> bool {
        let said = self.0.entry(flow).or_default();
        let known = said.before.contains(&line) || said.now.contains(&line);
        if said.now.len() < MOST {
            said.now.insert(line);
        }
        !known
    }

    fn pass_over(&mut self, flow: Flow) {
        let said = self.0.entry(flow).or_default();
        said.before = std::mem::take(&mut said.now);
    }
}

/// From now on what one pass said is no news in the next one.
pub(crate) fn remember_passes() {
    lock().get_or_insert_default();
}

/// A pass has looked at all there is; what it did not say again is over.
pub(crate) fn pass_over(flow: Flow) {
    if let Some(memory) = lock().as_mut() {
        memory.pass_over(flow);
    }
}

/// Whether anything is remembered from one pass to the next.
pub(super) fn remembers() -> bool {
    lock().is_some()
}

/// Whether this line differs from all that this pass and the one before it said.
pub(super) fn is_news(flow: Flow, name: &str, fields: &[(&str, String)]) -> bool {
    let Some(memory) = &mut *lock() else { return true };
    let mut line = name.to_owned();
    for (field, value) in fields {
        // A state that only grows older is the same state.
        if !field.ends_with("_seconds") && !field.ends_with("_ms") {
            line.push('\n');
            line.extend(lasting(value).chars().take(MOST_CHARS));
        }
    }
    memory.is_news(flow, line)
}

/// A text without what differs from one answer to the next: request ids, and
/// long words with digits (GUIDs, points in time).
fn lasting(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let is_id = words.last().is_some_and(|last| last.ends_with("request"))
            || (word.len() >= 8 && word.contains(|c: char| c.is_ascii_digit()));
        words.push(if is_id { "…" } else { word });
    }
    words.join(" ")
}

fn lock() -> MutexGuard<'static, Option<Memory>> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_news_when_it_begins_and_when_it_comes_back() {
        let mut memory = Memory::default();
        let mut say = |passes: &[&[&str]]| -> Vec<Vec<bool>> {
            let mut pass = |lines: &[&str]| {
                let news =
                    lines.iter().map(|line| memory.is_news(Flow::Ingress, (*line).to_owned()));
                let news: Vec<bool> = news.collect();
                // Another flow's passes are its own.
                memory.pass_over(Flow::Egress);
                memory.pass_over(Flow::Ingress);
                news
            };
            passes.iter().map(|lines| pass(lines)).collect()
        };
        let told = say(&[&["a"], &["a", "b", "b"], &["b"], &[], &["b"]]);
        let expected: [&[bool]; 5] = [&[true], &[false, true, false], &[false], &[], &[true]];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_same_refusal_under_another_request_id_is_the_same() {
        let told = |id: &str| format!("\"campaign: not allowed (HTTP 403, request {id})\"");
        assert_eq!(lasting(&told("a1")), lasting(&told("7e57ab1e-0000-4000-8000-00000000c0de")));
        let at = |time: &str| format!("refused at {time}");
        assert_eq!(lasting(&at("2026-03-01T12:00:00Z")), lasting(&at("2026-03-01T12:01:00Z")));
        assert_ne!(lasting("HTTP 403"), lasting("HTTP 500"));
        assert_ne!(lasting("12"), lasting("13"));
    }

    #[test]
    fn what_is_too_much_to_remember_is_told_each_time() {
        let mut memory = Memory::default();
        for number in 0..MOST {
            assert!(memory.is_news(Flow::Ingress, number.to_string()));
        }
        assert!(memory.is_news(Flow::Ingress, "more".to_owned()));
        assert!(memory.is_news(Flow::Ingress, "more".to_owned()));
        assert!(!memory.is_news(Flow::Ingress, "0".to_owned()));
    }
}
