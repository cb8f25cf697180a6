//! The commented configuration that `cdsync init` (and `sandbox
//! --write-config`) writes. What it writes loads without problems.

mod egress;
mod optout;

use std::fmt::Write as _;
use std::path::Path;

use crate::mapping::spec::{Key, Lookup};
use crate::model::{ColumnName, FieldName, NameError, ResourceName, TableName};
use crate::secret::SecretSource;

/// What differs between one written configuration and another. The default is
/// a fictitious company.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    /// The environment's address.
    pub(crate) dynamics_url: String,
    /// Tenant id or domain.
    pub(crate) tenant: String,
    /// The app registration.
    pub(crate) dynamics_client_id: String,
    /// Where its secret is.
    pub(crate) dynamics_secret: SecretSource,
    /// Where Entra is, if not at its usual place.
    pub(crate) authority_url: Option<String>,
    /// The instance's address with the tenant.
    pub(crate) campaign_url: String,
    /// The OAuth Server-to-Server credential.
    pub(crate) campaign_client_id: String,
    /// Where its secret is.
    pub(crate) campaign_secret: SecretSource,
    /// `…@AdobeOrg`
    pub(crate) organization_id: String,
    /// Where Adobe IMS is, if not at its usual place.
    pub(crate) ims_url: Option<String>,
    /// The database file.
    pub(crate) store_path: String,
    /// The schedule of `ingress`.
    pub(crate) schedule: String,
    /// The zone of the schedule, if not UTC.
    pub(crate) time_zone: Option<String>,
    /// The journal that `egress` reads; none: the section is commented out.
    pub(crate) journal_url: Option<String>,
    /// `[[ingress.table]]` blocks, as [`table_block`] writes them; none: an
    /// annotated one for contacts.
    pub(crate) tables: Vec<String>,
}

impl Example {
    /// The same with both secrets in files.
    pub(crate) fn with_secret_files(self, dynamics: &Path, campaign: &Path) -> Self {
        Self {
            dynamics_secret: SecretSource::File(dynamics.to_owned()),
            campaign_secret: SecretSource::File(campaign.to_owned()),
            ..self
        }
    }
}

impl Default for Example {
    fn default() -> Self {
        Self {
            dynamics_url: "https://contoso.crm4.dynamics.com".to_owned(),
            tenant: "contoso.onmicrosoft.com".to_owned(),
            dynamics_client_id: "6d0d8c4e-0000-0000-0000-000000000000".to_owned(),
            dynamics_secret: SecretSource::Credential("dynamics-client-secret".to_owned()),
            authority_url: None,
            campaign_url: "https://mc.adobe.io/contoso-mkt-stage".to_owned(),
            campaign_client_id: "0123456789abcdef0123456789abcdef".to_owned(),
            campaign_secret: SecretSource::Credential("campaign-client-secret".to_owned()),
            organization_id: "0123456789ABCDEF01234567@AdobeOrg".to_owned(),
            ims_url: None,
            store_path: "/var/lib/cdsync/cdsync.db".to_owned(),
            schedule: "*/15 * * * * *".to_owned(),
            time_zone: None,
            journal_url: None,
            tables: Vec::new(),
        }
    }
}

/// The commented configuration, with every key of this version.
pub(crate) fn annotated(example: &Example) -> String {
    let mut out = String::from(
        "# Configuration of cdsync. `cdsync check --offline` looks it over.\n\
         # An unknown key is an error. No secret stands in this file: each is named by\n\
         # { credential = \"NAME\" } (systemd), { env = \"NAME\" } or { file = \"PATH\" }.\n\n",
    );
    let sections = [dynamics(example), campaign(example), store(example), ingress(example)];
    out.push_str(&sections.join("\n"));
    if example.tables.is_empty() {
        out.push_str(CONTACTS);
    }
    for table in &example.tables {
        out.push('\n');
        out.push_str(table);
    }
    out.push_str(RECONCILE);
    out.push_str(&egress::egress(example.journal_url.as_deref()));
    out.push_str(optout::OPTOUT);
    out
}

