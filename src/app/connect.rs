//! Clients of both systems, from the configuration.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use crate::app::activities::activity_targets;
use crate::app::aging::Told;
use crate::app::budget::{Meters, day_limit};
use crate::app::egress::{Quiet, journal_source};
use crate::app::known::Known;
use crate::app::{Finding, FindingKind};
use crate::campaign;
use crate::campaign::sftp::{Server, Sftp};
use crate::clock::Clock;
use crate::config::{BaseUrl, CampaignSettings, Config, DynamicsCredential, DynamicsSettings};
use crate::delivery::ActivityTargets;
use crate::dynamics;
use crate::http::{Auth, Client, ClientProof, Limits, Origin, SecretLoader, System, Transport};
use crate::model::Stop;
use crate::secret::{SecretError, SecretSource};
use crate::store::{Copy, Mode, Store, StoreError};
use crate::telemetry::LeasesRecovered;

/// The window of Dataverse's request limit ("Service protection API limits").
const FIVE_MINUTES: Duration = Duration::from_mins(5);

/// Why the program cannot begin: the machine or a secret, not the file's form.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// A secret cannot be read.
    #[error("{place}: {reason}")]
    Secret {
        /// The configuration key.
        place: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// No HTTP client can be made here.
    #[error("no connection can be made: {0}")]
    Transport(String),
}

/// Everything that stays for the life of the process.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// The checked configuration.
    pub(crate) config: Arc<Config>,
    /// Time and randomness.
    pub(crate) clock: Clock,
    /// Reads Dynamics.
    pub(crate) dynamics: dynamics::Reader,
    /// Reads Campaign.
    pub(crate) campaign: campaign::Reader,
    /// Reads the journal of Campaign's events, where `egress` does.
    pub(crate) journal: Option<campaign::Journal>,
    /// The server of log files, where `egress` reads them.
    pub(crate) sftp: Option<Sftp>,
    /// The same server for the copy of the log: what it does counts for no flow.
    pub(super) log_server: Option<Sftp>,
    /// Until when the journal asked not to be asked again.
    pub(crate) quiet: Quiet,
    /// Where activities of e-mail events go.
    pub(crate) activities: ActivityTargets,
    /// What the last pass of `ingress` read of the schemas.
    pub(super) known: Known,
    /// What outlives a configuration.
    pub(super) lasting: Lasting,
}

/// What outlives a configuration; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Lasting {
    /// What counts the requests to each system.
    pub(super) meters: Meters,
    /// Which cursors were told to be old.
    pub(super) aging: Told,
    /// Whether the opt-out flow has read all contacts' changes once.
    pub(super) has_read_flags: Arc<AtomicBool>,
    /// Held by the comparison that was asked for and runs.
    pub(super) comparing: Arc<tokio::sync::Mutex<()>>,
    /// Clients of systems that are elsewhere now, as long as they are to be left
    /// alone there: the address may come back.
    former: Arc<Mutex<Vec<Client>>>,
    /// What carries requests; the network, where it is none.
    transport: Option<Transport>,
}

impl Lasting {
    fn new(clock: &Clock) -> Self {
        Self {
            meters: Meters::new(clock),
            aging: Told::default(),
            has_read_flags: Arc::default(),
            comparing: Arc::default(),
            former: Arc::default(),
            transport: None,
        }
    }

    /// The same for a copy of the store: what is read into that, the store has not.
    fn of_a_copy(&self) -> Self {
        let has_read = AtomicBool::new(self.has_read_flags.load(Ordering::Relaxed));
        Self { has_read_flags: Arc::new(has_read), ..self.clone() }
    }

    /// All clients that others may follow: the former, and behind them those of now.
    fn followed<'a>(&self, now: impl Iterator<Item = &'a Client>) -> Vec<Client> {
        let now: Vec<Client> = now.cloned().collect();
        let mut former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        let elsewhere = |it: &Client| now.iter().all(|other| !other.is_at_the_place_of(it));
        former.retain(|client| client.is_paused() && elsewhere(client));
        former.extend(now);
        former.clone()
    }
}

impl App {
    /// Builds the clients; contacts nobody. All secrets are read once, so that
    /// a missing one is found now and not at the first request.
    pub(crate) fn new(config: Config, clock: Clock) -> Result<Self, SetupError> {
        let lasting = Lasting::new(&clock);
        Self::build(config, clock, lasting)
    }

    /// The same over this transport in place of the network.
    #[cfg(test)]
    pub(crate) fn over(
        transport: Transport,
        config: Config,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        let lasting = Lasting { transport: Some(transport), ..Lasting::new(&clock) };
        Self::build(config, clock, lasting)
    }

