//! Lines that are kept, taken away and taken out.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn opened(directory: &Path) -> Spool {
    let spool = Spool::default();
    spool.open(&directory.join("spool")).unwrap();
    spool
}

fn text(spool: &Spool) -> Option<(u64, String)> {
    let part = spool.oldest().unwrap()?;
    Some((part.number, String::from_utf8(part.text).unwrap()))
}

#[test]
fn lines_are_kept_in_files_of_the_owner_until_they_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = opened(directory.path());
    assert!(spool.is_empty());
    spool.write_all(b"one\n").unwrap();
    spool.write_all(b"two\n").unwrap();
    assert!(!spool.is_empty());
    assert_eq!(text(&spool), None, "it still grows");
    spool.finish();
    spool.finish();
    spool.write_all(b"three\n").unwrap();
    spool.finish();
    let file = directory.path().join("spool/00000001.jsonl");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let above = fs::metadata(directory.path().join("spool")).unwrap();
    assert_eq!(above.permissions().mode() & 0o777, 0o700);
    assert_eq!(text(&spool), Some((1, "one\ntwo\n".to_owned())));
    spool.remove(1);
    assert!(!file.exists());
    assert_eq!(text(&spool), Some((2, "three\n".to_owned())));
    spool.remove(2);
    assert!(spool.is_empty());
}

#[test]
fn what_an_ended_process_left_comes_first_and_without_half_a_line() {
    let directory = tempfile::tempdir().unwrap();
    opened(directory.path()).write_all(b"left\nhal").unwrap();
    fs::write(directory.path().join("spool/notes.txt"), "not ours").unwrap();
    let mut spool = opened(directory.path());
    spool.write_all(b"new\n").unwrap();
    spool.finish();
    assert_eq!(text(&spool), Some((1, "left\n".to_owned())));
    spool.remove(1);
    assert_eq!(text(&spool), Some((2, "new\n".to_owned())));
    spool.remove(2);
    assert!(directory.path().join("spool/notes.txt").exists());
}

#[test]
fn beyond_the_cap_the_oldest_lines_go_and_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = opened(directory.path());
    let line = vec![b'x'; 1024 * 1024];
    let lines = MOST_BYTES / (1024 * 1024) + 12;
    for _ in 0..lines {
        spool.write_all(&line).unwrap();
    }
    let files = fs::read_dir(directory.path().join("spool")).unwrap();
    let kept: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(kept <= MOST_BYTES, "{kept}");
    let lost = spool.lost().unwrap();
    assert_eq!(lost.bytes + kept, lines * 1024 * 1024);
    assert!(lost.error.is_none());
    assert!(spool.lost().is_none(), "told once");
    assert!(spool.oldest().unwrap().unwrap().number > 1);
}

#[test]
fn a_line_that_cannot_be_written_is_told_and_the_next_one_tried() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = opened(directory.path());
    let there = directory.path().join("spool");
    fs::remove_dir(&there).unwrap();
    fs::write(&there, "not ours").unwrap();
    spool.write_all(b"one\n").unwrap();
    let lost = spool.lost().unwrap();
    assert_eq!((lost.bytes, lost.error.is_some()), (4, true));
    fs::remove_file(&there).unwrap();
    spool.write_all(b"two\n").unwrap();
    spool.finish();
    assert_eq!(text(&spool), Some((1, "two\n".to_owned())));
}

#[test]
fn lines_are_taken_out_of_all_parts_and_the_others_stay_in_order() {
    let directory = tempfile::tempdir().unwrap();
    opened(directory.path()).write_all(b"a Ada\nb\nc Ada").unwrap();
    fs::write(directory.path().join("spool/00000001.new"), "left by a crash: Ada").unwrap();
    let mut spool = opened(directory.path());
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let first = directory.path().join("spool/00000001.jsonl");
    File::options().write(true).open(&first).unwrap().set_modified(then).unwrap();
    spool.write_all(b"d\n").unwrap();
    spool.write_all(b"e Ada\n").unwrap();
    assert_eq!(spool.take_out(|line| line.contains("Ada")).unwrap(), 3);
    assert_eq!(spool.take_out(|line| line.contains("Ada")).unwrap(), 0);
    spool.write_all(b"f\n").unwrap();
    assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(spool.oldest().unwrap().unwrap().changed, then);
    assert_eq!(text(&spool), Some((1, "b\n".to_owned())));
    spool.remove(1);
    assert_eq!(text(&spool), Some((2, "d\n".to_owned())));
    spool.remove(2);
    spool.finish();
    assert_eq!(text(&spool), Some((3, "f\n".to_owned())));
    spool.remove(3);
    assert_eq!(fs::read_dir(directory.path().join("spool")).unwrap().count(), 0);
}

#[test]
fn a_closed_one_takes_nothing() {
    let mut spool = Spool::default();
    spool.write_all(b"one\n").unwrap();
    assert!(!spool.is_open() && spool.is_empty() && spool.lost().is_none());
    assert!(spool.oldest().unwrap().is_none());
}

#[test]
fn what_somebody_took_away_is_none_and_new_lines_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = opened(directory.path());
    spool.write_all(b"one\n").unwrap();
    spool.finish();
    fs::remove_dir_all(directory.path().join("spool")).unwrap();
    assert_eq!(text(&spool), None);
    let lost = spool.lost().unwrap();
    assert_eq!(lost.bytes, 4);
    assert_eq!(
        lost.reason(),
        "lines cannot be kept beside the store: somebody removed those that waited there"
    );
    spool.write_all(b"two\n").unwrap();
    spool.finish();
    assert_eq!(text(&spool), Some((2, "two\n".to_owned())));
    assert!(spool.lost().is_none());
    spool.write_all(b"three\n").unwrap();
    fs::remove_dir_all(directory.path().join("spool")).unwrap();
    spool.write_all(b"four\n").unwrap();
    assert_eq!(spool.lost().unwrap().bytes, 6);
    spool.finish();
    assert_eq!(text(&spool), Some((3, "four\n".to_owned())));
}
