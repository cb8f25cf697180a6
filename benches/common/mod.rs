//! What the measurements share: the sandbox and the program as processes, a
//! configuration that joins them, and what is printed.
#![allow(dead_code, reason = "each program uses a part of it")]

pub(crate) mod bare;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// An error is a text for whoever looks.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The highest bound on requests a second that a configuration may name.
pub(crate) const RATE: u64 = 10_000;

/// The program under measurement.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cdsync");

/// All types of the sandbox's contact, as in `cdsync demo`.
pub(crate) const FIELDS: &str = r#"apply_deletes = true
fields = [
  { from = "firstname", to = "firstName", on_too_long = "cut" },
  { from = "lastname", to = "lastName" },
  { from = "emailaddress1", to = "email" },
  { from = "gendercode", to = "gender", replace = [{ value = "Male", with = "male" }, { value = "Female", with = "female" }] },
  { from = "birthdate", to = "birthDate" },
  { from = "anniversary", to = "cusAnniversary" },
  { from = "createdon", to = "cusCustomerSince", updates = false },
  { from = "donotbulkemail", to = "blackListEmail" },
  { from = "donotphone", to = "blackListPhone" },
  { from = "new_points", to = "cusPoints" },
  { from = "new_rating", to = "cusRating" },
  { from = "new_score", to = "cusScore" },
  { from = "new_revenue", to = "cusRevenue" },
  { from = "new_localtime", to = "cusLocalTime" },
  { from = "new_token", to = "cusToken" },
  { from = "new_vip", to = "cusVip" },
  { from = "description", to = "cusNote" },
]
"#;

/// The key through a filter.
pub(crate) const BY_FILTER: &str = r#"key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }"#;

/// The key in the URI.
pub(crate) const BY_URI: &str = r#"key = { from = "contactid", to = "cusCrmId", in_uri = true }"#;

