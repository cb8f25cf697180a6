//! `[dynamics]`, `[campaign]`, `[store]`: from the tree to the settings.

use std::time::Duration;

use super::log_copy::log_copy;
use super::settings::{
    BaseUrl, CampaignSettings, DaemonSettings, DayBudget, DynamicsCredential, DynamicsSettings,
    MetricsSettings, StoreSettings, TRACE_DAYS, UserPassword,
};
use super::sftp;
use super::tree::{Keys, Node};
use super::values::{base_url, duration, number_or, path, plain, secret};

/// Tokens of commercial tenants; sovereign clouds have their own.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// Adobe IMS.
const IMS: &str = "https://ims-na1.adobelogin.com";

/// The smallest set with which Campaign alone answers (Campaign sheet, 1.1).
pub(super) const SCOPES: [&str; 7] = [
    "AdobeID",
    "openid",
    "read_organizations",
    "additional_info.projectedProductContext",
    "campaign_sdk",
    "campaign_config_server_general",
    "deliverability_service_general",
];

/// `schema_cache` where the file names none: drift is told within it, and an idle
/// table costs one request a pass.
const SCHEMA_CACHE: Duration = Duration::from_mins(5);

/// Its longest value.
const LONGEST_CACHE: Duration = Duration::from_hours(24);

const DYNAMICS_KEYS: &[&str] = &[
    "url",
    "tenant",
    "client_id",
    "client_secret",
    "certificate",
    "username",
    "password",
    "authority_url",
    "max_in_flight",
    "requests_per_5_minutes",
    "requests_per_day",
    "optout_share",
    "page_rows",
    "schema_cache",
];

const CAMPAIGN_KEYS: &[&str] = &[
    "url",
    "client_id",
    "client_secret",
    "organization_id",
    "scopes",
    "ims_url",
    "max_in_flight",
    "requests_per_second",
    "requests_per_day",
    "optout_share",
    "clear_with",
    "clear_links_with",
    "read_back",
    "sftp",
];

const STORE_KEYS: &[&str] = &["path", "trace_days"];

const DAEMON_KEYS: &[&str] = &["socket", "jitter", "idle_passes", "log_copy"];

/// Longest spread of the runs: more would be another schedule.
const LONGEST_JITTER: Duration = Duration::from_hours(1);

/// Time before a write in Campaign without an answer is looked up, unless the
/// configuration says otherwise.
const READ_BACK: Duration = Duration::from_secs(5);

/// Longest such time: patience must not end in it.
const LONGEST_READ_BACK: Duration = Duration::from_mins(1);

/// Percent of a day's budget that only opt-outs may use.
const OPTOUT_SHARE: u64 = 10;

const METRICS_KEYS: &[&str] = &["listen"];

/// A problem has been recorded.
struct Reported;

/// `[dynamics]`; every key is looked at even where an earlier one is wrong.
pub(super) fn dynamics(node: &Node<'_>) -> Option<DynamicsSettings> {
    let keys = node.keys(DYNAMICS_KEYS)?;
    let url = keys
        .required("url", "url = \"https://contoso.crm4.dynamics.com\"")
        .and_then(|node| dynamics_url(&node));
    let tenant = keys
        .required("tenant", "tenant = \"contoso.onmicrosoft.com\"")
        .and_then(|node| tenant(&node));
    let client_id = keys
        .required("client_id", "client_id = \"6d0d8c4e-0000-0000-0000-000000000000\"")
        .and_then(|node| plain(&node, "the application (client) id of the app registration"));
    let user = user(&keys);
    let credential = credential(&keys);
    let authority = url_or(&keys, "authority_url", AUTHORITY);
    let max_in_flight = number_or(&keys, "max_in_flight", 1..=200, 16);
    let requests_per_5_minutes = number_or(&keys, "requests_per_5_minutes", 1..=100_000, 6000);
    let schema_cache = match keys.get("schema_cache") {
        Some(node) => duration(&node, LONGEST_CACHE)?,
        None => SCHEMA_CACHE,
    };
    Some(DynamicsSettings {
        url: url?,
        tenant: tenant?,
        client_id: client_id?,
        credential: credential?,
        user: user.ok()?,
        authority: authority?,
        max_in_flight,
        requests_per_5_minutes,
        per_day: day_budget(&keys),
        page_rows: number_or(&keys, "page_rows", 1..=5000, 1000),
        schema_cache,
    })
}

fn dynamics_url(node: &Node<'_>) -> Option<BaseUrl> {
    let url = base_url(node, "/api/data/v9.2")?;
    let local = url.0.scheme() == "http";
    if url.0.path() != "/" && !local {
        node.problem(
            "the environment's address has no path",
            "only scheme and host, as in `https://contoso.crm4.dynamics.com`",
        );
        return None;
    }
    Some(url)
}

