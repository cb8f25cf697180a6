//! A power cut: of what was written since the last sync of a file any part may
//! be missing, whole calls or single sectors. What the program had seen
//! committed is there, and the next start makes all good.
//!
//! A library (`tests/stress/powercut.c`) writes down what the program does to
//! its files; from that the disk of after the cut is built. `cargo test` cuts a
//! few times, `CDSYNC_STRESS_POWER=300` so often (docs/reliability.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rusqlite::types::Value;

use crate::preload::library;
use crate::rig::Ended;
use crate::stress_world::{Dice, Everything, PASS, asked_for, report};

/// Cuts in `cargo test`.
const FEW: u64 = 6;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// One call of the program.
#[derive(Clone, Debug)]
struct Record {
    kind: u8,
    offset: usize,
    name: String,
    bytes: Vec<u8>,
}

/// What was written down, in order. The last one may be cut off with the
/// process; that call was never told of.
fn records(log: &Path) -> Vec<Record> {
    let all = fs::read(log).unwrap();
    let mut rest = &all[..];
    let mut found = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let head = std::str::from_utf8(&rest[..end]).unwrap();
        let [kind, offset, length, name] = head.splitn(4, ' ').collect::<Vec<_>>()[..] else {
            panic!("{head}");
        };
        let length: usize = length.parse().unwrap();
        let Some(bytes) = rest.get(end + 1..end + 1 + length) else { break };
        rest = &rest[end + 1 + length..];
        found.push(Record {
            kind: kind.as_bytes()[0],
            offset: offset.parse().unwrap(),
            name: name.to_owned(),
            bytes: bytes.to_vec(),
        });
    }
    found
}

/// A file of which a part is on the disk for good.
#[derive(Clone, Debug, Default)]
struct Durable {
    bytes: Vec<u8>,
    /// Done since its last sync, in order.
    since: Vec<Record>,
    /// Whether the directory has been synced since it was made.
    named: bool,
}

fn apply(bytes: &mut Vec<u8>, record: &Record) {
    if record.kind == b't' {
        bytes.resize(record.offset, 0);
        return;
    }
    let end = record.offset + record.bytes.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[record.offset..end].copy_from_slice(&record.bytes);
}

/// The disk, with all that may still be lost.
#[derive(Clone, Debug, Default)]
struct Disk(BTreeMap<String, Durable>);

impl Disk {
    /// As it is now, for good.
    fn of(directory: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory).into_iter().flatten().map(Result::unwrap) {
            // A socket or the like holds nothing.
            if entry.file_type().unwrap().is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                let name = entry.path().display().to_string();
                files.insert(name, Durable { bytes, since: Vec::new(), named: true });
            }
        }
        Self(files)
    }

    fn takes(&mut self, record: &Record, directory: &str) {
        match record.kind {
            b's' if record.name == directory => {
                self.0.values_mut().for_each(|file| file.named = true);
            }
            b's' => {
                let file = self.0.entry(record.name.clone()).or_default();
                for record in std::mem::take(&mut file.since) {
                    apply(&mut file.bytes, &record);
                }
            }
            b'u' => drop(self.0.remove(&record.name)),
            b'm' => {
                if let Some(file) = self.0.remove(&record.name) {
                    self.0.insert(String::from_utf8(record.bytes.clone()).unwrap(), file);
                }
            }
            b'c' => drop(self.0.insert(record.name.clone(), Durable::default())),
            _ => self.0.entry(record.name.clone()).or_default().since.push(record.clone()),
        }
    }

    /// Nothing is lost.
    fn whole(&self) -> BTreeMap<String, Vec<u8>> {
        let whole = |file: &Durable| {
            let mut bytes = file.bytes.clone();
            for record in &file.since {
                apply(&mut bytes, record);
            }
            bytes
        };
        self.0.iter().map(|(name, file)| (name.clone(), whole(file))).collect()
    }

    /// What is there after a cut: any part of what was not synced, calls and
    /// sectors in any order.
    fn cut(&self, dice: &mut Dice) -> BTreeMap<String, Vec<u8>> {
        let all_lost = dice.below(3) == 0;
        let mut left = BTreeMap::new();
        for (name, file) in &self.0 {
            if !file.named && (all_lost || dice.below(2) == 0) {
                continue;
            }
            let mut bytes = file.bytes.clone();
            for record in &file.since {
                if all_lost || dice.below(2) == 0 {
                    continue;
                }
                if record.kind == b't' || dice.below(3) > 0 {
                    apply(&mut bytes, record);
                    continue;
                }
                for (at, part) in record.bytes.chunks(SECTOR).enumerate() {
                    if dice.below(2) == 0 {
                        let offset = record.offset + at * SECTOR;
                        apply(
                            &mut bytes,
                            &Record { offset, bytes: part.to_vec(), ..record.clone() },
                        );
                    }
                }
            }
            left.insert(name.clone(), bytes);
        }
        left
    }
}

