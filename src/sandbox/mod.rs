//! Look-alikes of Dynamics 365, Adobe Campaign and their identity services.
//!
//! One loopback listener, one origin; the paths are disjoint. Files are served over
//! SSH by a listener of their own.
//!
//! | path | look-alike |
//! |---|---|
//! | `/{tenant}/oauth2/v2.0/token` | Microsoft Entra |
//! | `/api/data/v9.2/…` | Dataverse |
//! | `/ims/token/v3`, `/ims/profile/v1` | Adobe IMS |
//! | `/{campaign tenant}/campaign/…` | Campaign and its gateway |
//! | `/events/organizations/…` | the journal of Campaign's events |
//! | `/_sandbox` | pages for people, `/_sandbox/api` for scripts; `POST` to `clock`, `journal`, `optouts` acts as people would |
//!
//! Written from the vendors' documents only and strict in what it refuses. It
//! owns its rows, in memory, and must not know one line of the clients it
//! judges: nothing but the clock is imported.
//!
//! `docs/sandbox.md` explains faults, variants, schema and data files, the pages
//! and the addresses for scripts, with examples.

mod acts;
mod campaign;
mod clocks;
mod dataverse;
mod faults;
#[cfg(test)]
mod glance;
mod hooks;
mod identity;
mod journal;
mod limits;
mod listener;
mod log;
mod mail;
mod moment;
mod optouts;
mod page;
mod play;
mod random;
mod row;
mod sending;
mod server;
mod setup;
mod sftp;
mod tls;
mod variants;
mod wire;
mod wiring;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use self::campaign::control::CampaignControl;
pub use self::campaign::schema::{EnumValue, FieldType, FilterOperator};
use self::clocks::Clocks;
pub use self::dataverse::control::{ControlError, DynamicsControl};
pub use self::dataverse::schema::{Behavior, Choice, ColumnType, LookupFlavour, Target};
pub use self::faults::{Fault, FaultPlan, FaultRule};
pub use self::identity::Credentials;
pub use self::journal::JournalControl;
use self::listener::{Connections, Cut, CuttableListener};
pub use self::log::{LogEntry, RequestLog, System};
pub use self::mail::{
    EventIds, ExpectedActivity, LogDates, LogForm, MailControl, MailFact, MailKind, Mailing,
    Standing,
};
pub use self::optouts::ExportForm;
use self::server::Shared;
pub use self::setup::{Customized, DataFile, DataProblem, FileForm};
pub use self::sftp::{SftpCall, SftpControl, SftpFault};
pub use self::variants::{
    Clearing, Envelope, ErrorStyle, ParentDelete, SecuredRead, TokenMoment, Variant, VariantError,
    Variants,
};
use crate::clock::Clock;

/// How long a stopping sandbox waits for requests in flight.
const STOP: Duration = Duration::from_secs(2);

/// What a sandbox is started with.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Address to listen on; loopback only. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address of the SFTP server, as above.
    pub listen_sftp: SocketAddr,
    /// Seed of credentials, data and keys.
    pub seed: u64,
    /// Contacts that Dynamics holds at the start; with them come a quarter as
    /// many vehicles and half as many service visits.
    pub contacts: usize,
    /// Faults from the first request on.
    pub faults: FaultPlan,
    /// Behaviour where the documents leave it open.
    pub variants: Variants,
    /// Whether Dynamics has the four activity tables of mail events.
    pub activity_tables: bool,
    /// Whether the port also speaks TLS, with a certificate made at the start.
    pub tls: bool,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            listen_sftp: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            contacts: 0,
            faults: FaultPlan::default(),
            variants: Variants::default(),
            activity_tables: true,
            tls: false,
        }
    }
}

/// The running look-alikes. Dropping it closes everything at once.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    /// None where nothing is served over the network.
    sftp: Option<sftp::Server>,
    tls: Option<tls::Tls>,
    open: Connections,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<io::Result<()>>>,
}