/// The tenant becomes a segment of the token URL.
fn tenant(node: &Node<'_>) -> Option<String> {
    let hint = "the tenant's id (a GUID) or a verified domain, such as `contoso.onmicrosoft.com`";
    let text = plain(node, hint)?;
    let valid = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    if !valid || text.starts_with('.') {
        node.problem("this is not a tenant", hint);
        return None;
    }
    Some(text)
}

/// Exactly one of the two, or neither for a public client with a password.
fn credential(keys: &Keys<'_>) -> Option<DynamicsCredential> {
    let client_secret = keys.get("client_secret").map(|node| secret(&node));
    let certificate = keys.get("certificate").map(|node| secret(&node));
    match (client_secret, certificate) {
        (Some(_), Some(_)) => {
            keys.problem_at(
                "certificate",
                "`client_secret` and `certificate` exclude each other",
                "remove one of the two",
            );
            None
        }
        (Some(source), None) => source.map(DynamicsCredential::Secret),
        (None, Some(source)) => source.map(DynamicsCredential::Certificate),
        (None, None) if keys.get("username").is_some() || keys.get("password").is_some() => {
            Some(DynamicsCredential::Public)
        }
        (None, None) if keys.misspelt("client_secret") || keys.misspelt("certificate") => None,
        (None, None) => {
            keys.problem(
                "`client_secret` or `certificate` is missing",
                "add `client_secret = { credential = \"dynamics-client-secret\" }`, or `certificate = { file = \"…\" }`",
            );
            None
        }
    }
}

/// None, where neither is there; an error, where a problem has been recorded.
fn user(keys: &Keys<'_>) -> Result<Option<UserPassword>, Reported> {
    let username = keys
        .get("username")
        .map(|node| plain(&node, "the user principal name, as in `sync@contoso.com`"));
    let password = keys.get("password").map(|node| secret(&node));
    match (username, password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => Ok(Some(UserPassword {
            username: username.ok_or(Reported)?,
            password: password.ok_or(Reported)?,
        })),
        (Some(_), None) => {
            keys.problem_at(
                "username",
                "`username` needs `password`",
                "add `password = { credential = \"dynamics-password\" }`, or remove `username`",
            );
            Err(Reported)
        }
        (None, Some(_)) => {
            keys.problem_at(
                "password",
                "`password` needs `username`",
                "add `username = \"…\"`, or remove `password`",
            );
            Err(Reported)
        }
    }
}

/// `[campaign]`
pub(super) fn campaign(node: &Node<'_>) -> Option<CampaignSettings> {
    let keys = node.keys(CAMPAIGN_KEYS)?;
    let url = keys
        .required("url", "url = \"https://mc.adobe.io/TENANT\"")
        .and_then(|node| campaign_url(&node));
    let client_id = keys
        .required("client_id", "client_id = \"0123456789abcdef0123456789abcdef\"")
        .and_then(|node| plain(&node, "the client id of the OAuth Server-to-Server credential"));
    let client_secret = keys
        .required("client_secret", "client_secret = { credential = \"campaign-client-secret\" }")
        .and_then(|node| secret(&node));
    let organization_id = keys
        .required("organization_id", "organization_id = \"…@AdobeOrg\"")
        .and_then(|node| organization(&node));
    let scopes = match keys.get("scopes") {
        Some(node) => scopes(&node),
        None => Some(SCOPES.iter().map(|scope| (*scope).to_owned()).collect()),
    };
    let ims_url = url_or(&keys, "ims_url", IMS);
    let max_in_flight = number_or(&keys, "max_in_flight", 1..=200, 8);
    let requests_per_second = number_or(&keys, "requests_per_second", 1..=10_000, 50);
    let with_null = |name: &str, usual: bool| {
        let word = |node: Node<'_>| node.word(&[("empty", false), ("null", true)]);
        keys.get(name).and_then(word).unwrap_or(usual)
    };
    let clear_with_null = with_null("clear_with", false);
    let clear_links_with_null = with_null("clear_links_with", true);
    let read_back = keys.get("read_back").map(|node| duration(&node, LONGEST_READ_BACK));
    let sftp = keys.get("sftp").map(|node| sftp::sftp(&node));
    Some(CampaignSettings {
        url: url?,
        client_id: client_id?,
        client_secret: client_secret?,
        organization_id: organization_id?,
        scopes: scopes?,
        ims_url: ims_url?,
        max_in_flight,
        requests_per_second,
        per_day: day_budget(&keys),
        clear_with_null,
        clear_links_with_null,
        read_back: read_back.unwrap_or(Some(READ_BACK))?,
        sftp: match sftp {
            Some(sftp) => Some(sftp?),
            None => None,
        },
    })
}

