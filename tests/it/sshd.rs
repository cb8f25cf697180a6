//! Debian's OpenSSH: its server for the program to read from, and its client
//! against the sandbox's server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use cdsync::sandbox::{Sandbox, SandboxOptions};

const SERVER: &str = "/usr/sbin/sshd";

/// OpenSSH's server on loopback with keys and files of its own, for the user
/// who runs the tests. Logs in by an RSA key of 2048 bits in PEM form, as
/// campaign sheet 8.3 has it.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    pub(crate) user: String,
    dir: tempfile::TempDir,
    child: Child,
}

impl Sshd {
    /// Starts it; `exports` and `d365_loads/exports` are there.
    pub(crate) fn start() -> Self {
        assert!(Path::new(SERVER).exists(), "OpenSSH's server is missing: run .ci/setup");
        assert!(Path::new("/run/sshd").exists(), "/run/sshd is missing: run .ci/setup");
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for directory in ["files/exports", "files/d365_loads/exports"] {
            std::fs::create_dir_all(path(directory)).unwrap();
        }
        keygen(&path("host"), &["-t", "ed25519"]);
        keygen(&path("client"), &["-m", "pem", "-t", "rsa", "-b", "2048"]);
        std::fs::copy(path("client.pub"), path("authorized_keys")).unwrap();
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout);
        let user = user.unwrap().trim().to_owned();
        // Another may take a free port before the server does.
        for _ in 0..10 {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            if let Some(child) = serve(dir.path(), port) {
                let host = std::fs::read_to_string(path("host.pub")).unwrap();
                let line = format!("[127.0.0.1]:{port} {host}");
                std::fs::write(path("known_hosts"), line).unwrap();
                return Self { port, user, dir, child };
            }
        }
        panic!("OpenSSH's server does not start");
    }

    /// The directory in which a client finds itself.
    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    /// The client's private key.
    pub(crate) fn client_key(&self) -> PathBuf {
        self.dir.path().join("client")
    }

    /// The file of known hosts.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keygen(file: &Path, arguments: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-f"]).arg(file).args(arguments);
    assert!(command.status().unwrap().success());
}

/// A server that listens; none where the port is taken.
fn serve(dir: &Path, port: u16) -> Option<Child> {
    let shown = dir.display();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nPidFile none\n\
         AuthorizedKeysFile {shown}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n\
         ForceCommand internal-sftp -d {shown}/files\n"
    );
    let file = dir.join("sshd_config");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(SERVER);
    command.args(["-D", "-e", "-f"]).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while lines.read_line(&mut said).unwrap() > 0 {
        if said.contains("Server listening on") {
            // What it says later must not fill the pipe.
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
            return Some(child);
        }
    }
    child.wait().unwrap();
    assert!(said.contains("Address already in use"), "{said}");
    None
}

/// Runs OpenSSH's client with these lines.
fn client(user: &str, port: u16, key: &Path, known_hosts: &Path, lines: &str) -> Output {
    let mut command = Command::new("sftp");
    command.args(["-F", "none", "-b", "-", "-o", "StrictHostKeyChecking=yes"]);
    command.args(["-o", "IdentitiesOnly=yes", "-o", "GlobalKnownHostsFile=none", "-o"]);
    command.arg(format!("UserKnownHostsFile={}", known_hosts.display()));
    command.arg("-i").arg(key).arg("-P").arg(port.to_string()).arg(format!("{user}@127.0.0.1"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("OpenSSH's client is missing: run .ci/setup");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn opensshs_server_serves_files_to_its_own_client() {
    let server = Sshd::start();
    std::fs::write(server.files().join("exports/a.csv"), "id\n1\n").unwrap();
    let target = server.files().join("copy.csv");
    let lines = format!("ls exports\nget exports/a.csv {}\nrm exports/a.csv\n", target.display());
    let (key, hosts) = (server.client_key(), server.known_hosts());
    let output = client(&server.user, server.port, &key, &hosts, &lines);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("exports/a.csv"));
    assert_eq!(std::fs::read_to_string(target).unwrap(), "id\n1\n");
    assert!(!server.files().join("exports/a.csv").exists());
}

#[test]
fn opensshs_client_uses_the_sandboxs_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sandbox = runtime.block_on(Sandbox::start(SandboxOptions::default())).unwrap();
    let files = sandbox.sftp();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("key"), files.client_key()).unwrap();
    std::fs::set_permissions(path("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(path("known_hosts"), files.known_hosts()).unwrap();
    let large: Vec<u8> = (0..500_000_u32).map(|n| u8::try_from(n % 241).unwrap()).collect();
    files.put("exports/large.csv", &large);
    std::fs::write(path("up.csv"), "id\n2\n").unwrap();
    let ask = |lines: &str| {
        let (key, hosts) = (path("key"), path("known_hosts"));
        client(files.user(), files.address().port(), &key, &hosts, lines)
    };
    let lines = format!(
        "pwd\ncd exports\nls -l\nget large.csv {}\nput -p {} up.csv\nmkdir done\n\
         rename large.csv done/large.csv\nrm up.csv\nls -l done\n",
        path("down.csv").display(),
        path("up.csv").display()
    );
    let output = ask(&lines);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("Remote working directory: /"));
    assert!(std::fs::read(path("down.csv")).unwrap() == large);
    assert_eq!(files.list("exports"), ["done"]);
    assert_eq!(files.read("exports/done/large.csv").map(|it| it.len()), Some(large.len()));

    assert!(!ask("rmdir exports/done\n").status.success(), "it is not empty");
    assert!(!ask("get exports/none.csv\n").status.success());
    let key = files.known_hosts().split(' ').nth(2).unwrap().to_owned();
    let other = runtime
        .block_on(Sandbox::start(SandboxOptions { seed: 2, ..SandboxOptions::default() }))
        .unwrap();
    assert!(!other.sftp().known_hosts().contains(&key));
    let line = other.sftp().known_hosts();
    let line = line
        .replace(&other.sftp().address().port().to_string(), &files.address().port().to_string());
    std::fs::write(path("known_hosts"), line).unwrap();
    let output = ask("ls\n");
    assert!(!output.status.success() && said(&output).contains("Host key verification failed"));
}
