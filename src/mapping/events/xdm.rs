//! Campaign's XDM form (Campaign sheet, 9.6) in any of the three envelopes
//! (9.5). No public page confirms it, so each rule can be replaced by
//! configuration. Names are accepted with and without the prefix `xdm:`: the
//! vendor's own examples have both.

use serde_json::Value;

use super::spec::UnsureBounces;
use super::words::{Bounce, bounce};
use crate::model::EventKind;

/// Campaign's own part of the names.
const CAMPAIGN: &str = "https://ns.adobe.com/experience/campaign";

/// Where an envelope may hold its content.
const BODIES: [&str; 6] =
    ["/data", "/data/xdmEntity", "/body", "/body/xdmEntity", "", "/activitystreams:object"];

/// What the XDM form says of an event's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// An event.
    Kind(EventKind),
    /// Something that Dynamics does not hear of.
    Filtered(&'static str),
    /// This is not the XDM form.
    Nothing,
}

/// The content of an event in the XDM form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'e>(&'e Value);

impl<'e> Body<'e> {
    /// The content of whichever envelope this is; the event itself where none
    /// is recognised.
    pub(super) fn of(event: &'e Value) -> Self {
        let found = BODIES.iter().filter_map(|body| event.pointer(body));
        let known = ["directMarketing", "nonDeliverables", "mutation"];
        let is_xdm = |body: &&Value| known.iter().any(|name| member(body, name).is_some());
        Self(found.clone().find(is_xdm).or_else(|| found.clone().next()).unwrap_or(event))
    }

    /// What happened. With `mutation`, which repeats what was told of the message
    /// before, only a failure is news.
    pub(super) fn kind(self, unsure: UnsureBounces) -> Told {
        let marketing = member(self.0, "directMarketing");
        let within = |name| marketing.and_then(|it| member(it, name));
        let failed = member(self.0, "nonDeliverables").or_else(|| within("nonDeliverables"));
        if failed.is_some_and(|it| counts(member(it, "sends").unwrap_or(it))) {
            return Told::Kind(EventKind::Bounce);
        }
        if self.mutation().is_some() {
            let (reason, quarantined) = (self.reason(), self.quarantined());
            let says = reason.is_some() || quarantined == Some(true);
            let hard = bounce(reason.as_deref(), quarantined, unsure) == Bounce::Hard;
            return if says && hard {
                Told::Kind(EventKind::Bounce)
            } else {
                Told::Filtered("a correction of an earlier message")
            };
        }
        let kinds =
            [("clicks", EventKind::Click), ("opens", EventKind::Open), ("sends", EventKind::Send)];
        kinds
            .into_iter()
            .find(|(name, _)| within(name).is_some_and(counts))
            .map_or(Told::Nothing, |(_, kind)| Told::Kind(kind))
    }

    /// Why nobody needs to hear of the message: another channel, or a recipient
    /// who is there for trial.
    pub(super) fn left_out(self) -> Option<&'static str> {
        let message = self.part("message");
        let is = |name| message.and_then(|it| member(it, name)).and_then(flag) == Some(true);
        if is("proofMember") || is("seedMember") || is("testMember") {
            return Some("a proof, a seed or a test profile");
        }
        if is("controlGroupMember") {
            return Some("a member of the control group");
        }
        let delivery = self.part("delivery").and_then(|it| member(it, "channel"));
        let channel = member(self.0, "channel").or(delivery)?;
        let name = channel.as_str().or_else(|| channel.get("@id").and_then(Value::as_str))?;
        // A bare word may mean anything.
        let (_, last) = name.rsplit_once('/')?;
        (!last.eq_ignore_ascii_case("email")).then_some("another channel than e-mail")
    }

    /// The recipient: the external id of the message, else the last step of
    /// Campaign's own identity.
    pub(super) fn contact(self) -> Option<&'e Value> {
        let message = self.part("message").and_then(|it| member(it, "externalID"));
        message.or_else(|| member(self.0, "endUserIDs")?.get(CAMPAIGN)?.get("@id"))
    }

    /// When it happened.
    pub(super) fn time(self) -> Option<&'e Value> {
        let before = || self.mutation().and_then(|it| member(it, "timestamp"));
        member(self.0, "timestamp").or_else(before)
    }

    pub(super) fn campaign(self) -> Option<&'e Value> {
        self.named("marketingCampaign", &["campaignName", "campaignLabel"])
    }

    pub(super) fn delivery(self) -> Option<&'e Value> {
        self.named("delivery", &["deliveryName", "deliveryLabel"])
    }

    pub(super) fn url(self) -> Option<&'e Value> {
        self.named("link", &["url"])
    }

    /// Unconfirmed by any public page, so several names are tried.
    pub(super) fn mirror_page(self) -> Option<&'e Value> {
        let names = ["mirrorPage", "mirrorPageURL", "mirrorPageUrl"];
        let parts = ["message", "delivery", "link"];
        let within = parts.iter().find_map(|part| self.named(part, &names));
        within.or_else(|| names.iter().find_map(|name| member(self.0, name)))
    }

    /// Why it came back: a word or a number.
    pub(super) fn reason(self) -> Option<String> {
        let found = self.named("message", &["reason"]).or_else(|| member(self.0, "reason"));
        found.or_else(|| self.mutation().and_then(|it| member(it, "reason"))).and_then(word)
    }

    /// Whether anything says that the address is in quarantine.
    pub(super) fn quarantined(self) -> Option<bool> {
        let said = [
            self.named("message", &["quarantine"]),
            member(self.0, "quarantine"),
            self.mutation().and_then(|it| member(it, "quarantine")),
        ];
        let flags: Vec<bool> = said.into_iter().flatten().filter_map(flag).collect();
        if flags.is_empty() { None } else { Some(flags.contains(&true)) }
    }

    fn mutation(self) -> Option<&'e Value> {
        member(self.0, "mutation").filter(|it| it.is_object())
    }

    fn part(self, name: &str) -> Option<&'e Value> {
        self.0.get(format!("{CAMPAIGN}/{name}"))
    }

    fn named(self, part: &str, names: &[&str]) -> Option<&'e Value> {
        let part = self.part(part)?;
        names.iter().find_map(|name| member(part, name))
    }
}

/// A member with or without the prefix; null is as absent.
fn member<'e>(object: &'e Value, name: &str) -> Option<&'e Value> {
    let found = object.get(format!("xdm:{name}")).or_else(|| object.get(name));
    found.filter(|value| !value.is_null())
}

/// Whether a metric counts anything; one without a number counts.
fn counts(metric: &Value) -> bool {
    let number = member(metric, "value").unwrap_or(metric);
    number.as_f64().is_none_or(|number| number > 0.0)
}

/// A switch, also as text or number.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_f64().map(|number| number > 0.0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text or a number as text; an empty one is as absent.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_switch_is_read_as_a_boolean_a_number_or_a_word() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!(false), Some(false)),
            (json!(1), Some(true)),
            (json!(0.5), Some(true)),
            (json!(0), Some(false)),
            (json!(-1), Some(false)),
            (json!(" TRUE "), Some(true)),
            (json!("1"), Some(true)),
            (json!("yes"), Some(true)),
            (json!("False"), Some(false)),
            (json!("0"), Some(false)),
            (json!("no"), Some(false)),
            (json!("maybe"), None),
            (json!(null), None),
            (json!([true]), None),
        ] {
            assert_eq!(flag(&value), expected, "{value}");
        }
    }
}
