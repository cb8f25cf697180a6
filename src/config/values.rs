//! Values that several sections have: base URLs, secrets, time zones,
//! schedules, names, plain words. Each records what is wrong with it.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SpanRelativeTo, Unit};
use url::{Host, Url};

use super::settings::BaseUrl;
use super::suggest::nearest;
use super::tree::{Keys, Node, shortened};
use crate::model::NameError;
use crate::schedule::Schedule;
use crate::secret::{SecretSource, is_credential_name};

const SECRET_KEYS: &[&str] = &["credential", "env", "file"];

/// A base URL. `appended` is what cdsync adds, which may not stand there yet.
pub(super) fn base_url(node: &Node<'_>, appended: &str) -> Option<BaseUrl> {
    // Between these marks, passwords are written.
    let marks = ['@', '?', '#'];
    if node.value.as_str().is_none_or(|text| text.contains(marks)) {
        node.mask();
    }
    let text = node.text()?;
    let refuse = |problem: &str, hint: &str| {
        node.problem(problem, hint);
        None
    };
    let Ok(mut url) = Url::parse(text.trim()) else {
        return refuse(
            "this is not a URL",
            "write scheme and host, as in `https://contoso.crm4.dynamics.com`",
        );
    };
    let Some(host) = url.host() else {
        return refuse("this URL has no host", "write it as `https://host/path`");
    };
    let loopback = match host {
        Host::Domain(name) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return refuse(
                "`http://` is refused for an address that is not loopback: tokens and personal data would travel in clear",
                "write `https://`",
            );
        }
        _ => return refuse("only `https://` is spoken", "write `https://`"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "user information may not stand in a URL",
            "remove the part before `@`; credentials have their own keys",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("a query or fragment may not stand here", "remove `?…` and `#…`");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if !appended.is_empty() && path.to_ascii_lowercase().ends_with(appended) {
        return refuse(
            &format!("the URL already ends with `{appended}`, which cdsync appends"),
            &format!("remove `{appended}`"),
        );
    }
    url.set_path(&path);
    Some(BaseUrl(url))
}

/// `{ credential = … }`, `{ env = … }` or `{ file = … }`.
pub(super) fn secret(node: &Node<'_>) -> Option<SecretSource> {
    let key = node.path.rsplit('.').next().unwrap_or_default();
    let forms = format!(
        "write `{key} = {{ credential = \"NAME\" }}` (a systemd credential), `{{ env = \"NAME\" }}` or `{{ file = \"PATH\" }}`"
    );
    if node.value.as_table().is_none() {
        node.mask();
        node.problem("a secret may not stand in the file", forms);
        return None;
    }
    let keys = node.keys(SECRET_KEYS)?;
    let mut places = SECRET_KEYS.iter().filter_map(|key| keys.get(key));
    let (Some(place), None) = (places.next(), places.next()) else {
        // The unknown key has been reported; it most likely was the place.
        if keys.present().all(|key| SECRET_KEYS.contains(&key)) {
            node.problem("a secret has exactly one place", forms);
        }
        return None;
    };
    let text = place.text()?;
    let refuse = |problem: &str, hint: &str| {
        // What is no name may be the secret itself.
        place.mask();
        place.problem(problem, hint);
        None
    };
    if keys.get("credential").is_some() {
        return if is_credential_name(text) {
            Some(SecretSource::Credential(text.to_owned()))
        } else {
            refuse(
                "this is not the name of a systemd credential",
                "the name in the unit's `LoadCredential=`: one file name, without `/`",
            )
        };
    }
    if keys.get("env").is_some() {
        let valid = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        return if valid {
            Some(SecretSource::Env(text.to_owned()))
        } else {
            refuse(
                "this is not the name of an environment variable",
                "letters, digits and underscores, as in `{ env = \"DYNAMICS_SECRET\" }`",
            )
        };
    }
    if text.is_empty() || text.contains(char::is_control) {
        return refuse("this is not a path", "as in `{ file = \"/etc/cdsync/secret\" }`");
    }
    Some(SecretSource::File(PathBuf::from(text)))
}

/// A zone of the IANA database.
pub(super) fn time_zone(node: &Node<'_>) -> Option<TimeZone> {
    let text = node.text()?;
    if let Ok(zone) = TimeZone::get(text) {
        return Some(zone);
    }
    let names: Vec<String> =
        jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    let hint = if names.is_empty() {
        "no time zones are installed: install the package `tzdata`".to_owned()
    } else {
        match nearest(text, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "an IANA name, such as `Europe/Berlin` or `UTC`".to_owned(),
        }
    };
    node.problem(format!("there is no time zone `{}`", shortened(text)), hint);
    None
}

/// A cron expression.
pub(super) fn schedule(node: &Node<'_>) -> Option<Schedule> {
    match Schedule::parse(node.text()?) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            node.problem(
                error.to_string(),
                "as in `*/15 * * * * *` (every 15 seconds) or `0 6 * * 1-5` (06:00 from Monday to Friday)",
            );
            None
        }
    }
}

/// A time span such as `24h`, `90m` or `2d`, of at most `longest`.
pub(super) fn duration(node: &Node<'_>, longest: Duration) -> Option<Duration> {
    let most = match longest.as_secs() {
        seconds if seconds < 120 => format!("{seconds} seconds, such as `2s`"),
        seconds if seconds < 86_400 => format!("{} minutes, such as `2s` or `5m`", seconds / 60),
        seconds => format!("{} days, such as `24h`, `90m` or `2d`", seconds / 86_400),
    };
    let text = node.text()?;
    let parsed = text.parse::<jiff::Span>().ok().and_then(|span| {
        let seconds = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    });
    let found = parsed.filter(|found| *found <= longest);
    if found.is_none() {
        node.problem(
            "this is not a time span, or one that is too long",
            format!("a time span of at most {most}"),
        );
    }
    found
}

/// The path of a file.
pub(super) fn path(node: &Node<'_>, hint: &str) -> Option<PathBuf> {
    let text = node.text()?;
    if text.is_empty() || text.ends_with('/') || text.contains(char::is_control) {
        node.problem("this is not the path of a file", hint);
        return None;
    }
    Some(PathBuf::from(text))
}

/// A name of either system.
pub(super) fn name<T>(
    node: &Node<'_>,
    check: fn(&str) -> Result<T, NameError>,
    hint: &str,
) -> Option<T> {
    match check(node.text()?) {
        Ok(name) => Some(name),
        Err(error) => {
            node.problem(error.to_string(), hint);
            None
        }
    }
}

/// A text that is not empty and has neither spaces nor control characters.
pub(super) fn plain(node: &Node<'_>, hint: &str) -> Option<String> {
    let text = node.text()?;
    if text.is_empty() {
        node.problem("this is empty", hint);
        return None;
    }
    if text.len() > 512 || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        node.problem("this has spaces or control characters, or is too long", hint);
        return None;
    }
    Some(text.to_owned())
}

/// A switch with a default.
pub(super) fn flag_or(keys: &Keys<'_>, key: &str, default: bool) -> bool {
    keys.get(key).and_then(|node| node.flag()).unwrap_or(default)
}

/// A number with a range and a default.
pub(super) fn number_or<T: TryFrom<i64>>(
    keys: &Keys<'_>,
    key: &str,
    allowed: std::ops::RangeInclusive<i64>,
    default: T,
) -> T {
    keys.get(key)
        .and_then(|node| node.integer(allowed))
        .and_then(|number| T::try_from(number).ok())
        .unwrap_or(default)
}
