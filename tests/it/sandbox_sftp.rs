//! The file server's promises, to a client of its own kind; the one of OpenSSH
//! is asked in `sshd.rs`.

use std::sync::Arc;

use cdsync::sandbox::{Sandbox, SandboxOptions, SftpControl, SftpFault};
use russh::client::{AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh_sftp::client::SftpSession;

/// Keeps the key that the server shows.
struct Seen(Arc<std::sync::Mutex<Option<PublicKey>>>);

impl russh::client::Handler for Seen {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        *self.0.lock().unwrap() = Some(key.public_key());
        Ok(true)
    }
}

struct Client {
    session: Handle<Seen>,
    server_key: PublicKey,
}

async fn connect(control: &SftpControl) -> Client {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let config = Arc::new(russh::client::Config::default());
    let handler = Seen(Arc::clone(&seen));
    let session = russh::client::connect(config, control.address(), handler).await.unwrap();
    let server_key = seen.lock().unwrap().clone().unwrap();
    Client { session, server_key }
}

impl Client {
    async fn log_in(&mut self, user: &str, key: PrivateKey) -> bool {
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None::<HashAlg>);
        let got = self.session.authenticate_publickey(user, key).await.unwrap();
        matches!(got, AuthResult::Success)
    }
}

async fn files(control: &SftpControl) -> (Client, SftpSession) {
    let mut client = connect(control).await;
    let key = PrivateKey::from_openssh(control.client_key()).unwrap();
    assert!(client.log_in(control.user(), key).await);
    let channel = client.session.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let files = SftpSession::new(channel.into_stream()).await.unwrap();
    (client, files)
}

async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxOptions::default()).await.unwrap()
}

async fn names(files: &SftpSession, path: &str) -> Vec<String> {
    let mut names: Vec<String> =
        files.read_dir(path).await.unwrap().map(|entry| entry.file_name()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn only_the_one_key_of_the_one_user_is_let_in() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    let right = || PrivateKey::from_openssh(control.client_key()).unwrap();
    let other = Sandbox::start(SandboxOptions { seed: 2, ..SandboxOptions::default() }).await;
    let wrong = PrivateKey::from_openssh(other.unwrap().sftp().client_key()).unwrap();
    assert!(!connect(&control).await.log_in(control.user(), wrong).await);
    assert!(!connect(&control).await.log_in("root", right()).await);
    assert!(connect(&control).await.log_in(control.user(), right()).await);
    control.set_faults(&[SftpFault::Refused]);
    assert!(!connect(&control).await.log_in(control.user(), right()).await);
    assert_eq!((control.count("connect"), control.count("refused")), (1, 3));
}

#[tokio::test]
async fn the_server_shows_the_key_of_the_known_hosts_unless_told_otherwise() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    let line = control.known_hosts();
    let (host, key) = line.trim().split_once(' ').unwrap();
    assert_eq!(host, format!("[127.0.0.1]:{}", control.address().port()));
    let known = PublicKey::from_openssh(key).unwrap();
    assert_eq!(connect(&control).await.server_key.key_data(), known.key_data());
    control.set_faults(&[SftpFault::OtherHostKey]);
    assert_ne!(connect(&control).await.server_key.key_data(), known.key_data());
}

#[tokio::test]
async fn files_are_listed_looked_at_read_written_renamed_and_removed() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    let long: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let moment: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    control.put_at("exports/long.csv", &long, moment);
    let (_client, files) = files(&control).await;
    assert_eq!(files.canonicalize(".").await.unwrap(), "/");
    assert_eq!(names(&files, ".").await, ["d365_loads", "exports"]);
    assert_eq!(names(&files, "/d365_loads").await, ["exports"]);
    let looked = files.metadata("exports/long.csv").await.unwrap();
    assert_eq!((looked.size, looked.mtime), (Some(200_000), Some(1_767_323_045)));
    assert!(looked.is_regular() && files.metadata("exports").await.unwrap().is_dir());
    assert!(files.read("exports/long.csv").await.unwrap() == long);
    assert!(files.metadata("exports/none.csv").await.is_err());

    files.create_dir("exports/done").await.unwrap();
    files.rename("exports/long.csv", "exports/done/long.csv").await.unwrap();
    assert!(files.remove_dir("exports/done").await.is_err(), "it is not empty");
    files.remove_file("exports/done/long.csv").await.unwrap();
    files.remove_dir("exports/done").await.unwrap();
    assert_eq!(control.list("exports"), Vec::<String>::new());

    let mut file = files.create("exports/new.csv").await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut file, b"id;status\n").await.unwrap();
    tokio::io::AsyncWriteExt::shutdown(&mut file).await.unwrap();
    assert_eq!(control.read("exports/new.csv").unwrap(), b"id;status\n");
    assert!(control.count("readdir") > 0 && control.count("remove") == 1);
}