/// Runs a measurement; 1 if it fails or a promise is not met.
pub(crate) fn finish(result: Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("\nnot as promised");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The value of `--NAME` among the arguments.
pub(crate) fn argument(name: &str, default: u64) -> Result<u64> {
    let mut arguments = std::env::args();
    while let Some(argument) = arguments.next() {
        if argument.strip_prefix("--") == Some(name) {
            let value = arguments.next().ok_or_else(|| format!("--{name} needs a number"))?;
            return Ok(value.replace('_', "").parse()?);
        }
    }
    Ok(default)
}

/// A line about what goes on, to stderr.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// `1234567` → `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One line of a result: what, measured, promised, whether it holds.
pub(crate) fn line(what: &str, measured: &str, promised: &str, holds: bool) {
    println!("{what:<52} {measured:>14}   {promised:<12} {}", if holds { "yes" } else { "NO" });
}

/// The heading over [`line`].
pub(crate) fn heading(what: &str) {
    println!("\n{what:<52} {:>14}   {:<12} holds", "measured", "promised");
}

/// A sandbox in a process of its own.
pub(crate) struct Sandbox {
    child: Child,
    /// Its directory: configuration, secrets, store.
    pub(crate) directory: tempfile::TempDir,
    /// `http://127.0.0.1:PORT`
    pub(crate) origin: String,
}

impl Sandbox {
    /// A fresh one with so many contacts.
    pub(crate) fn start(contacts: u64) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let written = directory.path().join("written.toml");
        let mut child = Command::new(PROGRAM)
            .args(["sandbox", "--listen", "127.0.0.1:0", "--contacts", &contacts.to_string()])
            .arg("--write-config")
            .arg(&written)
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stderr.take().ok_or("no stderr")?;
        let mut origin = String::new();
        for text in BufReader::new(output).lines() {
            let text = text?;
            if let Some(rest) = text.strip_prefix("sandbox on ") {
                rest.split(' ').next().unwrap_or_default().clone_into(&mut origin);
            }
            if text.starts_with("Ctrl-C") {
                return Ok(Self { child, directory, origin });
            }
        }
        Err("the sandbox did not start".into())
    }

    /// A configuration for it: the written one with these keys instead.
    pub(crate) fn configure(&self, key: &str, max_in_flight: u64) -> Result<PathBuf> {
        let written = std::fs::read_to_string(self.directory.path().join("written.toml"))?;
        configuration(&written, key, max_in_flight, &self.directory.path().join("config.toml"))
    }

    /// The written configuration with the journal as the only source of mail.
    pub(crate) fn journal_alone(&self) -> Result<PathBuf> {
        let written = std::fs::read_to_string(self.directory.path().join("written.toml"))?;
        let text = written
            .replace("source = [\"journal\", \"sftp\"]", "source = \"journal\"")
            .replace("# requests_per_5_minutes = 6000", "requests_per_5_minutes = 100000");
        let file = self.directory.path().join("config.toml");
        std::fs::write(&file, text)?;
        Ok(file)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a configuration: the sandbox's own, with the widest bounds on requests,
/// and with the mapping of the measurements.
pub(crate) fn configuration(
    written: &str,
    key: &str,
    max_in_flight: u64,
    file: &Path,
) -> Result<PathBuf> {
    let mut text = String::new();
    for line in written.lines() {
        if line.starts_with("[[ingress.table]]") {
            break;
        }
        if line.starts_with("# requests_per_second") {
            text.push_str(&format!(
                "requests_per_second = {RATE}\nmax_in_flight = {max_in_flight}"
            ));
        } else if line.starts_with("# requests_per_5_minutes") {
            text.push_str("requests_per_5_minutes = 100000");
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text.push_str("\n[[ingress.table]]\ndynamics = \"contact\"\ncampaign = \"profile\"\n");
    text.push_str(key);
    text.push('\n');
    text.push_str(FIELDS);
    std::fs::write(file, text)?;
    Ok(file.to_owned())
}

/// A configuration for a sandbox in this process.
pub(crate) fn configure_in_process(
    sandbox: &cdsync::sandbox::Sandbox,
    directory: &Path,
    key: &str,
) -> Result<PathBuf> {
    let known = sandbox.credentials();
    let secret = |name: &str, text: &str| -> Result<String> {
        let file = directory.join(name);
        std::fs::write(&file, text)?;
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(file.display().to_string())
    };
    let (dynamics, campaign) = (
        secret("dynamics-secret", &known.dynamics_client_secret)?,
        secret("campaign-secret", &known.campaign_client_secret)?,
    );
    let origin = sandbox.origin();
    let written = format!(
        "[dynamics]\nurl = \"{origin}\"\ntenant = \"{}\"\nclient_id = \"{}\"\n\
         client_secret = {{ file = \"{dynamics}\" }}\nauthority_url = \"{origin}\"\n\
         # requests_per_5_minutes\n\n\
         [campaign]\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ file = \"{campaign}\" }}\n\
         organization_id = \"{}\"\nims_url = \"{origin}\"\n# requests_per_second\n\n\
         [store]\npath = \"{}\"\n\n[ingress]\n",
        known.tenant,
        known.dynamics_client_id,
        sandbox.campaign_url(),
        known.campaign_client_id,
        known.organization_id,
        directory.join("store.db").display(),
    );
    configuration(&written, key, 8, &directory.join("config.toml"))
}

/// What a run of the program took.
pub(crate) struct Run {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// Its largest resident set, in KiB.
    pub(crate) peak_kib: u64,
}

/// Runs `cdsync sync ingress` to its end.
pub(crate) fn sync(config: &Path) -> Result<Run> {
    let log = std::fs::File::create(config.with_extension("log"))?;
    let began = Instant::now();
    let mut child = Command::new(PROGRAM)
        .args(["--log-format", "json", "--log-level", "info", "--config"])
        .arg(config)
        .args(["sync", "ingress"])
        .stderr(log)
        .spawn()?;
    let mut peak_kib = 0;
    let mut told = Instant::now();
    loop {
        let peak = peak_kib_of(child.id()).unwrap_or(0);
        peak_kib = peak_kib.max(peak);
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(Run { wall: began.elapsed(), peak_kib });
            }
            let log = std::fs::read_to_string(config.with_extension("log"))?;
            let last = log.lines().last().unwrap_or_default();
            return Err(format!("cdsync ended with {status}: {last}").into());
        }
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let log = std::fs::read_to_string(config.with_extension("log"))?;
            let written = log.lines().rev().find_map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).ok()?;
                value.get("written")?.as_u64()
            });
            tell(&format!(
                "  {:>4} s  {:>9} written  {:>7} KiB",
                began.elapsed().as_secs(),
                count(written.unwrap_or(0)),
                count(peak_kib)
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process's largest resident set so far, in KiB.
pub(crate) fn peak_kib_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