impl Sandbox {
    /// Binds, fills and serves.
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        if !options.listen.ip().is_loopback() || !options.listen_sftp.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the sandbox listens on loopback addresses only",
            ));
        }
        let socket = TcpListener::bind(options.listen).await?;
        let origin = format!("http://{}", socket.local_addr()?);
        let tls = options.tls.then(tls::Tls::new).transpose()?;
        let clock = Clock::seeded(options.seed);
        let sftp = sftp::Server::start(options.listen_sftp, options.seed, clock.clone()).await?;
        let shared = furnished(options, origin, clock, sftp.control.clone())?;
        let open = Connections::default();
        let listener = CuttableListener::new(
            socket,
            tls.as_ref().map(|tls| tls.acceptor.clone()),
            open.clone(),
        );
        let router = Router::new().fallback(server::handle).with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel();
        let service = router.into_make_service_with_connect_info::<Cut>();
        let task = tokio::spawn(async move {
            let signal = async move {
                // An end without a word is an order to stop, too.
                let _ = stopped.await;
            };
            axum::serve(listener, service).with_graceful_shutdown(signal).await
        });
        Ok(Self { shared, sftp: Some(sftp), tls, open, stop: Some(stop), task: Some(task) })
    }

    /// The same without a socket, and with few columns: only [`Sandbox::call`]
    /// reaches it. `origin` is what its links begin with; `clock` is what all its
    /// systems take the time from.
    #[cfg(test)]
    pub(crate) fn in_process(
        options: SandboxOptions,
        origin: &str,
        clock: &Clock,
    ) -> io::Result<Self> {
        let files = SftpControl::new(options.listen_sftp, options.seed, clock.clone());
        let shared = furnished(options, origin.to_owned(), clock.clone(), files)?;
        let open = Connections::default();
        let sandbox = Self { shared, sftp: None, tls: None, open, stop: None, task: None };
        sandbox.dynamics().with_few_columns();
        sandbox.campaign().with_few_fields();
        Ok(sandbox)
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        self.shared.origin.clone()
    }

    /// `https://localhost:PORT`, on the same port, where TLS was asked for.
    pub fn secure_origin(&self) -> Option<String> {
        self.shared.secure.clone()
    }

    /// The certificate (PEM) that a client of [`Sandbox::secure_origin`] trusts.
    pub fn authority(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.authority.as_str())
    }

    /// The base address of the Campaign API: origin and tenant.
    pub fn campaign_url(&self) -> String {
        format!("{}/{}", self.shared.origin, self.shared.identity.credentials.campaign_tenant)
    }

    /// What a client needs to be let in.
    pub fn credentials(&self) -> Credentials {
        self.shared.identity.credentials.as_ref().clone()
    }

    /// Registers a certificate (PEM) on the Entra application, for client
    /// assertions. The text says what is wrong with it.
    pub fn register_certificate(&self, pem: &str) -> Result<(), String> {
        self.shared.identity.register(pem)
    }

    /// Acts on Dataverse.
    pub fn dynamics(&self) -> DynamicsControl {
        self.shared.dynamics_control()
    }

    /// Acts on Campaign.
    pub fn campaign(&self) -> CampaignControl {
        self.shared.campaign_control()
    }

    /// Acts on the journal of Campaign's events.
    pub fn journal(&self) -> JournalControl {
        self.shared.journal_control()
    }

    /// Acts on the files that Campaign's workflows leave on its SFTP server.
    pub fn sftp(&self) -> SftpControl {
        self.shared.sftp.clone()
    }

    /// Sends mail in Campaign and says what must come of it.
    pub fn mail(&self) -> MailControl {
        MailControl {
            told: Arc::clone(&self.shared.mail),
            variants: Arc::clone(&self.shared.variants),
            clock: self.shared.clocks.of(System::Campaign).clone(),
            client: self.shared.identity.credentials.campaign_client_id.clone(),
            dynamics: self.dynamics(),
            journal: self.journal(),
            sftp: self.sftp(),
        }
    }

    /// What was asked.
    pub fn requests(&self) -> RequestLog {
        self.shared.log.clone()
    }

    /// Replaces the faults; counters start anew.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.shared.set_faults(plan);
    }

    /// The variants in force.
    #[cfg(test)]
    pub(crate) fn variants(&self) -> Variants {
        self.shared.variants()
    }

    /// Replaces the variants.
    pub fn set_variants(&self, variants: Variants) {
        self.shared.set_variants(variants);
    }

    /// Answers one request without a network, as the listener would: same
    /// checks, same log, same faults. A connection that a fault cuts is an
    /// error: `ConnectionReset` without an answer, `UnexpectedEof` within one.
    /// Without a `Host` header links carry [`Sandbox::origin`].
    pub async fn call(&self, request: http::Request<Bytes>) -> io::Result<http::Response<Bytes>> {
        server::direct(&self.shared, request).await
    }

    /// Takes no new connections, waits shortly for requests in flight, ends.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens only where the server has ended already.
            let _ = stop.send(());
        }
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(STOP, &mut task).await.is_err()
        {
            task.abort();
        }
        self.open.cut_all();
        self.sftp.iter().for_each(sftp::Server::stop);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.open.cut_all();
        self.sftp.iter().for_each(sftp::Server::stop);
    }
}

/// Both systems with the data of their seed.
fn furnished(
    options: SandboxOptions,
    origin: String,
    clock: Clock,
    sftp: SftpControl,
) -> io::Result<Arc<Shared>> {
    let mut dynamics = dataverse::store::Db::new(options.seed);
    if !options.activity_tables {
        dynamics.remove_mail_tables();
    }
    dynamics.adopt(options.variants);
    dataverse::generate::fill(
        &mut dynamics,
        options.seed,
        options.contacts,
        clock.now().as_millisecond(),
    );
    let mut campaign = campaign::store::Db::new(options.seed, clock.clone());
    campaign.adopt(options.variants);
    let port = origin.rsplit_once(':').map(|(_, port)| port).filter(|_| options.tls);
    let shared = Arc::new(Shared {
        secure: port.map(|port| format!("https://localhost:{port}")),
        identity: identity::Identity::new(Credentials::of_seed(options.seed), clock.clone()),
        dynamics: Arc::new(Mutex::new(dynamics)),
        campaign: Arc::new(Mutex::new(campaign)),
        journal: Arc::new(Mutex::new(journal::store::Journal::new(options.seed))),
        mail: Arc::default(),
        clocks: Clocks::new(&clock),
        exported: optouts::Exported::default(),
        hooks: hooks::Hooks::default(),
        sftp,
        clock,
        seed: options.seed,
        variants: Arc::new(Mutex::new(options.variants)),
        faults: faults::FaultEngine::default(),
        log: RequestLog::default(),
        last_rows: play::LastRows::default(),
        limits: limits::Limits::default(),
        origin,
        restless: AtomicU64::new(0),
        desk: page::Desk::new()?,
    });
    shared.set_faults(options.faults);
    Ok(shared)
}
