//! The configuration that points at the sandbox.
//!
//! Owns: its text and the secret files beside it.

use std::fs::{OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::cli::exit::{End, Exit};
use crate::clock::Clock;
use crate::config::{Example, annotated};
use crate::sandbox::Sandbox;
use crate::store::{StoreError, remove};

/// Stands first in a file that may be written over.
const OURS: &str = "# Written by `cdsync sandbox --write-config`. As long as this line stands first, the next\n\
                    # one writes it anew and removes the store beside it.\n";

/// The first line of that.
fn is_ours(text: &[u8]) -> bool {
    let first = OURS.lines().next().unwrap_or_default();
    text.split(|byte| *byte == b'\n').next() == Some(first.as_bytes())
}

/// Where a configuration is to be written, with the files beside it.
pub(super) struct Target<'a> {
    file: &'a Path,
    directory: PathBuf,
    stem: String,
}

impl<'a> Target<'a> {
    /// Looks at the place. What the sandbox did not write is spared, unless
    /// `force`: the file, and what would be written or removed beside it.
    pub(super) fn look(file: &'a Path, force: bool) -> Result<Self, End> {
        let directory = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let directory = directory.canonicalize().map_err(|error| {
            End::new(Exit::Usage, format!("{} cannot be used: {error}", directory.display()))
        })?;
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("sandbox").to_owned();
        let target = Self { file, directory, stem };
        match target.in_the_way()? {
            Some(found) if !force => Err(End::new(
                Exit::Usage,
                format!(
                    "--write-config {}: {} is there and is not the sandbox's; --force overwrites it, or choose another name",
                    file.display(),
                    found.display(),
                ),
            )),
            Some(_) | None => Ok(target),
        }
    }

