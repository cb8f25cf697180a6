//! The checked configuration: what the rest of the program may rely on.

mod egress;
mod optout;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

use super::log_copy::LogCopySettings;
use super::sftp::SftpSettings;
use crate::mapping::spec::TableMapping;
use crate::model::{Flow, TableName};
use crate::schedule::Schedule;
use crate::secret::SecretSource;

pub(crate) use egress::{ActivityTables, EgressSettings, JournalSettings};
pub(crate) use optout::{OptoutRest, OptoutSettings};

/// Everything the file says, with defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// `[dynamics]`
    pub(crate) dynamics: DynamicsSettings,
    /// `[campaign]`
    pub(crate) campaign: CampaignSettings,
    /// `[store]`
    pub(crate) store: StoreSettings,
    /// `[daemon]`
    pub(crate) daemon: DaemonSettings,
    /// `[metrics]`
    pub(crate) metrics: MetricsSettings,
    /// `[ingress]`, where it is present
    pub(crate) ingress: Option<IngressSettings>,
    /// `[reconcile]`, where it is present
    pub(crate) reconcile: Option<ReconcileSettings>,
    /// `[egress]`, where it is present and any kind of event is switched on
    pub(crate) egress: Option<EgressSettings>,
    /// `[optout]`, where it is present and not disabled
    pub(crate) optout: Option<OptoutSettings>,
    /// The tables that mail events go to, for `provision`
    pub(crate) activity_tables: ActivityTables,
}

impl Config {
    /// The flows that are switched on, in the order in which they run.
    pub(crate) fn flows(&self) -> Vec<Flow> {
        Flow::ALL.into_iter().filter(|flow| self.has(*flow)).collect()
    }

    /// Whether a flow is switched on.
    pub(crate) fn has(&self, flow: Flow) -> bool {
        match flow {
            Flow::Ingress => self.ingress.is_some(),
            Flow::Egress => self.egress.is_some(),
            Flow::Optout => self.optout.is_some(),
        }
    }

    /// The tables that are mapped into Campaign, in the order of the file.
    pub(crate) fn mapped_tables(&self) -> Vec<TableName> {
        let tables = self.ingress.iter().flat_map(|ingress| &ingress.tables);
        tables.map(|table| table.dynamics.clone()).collect()
    }
}

/// An origin and path prefix: `https`, or `http` to a loopback address; no
/// user information, query or fragment; no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(pub(crate) Url);

/// `[dynamics]`
#[derive(Clone, Debug)]
pub(crate) struct DynamicsSettings {
    /// The environment's address; `/api/data/v9.2/` is appended.
    pub(crate) url: BaseUrl,
    /// Tenant GUID or verified domain name.
    pub(crate) tenant: String,
    /// The app registration.
    pub(crate) client_id: String,
    /// How the app proves itself.
    pub(crate) credential: DynamicsCredential,
    /// Resource-owner password, for tenants that still need it.
    pub(crate) user: Option<UserPassword>,
    /// Where tokens come from.
    pub(crate) authority: BaseUrl,
    /// Most requests at one time.
    pub(crate) max_in_flight: usize,
    /// Most requests in any 300 seconds.
    pub(crate) requests_per_5_minutes: u32,
    /// Most requests of a UTC day, if there is a budget.
    pub(crate) per_day: Option<DayBudget>,
    /// Rows of a page that are asked for; Dataverse gives at most 5000.
    pub(crate) page_rows: u32,
    /// How long a daemon looks for changes of `ingress` without reading both
    /// schemas again.
    pub(crate) schema_cache: Duration,
}

/// `requests_per_day` and `optout_share`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayBudget {
    /// Requests of a UTC day.
    pub(crate) requests: u64,
    /// Percent of them that only opt-outs may use, 0 to 90.
    pub(crate) optout_share: u64,
}

/// How the app proves itself to Entra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DynamicsCredential {
    /// `client_secret`
    Secret(SecretSource),
    /// `certificate`: one PEM text with the private key and the certificate.
    Certificate(SecretSource),
    /// A public client; only with `username` and `password`.
    Public,
}

/// `username` and `password`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserPassword {
    /// User principal name.
    pub(crate) username: String,
    /// Where the password is.
    pub(crate) password: SecretSource,
}

