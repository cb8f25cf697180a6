//! A disk that is really full: a small file system of its own, in a private
//! mount namespace.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::rig::{Rig, finish};

/// A shell script in a mount namespace of its own, where it may mount. Root needs
/// nothing for that, others user namespaces.
pub(crate) fn with_mounts(script: &str) -> Command {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let flags = if is_root { "--mount" } else { "--user --map-root-user --mount" };
    let mut command = Command::new("unshare");
    command.args(flags.split(' ')).args(["--propagation", "private", "sh", "-c", script, "sh"]);
    command
}

/// What the machine must allow for it.
#[track_caller]
pub(crate) fn can_mount() {
    let probe = "mount -t tmpfs -o size=64k tmpfs /mnt";
    let tried = with_mounts(probe).output();
    let said = match &tried {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "this test mounts a small file system: it needs `unshare` and `mount` (util-linux), and root with CAP_SYS_ADMIN or user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces): {said}"
    );
}

/// `$1`: the program, `$2`: the place of the store, `$3`: its size at first.
const SCRIPT: &str = r#"
mount -t tmpfs -o "size=$3,mode=0700" tmpfs "$2" || exit 90
"$1" --log-format json run
echo "ended with $?" >&2
mount -o remount,size=64m "$2" || exit 91
"$1" --log-format json sync
code=$?
mkdir "$2.kept" && cp -a "$2/." "$2.kept/" || exit 92
exit $code
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_file_system_ends_the_daemon_with_5_and_nothing_is_lost_once_it_has_room() {
    can_mount();
    // Too small for a store at all, for the first pages, and for the log of all.
    for size in ["8k", "300k", "600k"] {
        let rig = Rig::usual(150).await;
        let store = rig.path("store");
        fs::create_dir(&store).unwrap();
        let mut command = with_mounts(SCRIPT);
        command.arg(env!("CARGO_BIN_EXE_cdsync")).arg(&store).arg(size);
        command.env("CDSYNC_CONFIG", rig.path("config.toml")).env_remove("CDSYNC_CRASH");
        let ended = finish(command).await;
        ended.expect(0);
        assert!(ended.err.contains("ended with 5"), "{size}: {}", ended.err);
        let failed = ended.events("command.failed");
        assert_eq!(failed.len(), 1, "{size}: {}", ended.err);
        let reason = failed[0]["reason"].as_str().unwrap();
        let place = store.display().to_string();
        assert!(reason.contains(&place) && reason.contains("make room"), "{size}: {reason}");
        fs::remove_dir(&store).unwrap();
        fs::rename(rig.path("store.kept"), &store).unwrap();
        rig.assert_equal(size);
        assert_eq!(rig.sandbox.campaign().rows("profile").len(), 150, "{size}");
    }
}

/// `$1`: the program, `$2`: the place of the store.
const READ_ONLY: &str = r#"
mount -t tmpfs -o size=8m,mode=0700 tmpfs "$2" || exit 90
"$1" --log-format json sync || exit 93
mount -o remount,ro "$2" || exit 91
"$1" --log-format json run
exit $?
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_system_that_is_read_only_is_named_at_the_start() {
    can_mount();
    let rig = Rig::usual(2).await;
    let store = rig.path("store");
    fs::create_dir(&store).unwrap();
    let mut command = with_mounts(READ_ONLY);
    command.arg(env!("CARGO_BIN_EXE_cdsync")).arg(&store);
    command.env("CDSYNC_CONFIG", rig.path("config.toml")).env_remove("CDSYNC_CRASH");
    let ended = finish(command).await;
    let failed = ended.expect(5).events("command.failed");
    let reason = failed[0]["reason"].as_str().unwrap();
    assert!(reason.contains(&store.display().to_string()), "{reason}");
    assert!(reason.contains("mount that file system writable"), "{reason}");
}