#[tokio::test]
async fn a_long_listing_comes_in_parts_and_is_whole() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    for number in 0..250 {
        control.put(&format!("exports/log_{number:03}.csv"), b"");
    }
    let (_client, files) = files(&control).await;
    assert_eq!(names(&files, "exports").await.len(), 250);
    assert_eq!(control.count("readdir"), 4);
}

#[tokio::test]
async fn a_connection_drops_in_the_middle_of_a_file_and_the_next_goes_on() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    control.put("exports/a.csv", &vec![7; 300_000]);
    control.set_faults(&[SftpFault::DropAfter { bytes: 100_000, times: 1 }]);
    let (_first, broken) = files(&control).await;
    broken.set_timeout(5);
    assert!(broken.read("exports/a.csv").await.is_err());
    let (_second, whole) = files(&control).await;
    assert_eq!(whole.read("exports/a.csv").await.unwrap().len(), 300_000);
}

#[tokio::test]
async fn a_growing_file_shows_more_at_each_look_and_rests_when_whole() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    control.put("exports/a.csv", &[7; 250]);
    control.set_faults(&[SftpFault::Growing { step: 100 }]);
    let (_client, files) = files(&control).await;
    let mut looks = Vec::new();
    for _ in 0..5 {
        let look = files.metadata("exports/a.csv").await.unwrap();
        looks.push((look.size.unwrap(), look.mtime.unwrap()));
    }
    let first = looks[0].1;
    let expected =
        [(100, first), (200, first + 1), (250, first + 2), (250, first + 2), (250, first + 2)];
    assert_eq!(looks, expected);
}

#[tokio::test]
async fn files_are_cut_short_disks_are_full_and_names_are_strange_on_demand() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    control.put("exports/a.csv", &[7; 100]);
    let (_client, files) = files(&control).await;
    control.set_faults(&[SftpFault::Truncated]);
    assert_eq!(files.metadata("exports/a.csv").await.unwrap().size, Some(100));
    assert_eq!(files.read("exports/a.csv").await.unwrap().len(), 50);

    control.set_faults(&[SftpFault::ReadOnly]);
    assert!(files.remove_file("exports/a.csv").await.is_err());

    control.set_faults(&[SftpFault::Full]);
    let mut file = files.create("exports/b.csv").await.unwrap();
    let written = tokio::io::AsyncWriteExt::write_all(&mut file, &[1; 100]).await;
    let ended = tokio::io::AsyncWriteExt::shutdown(&mut file).await;
    assert!(written.is_err() || ended.is_err());
    assert_eq!(control.read("exports/b.csv").unwrap().len(), 50);

    let strange = ["../../etc/passwd", "a\nb.csv", "\u{1b}[2J.csv"].map(str::to_owned).to_vec();
    control.set_faults(&[SftpFault::Names(strange.clone())]);
    let listed = names(&files, "exports").await;
    assert!(strange.iter().all(|name| listed.contains(name)), "{listed:?}");
}

#[tokio::test]
async fn a_listing_without_end_goes_on_as_long_as_it_is_read() {
    let sandbox = sandbox().await;
    let control = sandbox.sftp();
    control.set_faults(&[SftpFault::EndlessListing]);
    let (_client, files) = files(&control).await;
    let listing = async { files.read_dir("exports").await.map(|_| ()) };
    let many = async {
        while control.count("readdir") <= 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = listing => panic!("it ended: {ended:?}"),
        () = many => {}
    }
}
