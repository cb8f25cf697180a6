//! OpenSSH's own `sftp` drives the look-alike of Campaign's file server.

use std::process::{Command, Output, Stdio};

use cdsync::sandbox::{Sandbox, SandboxOptions};

use crate::rig;

struct Stage {
    sandbox: Sandbox,
    home: tempfile::TempDir,
    // Last: the server runs on it.
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let sandbox = runtime.block_on(Sandbox::start(SandboxOptions::default())).unwrap();
        let home = tempfile::tempdir().unwrap();
        let stage = Self { sandbox, home, runtime };
        let files = stage.sandbox.sftp();
        rig::private(&stage.path("key"), &files.client_key());
        std::fs::write(stage.path("known_hosts"), files.known_hosts()).unwrap();
        stage
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    /// Runs commands in one session, in this home.
    fn sftp(&self, commands: &[&str]) -> Output {
        let files = self.sandbox.sftp();
        std::fs::write(self.path("batch"), commands.join("\n") + "\n").unwrap();
        let option = |name: &str, value: &str| format!("-o{name}={value}");
        let path = |name: &str| self.path(name).display().to_string();
        Command::new("sftp")
            .args(["-F", "/dev/null", "-b", &path("batch"), "-P"])
            .arg(files.address().port().to_string())
            .arg(option("IdentityFile", &path("key")))
            .arg(option("UserKnownHostsFile", &path("known_hosts")))
            .arg(option("GlobalKnownHostsFile", "/dev/null"))
            .args(["-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-oStrictHostKeyChecking=yes"])
            .arg(format!("{}@{}", files.user(), files.address().ip()))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn done(&self, commands: &[&str]) -> String {
        let output = self.sftp(commands);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn opensshs_client_lists_fetches_stores_renames_and_removes() {
    let stage = Stage::new();
    let files = stage.sandbox.sftp();
    // More than one packet, and more than one request of the client.
    let large: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    files.put("/exports/large.bin", &large);
    files.put("/exports/small.csv", b"a,b\n1,2\n");
    let listed = stage.done(&["ls -1 exports", "ls -l exports/large.bin"]);
    assert!(
        listed.contains("exports/large.bin\n") && listed.contains("exports/small.csv\n"),
        "{listed}"
    );
    assert!(listed.contains("1600000"), "{listed}");
    stage.done(&["cd exports", "get large.bin here.bin", "get small.csv"]);
    assert!(std::fs::read(stage.path("here.bin")).unwrap() == large);
    assert_eq!(std::fs::read(stage.path("small.csv")).unwrap(), b"a,b\n1,2\n");

    stage.done(&[
        "put here.bin exports/back.bin",
        "mkdir exports/done",
        "rename exports/back.bin exports/done/b.bin",
    ]);
    assert!(files.read("/exports/done/b.bin").unwrap() == large);
    assert_eq!(files.read("/exports/back.bin"), None);
    let full = stage.sftp(&["rmdir exports/done"]);
    assert!(!full.status.success(), "a directory with files in it stays");
    stage.done(&["rm exports/done/b.bin", "rmdir exports/done", "rm exports/small.csv"]);
    assert_eq!(files.list("/exports"), ["large.bin"]);
    let missing = stage.sftp(&["get exports/nothing"]);
    assert!(!missing.status.success());
    let error = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(error.to_lowercase().contains("not found"), "{error}");
}

#[test]
fn opensshs_client_goes_on_where_a_transfer_ended() {
    let stage = Stage::new();
    let files = stage.sandbox.sftp();
    let large: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    files.put("/exports/large.bin", &large);
    std::fs::write(stage.path("large.bin"), &large[..150_000]).unwrap();
    files.forget();
    stage.done(&["reget exports/large.bin large.bin"]);
    assert!(std::fs::read(stage.path("large.bin")).unwrap() == large);
    files.put("/exports/part.bin", &large[..150_000]);
    stage.done(&["reput large.bin exports/part.bin"]);
    assert!(files.read("/exports/part.bin").unwrap() == large);
}

#[test]
fn opensshs_client_refuses_another_host_key_and_the_server_another_key() {
    let stage = Stage::new();
    let files = stage.sandbox.sftp();
    files.put("/exports/small.csv", b"x");
    let other = SandboxOptions { seed: 99, ..SandboxOptions::default() };
    let other = stage.runtime.block_on(Sandbox::start(other)).unwrap();
    let port = |text: String, from: &Sandbox, to: &Sandbox| {
        let of = |sandbox: &Sandbox| sandbox.sftp().address().port().to_string();
        text.replace(&of(from), &of(to))
    };
    // The address of the one with the key of the other.
    let theirs = port(other.sftp().known_hosts(), &other, &stage.sandbox);
    std::fs::write(stage.path("known_hosts"), theirs).unwrap();
    files.forget();
    let refused = stage.sftp(&["get exports/small.csv"]);
    assert!(!refused.status.success());
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{error}");
    assert_eq!(files.count("open"), 0);

    std::fs::write(stage.path("known_hosts"), files.known_hosts()).unwrap();
    rig::private(&stage.path("key"), &other.sftp().client_key());
    let stranger = stage.sftp(&["get exports/small.csv"]);
    let error = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(!stranger.status.success() && error.contains("Permission denied"), "{error}");
    assert!(!stage.path("small.csv").exists());
}
