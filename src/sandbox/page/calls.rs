//! The requests, the latest first, and the journal's events.

use super::forms;
use super::html::{self, Html};
use crate::sandbox::log::{LogEntry, System};
use crate::sandbox::server::Shared;
use crate::sandbox::wire::{Call, Reply};

/// Requests that a page or an answer shows.
const SHOWN: usize = 200;

/// Events that a page shows.
const EVENTS: usize = 50;

/// Which requests are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    system: String,
    method: String,
    /// A status, its first digits, `4xx`, or `cut`.
    status: String,
    contains: String,
    /// Only those after this number.
    after: u64,
}

impl Filter {
    /// The filter of a query.
    pub(super) fn of(call: &Call) -> Self {
        let text = |name: &str| call.param(name).unwrap_or_default().trim().to_owned();
        Self {
            system: text("system").to_lowercase(),
            method: text("method").to_uppercase(),
            status: text("status").to_lowercase(),
            contains: text("q"),
            after: text("after").parse().unwrap_or(0),
        }
    }

    /// Whether a request is wanted; the sandbox's own only by name.
    pub(super) fn takes(&self, entry: &LogEntry) -> bool {
        let system = if self.system.is_empty() {
            entry.system != System::Sandbox
        } else {
            self.system == entry.system.name()
        };
        let status = if entry.status == 0 { "cut".to_owned() } else { entry.status.to_string() };
        let fault = self.status == "fault" && entry.fault.is_some();
        system
            && (self.method.is_empty() || self.method == entry.method)
            && (fault || status.starts_with(self.status.trim_end_matches('x')))
            && entry.path.contains(&self.contains)
            && entry.seq > self.after
    }
}

/// Requests as a table.
pub(super) fn table<'e>(out: &mut Html, entries: impl Iterator<Item = &'e LogEntry>) {
    out.raw("<table class=stack>");
    let mut any = false;
    for entry in entries {
        any = true;
        out.raw("<tr><td class=\"tight mono\">")
            .text(entry.at.strftime("%H:%M:%S%.3f").to_string());
        out.raw("</td><td class=tight>").text(entry.system.name()).raw(" <b>");
        out.text(&entry.method).raw("</b> ");
        match entry.status {
            0 => out.raw("<span class=bad>cut</span>"),
            200..400 => out.raw("<span class=good>").text(entry.status.to_string()).raw("</span>"),
            status => out.raw("<span class=bad>").text(status.to_string()).raw("</span>"),
        };
        out.raw(" ").text(entry.ms.to_string()).raw(" ms");
        if let Some(rows) = entry.rows {
            out.raw(" ").number(rows).raw(" rows");
        }
        out.raw("</td><td><code>").text(&entry.path).raw("</code>");
        if let Some(fault) = entry.fault {
            out.raw(" <span class=mark>").text(fault).raw("</span>");
        }
        out.raw("</td></tr>");
    }
    out.raw("</table>");
    if !any {
        out.raw("<p class=soft>No requests.</p>");
    }
}

fn option(out: &mut Html, value: &str, name: &str, chosen: &str) {
    out.raw("<option value=\"").text(value);
    out.raw(if value == chosen { "\" selected>" } else { "\">" }).text(name).raw("</option>");
}

/// `GET /_sandbox/calls?system=&method=&status=&q=&follow=`
pub(super) fn page(shared: &Shared, call: &Call) -> Reply {
    let filter = Filter::of(call);
    let follow = call.param("follow") == Some("on");
    let mut out = Html::default();
    out.raw("<h1>Requests</h1><form class=row><label>System<select name=system>");
    option(&mut out, "", "all", &filter.system);
    for system in System::ALL.into_iter().chain([System::Sandbox]) {
        option(&mut out, system.name(), system.name(), &filter.system);
    }
    out.raw("</select></label><label>Method<select name=method>");
    option(&mut out, "", "all", &filter.method);
    for method in ["GET", "POST", "PATCH", "PUT", "DELETE"] {
        option(&mut out, method, method, &filter.method);
    }
    out.raw("</select></label><label>Status<select name=status>");
    for (value, name) in [
        ("", "all"),
        ("2xx", "2xx"),
        ("3xx", "3xx"),
        ("4xx", "4xx"),
        ("5xx", "5xx"),
        ("cut", "cut"),
        ("fault", "with a fault"),
    ] {
        option(&mut out, value, name, &filter.status);
    }
    out.raw("</select></label><label>Path contains<input name=q value=\"").text(&filter.contains);
    out.raw("\"></label><label class=check><input type=checkbox name=follow");
    out.raw(if follow { " checked" } else { "" });
    out.raw("> follow</label><button>Show</button></form><section>");
    let entries = shared.log.entries();
    table(&mut out, entries.iter().rev().filter(|entry| filter.takes(entry)).take(SHOWN));
    out.raw("</section>");
    forms::clear_log(&mut out, shared);
    html::page("Requests", "/_sandbox/calls", follow.then_some(2), &out)
}

/// `GET /_sandbox/journal`
pub(super) fn journal(shared: &Shared) -> Reply {
    let control = shared.journal_control();
    let mut out = Html::default();
    out.raw("<h1>Journal <span class=soft>").number(control.count());
    out.raw(" events</span></h1><p class=\"soft mono\">").text(control.url()).raw("</p>");
    let events = control.latest(EVENTS);
    if events.is_empty() {
        out.raw("<p class=soft>No events.</p>");
    }
    for (position, at, event) in events {
        out.raw("<details class=card><summary><span class=mono>").text(at.to_string());
        out.raw("</span> ").text(kind(&event)).raw("</summary><p class=\"soft mono\">");
        out.text(position).raw("</p><pre class=wide><code>").text(pretty(&event));
        out.raw("</code></pre></details>");
    }
    html::page("Journal", "/_sandbox/journal", None, &out)
}

fn pretty(event: &str) -> String {
    serde_json::from_str::<serde_json::Value>(event)
        .map_or_else(|_| event.to_owned(), |event| format!("{event:#}"))
}

/// What an event is of, where its envelope says so.
fn kind(event: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(event).unwrap_or_default();
    let kind = event.get("type").or_else(|| event.get("@type"));
    kind.and_then(serde_json::Value::as_str).unwrap_or("event").to_owned()
}
