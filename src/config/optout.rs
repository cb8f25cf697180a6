//! `[optout]`: from the tree to settings.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::fields::canonical;
use super::ingress::guard;
use super::optout_files;
use super::settings::{OptoutRest, OptoutSettings};
use super::suggest::{listed, nearest};
use super::tree::{Keys, Node, shortened};
use super::values::{duration, flag_or, name, schedule, time_zone};
use crate::model::consent::{ClearingGuard, Direction, FlagPair, Mode};
use crate::model::{ColumnName, FieldName};

const OPTOUT_KEYS: &[&str] = &[
    "direction",
    "schedule",
    "time_zone",
    "source",
    "rule",
    "margin",
    "clearing_guard",
    "pairs",
    "recreated",
    "recreated_within",
    "address",
    "sftp",
    "rest",
];

const PAIR_KEYS: &[&str] = &["dynamics", "campaign", "inverted", "null_means_false"];

const REST_KEYS: &[&str] = &["filter", "parameter"];

const DIRECTIONS: &[(&str, Option<Direction>)] = &[
    ("disabled", None),
    ("dynamics-to-campaign", Some(Direction::DynamicsToCampaign)),
    ("campaign-to-dynamics", Some(Direction::CampaignToDynamics)),
    ("bidirectional", Some(Direction::Bidirectional)),
];

const SOURCES: &[(&str, Source)] = &[("sftp", Source::Sftp), ("rest", Source::Rest)];

/// Campaign's flags (sheet, 3.1 and 11.80); there is no other.
pub(super) const FLAGS: [&str; 8] = [
    "blackList",
    "blackListEmail",
    "blackListFax",
    "blackListMobile",
    "blackListPhone",
    "blackListPostalMail",
    "blackListPushnotification",
    "ccpaOptOut",
];

/// Dynamics keeps whole seconds (reliability sheet, 2.3).
const MARGIN: Duration = Duration::from_secs(2);

/// A longer one would lift no opt-out at all.
const LONGEST_MARGIN: Duration = Duration::from_hours(48);

/// What is done about a contact with the address of a deleted one.
const RECREATED: &[(&str, Option<bool>)] =
    &[("warn", Some(false)), ("opt-out", Some(true)), ("off", None)];

/// A no is remembered for as long (reliability sheet, 2.3).
const RECREATED_WITHIN: Duration = Duration::from_hours(90 * 24);

/// Ten years: nobody's address is kept for good.
const LONGEST_WITHIN: Duration = Duration::from_hours(3650 * 24);

/// How Campaign's changes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Sftp,
    Rest,
}

/// `[optout]`; none: it is disabled, or a problem has been recorded. `ingress` is
/// that section.
pub(super) fn optout(node: &Node<'_>, ingress: Option<&Node<'_>>) -> Option<OptoutSettings> {
    let keys = node.keys(OPTOUT_KEYS)?;
    let direction = match keys.get("direction") {
        Some(node) => node.word(DIRECTIONS),
        None => Some(None),
    };
    let schedule = keys.get("schedule").map(|node| schedule(&node));
    let zone = keys.get("time_zone").map(|node| time_zone(&node));
    let sources = sources(&keys);
    let mode = mode(&keys);
    let guard = keys.get("clearing_guard").map(|node| guard(&node));
    let pair_nodes = match keys.get("pairs") {
        Some(node) => node.list(),
        None => Some(Vec::new()),
    };
    let pairs: Option<Vec<FlagPair>> = pair_nodes.as_ref().and_then(|nodes| {
        let pairs: Vec<_> = nodes.iter().map(pair).collect();
        pairs.into_iter().collect()
    });
    let rest = keys.get("rest").map(|node| rest(&node));
    let files = optout_files::files(keys.get("sftp").as_ref());
    let recreated = keys.get("recreated").map(|node| node.word(RECREATED));
    let within = keys.get("recreated_within").map(|node| duration(&node, LONGEST_WITHIN));
    let address = keys.get("address").map(|node| {
        name(&node, ColumnName::new, "the column's logical name, such as `emailaddress1`")
    });
    let direction = direction??;
    let pair_nodes = pair_nodes?;
    refuse_twice(&pair_nodes, direction);
    let by_ingress = against_ingress(&keys, &pair_nodes, direction, ingress);
    needed(&keys, &pair_nodes, direction, sources.as_ref());
    let wanted = |source| {
        direction != Direction::DynamicsToCampaign
            && sources.as_ref().is_some_and(|sources| sources.contains(&source))
    };
    let (rows, percent) = match guard {
        Some(guard) => guard?,
        None => (ClearingGuard::default().rows, ClearingGuard::default().percent),
    };
    let mut pairs = pairs?;
    pairs.retain(|pair| !by_ingress.contains(pair.flag.as_str()));
    let mut files = files?;
    files.columns.retain(|columns| pairs.iter().any(|pair| pair.flag == columns.flag));
    Some(OptoutSettings {
        direction,
        mode: mode?,
        schedule: match schedule {
            Some(schedule) => Some(schedule?),
            None => None,
        },
        time_zone: zone.unwrap_or(Some(TimeZone::UTC))?,
        pairs,
        guard: ClearingGuard { rows, percent },
        recreated: recreated.unwrap_or(Some(Some(false)))?,
        recreated_within: within.unwrap_or(Some(RECREATED_WITHIN))?,
        address: match address {
            Some(address) => Some(address?),
            None => None,
        },
        rest: match rest {
            Some(rest) => Some(rest?).filter(|_| wanted(Source::Rest)),
            None => None,
        },
        files: wanted(Source::Sftp).then_some(files),
    })
}

