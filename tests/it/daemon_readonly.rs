//! A store that becomes read-only while a daemon has it.
//!
//! The kernel refuses `mount -o remount,ro` as long as files are open for writing,
//! so it happens in two ways: a read-only mount is laid over the directory, or the
//! kernel itself takes a file system for damaged.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use cdsync::sandbox::System;
use serde_json::json;

use crate::daemon_disk::{can_mount, with_mounts};
use crate::rig::{CONTACTS, Rig, Running};
use crate::tools::has;

/// Runs the daemon in the background and tells what it says until the first pass
/// is over; what comes then is for `rest`.
const DAEMON: &str = r#"
mkfifo "$2.said" && exec 4<>"$2.said" || exit 90
"$1" --log-format json run 2>"$2.said" 4>&- &
daemon=$!
first() {
  while read -r line <&4; do
    printf '%s\n' "$line" >&2
    case $line in *'"flow.finished"'*) return ;; esac
  done
}
rest() {
  # With the last writer gone, the end of the file.
  exec 5<"$2.said" 4>&-
  cat <&5 >&2
  wait "$daemon"
  echo "ended with $?" >&2
}
"#;

/// `$1`: the program, `$2`: the place of the store, `$3`: a file system that is
/// kept until it can be looked at.
fn start(rig: &Rig, (before, then): (&str, &str)) -> Running {
    let store = rig.path("store");
    fs::create_dir(&store).unwrap();
    let mut command = with_mounts(&format!("{before}{DAEMON}{then}"));
    command.arg(env!("CARGO_BIN_EXE_cdsync")).arg(&store).arg(rig.path("disk"));
    command.env("CDSYNC_CONFIG", rig.path("config.toml")).env_remove("CDSYNC_CRASH");
    Running::start(command)
}

const LAID_OVER: &str = r#"
first
mount --bind "$2" "$2" && mount -o remount,bind,ro "$2" || exit 91
"$1" --log-format json plan
echo "plan: $?" >&2
"$1" --log-format json sync --via-daemon
echo "sync: $?" >&2
kill -s TERM "$daemon"
rest "$@"
"$1" --log-format json run
echo "started: $?" >&2
umount "$2" || exit 92
"$1" --log-format json sync
exit $?
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_becomes_read_only_is_named_and_the_daemon_works_on() {
    can_mount();
    let rig = Rig::usual(3).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "0 0 0 1 1 *");
    fs::write(rig.path("config.toml"), text).unwrap();
    let script = start(&rig, ("", LAID_OVER));
    script.wait_for("\"flow.finished\"");
    let id = rig.sandbox.dynamics().ids("contact")[0];
    rig.sandbox.dynamics().update("contact", id, &json!({ "lastname": "Beneath" })).unwrap();
    let ended = script.finish();
    ended.expect(0);
    for (what, code) in [("plan", 5), ("sync", 0), ("ended with", 0), ("started", 5)] {
        let line = if what.ends_with("with") {
            format!("{what} {code}")
        } else {
            format!("{what}: {code}")
        };
        assert!(ended.err.lines().any(|it| it == line), "{line}: {}", ended.err);
    }
    let store = rig.path("store").display().to_string();
    let refused: Vec<&str> = ended.err.lines().filter(|it| it.contains("Read-only")).collect();
    assert_eq!(refused.len(), 2, "the dry run and the start: {}", ended.err);
    for line in refused {
        assert!(
            line.contains(&store) && line.contains("mount that file system writable"),
            "{line}"
        );
    }
    rig.assert_equal("at the end");
    let profiles = rig.sandbox.campaign().by_key("profile", "externalId", &id.to_string());
    assert_eq!(profiles[0]["lastName"], "Beneath");
}

/// What the kernel does with a disk that fails, and leaves the files open.
const DISK: &str = r#"
truncate -s 64M "$3" && mkfs.ext4 -q -F "$3" || exit 90
mount -o loop,errors=remount-ro "$3" "$2" || exit 91
disk=$(findmnt -n -o SOURCE "$2")
mkdir -m 0700 "$2/store"
"#;

const FAILS: &str = r#"
first
printf 'trigger /sys/fs/ext4/%s/trigger_fs_error\n' "${disk##*/}" >&2
rest "$@"
"$1" --log-format json run
echo "started: $?" >&2
umount "$2" && e2fsck -fy "$3" >/dev/null
mount -o loop "$3" "$2" || exit 92
"$1" --log-format json sync
code=$?
cp -a "$2/store" "$2.kept" && umount "$2" || exit 93
exit $code
"#;

/// Whether the machine has all that is needed to make the kernel think so; only
/// root can.
fn can_fail() -> bool {
    const PROBE: &str = r#"
        set -e
        cd "$1"
        truncate -s 4M probe
        mkfs.ext4 -q -F probe
        mkdir mnt
        mount -o loop probe mnt
        disk=$(findmnt -n -o SOURCE mnt)
        test -w "/sys/fs/ext4/${disk##*/}/trigger_fs_error"
        umount mnt
    "#;
    if !has(&["mkfs.ext4", "e2fsck"]) {
        return false;
    }
    let place = tempfile::tempdir().unwrap();
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "--propagation", "private", "sh", "-c", PROBE, "sh"]);
    let tried = probe.arg(place.path()).output();
    let said = match &tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let _ = writeln!(
        std::io::stderr(),
        "NOT TRIED: it needs root with CAP_SYS_ADMIN, loop devices, and /sys/fs/ext4/*/trigger_fs_error: {said}"
    );
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_between_a_write_and_its_note_ends_the_daemon_and_loses_nothing() {
    if !can_fail() {
        return;
    }
    let rig = Rig::usual(3).await;
    let text = rig.text(CONTACTS).replace("*/15 * * * * *", "* * * * * *");
    fs::write(rig.path("config.toml"), text.replace("store/cdsync.db", "store/store/cdsync.db"))
        .unwrap();
    let script = start(&rig, (DISK, FAILS));
    let line = script.wait_for("trigger ");
    let trigger = line.strip_prefix("trigger ").unwrap().to_owned();
    // Campaign makes the profile, and the store cannot be told.
    rig.sandbox.before((System::Campaign, "POST", "/profile"), 0, move || {
        fs::write(trigger, "1").unwrap();
    });
    rig.sandbox.dynamics().insert("contact", &json!({ "lastname": "Unnoted" })).unwrap();
    let ended = script.finish();
    ended.expect(0);
    assert!(ended.err.contains("ended with 5"), "{}", ended.err);
    let failed = ended.events("command.failed");
    assert_eq!(failed.len(), 2, "{}", ended.err);
    let store = rig.path("store/store/cdsync.db").display().to_string();
    for line in failed {
        let reason = line["reason"].as_str().unwrap();
        assert!(reason.contains(&store) && reason.contains("Read-only"), "{reason}");
        assert!(reason.contains("mount that file system writable"), "{reason}");
    }
    fs::remove_dir(rig.path("store")).unwrap();
    fs::rename(rig.path("store.kept"), rig.path("store")).unwrap();
    rig.assert_equal("once the disk is mended");
    assert_eq!(rig.sandbox.campaign().rows("profile").len(), 4);
}