    /// The same by another configuration. What was counted goes on, and who asked
    /// to be left alone is, unless his address is another one now.
    pub(crate) fn again(&self, config: Config) -> Result<Self, SetupError> {
        let app = Self::build(config, self.clock.clone(), self.lasting.clone())?;
        let followed = self.lasting.followed(self.clients());
        for client in app.clients() {
            for before in &followed {
                client.follow(before);
            }
        }
        let source = |app: &Self| app.config.egress.as_ref().and_then(journal_source);
        let same_journal = source(&app) == source(self);
        let quiet = if same_journal { self.quiet.clone() } else { app.quiet.clone() };
        Ok(Self { quiet, ..app })
    }

    fn build(config: Config, clock: Clock, lasting: Lasting) -> Result<Self, SetupError> {
        let client = |system, origin, limits, auth| match &lasting.transport {
            Some(own) => {
                Ok(Client::with_transport(system, origin, limits, auth, clock.clone(), own.clone()))
            }
            None => Client::new(system, origin, limits, auth, clock.clone())
                .map_err(SetupError::Transport),
        };
        if let Some((place, error)) = secret_problems(&config).into_iter().next() {
            return Err(SetupError::Secret { place, reason: error.to_string() });
        }
        let dynamics_origin = Origin::new(&config.dynamics.url.0);
        let dynamics = client(
            System::Dynamics,
            dynamics_origin.clone(),
            Limits {
                max_in_flight: config.dynamics.max_in_flight,
                window: (config.dynamics.requests_per_5_minutes, FIVE_MINUTES),
            },
            dynamics_auth(&config.dynamics)?,
        )?
        .metered(lasting.meters.dynamics.clone(), day_limit(&config, config.dynamics.per_day));
        let campaign_origin = Origin::new(&config.campaign.url.0);
        let campaign = client(
            System::Campaign,
            campaign_origin.clone(),
            Limits {
                max_in_flight: config.campaign.max_in_flight,
                window: (config.campaign.requests_per_second, Duration::from_secs(1)),
            },
            campaign_auth(&config.campaign)?,
        )?
        .metered(lasting.meters.campaign.clone(), day_limit(&config, config.campaign.per_day));
        let journal = journal(&config, &campaign, &lasting.meters)?;
        let sftp = sftp(&config);
        let log_server = config.daemon.log_copy.as_ref().and_then(|_| server(&config));
        let dynamics = dynamics::Reader::new(dynamics, dynamics_origin);
        let activities = activity_targets(&config, &dynamics);
        Ok(Self {
            config: Arc::new(config),
            clock,
            journal,
            sftp,
            log_server,
            quiet: Quiet::default(),
            activities,
            known: Known::default(),
            lasting,
            dynamics,
            campaign: campaign::Reader::new(campaign, campaign_origin),
        })
    }

    /// The same clients for a pass that may be asked to end: what has not gone
    /// out by then does not go. The journal and the files are only read, and
    /// reading is dropped.
    pub(super) fn until(&self, stop: &Stop) -> Self {
        Self {
            dynamics: self.dynamics.until(stop),
            campaign: self.campaign.until(stop),
            activities: self.activities.until(stop),
            ..self.clone()
        }
    }

    /// The same clients for a dry run on a copy of the store.
    pub(crate) fn on(&self, copy: &Copy) -> Self {
        let mut config = (*self.config).clone();
        config.store.path = copy.path();
        let lasting = self.lasting.of_a_copy();
        Self { config: Arc::new(config), quiet: Quiet::default(), lasting, ..self.clone() }
    }

    /// Opens the store. What an ended process was working on is marked: it may
    /// have reached Campaign.
    pub(crate) async fn open_store(&self, mode: Mode) -> Result<Store, StoreError> {
        let store = Store::open(&self.config.store.path, mode, &self.clock).await?;
        self.lasting.meters.keep_in(&store);
        let records = store.call(|work| Ok(work.recover_leases()? as u64)).await?;
        if records > 0 && mode == Mode::Durable {
            LeasesRecovered { records }.emit();
        }
        Ok(store)
    }
}

/// The journal, beside Campaign's client: both take the same tokens. A
/// credential goes to the journal's host only; its links may lead to any path
/// there.
fn journal(
    config: &Config,
    campaign: &Client,
    meters: &Meters,
) -> Result<Option<campaign::Journal>, SetupError> {
    let settings = config.egress.as_ref().and_then(|egress| egress.journal.as_ref());
    let Some(settings) = settings else { return Ok(None) };
    let mut host = settings.url.0.clone();
    host.set_path("/");
    let origin = Origin::new(&host);
    let limits = Limits { max_in_flight: 1, window: (50, Duration::from_secs(1)) };
    let client = campaign
        .beside(System::Journal, origin.clone(), limits)
        .map_err(SetupError::Transport)?
        .metered(meters.journal.clone(), None);
    Ok(Some(campaign::Journal::new(client, origin, settings.url.0.path())))
}

