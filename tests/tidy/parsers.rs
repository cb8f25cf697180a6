//! Where text and bytes of others become values, and which fuzz target gives
//! that place anything at all (`src/fuzz`, `fuzz/corpus`).

use std::path::Path;

use crate::source::Source;
use crate::{Rule, Violation};

/// How a parser is known: neighbouring segments of a path in the code.
const MARKS: &[[&str; 2]] = &[
    ["serde_json", "from_slice"],
    ["serde_json", "from_str"],
    ["serde_json", "from_value"],
    ["serde_json", "from_reader"],
    ["httparse", "Response"],
    ["httparse", "Request"],
    ["csv_core", "Reader"],
    ["write", "MultiGzDecoder"],
    ["DeTable", "parse_recoverable"],
    ["toml", "from_str"],
    ["Schedule", "from_str"],
    ["keys", "parse_public_key_base64"],
    ["encoding_rs", "Decoder"],
    ["Url", "parse"],
];

/// Files with parsers of remote input, and the target of each.
const FUZZED: &[(&str, &str)] = &[
    ("src/campaign/extract/decode.rs", "csv"),
    ("src/campaign/extract/table.rs", "csv"),
    ("src/campaign/extract/unpack.rs", "csv"),
    ("src/campaign/journal.rs", "journal_page"),
    ("src/campaign/listing.rs", "campaign_page"),
    ("src/campaign/metadata.rs", "campaign_metadata"),
    ("src/campaign/sftp/known_hosts.rs", "known_hosts"),
    ("src/campaign/value.rs", "campaign_page"),
    // One record, or a list of them, as `listing.rs` reads it.
    ("src/campaign/writer.rs", "campaign_page"),
    ("src/cli/desk.rs", "control"),
    ("src/config/check.rs", "config"),
    ("src/config/sections.rs", "config"),
    ("src/config/values.rs", "config"),
    ("src/daemon/monitor.rs", "scrape"),
    ("src/dynamics/batch_reply.rs", "batch_reply"),
    ("src/dynamics/changes.rs", "odata_page"),
    ("src/dynamics/record.rs", "odata_page"),
    ("src/dynamics/rows.rs", "odata_page"),
    ("src/http/auth.rs", "token"),
    ("src/http/body.rs", "body"),
    ("src/http/classify.rs", "errors"),
    ("src/http/json.rs", "dynamics_metadata"),
    ("src/http/classify_campaign.rs", "errors"),
    ("src/http/origin.rs", "origin"),
    ("src/schedule.rs", "cron"),
];

/// Files and folders that read back what this program wrote, and why they need
/// no target.
const OURS: &[(&str, &str)] = &[
    ("src/store/", "sealed rows of our own database"),
    ("src/flows/egress.rs", "the store's own text"),
    ("src/flows/egress_rows.rs", "the store's own text"),
    ("src/flows/optout/mod.rs", "the store's own text"),
    ("src/cli/", "what the daemon or another command of this program wrote"),
    ("src/sandbox/", "a look-alike: it reads what this program sends, and its own files"),
    ("src/app/", "addresses that the configuration has passed"),
];

/// Checks that each parser has its row.
pub(crate) fn check(source: &Source, found: &mut Vec<Violation>) {
    if !source.path.starts_with("src/") {
        return;
    }
    for path in source.paths.iter().filter(|path| !source.is_test(path.line)) {
        if is_parser(&path.segments) && !is_listed(&source.path) {
            let what =
                "reads text of others; give it a fuzz target and a row in tests/tidy/parsers.rs";
            let (path, line) = (source.path.clone(), path.line);
            found.push(Violation { rule: Rule::Unfuzzed, path, line, what: what.to_owned() });
        }
    }
}

fn is_parser(segments: &[String]) -> bool {
    segments.windows(2).any(|two| MARKS.iter().any(|mark| mark[0] == two[0] && mark[1] == two[1]))
}

fn is_listed(path: &str) -> bool {
    FUZZED.iter().any(|(file, _)| *file == path)
        || OURS.iter().any(|(place, _)| path.starts_with(place))
}

#[test]
fn every_row_of_the_parsers_names_a_file_that_parses_and_a_target_with_inputs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, target) in FUZZED {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let source = Source::parse(file, &text).unwrap();
        let parses = source.paths.iter().any(|path| is_parser(&path.segments));
        assert!(parses, "{file} parses nothing any more");
        assert!(root.join("fuzz/corpus").join(target).is_dir(), "there is no target {target}");
    }
}