/// One word or a list of them; where there is no such key, the sections that
/// are there.
fn sources(keys: &Keys<'_>) -> Option<BTreeSet<Source>> {
    let Some(node) = keys.get("source") else {
        let only_rest = keys.get("rest").is_some() && keys.get("sftp").is_none();
        return Some(BTreeSet::from([if only_rest { Source::Rest } else { Source::Sftp }]));
    };
    let remedy =
        "write `source = \"sftp\"`, `source = \"rest\"` or `source = [\"sftp\", \"rest\"]`";
    if node.value.as_str().is_some() {
        return node.word(SOURCES).map(|source| BTreeSet::from([source]));
    }
    if node.value.as_array().is_none() {
        node.problem("this is neither a source nor a list of them", remedy);
        return None;
    }
    let mut found = BTreeSet::new();
    let items = node.list()?;
    if items.is_empty() {
        node.problem("no source is listed", remedy);
        return None;
    }
    let words: Vec<_> = items.iter().map(|item| (item, item.word(SOURCES))).collect();
    let mut good = true;
    for (item, word) in words {
        let Some(word) = word else {
            good = false;
            continue;
        };
        if !found.insert(word) {
            item.problem("this is listed twice", "remove one of the two");
            good = false;
        }
    }
    good.then_some(found)
}

/// `rule` and `margin`.
fn mode(keys: &Keys<'_>) -> Option<Mode> {
    let rule = keys.get("rule").map(|node| node.word(&[("safe", true), ("documented", false)]));
    let margin = keys.get("margin").map(|node| duration(&node, LONGEST_MARGIN));
    if rule.unwrap_or(Some(true))? {
        return Some(Mode::Safe { margin: margin.unwrap_or(Some(MARGIN))? });
    }
    if margin.is_some() {
        keys.problem_at(
            "margin",
            "`rule = \"documented\"` compares the stamps as they are, so `margin` has no meaning",
            "remove `margin`, or write `rule = \"safe\"`",
        );
        return None;
    }
    Some(Mode::Documented)
}

fn pair(node: &Node<'_>) -> Option<FlagPair> {
    let keys = node.keys(PAIR_KEYS)?;
    let column = keys.required("dynamics", "dynamics = \"donotbulkemail\"").and_then(|node| {
        name(&node, ColumnName::new, "the column's logical name, such as `donotbulkemail`")
    });
    let flag =
        keys.required("campaign", "campaign = \"blackListEmail\"").and_then(|node| flag(&node));
    let inverted = flag_or(&keys, "inverted", false);
    let null_is_false = flag_or(&keys, "null_means_false", false);
    Some(FlagPair { column: column?, flag: flag?, inverted, null_is_false })
}

