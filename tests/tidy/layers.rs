//! The import table: what each module of `src/` may name of the others.

use crate::source::Source;
use crate::{Rule, Violation};

/// Every module and what it may import, bottom first. A row names only rows
/// above it, so that nothing can import upward.
pub(crate) const TABLE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("secret", &[]),
    ("schedule", &[]),
    ("model", &[]),
    // Planned crashes for tests; nothing in a release build.
    ("failpoint", &[]),
    ("mapping", &["model"]),
    ("config", &["schedule", "mapping", "model", "secret"]),
    ("telemetry", &["model"]),
    ("store", &["clock", "model", "telemetry", "failpoint"]),
    ("http", &["clock", "secret", "telemetry", "failpoint"]),
    ("dynamics", &["http", "model", "telemetry"]),
    ("campaign", &["http", "model", "telemetry"]),
    // Not `http`: Failure and Outcome come through the readers' re-export.
    ("flows", &["dynamics", "campaign", "clock", "mapping", "model", "store", "telemetry"]),
    (
        "delivery",
        &[
            "dynamics",
            "campaign",
            "clock",
            "http",
            // Canonical values: what a look-up found against what was decided.
            "mapping",
            "model",
            "store",
            "telemetry",
            "failpoint",
        ],
    ),
    ("scheduler", &["clock", "schedule", "delivery", "flows", "model", "store", "telemetry"]),
    (
        "app",
        &[
            "clock",
            "secret",
            "schedule",
            "model",
            "failpoint",
            "mapping",
            "config",
            "telemetry",
            "store",
            "http",
            "dynamics",
            "campaign",
            "flows",
            "delivery",
            "scheduler",
        ],
    ),
    // The store: opened once and kept, and its failures end the daemon.
    ("daemon", &["app", "clock", "model", "scheduler", "store", "telemetry"]),
    // Its JSON is written from the vendors' documents, never from the clients'
    // wire types, so that both cannot share one mistake.
    ("sandbox", &["clock"]),
    (
        "cli",
        &["app", "clock", "config", "daemon", "flows", "model", "sandbox", "store", "telemetry"],
    ),
    // Tests only: the whole program against the look-alikes, on simulated time.
    ("sim", &["app", "clock", "config", "failpoint", "http", "model", "sandbox", "store"]),
];

/// Which names of a module may be imported, where not all may.
const PARTS: &[(&str, &str, Part)] = &[
    ("flows", "campaign", Part::AllBut(&["Writer", "*"])),
    // Metadata is changed by `provision` only.
    ("flows", "dynamics", Part::AllBut(&["MetadataWriter", "*"])),
    ("delivery", "campaign", Part::AllBut(&["Reader", "*"])),
    ("delivery", "dynamics", Part::AllBut(&["Reader", "*"])),
    // What an answer means, not how it is fetched.
    ("delivery", "http", Part::Only(&["Failure", "Outcome", "System"])),
];

#[derive(Clone, Copy)]
enum Part {
    AllBut(&'static [&'static str]),
    Only(&'static [&'static str]),
}

impl Part {
    fn allows(self, name: &str) -> bool {
        match self {
            Self::AllBut(names) => !names.contains(&name),
            Self::Only(names) => names.contains(&name),
        }
    }
}

/// Checks the imports of one file of `src/`.
pub(crate) fn check(source: &Source, found: &mut Vec<Violation>) {
    let Some(module) = module(&source.path) else { return };
    let mut report = |line, what| {
        let path = source.path.clone();
        found.push(Violation { rule: Rule::Layering, path, line, what });
    };
    match module {
        // Declares the modules and uses none.
        "lib" => return,
        "main" => {
            for path in &source.paths {
                if let [first, second, ..] = path.segments.as_slice()
                    && first == "cdsync"
                    && second != "cli"
                {
                    report(path.line, format!("main may use cdsync::cli only, not {second}"));
                }
            }
            return;
        }
        _ => {}
    }
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
        report(1, format!("the module {module} is not in the table of tests/tidy/layers.rs"));
        return;
    };
    for path in source.paths.iter().filter(|path| !source.is_test(path.line)) {
        let Some([target, rest @ ..]) = Source::from_root(path) else { continue };
        if target == module {
            continue;
        }
        if !allowed.contains(&target.as_str()) {
            report(path.line, format!("{module} may not import {target}"));
            continue;
        }
        let part = PARTS.iter().find(|(from, to, _)| *from == module && to == target);
        if let (Some((_, _, part)), Some(name)) = (part, rest.first())
            && !part.allows(name)
        {
            report(path.line, format!("{module} may not import {name} of {target}"));
        }
    }
}

/// The top-level module a file belongs to.
fn module(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    inner.split('/').next().map(|name| name.trim_end_matches(".rs"))
}

#[test]
fn no_row_of_the_import_table_names_a_row_below_it() {
    for (position, (module, allowed)) in TABLE.iter().enumerate() {
        for name in *allowed {
            let above = TABLE.iter().take(position).any(|(above, _)| above == name);
            assert!(above, "{module} imports {name}, which does not stand above it");
        }
    }
}
