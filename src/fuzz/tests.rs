//! The kept inputs of `fuzz/corpus`, given to their targets; and that each
//! target is where `cargo fuzz` looks for it.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;

use super::{TARGETS, run};

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(of)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_kept_input_passes_whole_and_cut_short() {
    for (target, _) in TARGETS {
        let folder = folder("corpus").join(target);
        for name in names(&folder) {
            let input = fs::read(folder.join(&name)).unwrap();
            assert!(input.len() <= 16 * 1024, "{target}/{name} is larger than 16 KiB");
            // Whole, as it was kept, and cut as a lost connection would.
            for eighths in [8, 7, 5, 3, 1] {
                let part = &input[..input.len() * eighths / 8];
                let passed = catch_unwind(|| run(target, part));
                assert!(passed.is_ok(), "{target}/{name}, {eighths}/8 of it");
            }
        }
    }
}

#[test]
fn every_target_has_inputs_a_program_and_an_entry() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    assert_eq!(names(&folder("corpus")), targets);
    // Beside one for each there is one for any, which `fuzz/run` builds.
    let programs = names(&folder("fuzz_targets"));
    let wanted = targets.iter().map(String::as_str).chain(["any"]);
    assert_eq!(programs, wanted.map(|name| format!("{name}.rs")).collect());
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for target in &targets {
        let entry = format!("name = \"{target}\"\npath = \"fuzz_targets/{target}.rs\"\n");
        assert!(manifest.contains(&entry), "{target}");
        let program = fs::read_to_string(folder("fuzz_targets").join(format!("{target}.rs")));
        assert!(program.unwrap().contains(&format!("run(\"{target}\", data)")), "{target}");
        assert!(names(&folder("corpus").join(target)).len() >= 2, "{target} has too few inputs");
    }
}

/// A kept input with a part replaced by a part of another.
fn spliced() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let part = (any::<Index>(), any::<Index>(), 0_usize..40);
    let piece = prop::collection::vec(any::<u8>(), 0..4);
    (prop::sample::select(TARGETS.to_vec()), part.clone(), part, piece).prop_map(
        |((target, _), (one, at, length), (other, from, take), piece)| {
            let folder = folder("corpus").join(target);
            let all: Vec<String> = names(&folder).into_iter().collect();
            let [mut input, other] =
                [one, other].map(|it| fs::read(folder.join(it.get(&all))).unwrap());
            let (at, from) = (at.index(input.len() + 1), from.index(other.len() + 1));
            let taken = other[from..].iter().take(take).copied();
            let end = (at + length).min(input.len());
            input.splice(at..end, taken.chain(piece));
            (target, input)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_edit_of_a_kept_input_breaks_a_promise((target, input) in spliced()) {
        run(target, &input);
    }
}
