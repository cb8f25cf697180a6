//! Log files on a real OpenSSH server, with the key that Campaign asks for: RSA
//! in PEM form.

use std::fmt::Write as _;
use std::process::Command;

use crate::egress_files::{TIME, configure, delivery_log, finished, rig, sync};
use crate::rig::{self, Rig};
use crate::sshd::Sshd;

/// Lets the program read from this server.
fn point_at(rig: &Rig, server: &Sshd) {
    let sftp = rig.sandbox.sftp();
    let key = std::fs::read_to_string(server.client_key()).unwrap();
    assert!(key.starts_with("-----BEGIN RSA PRIVATE KEY-----"), "as `ssh-keygen -m pem` writes it");
    rig::private(&rig.path("sftp-key"), &key);
    std::fs::copy(server.known_hosts(), rig.path("known_hosts")).unwrap();
    let text = std::fs::read_to_string(rig.path("config.toml")).unwrap();
    let text = text
        .replace(&format!("port = {}", sftp.address().port()), &format!("port = {}", server.port))
        .replace(&format!("user = \"{}\"", sftp.user()), &format!("user = \"{}\"", server.user));
    std::fs::write(rig.path("config.toml"), text).unwrap();
}

#[tokio::test]
async fn files_of_an_openssh_server_are_read_and_deleted() {
    let rig = rig(3).await;
    configure(&rig, "source = \"sftp\"", "after = \"delete\"\nsettle_seconds = 1\n");
    let server = Sshd::start();
    point_at(&rig, &server);
    // Names hashed, as Debian's client writes them.
    let hosts = rig.path("known_hosts");
    let hashed = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&hosts).output().unwrap();
    assert!(hashed.status.success(), "{hashed:?}");
    assert!(std::fs::read_to_string(&hosts).unwrap().starts_with("|1|"));
    let contact = rig.sandbox.dynamics().ids("contact")[0].to_string();
    // Larger than what is kept in memory between the survey and the taking.
    let mut text = delivery_log(&[("1", &contact, TIME, "Sent")]);
    for id in 2..70_000 {
        writeln!(text, "{id},{contact},{TIME},Pending").unwrap();
    }
    writeln!(text, "70000,{contact},{TIME},Failed").unwrap();
    let exports = server.files().join("exports");
    let file = exports.join("delivery_log_1.csv");
    std::fs::write(&file, &text).unwrap();
    let old = Command::new("touch").args(["-d", "1 hour ago"]).arg(&file).status().unwrap();
    assert!(old.success());
    std::os::unix::fs::symlink("/etc/passwd", exports.join("delivery_log_2.csv")).unwrap();
    std::fs::create_dir(exports.join("delivery_log_3.csv")).unwrap();
    let checked = rig.run(&["check", "--json"]).await;
    assert!(checked.out.contains("files of delivery_log: 1"), "{checked:#?}");
    let ended = sync(&rig).await;
    ended.expect(0);
    let counts = finished(&ended);
    assert_eq!((&counts["read"], &counts["written"]), (&70_000.into(), &2.into()), "{counts}");
    assert!(!file.exists(), "deleted");
    assert!(
        exports.join("delivery_log_2.csv").is_symlink()
            && exports.join("delivery_log_3.csv").is_dir()
    );
}