/// The file server, where anything is read from it.
fn sftp(config: &Config) -> Option<Sftp> {
    let events = config.egress.as_ref().is_some_and(|egress| egress.files.is_some());
    let flags = config.optout.as_ref().is_some_and(|optout| optout.files.is_some());
    if !events && !flags {
        return None;
    }
    server(config)
}

/// A way to the file server, where it is named.
fn server(config: &Config) -> Option<Sftp> {
    let settings = config.campaign.sftp.as_ref()?;
    Some(Sftp::new(Server {
        host: settings.host.clone(),
        port: settings.port,
        user: settings.user.clone(),
        key: loader(&settings.private_key),
        passphrase: settings.passphrase.as_ref().map(loader),
        known_hosts: settings.known_hosts.clone(),
    }))
}

fn loader(source: &SecretSource) -> SecretLoader {
    let source = source.clone();
    Arc::new(move || source.load().map_err(|error| error.to_string()))
}

fn token_url(base: &BaseUrl, path: &str) -> Result<Url, SetupError> {
    let text = format!("{}{path}", base.0.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|_| SetupError::Transport("a token address is not a URL".into()))
}

fn dynamics_auth(settings: &DynamicsSettings) -> Result<Auth, SetupError> {
    let token_url =
        token_url(&settings.authority, &format!("/{}/oauth2/v2.0/token", settings.tenant))?;
    let client_id = settings.client_id.clone();
    if let Some(user) = &settings.user {
        let proof = match &settings.credential {
            DynamicsCredential::Secret(source) => ClientProof::Secret(loader(source)),
            DynamicsCredential::Certificate(source) => ClientProof::Certificate(loader(source)),
            DynamicsCredential::Public => ClientProof::None,
        };
        return Ok(Auth::EntraPassword {
            token_url,
            client_id,
            username: user.username.clone(),
            password: loader(&user.password),
            proof,
        });
    }
    match &settings.credential {
        DynamicsCredential::Secret(source) => {
            Ok(Auth::EntraSecret { token_url, client_id, secret: loader(source) })
        }
        DynamicsCredential::Certificate(source) => {
            Ok(Auth::EntraCertificate { token_url, client_id, pem: loader(source) })
        }
        DynamicsCredential::Public => Err(SetupError::Secret {
            place: "dynamics",
            reason: "a public client needs `username` and `password`".into(),
        }),
    }
}

fn campaign_auth(settings: &CampaignSettings) -> Result<Auth, SetupError> {
    Ok(Auth::Ims {
        token_url: token_url(&settings.ims_url, "/ims/token/v3")?,
        client_id: settings.client_id.clone(),
        secret: loader(&settings.client_secret),
        scopes: settings.scopes.clone(),
        organization_id: settings.organization_id.clone(),
    })
}

/// What is wrong with the secrets that the configuration names. With `offline` only
/// what is so wherever one looks: others may not be here, but where the program will
/// run.
pub(crate) fn secret_findings(config: &Config, offline: bool) -> Vec<Finding> {
    let found = secret_problems(config).into_iter();
    let finding = |(place, error): (&str, SecretError)| {
        let text = error.to_string();
        let (problem, hint) = text.split_once("; ").unwrap_or((&text, ""));
        let (place, problem, hint) = (place.to_owned(), problem.to_owned(), hint.to_owned());
        Finding { place, problem, hint, kind: FindingKind::Problem }
    };
    found.filter(|(_, error)| !offline || error.is_of_place()).map(finding).collect()
}

/// Each with its key.
fn secret_problems(config: &Config) -> Vec<(&'static str, SecretError)> {
    let mut sources = vec![("campaign.client_secret", &config.campaign.client_secret)];
    match &config.dynamics.credential {
        DynamicsCredential::Secret(source) => sources.push(("dynamics.client_secret", source)),
        DynamicsCredential::Certificate(source) => sources.push(("dynamics.certificate", source)),
        DynamicsCredential::Public => {}
    }
    if let Some(user) = &config.dynamics.user {
        sources.push(("dynamics.password", &user.password));
    }
    if let Some(sftp) = &config.campaign.sftp {
        sources.push(("campaign.sftp.private_key", &sftp.private_key));
        sources.extend(sftp.passphrase.iter().map(|it| ("campaign.sftp.passphrase", it)));
    }
    let problem = |(place, source): (_, &SecretSource)| Some((place, source.load().err()?));
    sources.into_iter().filter_map(problem).collect()
}