fn campaign_url(node: &Node<'_>) -> Option<BaseUrl> {
    let url = base_url(node, "/campaign")?;
    if url.0.host_str() == Some("mc.adobe.io") && url.0.path() == "/" {
        node.problem(
            "the tenant is missing",
            "append it, as in `https://mc.adobe.io/contoso` or, for stage, `https://mc.adobe.io/contoso-mkt-stage`",
        );
        return None;
    }
    Some(url)
}

fn organization(node: &Node<'_>) -> Option<String> {
    let hint = "the Developer Console shows it, as in `0123456789ABCDEF01234567@AdobeOrg`";
    let text = plain(node, hint)?;
    if text.strip_suffix("@AdobeOrg").is_none_or(str::is_empty) {
        node.problem("an organization id ends with `@AdobeOrg`", hint);
        return None;
    }
    Some(text)
}

fn scopes(node: &Node<'_>) -> Option<Vec<String>> {
    let hint = "one string for each scope that the Developer Console lists, such as `openid`";
    let list = node.list()?;
    if list.is_empty() {
        node.problem(
            "no scopes are listed",
            "list those of the Developer Console, or remove the key",
        );
        return None;
    }
    let scopes = list.iter().map(|node| {
        let scope = plain(node, hint)?;
        if scope.contains(',') {
            node.problem("a scope has no comma", hint);
            return None;
        }
        Some(scope)
    });
    // Collected before the verdict, so that each is looked at.
    scopes.collect::<Vec<_>>().into_iter().collect()
}

/// `requests_per_day` and `optout_share`.
fn day_budget(keys: &Keys<'_>) -> Option<DayBudget> {
    let share = number_or(keys, "optout_share", 0..=90, OPTOUT_SHARE);
    let per_day = keys.get("requests_per_day");
    if per_day.is_none() && keys.get("optout_share").is_some() {
        keys.problem_at(
            "optout_share",
            "`optout_share` needs `requests_per_day`: it is a share of it",
            "add `requests_per_day`, or remove `optout_share`",
        );
    }
    let requests = per_day?.integer(1..=100_000_000)?;
    Some(DayBudget { requests: u64::try_from(requests).ok()?, optout_share: share })
}

/// A base URL that has a default.
fn url_or(keys: &Keys<'_>, key: &str, default: &str) -> Option<BaseUrl> {
    match keys.get(key) {
        Some(node) => base_url(&node, ""),
        None => url::Url::parse(default).ok().map(BaseUrl),
    }
}

/// `[store]`. A relative path is taken from the working directory.
pub(super) fn store(node: &Node<'_>) -> Option<StoreSettings> {
    let keys = node.keys(STORE_KEYS)?;
    let trace_days = number_or(&keys, "trace_days", 1..=3650, TRACE_DAYS);
    let Some(node) = keys.get("path") else {
        return Some(StoreSettings { trace_days, ..StoreSettings::default() });
    };
    let hint = "the database file, as in `/var/lib/cdsync/cdsync.db`";
    Some(StoreSettings { path: path(&node, hint)?, trace_days })
}

/// `[daemon]`. A relative path is taken from the working directory.
pub(super) fn daemon(node: &Node<'_>) -> Option<DaemonSettings> {
    let keys = node.keys(DAEMON_KEYS)?;
    let hint = "the control socket, as in `/run/cdsync/control.sock`";
    let socket = match keys.get("socket") {
        Some(node) => Some(path(&node, hint)?),
        None => None,
    };
    let jitter = match keys.get("jitter") {
        Some(node) => duration(&node, LONGEST_JITTER)?,
        None => Duration::ZERO,
    };
    let tell_idle = match keys.get("idle_passes") {
        Some(node) => node.word(&[("log", true), ("quiet", false)])?,
        None => true,
    };
    let log_copy = match keys.get("log_copy") {
        Some(node) => Some(log_copy(&node)?),
        None => None,
    };
    Some(DaemonSettings { socket, jitter, tell_idle, log_copy })
}

/// `[metrics]`. Whether the port is free is not known here.
pub(super) fn metrics(node: &Node<'_>) -> Option<MetricsSettings> {
    let keys = node.keys(METRICS_KEYS)?;
    let Some(node) = keys.get("listen") else { return Some(MetricsSettings::default()) };
    let listen = node.text()?.parse().ok();
    if listen.is_none() {
        node.problem(
            "this is not an address with a port",
            "an IP address and a port, as in `127.0.0.1:9464` or `[::1]:9464`",
        );
    }
    listen.map(|listen| MetricsSettings { listen: Some(listen) })
}
