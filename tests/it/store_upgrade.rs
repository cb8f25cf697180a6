//! A store of an earlier version, and a program that dies while it brings it up
//! to date: the file holds the old schema or the new one, never a part.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::rig::Rig;

const STATUS: &[&str] = &["status"];

/// The frozen stores, the oldest first.
fn frozen() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("store-"))
        })
        .collect();
    found.sort();
    found
}

/// Schema and rows, word by word.
fn content(path: &Path) -> Vec<String> {
    let raw = Connection::open(path).unwrap();
    let says: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(says, "ok");
    let version: i64 = raw.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let mut found = vec![format!("version {version}")];
    let mut all = |sql: &str| {
        let mut statement = raw.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns).map(|at| row.get::<_, Value>(at)).collect::<Result<Vec<_>, _>>()
        });
        let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
        found.extend(rows.iter().map(|row| format!("{sql}: {row:?}")));
        rows
    };
    let tables = all("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    all("SELECT name, sql FROM sqlite_schema WHERE type <> 'table' ORDER BY name");
    for table in tables {
        if let Value::Text(name) = &table[0]
            && !name.starts_with("sqlite_")
        {
            all(&format!("SELECT * FROM {name}"));
        }
    }
    found
}

fn version(content: &[String]) -> i64 {
    content[0].trim_start_matches("version ").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_statement_of_an_upgrade_leaves_the_old_store_and_the_next_start_the_new_one()
 {
    let rig = Rig::usual(1).await;
    let frozen = frozen();
    let latest = i64::try_from(frozen.len()).unwrap();
    let mut longest = 0;
    for (at, file) in frozen.iter().enumerate().take(frozen.len() - 1) {
        let schema = i64::try_from(at).unwrap() + 1;
        let _ = fs::remove_dir_all(rig.path("store"));
        fs::create_dir(rig.path("store")).unwrap();
        let script = fs::read_to_string(file).unwrap();
        Connection::open(rig.store()).unwrap().execute_batch(&script).unwrap();
        let old = content(&rig.store());
        assert_eq!(version(&old), schema);
        // On one file, crash after crash; of later stores only the ends.
        let mut statement = 0;
        loop {
            statement += 1;
            if !rig.run_crashing(STATUS, &format!("migrating:{statement}")).await.crashed() {
                break;
            }
            assert_eq!(content(&rig.store()), old, "{schema}, statement {statement}");
            if schema > 1 {
                let plan = "commit:1";
                assert!(rig.run_crashing(STATUS, plan).await.crashed(), "{schema}");
                assert_eq!(content(&rig.store()), old, "{schema}, {plan}");
                assert!(rig.run_crashing(STATUS, "committed:1").await.crashed(), "{schema}");
                break;
            }
        }
        longest = longest.max(statement);
        assert_eq!(version(&content(&rig.store())), latest, "{schema}");
        rig.run(STATUS).await.expect(0);
    }
    assert!(longest > 30, "{longest} statements: the plan does not work");
}
