//! Problems as a person sees them: the line of the file, a caret, the remedy.
//! Owns the promise that no secret text of the file is shown: from the first
//! masked byte on, a line's rest is replaced by `***`.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

use super::problem::{Problem, Problems};

/// Stands for what may be secret.
const MASK: &str = "***";

impl Problems {
    /// Every problem with its line of `text` (the file's content), a caret and
    /// the hint; `path` is the name shown for the file.
    pub(crate) fn render(&self, text: &str, path: &str, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for problem in &self.list {
            let (line, caret) = masked_line(text, problem, &self.masks);
            let title = normalize_untrusted_str(&problem.problem);
            let hint = normalize_untrusted_str(&problem.hint);
            let place = normalize_untrusted_str(&problem.place);
            let mut annotation = AnnotationKind::Primary.span(caret);
            if !place.is_empty() {
                annotation = annotation.label(place);
            }
            let report = [Level::ERROR
                .primary_title(title)
                .element(
                    Snippet::source(line)
                        .line_start(problem.line)
                        .path(path)
                        .annotation(annotation),
                )
                .element(Level::HELP.message(hint))];
            out.push_str(&renderer.render(&report));
            out.push_str("\n\n");
        }
        out
    }
}

/// The problem's line, cut at its first masked byte, and the caret within it.
fn masked_line(text: &str, problem: &Problem, masks: &[Range<usize>]) -> (String, Range<usize>) {
    let at = problem.span.start.min(text.len());
    let start = text.get(..at).and_then(|head| head.rfind('\n')).map_or(0, |found| found + 1);
    let rest = text.get(start..).unwrap_or_default();
    let end = start + rest.find('\n').unwrap_or(rest.len());
    let visible = masks
        .iter()
        .filter(|mask| mask.start < end && mask.end > start)
        .map(|mask| mask.start.max(start))
        .min();
    let mut line = text
        .get(start..visible.unwrap_or(end))
        .unwrap_or_default()
        .trim_end_matches('\r')
        .to_owned();
    let kept = line.len();
    if visible.is_some() {
        line.push_str(MASK);
    }
    let caret = if at - start < kept {
        at - start..(problem.span.end.min(end) - start).clamp(at - start, line.len())
    } else {
        kept.min(line.len())..line.len()
    };
    (line, caret)
}
