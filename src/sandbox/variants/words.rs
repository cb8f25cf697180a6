//! Variants by name, as people and scripts set them.
//!
//! Owns: what each switch takes and what it means. A test compares the list
//! with the switches there are.

use std::fmt;

use serde_json::Value;

use super::Variants;

/// One switch.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The name.
    pub name: &'static str,
    /// What it takes: words with `|` between them, or a kind of value.
    pub values: &'static str,
    /// What it plays.
    pub meaning: &'static str,
}

/// A switch that is not there, or a value that it does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantError(String);

impl fmt::Display for VariantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for VariantError {}

const fn one(name: &'static str, values: &'static str, meaning: &'static str) -> Variant {
    Variant { name, values, meaning }
}

const YES_NO: &str = "true|false";
const NUMBER: &str = "a number";
const CLEARING: &str = "both|empty-only|null-only";

const ALL: &[Variant] = &[
    one("delta-expired", "400|410", "status of an expired delta token"),
    one("first-token", "last-page|first-page", "when a first tracked read fixes its token"),
    one("empty-text-is-null", YES_NO, "Dynamics keeps an empty text as null"),
    one("secured-read", "refused|null", "what a read gets of a hidden column"),
    one("tracking-needs-publishing", YES_NO, "change tracking waits for a publication"),
    one("list-member-tracking", YES_NO, "list members can be tracked"),
    one("navigation-by-schema-name", YES_NO, "lookups of custom activities by schema name"),
    one("regarding-delete", "cascade|unlink", "what a deleted contact does to its activities"),
    one("closed-is-read-only", YES_NO, "closed activities refuse changes"),
    one("own-solution-ids", YES_NO, "publishers and solutions get ids of the server's own"),
    one("privileges-can-be-read", YES_NO, "a user's privileges can be read"),
    one("key-pending-reads", NUMBER, "reads of a new alternate key until its index is built"),
    one("batch-operations", NUMBER, "operations that one batch may hold"),
    one("representation", YES_NO, "Prefer: return=representation brings the row of a change"),
    one("campaign-errors", "json-string|plain-text", "shape of Campaign's error bodies"),
    one("campaign-delete", "200|204", "status of a Campaign deletion"),
    one("unique-external-id", YES_NO, "externalId is a unique key of profiles"),
    one("data-policies", YES_NO, "Campaign rewrites texts by their data policy"),
    one("clearing", CLEARING, "what clears a Campaign text or date"),
    one("link-clearing", CLEARING, "what clears a Campaign link"),
    one("lists-leave-out-unset-links", YES_NO, "rows of lists lack links that are not set"),
    one("length-one-less", YES_NO, "metadata shows one character less than a text takes"),
    one("one-cardinality-links", YES_NO, "a record without its parent is hidden"),
    one("parent-delete", "unlink|cascade", "what a deleted Campaign record does to children"),
    one("delete-takes-targets", YES_NO, "deleting a record deletes those it links to"),
    one("big-table-rows", NUMBER, "rows from which a Campaign list has no next link"),
    one("equal-flag-bumps", YES_NO, "writing an equal opt-out flag moves its stamp"),
    one("flags-have-stamps", YES_NO, "each opt-out flag has a stamp of its own"),
    one("deny-list-names", YES_NO, "opt-outs are called denyList… instead of blackList…"),
    one("rate-limits", YES_NO, "both systems' request limits are enforced"),
    one("dynamics-requests", NUMBER, "Dynamics requests per window"),
    one("dynamics-window-seconds", NUMBER, "length of that window"),
    one("campaign-requests-per-second", NUMBER, "Campaign requests per second"),
    one("dynamics-token-seconds", NUMBER, "life of an Entra token"),
    one("campaign-token-seconds", NUMBER, "life of an IMS token"),
    one("journal-batch", NUMBER, "events in a page of the journal without limit"),
    one("journal-retry-after", NUMBER, "retry-after at the journal's end, in seconds"),
    one("journal-repeats", NUMBER, "every nth event comes twice; 0 for none"),
    one("journal-shuffle", NUMBER, "events are shuffled within so many; 0 for none"),
    one("journal-links-joined", YES_NO, "all links of a page come in one header"),
    one("journal-envelope", "cloud-events|pipeline|activity-streams", "form of mail events"),
];

impl Variant {
    /// Whether it takes this value.
    fn takes(&self, value: &Value) -> bool {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.values == NUMBER || self.values.split('|').any(|known| known == text)
    }
}

impl Variants {
    /// All switches, in the order of the documents.
    pub fn list() -> &'static [Variant] {
        ALL
    }

    /// The value of each switch by its name.
    pub fn values(&self) -> serde_json::Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            Ok(_) | Err(_) => serde_json::Map::new(),
        }
    }

    /// Sets one switch to a value written as text, such as `410`, `true` or
    /// `empty-only`.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), VariantError> {
        let value = text
            .parse::<u64>()
            .map(Value::from)
            .or_else(|_| text.parse::<bool>().map(Value::from))
            .unwrap_or_else(|_| Value::from(text));
        self.set_value(name, &value)
    }

    /// Sets one switch.
    pub fn set_value(&mut self, name: &str, value: &Value) -> Result<(), VariantError> {
        let Some(variant) = ALL.iter().find(|variant| variant.name == name) else {
            let hint = "`cdsync sandbox --list-variants` names them";
            return Err(VariantError(format!("there is no variant {name:?}; {hint}")));
        };
        let wrong = || {
            let values = variant.values.replace('|', ", ");
            VariantError(format!("the variant {name} takes {values}, not {value}"))
        };
        if !variant.takes(value) {
            return Err(wrong());
        }
        let mut values = self.values();
        values.insert(name.to_owned(), value.clone());
        *self = serde_json::from_value(Value::Object(values)).map_err(|_| wrong())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_switch_is_in_the_list_and_takes_each_of_its_words() {
        let values = Variants::default().values();
        let there: BTreeSet<&str> = values.keys().map(String::as_str).collect();
        let listed: BTreeSet<&str> = ALL.iter().map(|variant| variant.name).collect();
        assert_eq!(listed, there, "left: the list, right: the switches");
        for variant in ALL {
            let words = if variant.values == NUMBER { "7" } else { variant.values };
            for word in words.split('|') {
                let mut variants = Variants::default();
                variants.set(variant.name, word).unwrap();
                let value = variants.values()[variant.name].clone();
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(shown, word, "{}", variant.name);
            }
        }
    }

    #[test]
    fn a_wrong_name_or_value_says_what_would_be_right() {
        let wrong = |name: &str, value: &str| {
            let mut variants = Variants::default();
            let error = variants.set(name, value).unwrap_err().to_string();
            assert_eq!(variants, Variants::default());
            error
        };
        assert!(wrong("delta", "410").contains("--list-variants"));
        assert_eq!(
            wrong("delta-expired", "404"),
            "the variant delta-expired takes 400, 410, not 404"
        );
        assert_eq!(
            wrong("clearing", "none"),
            "the variant clearing takes both, empty-only, null-only, not \"none\""
        );
        assert!(wrong("journal-batch", "many").contains("takes a number"));
        assert!(wrong("journal-batch", "-1").contains("takes a number"));
        assert!(wrong("rate-limits", "1").contains("takes true, false"));
    }
}
