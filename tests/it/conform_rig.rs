//! A vendor's own client beside a sandbox of this process: what it is asked to do,
//! line by line, and what it says.
//!
//! Owns: finding the installed clients, starting one, talking to it. Knows none of
//! their calls.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use cdsync::sandbox::{Sandbox, SandboxOptions, System};
use serde_json::{Value, json};

/// The directory where `.ci/setup` puts the clients.
fn directory() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let caches = || {
        variable("XDG_CACHE_HOME")
            .or_else(|| Some(variable("HOME")?.join(".cache")))
            .expect("HOME is not set")
    };
    variable("CDSYNC_CONFORMANCE").unwrap_or_else(|| caches().join("cdsync/conformance"))
}

/// Fails where a client is missing or another than the lock file has.
fn installed(marker: &str, lock: &[u8]) -> PathBuf {
    let directory = directory();
    let have = std::fs::read(directory.join(marker)).ok();
    assert!(
        have.as_deref() == Some(lock),
        "the vendors' clients in {} are not those of the lock file: run .ci/setup",
        directory.display()
    );
    directory
}

/// `node_modules` of the clients for Node.js.
pub(crate) fn node_modules() -> PathBuf {
    installed("installed", include_bytes!("../conformance/package-lock.json")).join("node_modules")
}

fn python() -> PathBuf {
    installed("python/installed", include_bytes!("../conformance/requirements.txt"))
        .join("python/bin/python")
}

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Microsoft's `PowerPlatform-Dataverse-Client`, over TLS.
    Python,
    /// `dynamics-web-api`.
    WebApi,
    /// `@adobe/aio-lib-campaign-standard`.
    Campaign,
}

/// A sandbox and a client that talks to it.
pub(crate) struct Stage {
    child: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(crate) sandbox: Sandbox,
    _home: tempfile::TempDir,
    // Last: the look-alikes run on it.
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// Starts both.
    pub(crate) fn new(client: Client, options: SandboxOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = SandboxOptions { tls: client == Client::Python, ..options };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut command = match client {
            Client::Python => {
                let authority = home.path().join("authority.pem");
                std::fs::write(&authority, sandbox.authority().unwrap()).unwrap();
                let mut command = Command::new(python());
                command.env_clear().env("REQUESTS_CA_BUNDLE", authority);
                command.env("ENVIRONMENT", sandbox.secure_origin().unwrap());
                // Nothing may be written beside the installed files.
                command.env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Client::WebApi | Client::Campaign => {
                let modules = node_modules();
                let mut command = Command::new("node");
                command.env_clear().env("NODE_PATH", modules);
                command.env("ENVIRONMENT", sandbox.origin());
                command
            }
        };
        let known = sandbox.credentials();
        let (script, token, id, secret) = match client {
            Client::Python | Client::WebApi => (
                if client == Client::Python { "dataverse.py" } else { "dynamics.cjs" },
                format!("{}/{}/oauth2/v2.0/token", sandbox.origin(), known.tenant),
                known.dynamics_client_id,
                known.dynamics_client_secret,
            ),
            Client::Campaign => (
                "campaign.cjs",
                format!("{}/ims/token/v3", sandbox.origin()),
                known.campaign_client_id,
                known.campaign_client_secret,
            ),
        };
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", home.path()).current_dir(home.path());
        command.env("TOKEN_URL", token).env("CLIENT_ID", id).env("CLIENT_SECRET", secret);
        command.env("SCOPE", format!("{}/.default", sandbox.origin()));
        command.env("TENANT", known.campaign_tenant);
        command.arg(format!("{}/tests/conformance/{script}", env!("CARGO_MANIFEST_DIR")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let asked = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, asked, answers, sandbox, _home: home, _runtime: runtime }
    }

    /// The client's answer to one request, as its script gives it.
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        let asked = self.asked.as_mut().unwrap();
        writeln!(asked, "{request}").unwrap();
        let mut line = String::new();
        // Adobe's client writes warnings between the answers.
        while !line.starts_with('{') {
            line.clear();
            let read = self.answers.read_line(&mut line).unwrap();
            assert!(read > 0, "the client has ended, asked for {request}");
        }
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {request}"))
    }

    /// What a call of the client returns.
    pub(crate) fn call(&mut self, call: &str, args: &Value) -> Value {
        self.done(&json!({"call": call, "args": args}))
    }

    /// The same for any request.
    pub(crate) fn done(&mut self, request: &Value) -> Value {
        let mut answer = self.ask(request);
        assert!(answer.get("error").is_none(), "{request}: {answer}");
        answer["ok"].take()
    }

    /// How a call of the client fails.
    pub(crate) fn refused(&mut self, call: &str, args: &Value) -> Value {
        let mut answer = self.ask(&json!({"call": call, "args": args}));
        assert!(answer.get("ok").is_none(), "{call} was to fail: {answer}");
        answer["error"].take()
    }

    /// Method, status and path of the requests to one system so far.
    pub(crate) fn asked_of(&self, system: System) -> Vec<String> {
        let entries = self.sandbox.requests().entries().into_iter();
        entries
            .filter(|entry| entry.system == system)
            .map(|entry| format!("{} {} {}", entry.method, entry.status, entry.path))
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its input ends, and with it the client; it may have ended already.
        drop(self.asked.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