    /// A file that would be lost and that nothing shows to be the sandbox's.
    fn in_the_way(&self) -> Result<Option<PathBuf>, End> {
        let wrong = |error: std::io::Error| {
            End::new(Exit::Usage, format!("{} cannot be read: {error}", self.file.display()))
        };
        match std::fs::metadata(self.file) {
            Ok(found) if !found.is_file() => {
                let text = format!("{} is not a file; choose another name", self.file.display());
                return Err(End::new(Exit::Usage, text));
            }
            Ok(found) if found.len() > 0 => {
                let mut start = Vec::new();
                let file = std::fs::File::open(self.file).map_err(wrong)?;
                file.take(OURS.len() as u64).read_to_end(&mut start).map_err(wrong)?;
                return Ok((!is_ours(&start)).then(|| self.file.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(error)),
        }
        let mut beside: Vec<PathBuf> = SECRETS.iter().map(|name| self.beside(name)).collect();
        beside.extend(remove::files(&self.beside(STORE)));
        Ok(beside.into_iter().find(|file| file.symlink_metadata().is_ok()))
    }

    /// The configuration.
    pub(super) fn file(&self) -> &Path {
        self.file
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{}-{name}", self.stem))
    }

    /// Writes a configuration that points at the sandbox, with its secrets and the
    /// key of its file server beside it. Gives the files that it removed: a store
    /// of an earlier sandbox would mirror what is no longer there.
    pub(super) fn write(&self, sandbox: &Sandbox, clock: &Clock) -> Result<Vec<PathBuf>, End> {
        let store = self.beside(STORE);
        let removed = remove::remove(&store, clock.now()).map_err(|error| {
            let hint = if matches!(error, StoreError::Locked { .. }) {
                "; end that program, or choose another name for --write-config"
            } else {
                ""
            };
            End::new(Exit::Store, format!("{error}{hint}"))
        })?;
        let [dynamics, campaign, key, hosts] = SECRETS.map(|name| self.beside(name));
        let text = configuration(sandbox, &dynamics, &campaign, &store, Vec::new())?;
        let egress = egress(sandbox, &key, &hosts)?;
        private_file(self.file, &format!("{OURS}{text}\n{LINKED}\n{egress}\n{OPTOUT}"))?;
        Ok(removed)
    }
}

/// What lies beside the configuration: two secrets, the key of the file server
/// and its known hosts.
const SECRETS: [&str; 4] = ["dynamics-secret", "campaign-secret", "sftp-key", "known-hosts"];

/// The store, beside them.
const STORE: &str = "store.db";

/// The flow of the sandbox's mail events; writes the key and the known hosts.
pub(in crate::cli) fn egress(sandbox: &Sandbox, key: &Path, hosts: &Path) -> Result<String, End> {
    let files = sandbox.sftp();
    private_file(key, &files.client_key())?;
    private_file(hosts, &files.known_hosts())?;
    // A JSON text is a TOML text.
    let quoted = |path: &Path| serde_json::Value::from(path.display().to_string());
    Ok(EGRESS
        .replace("{journal}", &sandbox.journal().url())
        .replace("{host}", &files.address().ip().to_string())
        .replace("{port}", &files.address().port().to_string())
        .replace("{user}", files.user())
        .replace("{key}", &quoted(key).to_string())
        .replace("{hosts}", &quoted(hosts).to_string()))
}

/// What reads the sandbox's journal, and its log files where they are wanted.
const EGRESS: &str = r#"# What became of the sandbox's mail. The journal and the log files tell the same
# events under the same ids, so that both may be read.
[egress]
schedule = "*/30 * * * * *"
source = ["journal", "sftp"]
events = ["send", "open", "click", "bounce"]

[egress.journal]
url = "{journal}"
pointers = { id = "/id" }

[egress.sftp]
directory = "exports"
delivery_log = { pattern = "delivery_log_*.csv", columns = { id = "id", contact = "externalId", time = "eventDate", status = "status", campaign = "campaign", delivery = "delivery", mirror_page = "mirrorPage", reason = "failureReason", proof = "proof" } }
tracking_log = { pattern = "tracking_log_*.csv", columns = { id = "id", contact = "externalId", time = "logDate", kind = "type", url = "urlSource", campaign = "campaign", delivery = "delivery", mirror_page = "mirrorPage", proof = "proof" } }

[campaign.sftp]
host = "{host}"
port = {port}
user = "{user}"
private_key = { file = {key} }
known_hosts = {hosts}
"#;

/// The flags that the sandbox's contacts and profiles have, both ways; its
/// profiles have a filter of what changed.
const OPTOUT: &str = r#"# Opt-outs, both ways; a contact's own address tells that it was made anew.
[optout]
direction = "bidirectional"
schedule = "0 * * * * *"
source = "rest"
pairs = [
  { dynamics = "donotbulkemail", campaign = "blackListEmail" },
  { dynamics = "donotphone", campaign = "blackListPhone" },
  { dynamics = "donotpostalmail", campaign = "blackListPostalMail" },
]
rest = { filter = "byModifiedSince", parameter = "since_parameter" }
"#;

/// The mapping of the linked tables that the sandbox holds beside contacts.
pub(in crate::cli) const LINKED: &str = r#"# Vehicles of contacts and service visits of vehicles: a parent goes before its child.
[[ingress.table]]
dynamics = "new_vehicle"
campaign = "cusVehicle"
key = { from = "new_vehicleid", to = "cusVehicleId", filter = "byVehicleId", parameter = "vehicleId_parameter" }
apply_deletes = true
links = [{ from = "new_contactid", to = "vehicleOwner", table = "contact" }]
fields = [
  { from = "new_name", to = "cusName" },
  { from = "new_plate", to = "cusPlate" },
  { from = "new_mileage", to = "cusMileage" },
  { from = "new_price", to = "cusPrice" },
  { from = "new_registered", to = "cusRegistered" },
  { from = "new_fuel", to = "cusFuel" },
]

[[ingress.table]]
dynamics = "new_servicevisit"
campaign = "cusServiceVisit"
key = { from = "new_servicevisitid", to = "cusVisitId", filter = "byVisitId", parameter = "visitId_parameter" }
apply_deletes = true
links = [{ from = "new_vehicleid", to = "visitVehicle", table = "new_vehicle" }]
fields = [
  { from = "new_name", to = "cusName" },
  { from = "new_visitedon", to = "cusVisited" },
  { from = "new_nextvisit", to = "cusNextVisit" },
  { from = "new_cost", to = "cusCost" },
  { from = "new_kind", to = "cusKind" },
  { from = "new_warranty", to = "cusWarranty" },
  { from = "new_notes", to = "cusNotes" },
]
"#;

/// The text of a configuration that points at the sandbox; writes the two
/// secrets.
pub(in crate::cli) fn configuration(
    sandbox: &Sandbox,
    dynamics_secret: &Path,
    campaign_secret: &Path,
    store: &Path,
    tables: Vec<String>,
) -> Result<String, End> {
    let credentials = sandbox.credentials();
    private_file(dynamics_secret, &credentials.dynamics_client_secret)?;
    private_file(campaign_secret, &credentials.campaign_client_secret)?;
    let example = Example {
        dynamics_url: sandbox.origin(),
        tenant: credentials.tenant,
        dynamics_client_id: credentials.dynamics_client_id,
        authority_url: Some(sandbox.origin()),
        campaign_url: sandbox.campaign_url(),
        campaign_client_id: credentials.campaign_client_id,
        organization_id: credentials.organization_id,
        ims_url: Some(sandbox.origin()),
        store_path: store.display().to_string(),
        tables,
        ..Example::default()
    };
    Ok(annotated(&example.with_secret_files(dynamics_secret, campaign_secret)))
}

fn private_file(file: &Path, text: &str) -> Result<(), End> {
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file).and_then(
            |mut file| {
                file.set_permissions(Permissions::from_mode(0o600))?;
                file.write_all(text.as_bytes())
            },
        );
    written.map_err(|error| {
        End::new(Exit::Usage, format!("{} cannot be written: {error}", file.display()))
    })
}
