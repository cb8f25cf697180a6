//! `sandbox`: the look-alike servers, until interrupted.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::{Example, annotated};
use crate::sandbox::{
    EventIds, FaultPlan, LogForm, MailFact, Mailing, Sandbox, SandboxOptions, Variants,
};

use super::args;
use super::exit::{End, Exit};
use super::output::say;

/// Runs the command.
pub(super) async fn run(arguments: &args::Sandbox) -> Result<Exit, End> {
    let faults = match &arguments.faults {
        Some(file) => read_faults(file)?,
        None => FaultPlan::default(),
    };
    let sandbox = Sandbox::start(SandboxOptions {
        listen: arguments.listen,
        listen_sftp: arguments.listen_sftp,
        seed: arguments.seed,
        contacts: arguments.contacts as usize,
        faults,
        variants: Variants::default(),
        activity_tables: !arguments.without_activity_tables,
        tls: arguments.tls.is_some(),
    })
    .await
    .map_err(|error| {
        let (listen, sftp) = (arguments.listen, arguments.listen_sftp);
        End::new(
            Exit::Usage,
            format!("the sandbox cannot listen on {listen} and, for files, on {sftp}: {error}"),
        )
    })?;
    mailings(&sandbox, arguments);
    let rows = |table: &str| sandbox.dynamics().count(table);
    say(&format!(
        "sandbox on {} with {} contacts, {} vehicles, {} service visits",
        sandbox.origin(),
        rows("contact"),
        rows("new_vehicle"),
        rows("new_servicevisit"),
    ));
    say(&format!("  dynamics  {}/api/data/v9.2/", sandbox.origin()));
    say(&format!("  campaign  {}/campaign/", sandbox.campaign_url()));
    let files = sandbox.sftp();
    say(&format!("  journal   {}, {} events", sandbox.journal().url(), sandbox.journal().count()));
    say(&format!("  files     sftp://{}@{}/exports", files.user(), files.address()));
    if let (Some(file), Some(origin), Some(authority)) =
        (&arguments.tls, sandbox.secure_origin(), sandbox.authority())
    {
        std::fs::write(file, authority).map_err(|error| {
            End::new(Exit::Usage, format!("{} cannot be written: {error}", file.display()))
        })?;
        say(&format!("  TLS       {origin}, with {} as authority", file.display()));
    }
    if let Some(file) = &arguments.write_config {
        write_config(&sandbox, file)?;
        say(&format!("  try: cdsync --config {} sync ingress", file.display()));
        say(&format!("       cdsync --config {} sync egress", file.display()));
    }
    say("Ctrl-C ends it; nothing is kept");
    let _ = tokio::signal::ctrl_c().await;
    sandbox.stop().await;
    Ok(Exit::Done)
}

/// Mail to all contacts, three days ago; the journal and the log files tell the
/// same, and the rows of the second export correct some of the first.
fn mailings(sandbox: &Sandbox, arguments: &args::Sandbox) {
    let mail = sandbox.mail();
    let mailing = Mailing {
        seed: arguments.seed,
        deliveries: arguments.mailings,
        odd_ones: false,
        ..Mailing::default()
    };
    let facts = mail.send(&mailing);
    mail.publish(&facts, EventIds::Logs);
    let (late, early): (Vec<MailFact>, Vec<MailFact>) =
        facts.into_iter().partition(|fact| fact.late);
    mail.export("1", &early, &LogForm::default());
    mail.export("2", &late, &LogForm::default());
}

fn read_faults(file: &Path) -> Result<FaultPlan, End> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        End::new(Exit::Usage, format!("{} cannot be read: {error}", file.display()))
    })?;
    toml::from_str(&text)
        .map_err(|error| End::new(Exit::Usage, format!("{}: {error}", file.display())))
}

/// A configuration that points at the sandbox, with its secrets and the key of
/// its file server beside it.
fn write_config(sandbox: &Sandbox, file: &Path) -> Result<(), End> {
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
    private_file(file, &format!("{text}\n{LINKED}\n{egress}"))
}

/// The flow of the sandbox's mail events; writes the key and the known hosts.
pub(super) fn egress(sandbox: &Sandbox, key: &Path, hosts: &Path) -> Result<String, End> {
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

/// The mapping of the linked tables that the sandbox holds beside contacts.
pub(super) const LINKED: &str = r#"# Vehicles of contacts and service visits of vehicles: a parent goes before its child.
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
pub(super) fn configuration(
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
