//! Bytes of the store that change while nobody looks: flipped bits, pages gone
//! or exchanged, a shortened file, a damaged or missing WAL. The program stops
//! with a clear word, or it does not matter; nothing is lost in silence.
//!
//! `cargo test` does a few by fixed seeds, `CDSYNC_STRESS_BYTES=300` so many
//! more (docs/reliability.md).

use std::collections::BTreeMap;
use std::fs;

use crate::stress_world::{Dice, Everything, PASS, asked_for, report};

/// Damages in `cargo test`.
const FEW: u64 = 9;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    Bit,
    Bytes,
    PageOfZeros,
    PagesSwapped,
    Shortened,
    Header,
    WalBit,
    WalShortened,
    WalGone,
}

const DAMAGES: [Damage; 9] = [
    Damage::Bit,
    Damage::Bytes,
    Damage::PageOfZeros,
    Damage::PagesSwapped,
    Damage::Shortened,
    Damage::Header,
    Damage::WalBit,
    Damage::WalShortened,
    Damage::WalGone,
];

impl Damage {
    fn is_of_wal(self) -> bool {
        matches!(self, Self::WalBit | Self::WalShortened | Self::WalGone)
    }
}

/// What a page of the file holds, by the file format of SQLite.
fn class(bytes: &[u8], page: usize, size: usize) -> &'static str {
    let at = if page == 0 { 100 } else { page * size };
    match (page, bytes.get(at)) {
        (0, _) => "schema",
        (_, Some(2)) => "index, inner",
        (_, Some(5)) => "table, inner",
        (_, Some(10)) => "index",
        (_, Some(13)) => "table",
        (_, _) => "free or overflow",
    }
}

/// Does it, and says where.
fn damage(world: &Everything, how: Damage, dice: &mut Dice) -> String {
    let wal = how.is_of_wal();
    let path = world.directory().join(if wal { "cdsync.db-wal" } else { "cdsync.db" });
    let mut bytes = fs::read(&path).unwrap_or_default();
    if bytes.is_empty() {
        return "an empty file".to_owned();
    }
    let size = 4096;
    let pages = bytes.len() / size;
    let mut below = |limit: usize| usize::try_from(dice.below(limit as u64)).unwrap();
    let place = match how {
        Damage::Bit | Damage::WalBit => {
            let at = below(bytes.len());
            bytes[at] ^= 1 << below(8);
            if wal { "WAL" } else { class(&bytes, at / size, size) }
        }
        Damage::Bytes => {
            let at = below(bytes.len() - 16);
            bytes[at..at + 16].fill_with(|| u8::try_from(below(256)).unwrap());
            class(&bytes, at / size, size)
        }
        Damage::PageOfZeros => {
            let page = 1 + below(pages - 1);
            let found = class(&bytes, page, size);
            bytes[page * size..(page + 1) * size].fill(0);
            found
        }
        Damage::PagesSwapped => {
            let (one, other) = (1 + below(pages - 1), 1 + below(pages - 1));
            let found = class(&bytes, one, size);
            for at in 0..size {
                bytes.swap(one * size + at, other * size + at);
            }
            found
        }
        Damage::Shortened | Damage::WalShortened => {
            bytes.truncate(below(bytes.len()));
            "end"
        }
        Damage::Header => {
            let at = below(100);
            bytes[at] = !bytes[at];
            "header"
        }
        Damage::WalGone => {
            fs::remove_file(&path).unwrap();
            return "WAL".to_owned();
        }
    };
    fs::write(&path, bytes).unwrap();
    place.to_owned()
}

/// What came of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Exit 5 and a word about the store.
    Stopped,
    /// Both sides became equal as if nothing had been.
    Equal,
}

/// One life in which the store is damaged between two starts.
async fn life(how: Damage, seed: u64) -> (End, String) {
    let mut dice = Dice::new(seed);
    // A damaged WAL is an older store, and no store knows what it forgot: there
    // the key that Campaign keeps unique is what keeps a profile from doubling.
    let world = Everything::with(5, how.is_of_wal()).await;
    world.people_act(0);
    let first = world.pass().await;
    world.is_whole("undamaged", &first);
    world.people_act(1);
    let plan = format!("committed:{}", 3 + dice.below(40));
    world.rig.run_crashing(PASS, &plan).await;
    let place = damage(&world, how, &mut dice);
    let when = format!("{how:?} of seed {seed} ({plan}) in {place}");
    for round in [None, Some(3)] {
        if let Some(round) = round {
            world.people_act(round);
        }
        let pass = world.pass().await;
        if pass.code == Some(0) {
            continue;
        }
        assert_eq!(pass.code, Some(5), "{when}: {pass:#?}");
        assert!(!pass.err.contains("panicked"), "{when}: {pass:#?}");
        let failed = pass.events("command.failed");
        assert_eq!(failed.len(), 1, "{when}: {pass:#?}");
        assert!(failed[0]["reason"].as_str().unwrap().contains("the store"), "{failed:?}");
        assert!(world.rig.store().exists(), "{when}: the damaged file is kept");
        // The remedy that the message names: another file.
        fs::rename(world.directory(), world.rig.path("damaged")).unwrap();
        world.pass().await.expect(0);
        // A new store cannot know of deletions that nobody had carried.
        world.rig.run(&["resync", "--repair"]).await;
        let anew = world.pass().await;
        world.is_whole(&format!("{when}, with a new store"), &anew);
        return (End::Stopped, place);
    }
    let last = world.pass().await;
    let said = world.rig.differences();
    assert!(said.is_empty(), "{when}: lost in silence: {said:#?}");
    // The file itself may still be damaged where nothing is read.
    assert_eq!(last.code, Some(0), "{when}: {last:#?}");
    world.tells_all(&when);
    (End::Equal, place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_noticed_or_does_not_matter() {
    let asked = asked_for("CDSYNC_STRESS_BYTES");
    let from = asked_for("CDSYNC_STRESS_SEED").unwrap_or(0);
    let mut sum: BTreeMap<(Damage, String, End), u64> = BTreeMap::new();
    for seed in from..from + asked.unwrap_or(FEW) {
        let how = DAMAGES[usize::try_from(seed).unwrap() % DAMAGES.len()];
        let (end, place) = life(how, seed).await;
        *sum.entry((how, place, end)).or_default() += 1;
    }
    if asked.is_some() {
        report(&format!("{sum:#?}"));
    }
    let stopped = sum.iter().any(|((_, _, end), _)| *end == End::Stopped);
    assert!(stopped, "no damage was noticed: {sum:#?}");
}
