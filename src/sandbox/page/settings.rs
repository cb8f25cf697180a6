//! Faults and variants in force, with forms to change them.

use super::forms;
use super::html::{self, Html};
use crate::sandbox::server::Shared;
use crate::sandbox::variants::Variants;
use crate::sandbox::wire::Reply;

/// Faults that show what a client does, for people to begin with.
const EXAMPLE: &str = "[[rule]]\nsystem = \"campaign\"\nevery = 10\nfault = { kind = \"throttle\", retry_after = 2 }\n";

/// `GET /_sandbox/settings`
pub(super) fn page(shared: &Shared) -> Reply {
    let mut out = Html::default();
    out.raw("<h1>Faults and variants</h1>");
    faults(&mut out, shared);
    variants(&mut out, shared);
    forms::tokens(&mut out, shared);
    html::page("Faults and variants", "/_sandbox/settings", None, &out)
}

fn faults(out: &mut Html, shared: &Shared) {
    let (plan, counts) = shared.faults.standing();
    out.raw("<section><h2>Faults</h2>");
    if !plan.rules.is_empty() {
        out.raw("<div class=wide><table><tr><th>rule<th class=n>fitted<th class=n>played</tr>");
        for (rule, (seen, played)) in plan.rules.iter().zip(counts) {
            out.raw("<tr><td><code>").text(serde_json::to_string(rule).unwrap_or_default());
            out.raw("</code></td><td class=n>").text(seen.to_string()).raw("</td><td class=n>");
            out.text(played.to_string()).raw("</td></tr>");
        }
        out.raw("</table></div>");
    }
    let text = if plan.rules.is_empty() {
        EXAMPLE.to_owned()
    } else {
        serde_json::to_string_pretty(&plan).unwrap_or_default()
    };
    forms::begin(out, shared, "faults");
    out.raw("<label>A plan in TOML or JSON; it takes the place of the one in force<textarea name=plan spellcheck=false>\n");
    out.text(text).raw("</textarea></label><p><button>Play these</button></p></form>");
    if !plan.rules.is_empty() {
        forms::begin(out, shared, "faults");
        out.raw("<input type=hidden name=plan value=\"\"><button>No faults</button></form>");
    }
    out.raw("</section>");
}

fn variants(out: &mut Html, shared: &Shared) {
    let (values, usual) = (shared.variants().values(), Variants::default().values());
    let text = |value: Option<&serde_json::Value>| match value {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    out.raw("<section><h2>Variants</h2><p class=soft>What the vendors' documents leave open. Marked: not the usual.</p>");
    forms::begin(out, shared, "variants");
    out.raw("<table class=stack>");
    for variant in Variants::list() {
        let value = text(values.get(variant.name));
        let changed = value != text(usual.get(variant.name));
        out.raw(if changed { "<tr class=mark><td class=tight>" } else { "<tr><td class=tight>" });
        out.raw("<label for=\"v-").text(variant.name).raw("\">").text(variant.name);
        out.raw("</label></td><td>");
        if variant.values.contains('|') {
            out.raw("<select id=\"v-").text(variant.name).raw("\" name=\"").text(variant.name);
            out.raw("\">");
            for word in variant.values.split('|') {
                out.raw(if word == value { "<option selected>" } else { "<option>" });
                out.text(word).raw("</option>");
            }
            out.raw("</select>");
        } else {
            out.raw("<input type=number min=0 id=\"v-").text(variant.name).raw("\" name=\"");
            out.text(variant.name).raw("\" value=\"").text(value).raw("\">");
        }
        out.raw("</td><td class=soft>").text(variant.meaning).raw("</td></tr>");
    }
    out.raw("</table><p><button>Set</button></p></form></section>");
}