fn dynamics(example: &Example) -> String {
    format!(
        "[dynamics]\n\
         url = {url}\n\
         # Tenant id or a verified domain.\n\
         tenant = {tenant}\n\
         # The app registration; it needs an application user in the environment.\n\
         client_id = {client_id}\n\
         client_secret = {secret}\n\
         # Instead of client_secret: one PEM text with the private key and the certificate.\n\
         # certificate = {{ file = \"/etc/cdsync/dynamics.pem\" }}\n\
         # Only for tenants that still need a resource owner's password.\n\
         # username = \"sync@contoso.com\"\n\
         # password = {{ credential = \"dynamics-password\" }}\n\
         # Where tokens come from: sovereign clouds have their own.\n\
         {authority}\n\
         # Upper bounds; the daemon adapts below them.\n\
         # max_in_flight = 16              # requests at one time, 1 to 200\n\
         # requests_per_5_minutes = 6000   # 1 to 100000\n\
         # Requests of a UTC day, those of a batch one by one; none: no budget. The share (in\n\
         # percent, 0 to 90) is kept for opt-outs.\n\
         # requests_per_day = 500000\n\
         # optout_share = 10\n",
        url = quoted(&example.dynamics_url),
        tenant = quoted(&example.tenant),
        client_id = quoted(&example.dynamics_client_id),
        secret = source(&example.dynamics_secret),
        authority = optional(
            "authority_url",
            example.authority_url.as_deref(),
            "https://login.microsoftonline.com",
        ),
    )
}

fn campaign(example: &Example) -> String {
    let scopes: Vec<String> = super::sections::SCOPES.iter().map(|scope| quoted(scope)).collect();
    format!(
        "[campaign]\n\
         # With the tenant; /campaign/… is appended.\n\
         url = {url}\n\
         # The OAuth Server-to-Server credential of the Developer Console.\n\
         client_id = {client_id}\n\
         client_secret = {secret}\n\
         organization_id = {organization}\n\
         # Copy the list that the Developer Console shows, if it differs.\n\
         # scopes = [{scopes}]\n\
         {ims}\n\
         # max_in_flight = 8               # requests at one time, 1 to 200\n\
         # requests_per_second = 50        # 1 to 10000\n\
         # read_back = \"5s\"                # before a write without an answer is looked up\n\
         # As in [dynamics].\n\
         # requests_per_day = 100000\n\
         # optout_share = 10\n",
        url = quoted(&example.campaign_url),
        client_id = quoted(&example.campaign_client_id),
        secret = source(&example.campaign_secret),
        organization = quoted(&example.organization_id),
        scopes = scopes.join(", "),
        ims = optional("ims_url", example.ims_url.as_deref(), "https://ims-na1.adobelogin.com"),
    )
}

fn store(example: &Example) -> String {
    format!(
        "[store]\n\
         # Holds cursors and waiting writes (personal data until delivered); mode 0600.\n\
         # A relative path is taken from the working directory.\n\
         path = {}\n\n\
         # How the commands reach a running daemon.\n\
         # [daemon]\n\
         # socket = \"/run/cdsync/control.sock\"   # default: cdsync.sock beside the store\n\
         # jitter = \"2s\"                          # runs begin up to so much later; default: none\n\
         # idle_passes = \"quiet\"                  # no line of passes that find nothing to do\n\n\
         # A copy of the log on the server of [campaign.sftp], in a directory that is there.\n\
         # [daemon.log_copy]\n\
         # directory = \"d365_loads/logs\"\n\
         # every = \"1h\"                          # 1s to 24h\n\
         # keep = \"14d\"                          # our older files are deleted there; 1h to 90d\n\
         # instance = \"prod-1\"                   # in the names of the files; default: the machine's name\n\n\
         # Numbers for Prometheus, served by `cdsync run` to whoever reaches the port.\n\
         # [metrics]\n\
         # listen = \"127.0.0.1:9464\"\n",
        quoted(&example.store_path)
    )
}

fn ingress(example: &Example) -> String {
    format!(
        "# Dynamics to Campaign.\n\
         [ingress]\n\
         # second minute hour day-of-month month weekday; with five fields the second is 0.\n\
         # Weekdays: 0 and 7 are Sunday. Without a schedule only `cdsync sync` runs it, and `cdsync run` refuses.\n\
         schedule = {schedule}\n\
         # The zone of the schedule. A time that a zone change skips runs right after it,\n\
         # one that is repeated runs once.\n\
         {zone}\n",
        schedule = quoted(&example.schedule),
        zone = optional("time_zone", example.time_zone.as_deref(), "UTC"),
    )
}

