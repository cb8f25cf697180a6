//! The configuration that points at the sandbox.
//!
//! Owns: its text and the secret files beside it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::exit::{End, Exit};
use crate::config::{Example, annotated};
use crate::sandbox::Sandbox;

/// A configuration that points at the sandbox, with its secrets and the key of
/// its file server beside it.
pub(super) fn write_config(sandbox: &Sandbox, file: &Path) -> Result<(), End> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let directory = directory.canonicalize().map_err(|error| {
        End::new(Exit::Usage, format!("{} cannot be used: {error}", directory.display()))
    })?;
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("sandbox");
    let beside = |name: &str| directory.join(format!("{stem}-{name}"));
    let store = beside("store.db");
    // A store of an earlier sandbox would mirror what is no longer there.
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut left = store.clone().into_os_string();
        left.push(suffix);
        let _ = std::fs::remove_file(left);
    }
    let text = configuration(
        sandbox,
        &beside("dynamics-secret"),
        &beside("campaign-secret"),
        &store,
        Vec::new(),
    )?;
    let egress = egress(sandbox, &beside("sftp-key"), &beside("known-hosts"))?;
    private_file(file, &format!("{text}\n{LINKED}\n{egress}\n{OPTOUT}"))
}

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
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        End::new(Exit::Usage, format!("{} cannot be written: {error}", file.display()))
    })
}
