//! Who has the store, and whose its files are.

use std::os::unix::fs::{MetadataExt, chown};
use std::time::Duration;

use super::{Place, StoreError};
use crate::clock::Clock;
use crate::store::Mode;
use crate::store::lock::StoreLock;

#[test]
fn whoever_only_looks_is_waited_for_and_nobody_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let now = Clock::seeded(1).now();
    let (at_once, long) = (Duration::ZERO, Duration::from_hours(1));
    let looking = StoreLock::take(&path, (now, Mode::Rehearsal), at_once).unwrap();
    let error = StoreLock::take(&path, (now, Mode::Durable), at_once).unwrap_err();
    assert!(error.to_string().contains("only to look"), "{error}");
    let other = path.clone();
    let waiting = std::thread::spawn(move || StoreLock::take(&other, (now, Mode::Durable), long));
    drop(looking);
    let working = waiting.join().unwrap().unwrap();
    let error = StoreLock::take(&path, (now, Mode::Rehearsal), long).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(working);
}

#[tokio::test]
async fn what_root_makes_in_the_directory_of_a_user_is_that_users() {
    let place = Place::new();
    let home = place.path().parent().unwrap().to_owned();
    std::fs::create_dir_all(&home).unwrap();
    // Only root can give anything away; a user's files are his in any case.
    if home.metadata().unwrap().uid() == 0 {
        chown(&home, Some(65534), Some(65534)).unwrap();
    }
    let owner = home.metadata().unwrap().uid();
    let store = place.open().await;
    store.call(|work| work.start_run(crate::model::Flow::Ingress)).await.unwrap();
    for file in std::fs::read_dir(&home).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().uid(), owner, "{}", file.path().display());
    }
    store.close().await;
}

#[test]
fn only_a_file_is_taken_from_others_not_a_device() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let (file, other) = (directory.path().join("file"), directory.path().join("socket"));
    std::fs::write(&file, "").unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&other).unwrap();
    for path in [&file, &other] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
        crate::store::place::narrow(path).unwrap();
    }
    assert_eq!((mode(&file), mode(&other)), (0o600, 0o666));
}