/// The annotated table of a default configuration.
const CONTACTS: &str = r#"
# One block for each table and its resource.
[[ingress.table]]
# Logical name of the table, API name of the resource.
dynamics = "contact"
campaign = "profile"
# How a record is found in Campaign: through a custom filter …
key = { from = "contactid", to = "externalId", filter = "byExternalId", parameter = "externalId_parameter" }
# … or in the URI, where the resource has a one-field identification key.
# key = { from = "contactid", to = "cusCrmId", in_uri = true }
# How changes are found: "changes" (default) by change tracking; "diff" reads all rows in
# each pass, for tables that Dynamics cannot track.
# tracking = "changes"
# Whether a deletion in Dynamics deletes in Campaign; default: false.
apply_deletes = false
# What choice columns send: "label" (default) or "value", the technical number.
# picklists = "label"
# Language of the labels (LCID).
# language = 1033
# Holds back a wave of deletions that is larger than either, until
# `cdsync approve-deletes contact`.
delete_guard = { rows = 1000, percent = 5 }
# Per field, beside from and to:
#   updates = false        written on first load and replay only
#   replace = [ { value = "Male", with = "male" } ]   compared as text
#   on_null = "keep"       an empty column leaves the field; default "clear"
#   on_empty = "keep"      the same for an empty text; default: as on_null
#   on_too_long = "cut"    default "fail": the record becomes a dead letter
#   picklists = "value"    where it differs from the table's
#   time_zone = "Europe/Berlin"   in which a date-time becomes a date; default UTC
fields = [
  { from = "firstname", to = "firstName" },
  { from = "lastname", to = "lastName" },
  { from = "emailaddress1", to = "email" },
  { from = "gendercode", to = "gender", replace = [{ value = "Male", with = "male" }, { value = "Female", with = "female" }] },
]
# Which rows belong in Campaign; default: all. A rule is { column, is, value } with is =
# eq ne gt ge lt le contains begins-with ends-with in null not-null, or a group
# { match = "any", rules = [ … ] }.
# filter = { match = "all", delete_filtered_out = false, rules = [
#   { column = "statecode", is = "eq", value = 0 },
# ] }
"#;

/// The comparison by schedule, commented out.
const RECONCILE: &str = r#"
# Compares both systems in slices, whatever the changes say; off by default.
# [reconcile]
#   schedule = "0 0 * * * *"      when a slice is due; time_zone as above
#   calls_per_run = 200           requests to both systems in a slice, 10 to 1000000
#   repair = false                true: mends what differs, within the delete guard
"#;

/// A `[[ingress.table]]` from metadata: for `init --from-metadata`.
pub(crate) fn table_block(
    dynamics: &TableName,
    campaign: &ResourceName,
    key: &Key,
    pairs: &[(ColumnName, FieldName)],
) -> String {
    let mut out =
        format!("[[ingress.table]]\ndynamics = \"{dynamics}\"\ncampaign = \"{campaign}\"\n");
    let lookup = match &key.lookup {
        Lookup::InUri => "in_uri = true".to_owned(),
        Lookup::Filter { filter, parameter } => {
            format!("filter = {}, parameter = {}", quoted(filter), quoted(parameter))
        }
    };
    let from = key.from.as_ref().map(|from| format!("from = \"{from}\", ")).unwrap_or_default();
    let _ = writeln!(out, "key = {{ {from}to = \"{}\", {lookup} }}", key.to);
    out.push_str(
        "apply_deletes = false\ndelete_guard = { rows = 1000, percent = 5 }\nfields = [\n",
    );
    for (column, field) in pairs {
        let _ = writeln!(out, "  {{ from = \"{column}\", to = \"{field}\" }},");
    }
    out.push_str("]\n");
    out
}

/// The usual key of a table: its primary id, for contacts in a profile's
/// `externalId`, else in a field of the resource that holds the id, asked by a
/// filter of the usual name.
pub(crate) fn guess_key(
    primary_id: &ColumnName,
    resource: &ResourceName,
) -> Result<Key, NameError> {
    let to = if resource.as_str() == "profile" { "externalId" } else { "cusCrmId" };
    let short = to.trim_start_matches("cus");
    let (head, tail) = short.split_at_checked(1).unwrap_or((short, ""));
    Ok(Key {
        from: Some(primary_id.clone()),
        to: FieldName::new(to)?,
        lookup: Lookup::Filter {
            filter: format!("by{}{tail}", head.to_uppercase()),
            parameter: format!("{}{tail}_parameter", head.to_lowercase()),
        },
    })
}

/// The key as given, or commented out with its default.
fn optional(key: &str, value: Option<&str>, default: &str) -> String {
    match value {
        Some(value) => format!("{key} = {}", quoted(value)),
        None => format!("# {key} = {}", quoted(default)),
    }
}

fn source(source: &SecretSource) -> String {
    match source {
        SecretSource::Credential(name) => format!("{{ credential = {} }}", quoted(name)),
        SecretSource::Env(name) => format!("{{ env = {} }}", quoted(name)),
        SecretSource::File(path) => {
            format!("{{ file = {} }}", quoted(&path.display().to_string()))
        }
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