/// One of Campaign's flags, in either spelling.
fn flag(node: &Node<'_>) -> Option<FieldName> {
    let text = node.text()?;
    let name = canonical(text);
    if let Some(known) = FLAGS.iter().find(|known| **known == name) {
        return FieldName::new(known).ok();
    }
    let hint = match nearest(&name, FLAGS.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    node.problem(
        format!("`{}` is no opt-out flag of Campaign", shortened(text)),
        format!("{hint}one of {}; `denyList…` and `blackList…` are one name", listed(FLAGS)),
    );
    None
}

/// `[optout.rest]`
fn rest(node: &Node<'_>) -> Option<OptoutRest> {
    let keys = node.keys(REST_KEYS)?;
    let segment = |key: &str, example: &str, hint: &str| {
        let node = keys.required(key, example)?;
        name(&node, FieldName::new, hint).map(|name| name.as_str().to_owned())
    };
    let filter = segment(
        "filter",
        "filter = \"byModifiedSince\"",
        "the API name of a custom filter of the profile, such as `byModifiedSince`",
    );
    let parameter = segment(
        "parameter",
        "parameter = \"since_parameter\"",
        "the name of the filter's parameter, such as `since_parameter`",
    );
    Some(OptoutRest { filter: filter?, parameter: parameter? })
}

/// A flag is of one column, and a column is written for one flag.
fn refuse_twice(pairs: &[Node<'_>], direction: Direction) {
    let written = direction != Direction::DynamicsToCampaign;
    for (key, what, refused) in [("campaign", "flag", true), ("dynamics", "column", written)] {
        let mut first: HashMap<String, &str> = HashMap::new();
        for pair in pairs {
            let Some(node) = pair.value.get(key) else { continue };
            let Some(text) = node.get_ref().as_str() else { continue };
            let Some(earlier) = first.insert(canonical(text), &pair.path) else { continue };
            if refused {
                pair.doc.problem(
                    &node.span(),
                    &format!("{}.{key}", pair.path),
                    format!(
                        "the {what} `{}` is paired twice, first in `{earlier}`",
                        shortened(text)
                    ),
                    "two pairs of it would contradict each other: remove one of the two",
                );
            }
        }
    }
}

/// What the direction needs.
fn needed(
    keys: &Keys<'_>,
    pairs: &[Node<'_>],
    direction: Direction,
    sources: Option<&BTreeSet<Source>>,
) {
    if direction == Direction::DynamicsToCampaign {
        return;
    }
    if pairs.is_empty() && keys.get("pairs").is_none() {
        keys.required(
            "pairs",
            "pairs = [ { dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" } ]",
        );
    } else if pairs.is_empty() {
        keys.problem_at(
            "pairs",
            "no flag is paired",
            "write `pairs = [ { dynamics = \"donotbulkemail\", campaign = \"blackListEmail\" } ]`, or `direction = \"disabled\"`",
        );
    }
    let Some(sources) = sources else { return };
    if sources.contains(&Source::Rest) && keys.get("rest").is_none() {
        keys.required(
            "rest",
            "rest = { filter = \"byModifiedSince\", parameter = \"since_parameter\" }",
        );
    }
}

/// The flow stands on the mapping of contacts. Gives the flags that `ingress`
/// writes: they are none of this flow's.
fn against_ingress(
    optout: &Keys<'_>,
    pairs: &[Node<'_>],
    direction: Direction,
    ingress: Option<&Node<'_>>,
) -> BTreeSet<String> {
    let text = |value: &toml::de::DeValue<'_>, key: &str| {
        value.get(key).and_then(|found| found.get_ref().as_str().map(str::to_owned))
    };
    let tables = ingress.and_then(|node| node.value.get("table")?.get_ref().as_array());
    let contact = tables.into_iter().flatten().map(toml::Spanned::get_ref).find(|table| {
        text(table, "dynamics").as_deref() == Some("contact")
            && text(table, "campaign").as_deref() == Some("profile")
    });
    let Some(contact) = contact else {
        optout.problem_at(
            "direction",
            "the flow `optout` needs the mapping of contacts to profiles: its key says which profile is whose",
            "add an `[[ingress.table]]` with `dynamics = \"contact\"` and `campaign = \"profile\"`",
        );
        return BTreeSet::new();
    };
    let key = contact.get("key").map(toml::Spanned::get_ref);
    let from = key.and_then(|key| text(key, "from"));
    if from.is_some_and(|from| from != "contactid") {
        optout.problem_at(
            "direction",
            "the flow `optout` finds profiles by the id of their contact, but the key of `contact` is of another column",
            "write `key = { from = \"contactid\", … }` there, or `direction = \"disabled\"`",
        );
    }
    let fields = contact.get("fields").and_then(|fields| fields.get_ref().as_array());
    let mapped: HashMap<String, Option<String>> = fields
        .into_iter()
        .flatten()
        .filter_map(|field| {
            let field = field.get_ref();
            Some((canonical(&text(field, "to")?), text(field, "from")))
        })
        .collect();
    pairs.iter().filter_map(|pair| mapped_too(pair, direction, &mapped)).collect()
}

/// The flag of a pair that `ingress` maps, too: only as the same thing.
fn mapped_too(
    pair: &Node<'_>,
    direction: Direction,
    mapped: &HashMap<String, Option<String>>,
) -> Option<String> {
    let node = pair.value.get("campaign")?;
    let flag = canonical(node.get_ref().as_str()?);
    let from = mapped.get(&flag)?;
    let place = format!("{}.campaign", pair.path);
    if direction != Direction::DynamicsToCampaign {
        pair.doc.problem(
            &node.span(),
            &place,
            format!("`{flag}` is mapped in `[[ingress.table]]`, too: it would be overwritten with Dynamics' value"),
            "remove it from `fields` of the table `contact`; a new profile gets its flags all the same",
        );
        return None;
    }
    let column = pair.value.get("dynamics").and_then(|column| column.get_ref().as_str());
    let inverted = pair.value.get("inverted").and_then(|flag| flag.get_ref().as_bool());
    if column != from.as_deref() || inverted == Some(true) {
        pair.doc.problem(
            &node.span(),
            &place,
            format!(
                "`{flag}` is mapped otherwise in `[[ingress.table]]`: two values would take turns"
            ),
            "remove this pair, or the field in `fields` of the table `contact`",
        );
    }
    Some(flag)
}