/// `[campaign]`
#[derive(Clone, Debug)]
pub(crate) struct CampaignSettings {
    /// The instance's address with the tenant; `/campaign/…` is appended.
    pub(crate) url: BaseUrl,
    /// The credential's client id; also the `X-Api-Key` of each call.
    pub(crate) client_id: String,
    /// Where the client secret is.
    pub(crate) client_secret: SecretSource,
    /// `…@AdobeOrg`
    pub(crate) organization_id: String,
    /// As the Developer Console lists them.
    pub(crate) scopes: Vec<String>,
    /// Where tokens come from.
    pub(crate) ims_url: BaseUrl,
    /// Most requests at one time.
    pub(crate) max_in_flight: usize,
    /// Most requests in any second.
    pub(crate) requests_per_second: u32,
    /// Most requests of a UTC day, if there is a budget.
    pub(crate) per_day: Option<DayBudget>,
    /// Whether an emptied text or date is sent as `null` in place of `""`:
    /// which of them clears is not confirmed by the vendor.
    pub(crate) clear_with_null: bool,
    /// Whether an emptied link is sent as `null`, which is the better guess, in
    /// place of `""` (campaign sheet 15, point 7).
    pub(crate) clear_links_with_null: bool,
    /// How long a write whose answer is missing rests before anybody looks what
    /// became of it: a gateway that gives up after 60 s says nothing of the work
    /// behind it (campaign sheet 14, point 8).
    pub(crate) read_back: Duration,
    /// `[campaign.sftp]`, where it is present.
    pub(crate) sftp: Option<SftpSettings>,
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreSettings {
    /// The database file.
    pub(crate) path: PathBuf,
    /// Days for which `trace` remembers.
    pub(crate) trace_days: u32,
}

/// Days for which `trace` remembers, unless the configuration says otherwise.
pub(super) const TRACE_DAYS: u32 = 30;

impl Default for StoreSettings {
    fn default() -> Self {
        Self { path: PathBuf::from("/var/lib/cdsync/cdsync.db"), trace_days: TRACE_DAYS }
    }
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetricsSettings {
    /// Where `run` serves metrics, if it does.
    pub(crate) listen: Option<SocketAddr>,
}

/// `[daemon]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DaemonSettings {
    /// Where the commands reach a running daemon, if not beside the store.
    pub(crate) socket: Option<PathBuf>,
    /// Runs begin up to so much after their time.
    pub(crate) jitter: Duration,
    /// Whether each pass is told of at `info`, also one that found nothing to do.
    pub(crate) tell_idle: bool,
    /// `[daemon.log_copy]`, where it is present.
    pub(crate) log_copy: Option<LogCopySettings>,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self { socket: None, jitter: Duration::ZERO, tell_idle: true, log_copy: None }
    }
}

impl Config {
    /// Where the commands reach a running daemon: `cdsync.sock` beside the
    /// store, unless the file names another place.
    pub(crate) fn socket(&self) -> PathBuf {
        let beside = || self.store.path.with_file_name("cdsync.sock");
        self.daemon.socket.clone().unwrap_or_else(beside)
    }

    /// Where lines wait until they are copied: a directory beside the store.
    pub(crate) fn log_spool(&self) -> PathBuf {
        let mut name = self.store.path.file_name().unwrap_or_default().to_owned();
        name.push("-logs");
        self.store.path.with_file_name(name)
    }
}

/// `[ingress]`
#[derive(Clone, Debug)]
pub(crate) struct IngressSettings {
    /// When the daemon runs it.
    pub(crate) schedule: Option<Schedule>,
    /// The zone of the schedule.
    pub(crate) time_zone: TimeZone,
    /// `[[ingress.table]]`
    pub(crate) tables: Vec<TableMapping>,
}

/// `[reconcile]`
#[derive(Clone, Debug)]
pub(crate) struct ReconcileSettings {
    /// When a slice is due.
    pub(crate) schedule: Schedule,
    /// The zone of the schedule.
    pub(crate) time_zone: TimeZone,
    /// Requests to both systems that a slice may make.
    pub(crate) calls_per_run: u64,
    /// Whether what differs is mended, not only reported.
    pub(crate) repair: bool,
}
