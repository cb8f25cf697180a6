//! The first page: how much each side holds, and the latest requests.

use std::sync::PoisonError;

use super::calls;
use super::html::{self, Html};
use crate::sandbox::log::System;
use crate::sandbox::server::Shared;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::{Reply, encode};

/// Requests that the first page shows.
const REQUESTS: usize = 12;

/// `GET /_sandbox`
pub(super) fn page(shared: &Shared) -> Reply {
    let mut out = Html::default();
    out.raw("<h1>What the sandbox holds</h1><div class=two>");
    let tables: Vec<(String, usize)> = {
        let db = shared.dynamics.lock().unwrap_or_else(PoisonError::into_inner);
        db.tables.iter().map(|(name, data)| (name.clone(), data.rows.len())).collect()
    };
    held(&mut out, "Dynamics", "/_sandbox/dynamics/", &tables);
    let resources: Vec<(String, usize)> = {
        let db = shared.campaign.lock().unwrap_or_else(PoisonError::into_inner);
        db.resources.iter().map(|data| (data.def.name.clone(), data.rows.len())).collect()
    };
    held(&mut out, "Campaign", "/_sandbox/campaign/", &resources);
    out.raw("</div>");
    requests(&mut out, shared);
    out.raw("<div class=two>");
    addresses(&mut out, shared);
    in_force(&mut out, shared);
    out.raw("</div>");
    html::page("Overview", "/_sandbox", None, &out)
}

fn held(out: &mut Html, side: &str, below: &str, counts: &[(String, usize)]) {
    let list = |out: &mut Html, counts: &[&(String, usize)]| {
        out.raw("<ul class=counts>");
        for (name, rows) in counts {
            out.raw("<li>").link(format!("{below}{}", encode(name)), name);
            out.raw(" <span>").number(*rows).raw("</span></li>");
        }
        out.raw("</ul>");
    };
    let (full, empty): (Vec<_>, Vec<_>) = counts.iter().partition(|(_, rows)| *rows > 0);
    out.raw("<section><h2>").text(side).raw("</h2>");
    list(out, &full);
    if full.is_empty() {
        out.raw("<p class=soft>Nothing yet.</p>");
    }
    if !empty.is_empty() {
        out.raw("<details><summary>").number(empty.len()).raw(" empty</summary>");
        list(out, &empty);
        out.raw("</details>");
    }
    out.raw("</section>");
}

fn requests(out: &mut Html, shared: &Shared) {
    out.raw("<section><h2>Latest requests</h2><p class=soft>");
    for (place, system) in System::ALL.into_iter().enumerate() {
        if place > 0 {
            out.raw(" · ");
        }
        out.text(system.name()).raw(" ");
        out.number(usize::try_from(shared.log.count(system)).unwrap_or(usize::MAX));
    }
    out.raw("</p>");
    let entries = shared.log.entries();
    let latest = entries.iter().rev().filter(|entry| entry.system != System::Sandbox);
    calls::table(out, latest.take(REQUESTS));
    out.raw("<p>").link("/_sandbox/calls", "all of them").raw("</p></section>");
}

fn addresses(out: &mut Html, shared: &Shared) {
    let known = &shared.identity.credentials;
    let origin = &shared.origin;
    let journal = shared.journal_control();
    out.raw("<section><h2>Addresses</h2><table class=stack>");
    let lines = [
        ("Dynamics", format!("{origin}/api/data/v9.2/")),
        ("Entra", format!("{origin}/{}/oauth2/v2.0/token", known.tenant)),
        ("Campaign", format!("{origin}/{}/campaign/", known.campaign_tenant)),
        ("IMS", format!("{origin}/ims/token/v3")),
        ("Journal", journal.url()),
        ("Scripts", format!("{origin}/_sandbox/api")),
    ];
    let secure = shared.secure.iter().map(|origin| ("Dynamics, TLS", origin_api(origin)));
    for (name, address) in lines.into_iter().chain(secure) {
        out.raw("<tr><td class=tight>").text(name).raw("</td><td class=mono>").text(address);
        out.raw("</td></tr>");
    }
    for folder in ["exports", "d365_loads/exports"] {
        for file in shared.sftp.list(folder) {
            out.raw("<tr><td class=tight>File</td><td class=mono>");
            out.text(format!("{folder}/{file}")).raw("</td></tr>");
        }
    }
    out.raw("</table></section>");
}

fn origin_api(origin: &str) -> String {
    format!("{origin}/api/data/v9.2/")
}

fn in_force(out: &mut Html, shared: &Shared) {
    let (plan, counts) = shared.faults.standing();
    out.raw("<section><h2>Faults and variants</h2>");
    if plan.rules.is_empty() {
        out.raw("<p class=soft>No faults.</p>");
    }
    out.raw("<table>");
    for (rule, (_, played)) in plan.rules.iter().zip(counts) {
        out.raw("<tr><td>").text(rule.fault.name()).raw("</td><td class=soft>");
        out.text(rule.system.map_or("any system", System::name)).raw(" ");
        out.text(rule.method.as_deref().unwrap_or_default()).raw(" ");
        out.text(rule.path.as_deref().unwrap_or_default()).raw("</td><td class=n>played ");
        out.number(usize::try_from(played).unwrap_or(usize::MAX)).raw("</td></tr>");
    }
    let (values, usual) = (shared.variants().values(), Variants::default().values());
    let changed = values.iter().filter(|(name, value)| usual.get(*name) != Some(*value));
    for (name, value) in changed {
        out.raw("<tr><td>").text(name).raw("</td><td>");
        out.text(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        out.raw("</td></tr>");
    }
    out.raw("</table><p>").link("/_sandbox/settings", "change them").raw("</p></section>");
}