/// Puts these files in the place of all that is there.
fn put(directory: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).unwrap();
    for (name, bytes) in files {
        let name = Path::new(name).file_name().unwrap();
        fs::write(directory.join(name), bytes).unwrap();
    }
}

/// All rows of all tables of a store with these files.
fn content(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let here = tempfile::tempdir().unwrap();
    put(here.path(), files);
    let raw = rusqlite::Connection::open(here.path().join("cdsync.db")).unwrap();
    let says: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(says, "ok");
    let mut statement =
        raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut found = Vec::new();
    for table in tables {
        let mut statement = raw.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()
        });
        found.extend(rows.unwrap().map(|row| format!("{table}: {:?}", row.unwrap())));
    }
    found
}

/// Takes these calls, and gives each state since the last sync among them: that
/// one or a later one is there after a cut.
fn possible(disk: &mut Disk, done: &[Record], directory: &Path) -> BTreeSet<Vec<String>> {
    let name = directory.display().to_string();
    let synced = done.iter().rposition(|record| record.kind == b's').map_or(0, |it| it + 1);
    for record in &done[..synced] {
        disk.takes(record, &name);
    }
    let mut possible = BTreeSet::from([content(&disk.whole())]);
    for record in &done[synced..] {
        disk.takes(record, &name);
        possible.insert(content(&disk.whole()));
    }
    possible
}

/// A pass whose calls are written down, and the disk at its end.
async fn pass(world: &Everything, plan: &str) -> (Ended, Disk, Vec<Record>) {
    let (directory, log) = (world.directory(), world.rig.path("power.log"));
    let before = Disk::of(&directory);
    let mut command = world.rig.command(PASS);
    command
        .env("LD_PRELOAD", library("powercut"))
        .env("POWER_DIR", &directory)
        .env("POWER_LOG", &log)
        .env("CDSYNC_CRASH", plan);
    let ended = crate::rig::finish(command).await;
    let records = records(&log);
    let mut disk = before.clone();
    let name = directory.display().to_string();
    for record in &records {
        disk.takes(record, &name);
    }
    // The library has seen all that was done to the files.
    assert_eq!(disk.whole(), Disk::of(&directory).whole(), "{plan}");
    (ended, before, records)
}

/// A life with a cut in each pass, and one in what follows on it.
async fn life(seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let world = Everything::start(4).await;
    let mut cuts = 0;
    for round in 0..2 {
        world.people_act(round);
        for again in 0..2 {
            let points = ["committed", "answered", "request", "commit"];
            let point = points[usize::try_from(dice.below(4)).unwrap()];
            let plan = format!("{point}:{}", 1 + dice.below(60));
            let when = format!("seed {seed}, round {round}.{again}, {plan}");
            let (ended, mut disk, records) = pass(&world, &plan).await;
            if !ended.crashed() {
                assert_eq!(ended.code, Some(0), "{when}: {ended:#?}");
                continue;
            }
            cuts += 1;
            let mut known = possible(&mut disk, &records, &world.directory());
            if point.starts_with("commit") {
                // It died in the thread that writes: all it had done is known.
                known = BTreeSet::from([content(&disk.whole())]);
            }
            let left = disk.cut(&mut dice);
            let found = content(&left);
            assert!(known.contains(&found), "{when}: a commit is gone: {found:#?}, {known:#?}");
            put(&world.directory(), &left);
        }
        let next = world.pass().await;
        world.is_whole(&format!("seed {seed}, round {round}"), &next);
    }
    cuts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_power_cut_each_acknowledged_commit_is_there_and_nothing_is_doubled() {
    let from = asked_for("CDSYNC_STRESS_SEED").unwrap_or(0);
    let asked = asked_for("CDSYNC_STRESS_POWER");
    let mut cuts = 0;
    for seed in from..from + asked.unwrap_or(FEW) {
        cuts += life(seed).await;
    }
    assert!(cuts >= 3, "{cuts} cuts: the plan does not work");
    if asked.is_some() {
        report(&format!("{cuts} cuts"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_call_leaves_a_state_that_was_there_since_the_last_sync() {
    let points = asked_for("CDSYNC_STRESS_POWER").unwrap_or(FEW) * 6;
    let mut dice = Dice::new(asked_for("CDSYNC_STRESS_SEED").unwrap_or(0));
    let world = Everything::start(3).await;
    world.people_act(0);
    world.pass().await.expect(0);
    world.people_act(1);
    let (ended, before, records) = pass(&world, "").await;
    ended.expect(0);
    for _ in 0..points {
        // The end, where the WAL goes into the file, as often as all the rest.
        let all = records.len() as u64;
        let from = if dice.below(2) == 0 { 0 } else { all.saturating_sub(60) };
        let at = usize::try_from(from + dice.below(all - from)).unwrap();
        let mut disk = before.clone();
        let possible = possible(&mut disk, &records[..=at], &world.directory());
        let left = content(&disk.cut(&mut dice));
        assert!(possible.contains(&left), "call {at} of {all}: a state that never was");
    }
}
