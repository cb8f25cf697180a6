//! Which files are made, with which modes, and which are refused untouched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Place, contact, open, record};
use crate::clock::Clock;
use crate::store::{Mode, Store, StoreError};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_running_sqlite_is_free_of_the_wal_reset_bug() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[tokio::test]
async fn directory_and_files_are_for_their_owner_only() {
    let place = Place::new();
    let store = place.open().await;
    store.call(|work| work.request_reread(&contact(), record(1))).await.unwrap();
    let path = place.path();
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", ".lock"] {
        let file = format!("{}{suffix}", path.display());
        assert_eq!(mode(Path::new(&file)), 0o600, "{file}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_store_that_others_may_read_is_narrowed() {
    let place = Place::new();
    place.open().await.close().await;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o664)).unwrap();
    let store = place.open().await;
    assert_eq!(mode(&place.path()), 0o600);
    store.close().await;
}

#[tokio::test]
async fn a_second_opening_is_refused_and_the_holder_named() {
    let place = Place::new();
    let store = place.open().await;
    let error = open(&place.path()).await.unwrap_err();
    let StoreError::Locked { path, holder } = &error else { panic!("{error:?}") };
    assert_eq!(*path, place.path());
    assert!(holder.starts_with(&format!("process {} (cdsync ", std::process::id())), "{holder}");
    assert!(error.to_string().contains(" is in use by process "), "{error}");
    store.close().await;
    place.open().await.close().await;
}

#[tokio::test]
async fn a_program_that_ignores_the_lock_file_is_kept_out_by_the_database() {
    let place = Place::new();
    let store = place.open().await;
    store.call(|work| work.request_reread(&contact(), record(1))).await.unwrap();
    let error = place.raw().execute_batch("DELETE FROM reread").unwrap_err();
    assert!(error.to_string().contains("locked"), "{error}");
    store.close().await;
}

#[tokio::test]
async fn a_database_that_another_program_has_locked_is_reported_as_locked() {
    let place = Place::new();
    place.open().await.close().await;
    let other = place.raw();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let error = open(&place.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
}

#[tokio::test]
async fn a_newer_store_is_refused_with_both_numbers_and_left_alone() {
    let place = Place::new();
    place.open().await.close().await;
    place.raw().execute_batch("PRAGMA user_version = 9").unwrap();
    let before = fs::read(place.path()).unwrap();
    let error = open(&place.path()).await.unwrap_err();
    let latest = crate::store::migrate::latest();
    assert!(matches!(&error, StoreError::Newer { found: 9, known, .. } if *known == latest));
    let text = error.to_string();
    assert!(text.contains(&format!("has schema 9, this program knows {latest}")), "{text}");
    assert!(fs::read(place.path()).unwrap() == before, "its bytes have changed");
}

/// A file with this content, refused; its text. Nothing of it may change.
async fn refused(content: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(fs::read(&path).unwrap() == content, "its bytes have changed: {error}");
    assert_eq!(mode(&path), 0o644, "its mode has changed: {error}");
    let text = error.to_string();
    assert!(text.contains("other.db"), "the file is not named: {text}");
    text
}

fn database(sql: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    fs::read(path).unwrap()
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    for sql in [
        "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)",
        "PRAGMA application_id = 42; CREATE TABLE theirs (a)",
        "PRAGMA application_id = 42; PRAGMA user_version = 99; CREATE TABLE theirs (a)",
    ] {
        let text = refused(&database(sql)).await;
        assert!(text.contains("it is a database of another program"), "{sql}: {text}");
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let mut beheaded = database("PRAGMA application_id = 1667527545; CREATE TABLE a (b)");
    beheaded[..100].fill(0);
    for content in [b"Dear diary, today\n".repeat(100), beheaded] {
        let text = refused(&content).await;
        assert!(text.contains("it is not a database"), "{text}");
    }
}

#[tokio::test]
async fn a_truncated_store_is_refused_as_damaged() {
    let place = Place::new();
    place.open().await.close().await;
    let whole = fs::read(place.path()).unwrap();
    fs::write(place.path(), &whole[..whole.len() / 2]).unwrap();
    let error = open(&place.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert_eq!(fs::read(place.path()).unwrap().len(), whole.len() / 2);
}

#[tokio::test]
async fn a_place_where_nothing_can_be_written_is_named() {
    // Even root cannot make a directory there.
    let error = open(Path::new("/proc/cdsync/cdsync.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    let directory = tempfile::tempdir().unwrap();
    let error = open(directory.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace() {
    let place = Place::new();
    let clock = Clock::seeded(1);
    let store = Store::open(&place.path(), Mode::Rehearsal, &clock).await.unwrap();
    store.call(|work| work.request_reread(&contact(), record(1))).await.unwrap();
    assert_eq!(store.call(|work| work.rereads(&contact(), 9)).await.unwrap(), [record(1)]);
    store.close().await;
    assert!(!place.path().parent().unwrap().exists(), "a store was made");

    let store = place.open().await;
    store.call(|work| work.request_reread(&contact(), record(2))).await.unwrap();
    store.close().await;
    let before = fs::read(place.path()).unwrap();
    let store = Store::open(&place.path(), Mode::Rehearsal, &clock).await.unwrap();
    store.call(|work| work.request_reread(&contact(), record(3))).await.unwrap();
    let seen = store.call(|work| work.rereads(&contact(), 9)).await.unwrap();
    assert_eq!(seen, [record(2), record(3)]);
    store.close().await;
    assert!(fs::read(place.path()).unwrap() == before, "its bytes have changed");
}
